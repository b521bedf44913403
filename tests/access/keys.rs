//! Keys that are fetched.

use super::support::{Authority, Origin, Puppet, Weir, eventually};
use super::tokens::{Issuer, bearer, set};
use serde_json::json;

fn api(origin: &Origin, jwks: &str) -> String {
    let _ = origin;
    format!(
        "[access.api]\njwt = {{ jwks = {jwks}, issuer = \"https://login.example\", audience = \"shop\", algorithms = \"ES256\" }}\n\
         [[route]]\npool = \"app\"\naccess = \"api\"\n"
    )
}

fn serve(origin: &Origin, login: &Origin) -> Weir {
    let text = api(origin, "{ url = \"http://{login}/jwks.json?v=1\" }");
    Weir::start(&text, &[("origin", &origin.address()), ("login", &login.address())])
}

#[test]
fn keys_are_fetched_before_anybody_is_let_in() {
    let (origin, login, issuer) = (Origin::start(), Origin::start(), Issuer::named("1"));
    login.replies(200).field("Content-Type", "application/jwk-set+json").body(&set(&[&issuer]));
    let weir = serve(&origin, &login);
    let asked = login.request(0);
    assert_eq!(asked.line, "GET /jwks.json?v=1 HTTP/1.1");
    asked.field("host", &login.address());
    let mut client = weir.client();
    client.get("/").field("Authorization", &bearer(&issuer.token(json!({})))).sees(200);
    client.get("/").sees(401);
    assert_eq!(weir.metric("weir_access_keys{access=\"api\"}"), 1.0);
    weir.counts("weir_access_key_fetches_total{access=\"api\",result=\"ok\"}", 1.0);
    login.saw(1);
}

#[test]
fn without_keys_nobody_is_let_in_and_that_is_no_fault_of_the_client() {
    let (origin, login, issuer) = (Origin::start(), Origin::start(), Issuer::named("1"));
    for status in [500, 404] {
        login.replies(status);
    }
    login.replies(302).field("Location", "/elsewhere");
    login.replies(200).body("<html>");
    login.replies(200).body("{\"keys\":[]}");
    login.hangs_up();
    login.replies(200).body(&"x".repeat(300_000));
    let weir = serve(&origin, &login);
    let mut client = weir.client();
    let token = bearer(&issuer.token(json!({})));
    client.get("/").field("Authorization", &token).sees(503).field("retry-after", "1").lacks("www-authenticate");
    // Who gave nothing is asked for something all the same.
    client.get("/").sees(401);
    weir.counts("weir_refusals_total{reason=\"access_unknown\"}", 1.0);
    assert!(weir.log.find(0, "nobody is let in").is_some());
    let status =
        || serde_json::from_slice::<serde_json::Value>(&weir.admin("/v1/status").body).unwrap()["access"][0].clone();
    assert_eq!(
        (&status()["access"], &status()["keys"], &status()["keys_age_seconds"]),
        (&json!("api"), &json!(0), &json!(null))
    );
    assert!(status()["why"].as_str().is_some_and(|why| why.contains("status")), "{}", status());
    // It is tried again, soon.
    login.request(1);
    login.request(2);
    client.get("/").field("Authorization", &token).sees(503);
    origin.saw(0);
}

#[test]
fn a_key_that_is_not_known_is_fetched_for_and_old_ones_go() {
    let (origin, login) = (Origin::start(), Origin::start());
    let (old, new) = (Issuer::named("old"), Issuer::named("new"));
    login.replies(200).body(&set(&[&old]));
    login.replies(200).body(&set(&[&new]));
    let weir = serve(&origin, &login);
    let mut client = weir.client();
    let (first, second) = (bearer(&old.token(json!({}))), bearer(&new.token(json!({}))));
    client.get("/").field("Authorization", &first).sees(200);
    client.get("/").field("Authorization", &second).sees(200);
    login.saw(2);
    // What the old key proved is forgotten with it, and nobody fetches again for that.
    client.get("/").field("Authorization", &first).sees(401);
    login.saw(2);
}

#[test]
fn names_of_keys_that_are_made_up_cost_the_issuer_nothing() {
    let (origin, login, issuer) = (Origin::start(), Origin::start(), Issuer::named("1"));
    login.replies(200).body(&set(&[&issuer]));
    let weir = serve(&origin, &login);
    let mut client = weir.client();
    for n in 0..200 {
        client
            .get("/")
            .field("Authorization", &bearer(&Issuer::named(&format!("made-up-{n}")).token(json!({}))))
            .sees(401);
    }
    client.get("/").field("Authorization", &bearer(&issuer.token(json!({})))).sees(200);
    // One at the start, and one at most each ten seconds.
    assert!(login.count() <= 3, "{}", login.count());
}

#[test]
fn keys_outlive_a_reload_and_an_issuer_that_is_gone() {
    let (origin, login, issuer) = (Origin::start(), Origin::start(), Issuer::named("1"));
    login.replies(200).body(&set(&[&issuer]));
    let weir = serve(&origin, &login);
    let token = bearer(&issuer.token(json!({})));
    weir.client().get("/").field("Authorization", &token).sees(200);
    let text =
        api(&origin, "{ url = \"http://{login}/jwks.json?v=1\" }").replace("[[route]]", "[[route]]\nname = \"other\"");
    weir.becomes(&text.replace("algorithms = \"ES256\"", "algorithms = \"ES256\", leeway = \"1s\""));
    weir.client().get("/").field("Authorization", &token).sees(200);
    // Nothing was fetched for it.
    login.saw(1);
    // What was fetched is kept while nobody answers; here: another key is asked for, and only errors come.
    for _ in 0..5 {
        login.replies(500);
    }
    eventually("it was tried", || {
        let other = bearer(&Issuer::named("2").token(json!({})));
        weir.client().get("/").field("Authorization", &other).sees(401);
        login.count() > 1
    });
    weir.client().get("/").field("Authorization", &token).sees(200);
}

#[test]
fn over_tls_the_issuer_is_verified() {
    let (origin, issuer) = (Origin::start(), Issuer::named("1"));
    let (authority, other) = (Authority::new(), Authority::new());
    for (signs, status) in [(&authority, 200), (&other, 503)] {
        let login = Puppet::start();
        let text = api(&origin, "{ url = \"https://localhost:{login}/\", ca = \"ca.pem\" }");
        let port = login.address().rsplit_once(':').unwrap().1.to_owned();
        let directory = super::with(&[("ca.pem", &authority.pem())]);
        let server = signs.server(&signs.signs("localhost", "login"), false);
        let keys = set(&[&issuer]);
        let serving = std::thread::spawn(move || {
            let mut peer = login.accepts_tls(&server);
            if let Ok(seen) = peer.try_gets() {
                assert!(seen.line.starts_with("GET / "), "{}", seen.line);
                peer.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{keys}", keys.len()));
            }
            login
        });
        let weir = Weir::start_in(directory, &text, &[("origin", &origin.address()), ("login", &port)]);
        weir.client().get("/").field("Authorization", &bearer(&issuer.token(json!({})))).sees(status);
        drop(serving.join().unwrap());
    }
}
