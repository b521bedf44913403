//! `weir check` and `weir schema`, as functions.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

use std::path::Path;
use weir::command::{check::check, schema::schema};

fn run(text: &str, routes: bool, json: bool) -> (bool, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("weir.toml");
    std::fs::write(&path, text).unwrap();
    let mut out = Vec::new();
    let code = check(&path, routes, json, &mut out).unwrap();
    let out = String::from_utf8(out).unwrap().replace(&format!("{}/", dir.path().display()), "");
    (format!("{code:?}") == format!("{:?}", std::process::ExitCode::SUCCESS), out)
}

const ROUTES: &str = r#"version = 1
[[listener]]
address = "127.0.0.1:8080"
[pool.a]
backends = ["127.0.0.1:1"]
[pool.b]
backends = ["127.0.0.1:2"]
[[route]]
pool = "a"
[[route]]
path = ["/x", "/y/*"]
method = ["GET", "HEAD"]
pool = { split = { a = 9, b = 1 } }
[[route]]
host = "*.example"
maintenance = true
redirect = { to = "/x" }
[[route]]
host = "a.example"
field = { "x-a" = "1*" }
client = "10.0.0.0/8"
respond = { status = 403 }
"#;

#[test]
fn routes_are_printed_in_the_order_of_matching_with_their_places() {
    let (ok, out) = run(ROUTES, true, false);
    assert!(ok);
    let wanted = "   1  a.example  x-a: 1*, from 10.0.0.0/8  respond 403                      weir.toml:18
   2  *.example                               maintenance (redirect 308 /x)    weir.toml:14
   3  * /x       GET|HEAD                     split a 9, b 1                   weir.toml:10
   4  * /y/*     GET|HEAD                     split a 9, b 1                   weir.toml:10
   5  *                                       pool a                           weir.toml:8
";
    let squeeze = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(squeeze(&out), squeeze(wanted), "{out}");
}

#[test]
fn json_holds_the_order_or_the_errors() {
    let (ok, out) = run(ROUTES, true, true);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert!(ok && json["ok"] == true && json["routes"] == 4);
    assert_eq!(json["order"][0]["host"], "a.example");
    assert_eq!(json["order"][4]["line"], 8);

    let (ok, out) = run("version = 1\n[[listener]]\nadress = 1\n", false, true);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert!(!ok && json["ok"] == false);
    assert_eq!(json["errors"][0]["key"], "listener[0].adress");
    assert_eq!((&json["errors"][0]["line"], &json["errors"][0]["column"]), (&3.into(), &1.into()));
}

#[test]
fn a_good_file_is_said_to_be_good_with_its_warnings() {
    let text = ROUTES.replace("b = 1", "a = 1").replace("a = 9, ", "");
    let (ok, out) = run(&text, false, false);
    assert!(ok);
    assert_eq!(out, "warning: weir.toml:6: no route uses pool `b`\nweir.toml: ok: listeners 1, pools 2, routes 4\n");
}

#[test]
fn a_missing_file_fails_with_its_name() {
    let mut out = Vec::new();
    let code = check(Path::new("none/weir.toml"), false, false, &mut out).unwrap();
    assert_ne!(format!("{code:?}"), format!("{:?}", std::process::ExitCode::SUCCESS));
    assert!(String::from_utf8(out).unwrap().contains("none/weir.toml"));
}

#[test]
fn the_schema_is_printed_as_json() {
    let mut out = Vec::new();
    schema(&mut out).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(json["$schema"], "https://json-schema.org/draft/2020-12/schema");
}
