//! What writes and operators take out of the cache, and who counts as an operator.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use support::{Client, Gate, Origin, Weir};

const PROXIED: &str = "[[listener]]\naddress = \"127.0.0.1:{port}\"\ntrust_forwarded = [\"127.0.0.0/8\"]\n";

fn fresh(origin: &Origin, body: &str) {
    origin.replies(200).field("Cache-Control", "max-age=60").body(body);
}

fn is_hit(client: &mut Client, target: &str, fields: &[(&str, &str)]) -> bool {
    let ask = fields.iter().fold(client.get(target), |ask, (name, value)| ask.field(name, value));
    ask.sees(200).value("cache-status").starts_with("weir; hit")
}

#[test]
fn a_write_invalidates_its_url_whatever_route_stored_it() {
    let origin = Origin::start();
    let weir = Weir::before(
        &origin,
        "[cache.pages]\nmemory = \"64MiB\"\n[access.staff]\nallow = [\"127.0.0.0/8\"]\n\
         [[route]]\nmethod = \"GET\"\npool = \"app\"\ncache = \"pages\"\n\
         [[route]]\nmethod = \"GET\"\nfield = { \"x-kind\" = \"1\" }\npool = \"app\"\ncache = \"pages\"\n\
         [[route]]\nmethod = \"POST\"\naccess = \"staff\"\npool = \"app\"\ncache = \"pages\"\n",
    );
    let mut client = weir.client();
    let kinds: [&[(&str, &str)]; 2] = [&[], &[("X-Kind", "1")]];
    for target in ["/x", "/listed"] {
        for kind in kinds {
            fresh(&origin, "old");
            assert!(!is_hit(&mut client, target, kind) && is_hit(&mut client, target, kind));
        }
    }
    origin.replies(201).field("Location", "/listed").body("");
    client.post("/x", "new").sees(201);
    for target in ["/x", "/listed"] {
        for kind in kinds {
            fresh(&origin, "new");
            assert!(!is_hit(&mut client, target, kind), "{target} {kind:?}");
        }
    }
}

#[test]
fn what_a_write_names_is_looked_for_as_it_is_stored() {
    let origin = Origin::start();
    let weir = Weir::before(
        &origin,
        "[cache.pages]\nmemory = \"64MiB\"\nkey = { ignore_query = [\"utm_*\"] }\n[[route]]\npool = \"app\"\ncache = \"pages\"\n",
    );
    let mut client = weir.client();
    fresh(&origin, "old");
    assert!(!is_hit(&mut client, "/listed", &[]) && is_hit(&mut client, "/listed?utm_a=1", &[]));
    origin.replies(201).field("Location", "/listed?utm_source=mail").body("");
    client.post("/x", "new").sees(201);
    assert!(!is_hit(&mut client, "/listed", &[]));
}

#[test]
fn who_a_proxy_in_front_speaks_for_makes_no_difference_to_what_is_stored() {
    let origin = Origin::start();
    let text = format!("{PROXIED}[cache.pages]\nmemory = \"64MiB\"\n[[route]]\npool = \"app\"\ncache = \"pages\"\n");
    let weir = Weir::before(&origin, &text);
    let mut client = weir.client();
    let told = |who: &str| format!("for={who};by=\"[::1]:8\";proto=https;host=shop.example");
    let is_hit_for = |target: &str, who: &str| is_hit(&mut weir.client(), target, &[("Forwarded", who)]);
    fresh(&origin, "old");
    assert!(!is_hit_for("/x", &told("1.1.1.1")));
    for who in [
        told("2.2.2.2"),
        told("\"[2001:db8::1]:99, ;\""),
        format!("{}, for=3.3.3.3;by=10.0.0.1", told("_a")),
        "FOR=4.4.4.4; proto=https;By=a;host=shop.example".to_owned(),
    ] {
        assert!(is_hit_for("/x", &who), "{who}");
    }
    // What backends make links of does.
    for who in ["for=1.1.1.1;proto=http;host=shop.example", "for=1.1.1.1;proto=https;host=other", "for=1.1.1.1"] {
        assert!(!is_hit_for("/x", who), "{who}");
    }
    let ways = [&*told("1.1.1.1"), "for=1.1.1.1"];
    for who in ways {
        fresh(&origin, "old");
        assert!(!is_hit_for("/y", who) && is_hit_for("/y", who));
    }
    client.post("/y", "new").field("Forwarded", &told("5.5.5.5")).sees(200);
    // Also what is stored for those whose way nobody tells.
    for who in ways {
        fresh(&origin, "new");
        assert!(!is_hit_for("/y", who), "{who}");
    }
}

#[test]
fn a_client_behind_a_proxy_that_may_purge_may_not() {
    let origin = Origin::start();
    let text = format!(
        "{PROXIED}[cache.pages]\nmemory = \"64MiB\"\npurge = [\"127.0.0.0/8\", \"10.0.0.0/8\"]\ndebug = [\"127.0.0.0/8\", \"10.0.0.0/8\"]\n\
         [[route]]\npool = \"app\"\ncache = \"pages\"\n"
    );
    let weir = Weir::before(&origin, &text);
    let mut client = weir.client();
    fresh(&origin, "a");
    client.get("/x").sees(200);
    for (who, is_ours) in
        [("9.9.9.9", false), ("10.1.1.1", true), ("9.9.9.9, 10.1.1.1", true), ("10.1.1.1, 9.9.9.9", false)]
    {
        fresh(&origin, "a");
        let seen = client.get("/x").field("X-Forwarded-For", who).sees(200);
        assert_eq!(seen.value("cache-status").contains("key="), is_ours, "{who}: {seen:?}");
        let purge = client.ask("PURGE", "/x").field("X-Forwarded-For", who).gets().unwrap();
        assert_eq!(purge.status, if is_ours { 200 } else { 405 }, "{who}");
    }
}

#[test]
fn what_a_write_gives_is_not_stored_once_another_write_came() {
    for is_second in [false, true] {
        let (origin, gate) = (Origin::start(), Gate::new());
        let head = "HTTP/1.1 200 Said\r\nCache-Control: max-age=60\r\nContent-Location: /x\r\nVary: X-Kind\r\n";
        origin.says(format!("{head}Content-Length: 3\r\n\r\nol")).after(&gate).then("d");
        let weir =
            Weir::before(&origin, "[cache.pages]\nmemory = \"64MiB\"\n[[route]]\npool = \"app\"\ncache = \"pages\"\n");
        let mut writer = weir.client();
        writer.post("/x", "1").field("Connection", "X-Kind").field("X-Kind", "a").sent();
        writer.sees_head(200);
        if is_second {
            weir.client().post("/x", "2").sees(200);
        }
        gate.open();
        assert_eq!(writer.exactly(3).unwrap(), b"old");
        // Weir has read the end of the one before it reads this.
        writer.get("/x").sees(200).body(if is_second { "ok" } else { "old" });
        if !is_second {
            assert!(is_hit(&mut writer, "/x", &[]), "what `Connection` took away selected the variant");
        }
    }
}
