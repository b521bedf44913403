use super::families::ALL;
use super::*;
use crate::telemetry::parse::{Sample, parse};
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

fn metrics(workers: usize) -> Arc<Metrics> {
    Metrics::new(NonZeroUsize::new(workers).unwrap())
}

fn scrape(metrics: &Metrics) -> Vec<Sample> {
    let mut text = String::new();
    metrics.render(Exposition::Prometheus, &mut text);
    parse(&text, Exposition::Prometheus).unwrap()
}

/// The value of the only sample of that name whose labels hold all of `labels`.
fn value(samples: &[Sample], name: &str, labels: &[(&str, &str)]) -> f64 {
    let has = |sample: &Sample| labels.iter().all(|&(k, v)| sample.labels.iter().any(|(a, b)| a == k && b == v));
    let found: Vec<_> = samples.iter().filter(|sample| sample.name == name && has(sample)).collect();
    assert_eq!(found.len(), 1, "{name} {labels:?}");
    found[0].value
}

fn done(status: u16) -> Done {
    Done { status, duration: Duration::from_micros(300), request_bytes: 3, response_bytes: 5 }
}

#[test]
fn what_is_counted_is_on_the_page() {
    let metrics = metrics(2);
    let (a, b) = (metrics.worker(0).unwrap(), metrics.worker(1).unwrap());
    let route = metrics.route("shop");
    a.exchange_done(&route, &done(200));
    b.exchange_done(&route, &done(204));
    b.exchange_done(&route, &done(503));
    let pool = metrics.pool("app");
    a.pool_done(&pool, 200, Some(Duration::from_millis(2)));
    a.retried(&pool);
    let backend = metrics.backend("app", "127.0.0.1:9000");
    a.connected(&backend);
    a.attempt(&backend, false);
    b.attempt(&backend, true);
    b.attempt_failed(&backend, AttemptFailure::Closed);
    a.refused(RefusalReason::NoRoute);
    b.protocol_error(ProtocolError::ObsFold);
    metrics.reloaded(false);

    let page = scrape(&metrics);
    assert_eq!(value(&page, "weir_exchanges_total", &[("route", "shop"), ("status", "2xx")]), 2.0);
    assert_eq!(value(&page, "weir_exchanges_total", &[("route", "shop"), ("status", "5xx")]), 1.0);
    assert_eq!(value(&page, "weir_exchange_duration_seconds_count", &[("route", "shop")]), 3.0);
    assert_eq!(value(&page, "weir_exchange_duration_seconds_sum", &[("route", "shop")]), 0.0009);
    assert_eq!(value(&page, "weir_exchange_duration_seconds_bucket", &[("le", "0.00025")]), 0.0);
    assert_eq!(value(&page, "weir_exchange_duration_seconds_bucket", &[("le", "0.0005")]), 3.0);
    assert_eq!(value(&page, "weir_request_bytes_total", &[]), 9.0);
    assert_eq!(value(&page, "weir_response_bytes_total", &[]), 15.0);
    assert_eq!(value(&page, "weir_first_byte_seconds_bucket", &[("le", "0.0025")]), 1.0);
    assert_eq!(value(&page, "weir_retries_total", &[("pool", "app")]), 1.0);
    assert_eq!(value(&page, "weir_attempts_total", &[("backend", "127.0.0.1:9000")]), 2.0);
    assert_eq!(value(&page, "weir_connection_reuses_total", &[]), 1.0);
    assert_eq!(value(&page, "weir_attempt_failures_total", &[("kind", "closed")]), 1.0);
    assert_eq!(value(&page, "weir_refusals_total", &[("reason", "no_route")]), 1.0);
    assert_eq!(value(&page, "weir_protocol_errors_total", &[("kind", "obs_fold")]), 1.0);
    assert_eq!(value(&page, "weir_reloads_total", &[("result", "failed")]), 1.0);
}

#[test]
fn gauges_fall_when_guards_are_dropped_on_another_worker_too() {
    let metrics = metrics(2);
    let (a, b) = (metrics.worker(0).unwrap(), metrics.worker(1).unwrap());
    let listener = metrics.listener("127.0.0.1:8080");
    let (one, two) = (a.exchange_started(), b.exchange_started());
    a.connection_opened(&listener);
    assert_eq!(value(&scrape(&metrics), "weir_exchanges_in_flight", &[]), 2.0);
    assert_eq!(value(&scrape(&metrics), "weir_connections_open", &[]), 1.0);
    drop((one, two));
    a.connection_closed(&listener);
    assert_eq!(value(&scrape(&metrics), "weir_exchanges_in_flight", &[]), 0.0);
    assert_eq!(value(&scrape(&metrics), "weir_connections_open", &[]), 0.0);
    assert_eq!(value(&scrape(&metrics), "weir_connections_accepted_total", &[]), 1.0);
}

#[test]
fn a_shard_has_one_writer_at_a_time() {
    let metrics = metrics(1);
    let first = metrics.worker(0).unwrap();
    assert!(metrics.worker(0).is_none() && metrics.worker(1).is_none());
    drop(first);
    assert!(metrics.worker(0).is_some());
}

#[test]
fn a_reload_keeps_the_counters_of_a_name_that_stays() {
    let metrics = metrics(1);
    let worker = metrics.worker(0).unwrap();
    worker.exchange_done(&metrics.route("a"), &done(200));
    worker.exchange_done(&metrics.route("a"), &done(200));
    assert_eq!(value(&scrape(&metrics), "weir_exchanges_total", &[("route", "a"), ("status", "2xx")]), 2.0);
}

#[test]
fn past_the_ceiling_routes_are_counted_as_other() {
    let metrics = metrics(1);
    let worker = metrics.worker(0).unwrap();
    let held: Vec<RouteMetrics> = (0..ROUTES_MAX + 5).map(|n| metrics.route(&format!("r{n}"))).collect();
    held.iter().for_each(|route| worker.exchange_done(route, &done(200)));
    let page = scrape(&metrics);
    assert_eq!(value(&page, "weir_exchanges_total", &[("route", OTHER), ("status", "2xx")]), 5.0);
    let routes = page.iter().filter(|sample| sample.name == "weir_request_bytes_total").count();
    assert_eq!(routes, ROUTES_MAX + 1);
}

#[test]
fn concurrent_writers_lose_nothing_and_no_scrape_sees_a_counter_fall() {
    const ROUNDS: u64 = 200_000;
    let metrics = metrics(4);
    let start = Arc::new(Barrier::new(4));
    let writers: Vec<_> = (0..4)
        .map(|n| {
            let (metrics, start) = (Arc::clone(&metrics), Arc::clone(&start));
            thread::spawn(move || {
                let (worker, route) = (metrics.worker(n).unwrap(), metrics.route("a"));
                start.wait();
                for _ in 0..ROUNDS {
                    let _in_flight = worker.exchange_started();
                    worker.exchange_done(&route, &done(200));
                }
            })
        })
        .collect();
    let _ = metrics.route("a");
    let mut before = 0.0;
    while writers.iter().any(|writer| !writer.is_finished()) {
        let page = scrape(&metrics);
        let now = value(&page, "weir_exchange_duration_seconds_count", &[]);
        assert!(now >= before, "{now} after {before}");
        assert_eq!(now, value(&page, "weir_exchange_duration_seconds_bucket", &[("le", "+Inf")]));
        assert!(value(&page, "weir_exchanges_in_flight", &[]) >= 0.0);
        before = now;
    }
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    let page = scrape(&metrics);
    assert_eq!(value(&page, "weir_exchanges_total", &[("status", "2xx")]), 4.0 * ROUNDS as f64);
    assert_eq!(value(&page, "weir_exchanges_in_flight", &[]), 0.0);
}

#[test]
fn both_formats_hold_each_family_once_in_the_order_of_the_table() {
    let metrics = metrics(1);
    let _routes = [metrics.route("plain"), metrics.route("\"\\\n\u{e9}"), metrics.unrouted()];
    let _others = (metrics.pool("p"), metrics.backend("p", "unix:/a b"), metrics.listener("[::1]:1"));
    for exposition in [Exposition::Prometheus, Exposition::OpenMetrics] {
        let mut text = String::new();
        metrics.render(exposition, &mut text);
        parse(&text, exposition).unwrap();
        let families: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
        let expected: Vec<String> = ALL
            .iter()
            .map(|family| {
                let counter = family.kind.name() == "counter" && exposition == Exposition::Prometheus;
                format!("{}{} {}", family.name, if counter { "_total" } else { "" }, family.kind.name())
            })
            .collect();
        assert_eq!(families, expected);
    }
}

#[test]
fn labels_come_back_as_they_were_named() {
    let metrics = metrics(1);
    let name = "quote\" back\\slash new\nline {} \u{e9}";
    let _route = metrics.route(name);
    assert_eq!(value(&scrape(&metrics), "weir_request_bytes_total", &[("route", name)]), 0.0);
}

#[test]
fn units_stand_in_names_and_labels_are_distinct() {
    for family in ALL {
        assert!(family.unit.is_none_or(|unit| family.name.ends_with(&format!("_{unit}"))), "{}", family.name);
        assert!(!family.name.ends_with("_total") && !family.help.contains(['\\', '\n', '|']), "{}", family.name);
    }
    let distinct = |labels: Vec<&str>| labels.len() == labels.iter().collect::<std::collections::HashSet<_>>().len();
    assert!(distinct(RefusalReason::ALL.iter().map(|reason| reason.label()).collect()));
    assert!(distinct(ProtocolError::ALL.iter().map(|kind| kind.label()).collect()));
}

#[test]
fn the_reference_is_what_the_table_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
    if std::env::var_os("WEIR_BLESS").is_some() {
        std::fs::write(path, reference()).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap();
    assert!(written == reference(), "docs/metrics.md is stale: WEIR_BLESS=1 cargo test --lib telemetry::metrics");
}
