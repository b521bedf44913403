use super::support::{Gate, Origin, Weir, eventually};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::time::Instant;

/// `ann`, `bob` and `jürgen` have the passwords `secret`, `secret` and `sésame ouvre-toi`.
pub(crate) const USERS: &str = "# staff\n\
ann:$2y$04$mAmjVI9STysZZMR6/ZTmoehjadhXmboPaPDL6do3ENXN714E6OL16\n\
\n\
bob:$argon2id$v=19$m=64,t=1,p=1$PpnqzJDTc0ctjD0cdXPFYQ$aeSNIKwWiIC1CpD2+V6A0EkOt1oVgkNJ3iEjespKyno\r\n\
jürgen:$2b$04$gZYQWtXTfN4r1hvheVPNQOKmmHywIUczkP47EGe1nkW6d8uULbJRK\n";

pub(crate) const STAFF: &str = "[access.staff]\nbasic = { file = \"users\", realm = \"The office\", user = \"x-user\" }\n\
                                [[route]]\npool = \"app\"\naccess = \"staff\"\n";

const CHALLENGE: &str = "Basic realm=\"The office\", charset=\"UTF-8\"";

pub(crate) fn credentials(text: &str) -> String {
    format!("Basic {}", STANDARD.encode(text))
}

fn staff(origin: &Origin, more: &str) -> Weir {
    super::serve(origin, &format!("{more}{STAFF}"), &[("users", USERS)])
}

#[test]
fn who_knows_a_password_is_let_in_and_the_backend_is_told_the_name_alone() {
    let origin = Origin::start();
    let weir = staff(&origin, "");
    let mut client = weir.client();
    for (given, name) in [("ann:secret", "ann"), ("bob:secret", "bob"), ("jürgen:sésame ouvre-toi", "jÃ¼rgen")] {
        client.get("/").field("Authorization", &credentials(given)).sees(200);
        origin.last().field("x-user", name).lacks("authorization");
    }
    client.post("/", "content").field("authorization", &credentials("ann:secret")).sees(200);
    assert_eq!(origin.last().body, b"content");
    weir.counts("weir_access_total{access=\"staff\",verdict=\"granted\"}", 4.0);
}

#[test]
fn whoever_does_not_is_asked_for_it() {
    let origin = Origin::start();
    let weir = staff(&origin, "");
    let mut client = weir.client();
    client.get("/").sees(401).field("www-authenticate", CHALLENGE).field("cache-control", "no-store");
    client.ask("HEAD", "/").sees(401).field("www-authenticate", CHALLENGE).body("");
    client.get("/").field("Authorization", "Bearer abc").sees(401).field("www-authenticate", CHALLENGE);
    for given in ["ann:wrong", "ann:", "ann:secret ", "Ann:secret", "eve:secret", "bob:Secret", ":", "ann:sécret"] {
        client.get("/").field("Authorization", &credentials(given)).sees(401).field("www-authenticate", CHALLENGE);
    }
    weir.counts("weir_access_total{access=\"staff\",verdict=\"missing\"}", 3.0);
    weir.counts("weir_access_total{access=\"staff\",verdict=\"wrong\"}", 8.0);
    for broken in ["Basic", "Basic !!!", "Basic YTpi YTpi", "Basic YW5uOnNlY3JldA", &credentials("no colon")] {
        client.get("/").field("Authorization", broken).sees(401).field("www-authenticate", CHALLENGE);
    }
    let right = credentials("ann:secret");
    client.get("/").field("Authorization", &right).field("Authorization", &right).sees(401);
    let long = credentials(&format!("ann:{}", "x".repeat(2000)));
    client.get("/").field("Authorization", &long).sees(401);
    // Content is not asked for from who is not let in.
    client.ask("POST", "/").field("Expect", "100-continue").field("Content-Length", "5").sent();
    assert!(client.response("POST").unwrap().interim.is_empty());
    origin.saw(0);
}

#[test]
fn by_http2_it_is_the_same() {
    let origin = Origin::start();
    let weir = staff(&origin, "[[listener]]\naddress = \"127.0.0.1:{port}\"\nprotocols = [\"h2\", \"http/1.1\"]\n");
    let (status, fields) = super::over_h2(&weir, "/", &[]);
    assert_eq!(status, 401);
    assert!(fields.contains(&("www-authenticate".to_owned(), CHALLENGE.to_owned())), "{fields:?}");
    assert_eq!(super::over_h2(&weir, "/", &[("authorization", &credentials("ann:wrong"))]).0, 401);
    origin.saw(0);
    assert_eq!(super::over_h2(&weir, "/", &[("authorization", &credentials("ann:secret")), ("x-user", "root")]).0, 200);
    origin.last().field("x-user", "ann").lacks("authorization");
}

#[test]
fn a_reload_takes_the_file_anew_and_who_is_gone_is_out_at_once() {
    let origin = Origin::start();
    let weir = staff(&origin, "");
    let mut client = weir.client();
    let ann = credentials("ann:secret");
    client.get("/").field("Authorization", &ann).sees(200);
    let without: String =
        USERS.lines().filter(|line| !line.starts_with("ann")).map(|line| format!("{line}\n")).collect();
    std::fs::write(weir.path("users"), &without).unwrap();
    // Not before the reload.
    client.get("/").field("Authorization", &ann).sees(200);
    weir.reload().unwrap();
    client.get("/").field("Authorization", &ann).sees(401);
    client.get("/").field("Authorization", &credentials("bob:secret")).sees(200);
    // A file that is wrong changes nothing.
    std::fs::write(weir.path("users"), "eve:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n").unwrap();
    let said = weir.reload().unwrap_err();
    assert!(said.contains("users:1:1") && said.contains("SHA-1") && !said.contains("5en6G6"), "{said}");
    client.get("/").field("Authorization", &credentials("bob:secret")).sees(200);
}

#[test]
fn the_log_knows_who_it_was() {
    let origin = Origin::start();
    let mut weir = staff(&origin, "[log]\naccess = { format = \"{status} {user}\", to = \"stdout\" }\n");
    let mut client = weir.client();
    client.get("/").field("Authorization", &credentials("ann:secret")).sees(200);
    client.get("/").field("Authorization", &credentials("ann:wrong")).sees(401);
    client.get("/").sees(401);
    assert!(weir.stop().success());
    assert_eq!(weir.out.all(), ["200 ann", "401 -", "401 -"]);
}

/// A hash of `secret` that takes its time, most of all without optimisation.
const SLOW: &str = "ann:$2y$09$FnotVcwQ66N8UWiHY1Z14O73bSVJyKohIfyrIR4v2nMzqUgZsTjA.\n";

#[test]
fn what_is_right_once_is_not_checked_again_for_a_while() {
    let origin = Origin::start();
    let weir = super::serve(&origin, STAFF, &[("users", SLOW)]);
    let mut client = weir.client();
    let right = credentials("ann:secret");
    let begun = Instant::now();
    client.get("/").field("Authorization", &right).sees(200);
    let first = begun.elapsed();
    for _ in 0..40 {
        client.get("/").field("Authorization", &right).sees(200);
    }
    // Were it checked each time, this would be forty times as much.
    assert!(begun.elapsed() < first * 10, "{:?} and {first:?}", begun.elapsed());
    // What is alike is not taken for it.
    for given in ["ann:secre", "an:nsecret", "ann:secret:"] {
        client.get("/").field("Authorization", &credentials(given)).sees(401);
    }
}

#[test]
fn a_flood_of_guesses_is_bounded_and_holds_up_nobody_who_is_known_or_need_not_be() {
    let origin = Origin::start();
    let text = format!("{STAFF}[[route]]\npath = \"/open\"\nrespond = {{ body = \"open\" }}\n");
    let weir = super::serve(&origin, &text, &[("users", SLOW)]);
    weir.client().get("/").field("Authorization", &credentials("ann:secret")).sees(200);
    // More than may be checked at once, and wait for it; nobody stays for the answers.
    let cores = std::thread::available_parallelism().unwrap().get();
    let guesses: Vec<_> = (0..72 + cores)
        .map(|at| {
            let mut client = weir.client();
            client.get("/").field("Authorization", &credentials(&format!("ann:guess{at}"))).sent();
            client
        })
        .collect();
    weir.client().get("/open").sees(200).body("open");
    weir.client().get("/").field("Authorization", &credentials("ann:secret")).sees(200);
    // All of that was before most of the guesses were looked at.
    let wrong = weir.metric("weir_access_total{access=\"staff\",verdict=\"wrong\"}");
    assert!(wrong < guesses.len() as f64 / 2.0, "{wrong}");
    eventually("too many is too many", || weir.metric("weir_access_total{access=\"staff\",verdict=\"busy\"}") > 0.0);
    // Who is not known yet has to try again.
    let answers = guesses.into_iter().map(|mut client| client.response("GET").unwrap());
    let busy =
        answers.take_while(|answer| answer.status == 401 || answer.status == 503).find(|answer| answer.status == 503);
    assert_eq!(busy.expect("one at least").value("retry-after"), "1");
}

#[test]
fn in_front_of_a_websocket_and_a_slow_backend_it_is_asked_once_and_first() {
    let (origin, gate) = (Origin::start(), Gate::new());
    let weir = staff(&origin, "");
    let mut client = weir.client();
    client.ask("GET", "/").field("Connection", "upgrade").field("Upgrade", "websocket").sees(401);
    origin.saw(0);
    origin.says("").after(&gate).then("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let mut client = weir.client();
    client.get("/").field("Authorization", &credentials("ann:secret")).sent();
    origin.request(0).field("x-user", "ann");
    gate.open();
    client.sees(200);
}
