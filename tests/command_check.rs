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
fn routes_show_their_limits_and_one_that_holds_nowhere_is_a_warning() {
    let limited = ROUTES.replace("pool = \"a\"\n[[route]]\npath", "pool = \"a\"\nlimits = [\"few\"]\n[[route]]\npath")
        + "[limit.few]\nkey = \"host\"\nrate = \"1/s\"\n[limit.spare]\nkey = \"host\"\nrate = \"1/s\"\n";
    let (ok, out) = run(&limited, true, false);
    assert!(ok && out.contains("pool a, limits few"), "{out}");
    let (_, out) = run(&limited, false, false);
    assert!(out.contains("no route uses limit `spare`"), "{out}");
}

#[test]
fn routes_show_their_access_and_one_that_guards_nothing_is_a_warning() {
    let guarded = ROUTES.replace("pool = \"a\"\n[[route]]\npath", "pool = \"a\"\naccess = \"office\"\n[[route]]\npath")
        + "[access.office]\nallow = [\"10.0.0.0/8\"]\n[access.spare]\ndeny = [\"::/0\"]\n";
    let (ok, out) = run(&guarded, true, false);
    assert!(ok && out.contains("pool a, access office"), "{out}");
    let json: serde_json::Value = serde_json::from_str(&run(&guarded, true, true).1).unwrap();
    assert_eq!(
        (&json["order"][4]["access"], &json["order"][0]["access"]),
        (&"office".into(), &serde_json::Value::Null)
    );
    let (_, out) = run(&guarded, false, false);
    assert!(out.contains("no route uses access `spare`: it protects nothing"), "{out}");
    assert!(!out.contains("`office`"), "{out}");
}

#[test]
fn keys_that_are_of_no_use_are_an_error_with_their_place() {
    let text = "version = 1\n[[listener]]\naddress = \"127.0.0.1:8080\"\n[access.api]\n\
                jwt = { jwks = { file = \"weir.toml\" }, issuer = \"x\", audience = \"y\", algorithms = \"ES256\" }\n\
                [[route]]\nrespond = {}\naccess = \"api\"\n";
    let (ok, out) = run(text, false, false);
    assert!(!ok);
    assert_eq!(
        out,
        "error: weir.toml:4: [access.api] jwks weir.toml: it is not a JWK Set: wanted is {\"keys\": [ … ]}\n"
    );
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
