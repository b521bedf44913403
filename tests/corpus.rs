//! What the fuzz targets check holds for the seeds kept with them; needs no nightly toolchain.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

use std::path::{Path, PathBuf};

#[path = "../fuzz/checks/access.rs"]
mod access;
#[path = "../fuzz/checks/authority.rs"]
mod authority;
#[path = "../fuzz/checks/cache_entry.rs"]
mod cache_entry;
#[path = "../fuzz/checks/cache_rules.rs"]
mod cache_rules;
#[path = "../fuzz/checks/chunked.rs"]
mod chunked;
#[path = "../fuzz/checks/config.rs"]
mod config;
#[path = "../fuzz/checks/disk_record.rs"]
mod disk_record;
#[path = "../fuzz/checks/fields.rs"]
mod fields;
#[path = "../fuzz/checks/http_semantics.rs"]
mod http_semantics;
#[path = "../fuzz/checks/proxy_header.rs"]
mod proxy_header;
#[path = "../fuzz/checks/request_head.rs"]
mod request_head;
#[path = "../fuzz/checks/response_head.rs"]
mod response_head;

/// A fuzz target: its name, and what it does with its input.
type Target = (&'static str, fn(&[u8]));

const TARGETS: &[Target] = &[
    ("access", access::check),
    ("authority", authority::check),
    ("cache_entry", cache_entry::check),
    ("cache_rules", cache_rules::check),
    ("chunked", chunked::check),
    ("config", config::check),
    ("disk_record", disk_record::check),
    ("fields", fields::check),
    ("http_semantics", http_semantics::check),
    ("proxy_header", proxy_header::check),
    ("request_head", request_head::check),
    ("response_head", response_head::check),
];

/// Seeds are few and small: they are read by people.
const SEEDS_MAX: usize = 30;

#[test]
fn every_seed_passes_its_fuzz_target() {
    for (name, check) in TARGETS {
        let seeds = list(&format!("corpus/{name}"));
        assert!((1..SEEDS_MAX).contains(&seeds.len()), "{name} has {} seeds", seeds.len());
        for seed in seeds {
            println!("{}", seed.display());
            check(&std::fs::read(&seed).unwrap());
        }
    }
}

#[test]
fn every_fuzz_target_is_replayed_here() {
    let files = list("fuzz_targets");
    let names: Vec<&str> = files.iter().map(|file| file.file_stem().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, TARGETS.iter().map(|(name, _)| *name).collect::<Vec<_>>());
}

fn list(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(folder);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}
