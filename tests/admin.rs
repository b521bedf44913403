//! The admin listener of a process that serves.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use support::{Origin, Weir};

#[test]
fn health_readiness_and_an_overview_are_there() {
    let weir = Weir::start("[[route]]\nrespond = {}\n", &[]);
    assert_eq!(weir.admin("/healthz").text(), "ok\n");
    assert_eq!(weir.admin("/readyz").status, 200);
    assert!(weir.admin("/").text().contains("/metrics"));
    assert_eq!(weir.admin("/none").status, 404);
    // What it shows is not shown to everybody.
    weir.client().get("/metrics").sees(200).body("");
}

#[test]
fn traffic_is_counted_by_route_pool_backend_and_listener() {
    let origin = Origin::start();
    let text =
        "[[route]]\nname = \"shop\"\npool = \"app\"\n[[route]]\npath = \"/fixed\"\nname = \"fixed\"\nrespond = {}\n";
    let weir = Weir::before(&origin, text);
    let mut client = weir.client();
    client.post("/", "12345").sees(200);
    client.get("/").sees(200);
    origin.replies(404).body("none");
    client.get("/").sees(404);
    client.get("/fixed").sees(200);
    drop(client);
    weir.client().ask("BREW", "/").sees(200);
    let (listener, backend) = (weir.address(), origin.address());
    for (sample, wanted) in [
        ("weir_exchanges_total{route=\"shop\",status=\"4xx\"}".to_owned(), 1.0),
        ("weir_exchanges_total{route=\"fixed\",status=\"2xx\"}".to_owned(), 1.0),
        ("weir_exchange_duration_seconds_count{route=\"fixed\"}".to_owned(), 1.0),
        ("weir_request_bytes_total{route=\"shop\"}".to_owned(), 5.0),
        ("weir_pool_exchanges_total{pool=\"app\",status=\"4xx\"}".to_owned(), 1.0),
        (format!("weir_connections_accepted_total{{listener=\"{listener}\"}}"), 2.0),
        (format!("weir_connections_open{{listener=\"{listener}\"}}"), 0.0),
        ("weir_exchanges_in_flight".to_owned(), 0.0),
    ] {
        weir.counts(&sample, wanted);
    }
    let connects = weir.metric(&format!("weir_connects_total{{pool=\"app\",backend=\"{backend}\"}}"));
    assert_eq!(connects as usize, origin.connections());
}

#[test]
fn what_is_refused_is_counted_by_its_reason() {
    let weir = Weir::start("[[route]]\nhost = \"only.example\"\nrespond = {}\n", &[]);
    weir.client().get("/").sees(404);
    weir.client().ask("TRACE", "/").host("only.example").sees(405);
    for (garbage, kind) in [
        ("GET / HTTP/1.1\r\n\r\n", "host"),
        ("GET / HTTP/1.1\nHost: a\n\n", "line_end"),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n", "content_length"),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "length_and_coding"),
        ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", "space_before_colon"),
        ("GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", "obs_fold"),
    ] {
        let mut client = weir.client();
        client.send(garbage);
        client.sees(400).field("connection", "close");
        client.ends();
        weir.counts(&format!("weir_protocol_errors_total{{kind=\"{kind}\"}}"), 1.0);
    }
    weir.counts("weir_refusals_total{reason=\"no_route\"}", 1.0);
    weir.counts("weir_refusals_total{reason=\"method\"}", 1.0);
    weir.counts("weir_exchanges_total{route=\"-\",status=\"4xx\"}", 1.0);
}

#[test]
fn more_connections_than_allowed_are_closed_and_counted() {
    let listener = "[[listener]]\naddress = \"127.0.0.1:{port}\"\nmax_connections = 2\n";
    let weir = Weir::start(&format!("{listener}[[route]]\nrespond = {{}}\n"), &[]);
    let (mut one, mut two) = (weir.client(), weir.client());
    one.get("/").sees(200);
    two.get("/").sees(200);
    weir.client().ends();
    let listener = weir.address();
    weir.counts(&format!("weir_connections_refused_total{{listener=\"{listener}\"}}"), 1.0);
    drop(one);
    weir.counts(&format!("weir_connections_open{{listener=\"{listener}\"}}"), 1.0);
    weir.client().get("/").sees(200);
}

#[test]
fn memory_is_on_the_page_and_caches_that_are_too_large_for_it_are_warned_of() {
    let origin = Origin::start();
    let text = "[server]\nworkers = 1\nmemory = \"512MiB\"\n[cache.pages]\nmemory = \"1GiB\"\n\
         [[route]]\npool = \"app\"\ncache = \"pages\"\n";
    let weir = Weir::before(&origin, text);
    weir.counts("weir_memory_ceiling_bytes", f64::from(512 << 20));
    weir.counts("weir_memory_pressure{level=\"calm\"}", 1.0);
    let status: serde_json::Value = serde_json::from_str(&weir.admin("/v1/status").text()).unwrap();
    assert_eq!(status["memory"]["pressure"], "calm", "nothing is held yet: {status:#}");
    assert!(status["memory"]["held_bytes"].as_u64().unwrap() > 1 << 20, "{status:#}");
    let warnings = status["warnings"].to_string();
    assert!(warnings.contains("caches may hold 1GiB, and the process 512MiB"), "{warnings}");
    weir.becomes(&text.replace("512MiB", "4GiB"));
    weir.counts("weir_memory_ceiling_bytes", 4_294_967_296.0);
    weir.counts("weir_memory_caches_limit_bytes", 1_073_741_824.0);
    weir.counts("weir_memory_pressure{level=\"calm\"}", 1.0);
}
