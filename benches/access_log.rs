//! What a line of the access log, and the counting of an exchange, cost a worker.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::time::{Duration, SystemTime};
use weir::config::{self, AccessFormat, Destination};
use weir::http::{Fields, Scheme, Version};
use weir::telemetry::access::{End, Record};
use weir::telemetry::metrics::Done;
use weir::telemetry::{AccessLog, Metrics};

fn record<'a>(request: &'a Fields, response: &'a Fields) -> Record<'a> {
    Record {
        time: SystemTime::now(),
        client: IpAddr::from([192, 0, 2, 7]),
        listener: "127.0.0.1:8080",
        scheme: Scheme::Http,
        host: b"shop.example",
        method: "GET",
        target: b"/some/path/to/a/thing?with=a&query=b",
        version: Version::Http11,
        status: 200,
        request_bytes: 0,
        response_bytes: 12_345,
        duration: Duration::from_micros(1_234),
        first_byte: Some(Duration::from_micros(1_001)),
        route: Some("shop"),
        pool: Some("app"),
        backend: Some("127.0.0.1:9000"),
        attempts: 1,
        cache: Some("hit"),
        limit: None,
        limit_observed: None,
        request_id: b"0123456789abcdef0123456789abcdef",
        tls: None,
        user: None,
        end: End::Complete,
        request,
        response,
    }
}

fn lines(c: &mut Criterion) {
    let mut request = Fields::default();
    request.push(b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0");
    let response = Fields::default();
    let record = record(&request, &response);
    let template = "{time} {client} {method} {target} {status} {duration_ms} {request.user-agent}";
    let mut group = c.benchmark_group("access_log");
    group.throughput(Throughput::Elements(1));
    for (name, format, to) in [
        ("json", AccessFormat::Json, file()),
        ("combined", AccessFormat::Combined, file()),
        ("template", AccessFormat::Template(template.into()), file()),
        ("off", AccessFormat::Json, Destination::Off),
    ] {
        let metrics = Metrics::new(NonZeroUsize::MIN);
        let log = AccessLog::open(&config::AccessLog { format, to }, metrics).expect("the null device opens");
        let mut worker = log.worker();
        group.bench_function(name, |b| b.iter(|| worker.log(black_box(&record))));
        drop(worker);
        assert!(log.close());
    }
    group.finish();
}

fn counting(c: &mut Criterion) {
    let metrics = Metrics::new(NonZeroUsize::MIN);
    let worker = metrics.worker(0).expect("nobody else has it");
    let (route, pool) = (metrics.route("shop"), metrics.pool("app"));
    let backend = metrics.backend("app", "127.0.0.1:9000");
    let done = Done { status: 200, duration: Duration::from_micros(700), request_bytes: 10, response_bytes: 12_345 };
    c.bench_function("metrics/exchange", |b| {
        b.iter(|| {
            let _in_flight = worker.exchange_started();
            worker.attempt(black_box(&backend), true);
            worker.pool_done(black_box(&pool), 200, Some(done.duration));
            worker.exchange_done(black_box(&route), black_box(&done));
        });
    });
}

fn file() -> Destination {
    Destination::File("/dev/null".into())
}

criterion_group!(benches, lines, counting);
criterion_main!(benches);
