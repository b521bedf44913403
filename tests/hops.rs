//! What counts or limits the hops of a request.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use support::{Origin, Weir};

const TRACE: &str = "[[route]]\npool = \"app\"\nallow = [\"TRACE\"]\n";
const ALL: &str = "[[route]]\npool = \"app\"\n";

#[test]
fn options_and_trace_go_only_as_far_as_max_forwards_says() {
    let origin = Origin::start();
    let weir = Weir::before(&origin, TRACE);
    let mut client = weir.client();
    client.ask("OPTIONS", "*").field("Max-Forwards", "3").sees(200).body("ok");
    origin.request(0).field("max-forwards", "2");
    client.ask("TRACE", "/").field("Max-Forwards", "1").sees(200).body("ok");
    origin.request(1).field("max-forwards", "0");
    let answer = client.ask("OPTIONS", "/").field("Max-Forwards", "0").sees(200).body("");
    assert!(answer.value("allow").contains("OPTIONS") && answer.fields.has("date"), "{answer:?}");
    client.ask("OPTIONS", "*").field("Max-Forwards", "0").sees(200).body("").field("content-length", "0");
    client.ask("TRACE", "/").field("Max-Forwards", "0").sees(405);
    origin.saw(2);
}

#[test]
fn max_forwards_is_left_alone_where_it_means_nothing() {
    let origin = Origin::start();
    let weir = Weir::before(&origin, ALL);
    let mut client = weir.client();
    client.get("/").field("Max-Forwards", "0").sees(200).body("ok");
    origin.last().field("max-forwards", "0");
    for value in ["-1", "none", "1, 0"] {
        client.ask("OPTIONS", "/").field("Max-Forwards", value).sees(200).body("ok");
        origin.last().field("max-forwards", value);
    }
}
