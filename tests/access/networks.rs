use super::support::{Origin, Weir};

const ROUTES: &str = r#"
[[listener]]
address = "127.0.0.1:{port}"
trust_forwarded = ["127.0.0.1"]
[access.office]
allow = ["10.0.0.0/8", "2001:db8::/32"]
deny = ["10.66.0.0/16"]
[access.elsewhere]
deny = ["127.0.0.0/8"]
[[route]]
pool = "app"
access = "office"
[[route]]
path = "/fixed"
respond = { body = "for the office" }
access = "office"
errors = { "403" = "no.txt" }
[[route]]
path = "/elsewhere"
redirect = { to = "/x" }
access = "elsewhere"
"#;

#[test]
fn only_clients_in_these_networks_are_let_in() {
    let origin = Origin::start();
    let weir = super::serve(&origin, ROUTES, &[("no.txt", "not you")]);
    let mut client = weir.client();
    for (address, status) in [
        ("10.1.2.3", 200),
        ("10.66.0.1", 403),
        ("11.0.0.1", 403),
        ("2001:db8::7", 200),
        ("::ffff:10.1.2.3", 200),
        ("2001:db9::7", 403),
    ] {
        client.get("/").field("X-Forwarded-For", address).sees(status);
    }
    // Who says nothing of others is himself.
    client.get("/").sees(403).lacks("www-authenticate").field("cache-control", "no-store");
    client.get("/elsewhere").sees(403);
    client.get("/elsewhere").field("X-Forwarded-For", "11.0.0.1").sees(308);
    origin.saw(3);
    weir.counts("weir_access_total{access=\"office\",verdict=\"network\"}", 4.0);
    weir.counts("weir_access_total{access=\"office\",verdict=\"granted\"}", 3.0);
    weir.counts("weir_refusals_total{reason=\"access\"}", 5.0);
}

#[test]
fn routes_without_a_backend_are_guarded_as_well() {
    let origin = Origin::start();
    let weir = super::serve(&origin, ROUTES, &[("no.txt", "not you")]);
    let mut client = weir.client();
    client.get("/fixed").sees(403).body("not you");
    client.get("/fixed").field("X-Forwarded-For", "10.1.1.1").sees(200).body("for the office");
    client.post("/fixed", "abc").sees(403).body("not you");
}

#[test]
fn no_spelling_of_a_path_walks_around_an_access() {
    let origin = Origin::start();
    let text = "[access.none]\ndeny = [\"0.0.0.0/0\"]\n[[route]]\npool = \"app\"\n\
                [[route]]\npath = \"/admin/*\"\npool = \"app\"\naccess = \"none\"\n";
    let weir = Weir::before(&origin, text);
    let mut client = weir.client();
    for path in
        ["/admin", "/admin/", "/%61dmin/x", "//admin/x", "/x/../admin/y", "/admin%2fx", "/./admin", "/admin/x?a=/../.."]
    {
        client.get(path).sees(403);
    }
    for path in ["/x//../admin", "/x/..;/admin", "/x/%2e%2e%2fadmin%00"] {
        client.get(path).sees(400);
    }
    origin.saw(0);
    client.get("/public").sees(200);
}
