//! Finding a route: ten thousand hosts must cost no more than ten, and thousands of paths little more than one.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use weir::config::{Action, HostPattern, PathPattern, Place, Route};
use weir::http::RequestHead;
use weir::route::Table;

const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn route(host: HostPattern, paths: Vec<PathPattern>) -> Route {
    let place = Place { file: "bench.toml".into(), line: 1 };
    let action = Action::Respond { status: 200, content_type: String::new(), body: String::new() };
    Route { hosts: vec![host], paths, ..Route::plain(place, String::new(), action) }
}

fn get(host: String, target: &str) -> RequestHead {
    RequestHead { authority: host.into_bytes(), target: target.into(), ..Default::default() }
}

fn hosts(c: &mut Criterion) {
    let mut group = c.benchmark_group("hosts");
    for count in [10, 1_000, 10_000] {
        let routes: Vec<_> = (0..count)
            .flat_map(|n| {
                let exact = HostPattern::Exact(format!("shop{n}.example"));
                let wildcard = HostPattern::Wildcard(format!(".tenant{n}.example"));
                [route(exact, vec![PathPattern::Prefix("/api/".into())]), route(wildcard, vec![])]
            })
            .collect();
        let table = Table::build(&routes);
        let exact: Vec<_> = (0..count).map(|n| get(format!("Shop{n}.example:8443"), "/api/cart?x=1")).collect();
        let wildcard: Vec<_> = (0..count).map(|n| get(format!("eu.tenant{n}.example"), "/")).collect();
        for (name, heads) in [("exact", exact), ("wildcard", wildcard)] {
            // One head at a time, so that what is measured is the look-up and not the heads' way into the cache.
            let mut at = 0;
            group.bench_function(BenchmarkId::new(name, count), |b| {
                b.iter(|| {
                    at = (at + 7) % heads.len().min(10);
                    black_box(table.find(&heads[at], CLIENT))
                });
            });
        }
    }
}

fn paths(c: &mut Criterion) {
    let mut group = c.benchmark_group("paths");
    for count in [10, 1_000] {
        let paths = (0..count).map(|n| PathPattern::Prefix(format!("/part{n}/"))).collect();
        let table = Table::build(&[route(HostPattern::Exact("shop.example".into()), paths)]);
        for (name, target) in [("plain", "/part7/item/1234?x=1"), ("escaped", "/part7/x/../caf%c3%a9/1234")] {
            let head = get("shop.example".into(), target);
            group.bench_function(BenchmarkId::new(name, count), |b| b.iter(|| black_box(table.find(&head, CLIENT))));
        }
    }
}

criterion_group!(benches, hosts, paths);
criterion_main!(benches);
