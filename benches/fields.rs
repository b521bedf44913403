//! What each field of each message costs: knowing its name, and what is done to the fields on the way to a backend.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use weir::http::{FieldName, Fields, Hop, Scheme, Version, push_via, set_forwarded, strip_hop_by_hop};

/// As a browser sends them.
const LINES: [(&str, &str); 14] = [
    ("Connection", "keep-alive"),
    ("Cache-Control", "max-age=0"),
    ("sec-ch-ua", "\"Chromium\";v=\"130\""),
    ("sec-ch-ua-mobile", "?0"),
    ("Upgrade-Insecure-Requests", "1"),
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64)"),
    ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8"),
    ("Sec-Fetch-Site", "none"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Accept-Language", "en-US,en;q=0.9"),
    ("Cookie", "session=0123456789abcdef"),
    ("If-None-Match", "\"abc\""),
    ("If-Modified-Since", "Sun, 06 Nov 1994 08:49:37 GMT"),
];

fn names(c: &mut Criterion) {
    c.bench_function("field_name_of/14", |b| {
        b.iter(|| {
            for (name, _) in LINES {
                black_box(FieldName::of(black_box(name.as_bytes())));
            }
        });
    });
}

fn forward(c: &mut Criterion) {
    let mut fields = Fields::default();
    LINES.iter().for_each(|(name, value)| fields.push(name.as_bytes(), value.as_bytes()));
    let peer = std::net::Ipv4Addr::LOCALHOST.into();
    let hop = Hop { peer, scheme: Scheme::Https, authority: b"shop.example", trusted: false };
    c.bench_function("strip_and_forward/14", |b| {
        b.iter_batched_ref(
            || fields.clone(),
            |fields| {
                let _ = strip_hop_by_hop(fields);
                set_forwarded(fields, &hop);
                push_via(fields, Version::Http11);
            },
            BatchSize::SmallInput,
        );
    });
}

criterion_group!(benches, names, forward);
criterion_main!(benches);
