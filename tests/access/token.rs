use super::support::{Origin, Weir};
use super::tokens::{Issuer, bearer, now, set};
use serde_json::json;

const API: &str = r#"
[access.api]
jwt = {
  jwks = { file = "keys.json" },
  issuer = "https://login.example",
  audience = "shop",
  algorithms = ["ES256", "EdDSA"],
  leeway = "10s",
  fields = { "x-user" = "sub", "x-roles" = "/realm_access/roles" },
}
[access.page]
jwt = { jwks = { file = "keys.json" }, issuer = "https://login.example", audience = "shop", algorithms = "ES256", from = "cookie:session" }
[access.edge]
jwt = { jwks = { file = "keys.json" }, issuer = "https://login.example", audience = "shop", algorithms = "ES256", from = "field:x-assertion" }
[[route]]
pool = "app"
access = "api"
[[route]]
path = "/page"
pool = "app"
access = "page"
[[route]]
path = "/edge"
pool = "app"
access = "edge"
"#;

fn serve(origin: &Origin, issuer: &Issuer, more: &str) -> Weir {
    super::serve(origin, &format!("{more}{API}"), &[("keys.json", &set(&[issuer]))])
}

#[test]
fn a_token_lets_in_and_its_claims_are_told() {
    let (origin, issuer) = (Origin::start(), Issuer::named("1"));
    let weir = serve(&origin, &issuer, "");
    let mut client = weir.client();
    let token = bearer(&issuer.token(json!({ "realm_access": { "roles": ["reader", "writer"] } })));
    // The second time it is known already.
    for _ in 0..2 {
        client.get("/").field("Authorization", &token).field("X-Roles", "admin").sees(200);
        origin.last().field("x-user", "ann").field("x-roles", "reader, writer").field("authorization", &token);
    }
    // A claim that is not there is not told, whatever the client says.
    let bare = bearer(&issuer.token(json!({ "sub": null })));
    client.get("/").field("Authorization", &bare).field("X-Roles", "admin").field("X-User", "root").sees(200);
    origin.last().lacks("x-roles").lacks("x-user");
    weir.counts("weir_access_total{access=\"api\",verdict=\"granted\"}", 3.0);
}

#[test]
fn a_token_is_looked_for_where_the_configuration_says_and_nowhere_else() {
    let (origin, issuer) = (Origin::start(), Issuer::named("1"));
    let weir = serve(&origin, &issuer, "");
    let mut client = weir.client();
    let token = issuer.token(json!({}));
    client.get("/page").field("Cookie", &format!("a=1; session={token}")).sees(200);
    client.get("/edge").field("X-Assertion", &token).sees(200);
    origin.saw(2);
    client.get("/page").field("Authorization", &bearer(&token)).sees(401);
    client.get("/edge").field("Cookie", &format!("session={token}")).sees(401);
    client.get("/").field("Cookie", &format!("session={token}")).sees(401);
    client.get(&format!("/?access_token={token}")).sees(401);
    // Two are one too many: the backend might read the other one.
    client.get("/page").field("Cookie", &format!("session={token}; session=x")).sees(401);
    client.get("/edge").field("X-Assertion", &token).field("x-assertion", "x").sees(401);
    client.get("/").field("Authorization", &bearer(&token)).field("Authorization", "Bearer x").sees(401);
    origin.saw(2);
}

#[test]
fn what_is_wrong_with_a_token_is_said_as_the_standard_has_it() {
    let (origin, issuer) = (Origin::start(), Issuer::named("1"));
    let weir = serve(&origin, &issuer, "");
    let mut client = weir.client();
    client.get("/").sees(401).field("www-authenticate", "Bearer realm=\"api\"").field("cache-control", "no-store");
    let invalid = "Bearer realm=\"api\", error=\"invalid_token\"";
    let stranger = Issuer::named("1");
    let claims = json!({ "iss": "https://login.example", "aud": "shop", "exp": now() + 60 });
    for token in [
        String::from("x"),
        String::new(),
        stranger.token(json!({})),
        Issuer::named("2").token(json!({})),
        issuer.token(json!({ "iss": "https://evil.example" })),
        issuer.token(json!({ "aud": "other" })),
        issuer.token(json!({ "exp": null })),
        issuer.token(json!({ "nbf": now() + 60 })),
        issuer.token(json!({ "sub": "a\r\nx-admin: 1" })),
        issuer.signs(&json!({ "alg": "none" }), &claims),
        issuer.signs(&json!({ "alg": "HS256", "kid": "1" }), &claims),
        issuer.signs(&json!({ "alg": "EdDSA", "kid": "1" }), &claims),
        issuer.signs(&json!({ "alg": "ES256", "kid": "1", "crit": ["exp"] }), &claims),
        format!("{}.", issuer.token(json!({})).rsplit_once('.').unwrap().0),
        "x".repeat(20_000),
    ] {
        client.get("/").field("Authorization", &bearer(&token)).sees(401).field("www-authenticate", invalid);
    }
    weir.counts("weir_access_total{access=\"api\",verdict=\"wrong\"}", 14.0);
    client.get("/").field("Authorization", &bearer(&issuer.token(json!({ "exp": now() - 11 })))).sees(401);
    weir.counts("weir_access_total{access=\"api\",verdict=\"expired\"}", 2.0);
    origin.saw(0);
    client.get("/").field("Authorization", &bearer(&issuer.token(json!({ "exp": now() - 1 })))).sees(200);
}

#[test]
fn a_token_that_is_known_is_refused_all_the_same_once_its_time_is_over() {
    let (origin, issuer) = (Origin::start(), Issuer::named("1"));
    let text = API.replace("leeway = \"10s\"", "leeway = \"0s\"");
    let weir = super::serve(&origin, &text, &[("keys.json", &set(&[&issuer]))]);
    let mut client = weir.client();
    let token = bearer(&issuer.token(json!({ "exp": now() + 3 })));
    client.get("/").field("Authorization", &token).sees(200);
    super::support::eventually("its time is over", || {
        client.get("/").field("Authorization", &token).gets().unwrap().status == 401
    });
    assert!(now() >= 3, "the clock runs");
    weir.counts("weir_access_total{access=\"api\",verdict=\"expired\"}", 1.0);
}

#[test]
fn a_reload_takes_other_keys_and_forgets_what_the_old_ones_proved() {
    let (origin, issuer, next) = (Origin::start(), Issuer::named("1"), Issuer::named("1"));
    let weir = serve(&origin, &issuer, "");
    let mut client = weir.client();
    let (old, new) = (bearer(&issuer.token(json!({}))), bearer(&next.token(json!({}))));
    client.get("/").field("Authorization", &old).sees(200);
    client.get("/").field("Authorization", &new).sees(401);
    std::fs::write(weir.path("keys.json"), set(&[&next])).unwrap();
    weir.reload().unwrap();
    client.get("/").field("Authorization", &old).sees(401);
    client.get("/").field("Authorization", &new).sees(200);
    std::fs::write(weir.path("keys.json"), "{\"keys\":[{\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}]}").unwrap();
    let said = weir.reload().unwrap_err();
    assert!(said.contains("[access.api] jwks") && said.contains("none of its keys"), "{said}");
    client.get("/").field("Authorization", &new).sees(200);
}

#[test]
fn by_http2_and_in_the_log_it_is_the_same() {
    let (origin, issuer) = (Origin::start(), Issuer::named("1"));
    let more =
        "[[listener]]\naddress = \"127.0.0.1:{port}\"\nprotocols = [\"h2\"]\n[log]\naccess = { to = \"stdout\" }\n";
    let mut weir = serve(&origin, &issuer, more);
    let token = issuer.token(json!({}));
    assert_eq!(super::over_h2(&weir, "/", &[("authorization", &bearer(&token))]).0, 200);
    assert_eq!(super::over_h2(&weir, "/page", &[("cookie", "a=1"), ("cookie", &format!("session={token}"))]).0, 200);
    let (status, fields) = super::over_h2(&weir, "/", &[("authorization", "Bearer x")]);
    assert_eq!(status, 401);
    assert!(fields.iter().any(|(name, value)| name == "www-authenticate" && value.contains("invalid_token")));
    assert!(weir.stop().success());
    let users: Vec<_> = weir
        .out
        .all()
        .iter()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["user"].clone())
        .collect();
    assert_eq!(users, [json!("ann"), json!("ann"), json!(null)]);
}
