use super::basic::{USERS, credentials};
use super::support::{Origin, Weir};

const ROUTES: &str = r#"
[access.staff]
basic = { file = "users", user = "x-user" }
[[route]]
pool = "app"
[[route]]
path = "/staff/*"
pool = "app"
access = "staff"
[[route]]
path = "/root/*"
field = { "x-user" = "root" }
respond = { body = "as root" }
"#;

fn serve(origin: &Origin, more: &str) -> Weir {
    super::serve(origin, &format!("{more}{ROUTES}"), &[("users", USERS)])
}

#[test]
fn what_a_client_says_of_itself_reaches_no_backend_by_any_route() {
    let origin = Origin::start();
    let weir = serve(&origin, "");
    let mut client = weir.client();
    for spelling in ["X-User", "x-user", "X_User", "X-USER", "x_user"] {
        client.get("/open").field(spelling, "root").sees(200);
        origin.last().lacks("x-user").lacks("x_user");
        client.get("/staff/").field(spelling, "root").field("Authorization", &credentials("ann:secret")).sees(200);
        origin.last().field("x-user", "ann").lacks("x_user");
    }
    // Not even at the end of its content.
    client.send(
        "POST /open HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-User: root\r\nX-Sum: 1\r\n\r\n",
    );
    client.sees(200);
    let trailers = origin.last().trailers;
    assert_eq!((trailers.get("x-user"), trailers.get("x-sum").as_deref()), (None, Some("1")));
    // Nor does it decide on a route.
    client.get("/root/x").field("X-User", "root").sees(200).body("ok");
}

#[test]
fn connection_cannot_take_away_what_the_backend_is_told() {
    let origin = Origin::start();
    let weir = serve(&origin, "");
    for named in ["X-User", "close, x_user", "x-user, keep-alive"] {
        let mut client = weir.client();
        client.get("/staff/").field("Connection", named).field("Authorization", &credentials("ann:secret")).sees(400);
    }
    origin.saw(0);
}

#[test]
fn a_proxy_that_is_trusted_may_tell_on_open_routes_but_not_where_we_know_better() {
    let origin = Origin::start();
    let weir = serve(&origin, "[[listener]]\naddress = \"127.0.0.1:{port}\"\ntrust_forwarded = [\"127.0.0.1\"]\n");
    let mut client = weir.client();
    client.get("/open").field("X-User", "carol").sees(200);
    origin.last().field("x-user", "carol");
    let given = credentials("ann:secret");
    client.get("/staff/").field("X-User", "root").field("X_User", "root").field("Authorization", &given).sees(200);
    origin.last().field("x-user", "ann").lacks("x_user");
    client.get("/staff/").field("X-User", "root").sees(401);
}
