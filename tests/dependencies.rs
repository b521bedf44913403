//! Each dependency has its line of reason in `docs/dependencies.md`, and that page has no line without a dependency.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

use std::collections::BTreeMap;
use std::path::Path;

#[test]
fn the_page_of_dependencies_and_the_manifests_agree() {
    let page = reasons(&read("docs/dependencies.md"));
    let root: toml::Table = read("Cargo.toml").parse().unwrap();
    let fuzz: toml::Table = read("fuzz/Cargo.toml").parse().unwrap();
    let mut wanted = names("dependencies", &root, "dependencies");
    wanted.extend(names("dev-dependencies", &root, "dev-dependencies"));
    wanted.extend(names("build-dependencies", &root, "build-dependencies"));
    wanted.extend(names("fuzz", &fuzz, "dependencies").into_iter().filter(|(_, name)| name != "weir-proxy"));
    let wordless: Vec<_> = wanted.iter().filter(|&key| page.get(key).is_none_or(|why| why.len() < 10)).collect();
    assert!(wordless.is_empty(), "without a reason in docs/dependencies.md: {wordless:?}");
    let stale: Vec<_> = page.keys().filter(|key| !wanted.contains(key)).collect();
    assert!(stale.is_empty(), "in docs/dependencies.md, but in no Cargo.toml: {stale:?}");
}

#[test]
fn a_row_counts_under_the_heading_it_stands_below() {
    let page = reasons("## a\n| crate | why |\n|---|---|\n| `x` | because |\n\n## b\n| `x` |  |\n");
    let key = |section: &str| (section.to_owned(), "x".to_owned());
    assert_eq!(page, BTreeMap::from([(key("a"), "because".to_owned()), (key("b"), String::new())]));
}

/// (section, crate)
type Key = (String, String);

fn names(section: &str, manifest: &toml::Table, table: &str) -> Vec<Key> {
    let table = manifest.get(table).and_then(|t| t.as_table());
    table.into_iter().flat_map(|t| t.keys()).map(|name| (section.to_owned(), name.clone())).collect()
}

fn reasons(page: &str) -> BTreeMap<Key, String> {
    let mut section = String::new();
    let mut rows = BTreeMap::new();
    for line in page.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            section = heading.trim().to_owned();
        }
        let Some((name, why)) = line.strip_prefix("| `").and_then(|row| row.split_once("` |")) else { continue };
        let why = why.trim().trim_end_matches('|').trim();
        rows.insert((section.clone(), name.to_owned()), why.to_owned());
    }
    rows
}

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}
