//! What counts or limits the hops of a request: Max-Forwards, Via; and what of a client cannot be met: Expect.

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

#[test]
fn a_request_that_goes_round_in_a_circle_ends() {
    let weir = Weir::start("[pool.app]\nbackends = [\"127.0.0.1:{port}\"]\n[[route]]\npool = \"app\"\n", &[]);
    weir.client().get("/").sees(508);
    weir.counts("weir_refusals_total{reason=\"loop\"}", 1.0);
    // It was taken nine times, and refused the tenth.
    weir.counts("weir_exchanges_in_flight", 0.0);
    weir.counts("weir_exchanges_total{route=\"*/*\",status=\"5xx\"}", 10.0);
}

#[test]
fn several_of_us_in_a_row_are_no_circle() {
    let origin = Origin::start();
    let weir = Weir::before(&origin, ALL);
    let via = ["1.1 weir"].repeat(8).join(", ");
    weir.client().get("/").field("Via", &via).sees(200);
    origin.last().field("via", &format!("{via}, 1.1 weir"));
    weir.client().get("/").field("Via", &["1.1 other"].repeat(50).join(", ")).sees(200);
}

#[test]
fn what_a_client_expects_beyond_continue_is_not_promised() {
    let origin = Origin::start();
    let weir = Weir::before(&origin, ALL);
    weir.client().get("/").field("Expect", "a-pony").sees(417);
    weir.client().post("/", "x").field("Expect", "100-continue, a-pony").sees(417);
    weir.counts("weir_refusals_total{reason=\"expectation\"}", 2.0);
    origin.saw(0);
    weir.client().post("/", "x").field("Expect", "100-Continue").sees(200);
}
