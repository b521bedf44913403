use super::edits::field_name;
use super::matching::network;
use crate::config::file::node::Node;
use crate::config::file::report::Wrong;
use crate::config::file::table::Table;
use crate::config::file::units;
use crate::config::{Cache, CacheKey, Disk};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::PathBuf;
use std::time::Duration;

pub(super) fn read(name: &str, table: &Table<'_>) -> Option<Cache> {
    let memory = table.size_if_any("memory");
    let cache = Cache {
        name: name.to_owned(),
        disk: table.table("disk").and_then(|table| disk(&table)),
        max_object: max_object(table, memory),
        variants: table.integer("variants"),
        stale_while_revalidate: table.duration("stale_while_revalidate"),
        stale_if_error: table.duration_if_any("stale_if_error"),
        ttl: table.get("ttl").map(|node| ttl(&node)).unwrap_or_default(),
        key: table.table("key").map(|table| key(&table)).unwrap_or_default(),
        set_cookie: table.boolean("set_cookie"),
        debug: table.parse_all("debug", network),
        purge: table.parse_all("purge", network),
        // Last: the others are checked even if there is none.
        memory: memory?,
    };
    Some(cache)
}

fn disk(table: &Table<'_>) -> Option<Disk> {
    Some(Disk { path: table.get("path")?.file_path()?, size: table.size_if_any("size")? })
}

/// A directory is for one cache. `place` gives where a cache's stands.
pub(super) fn apart<'a>(caches: &[Cache], place: impl Fn(&str) -> Option<Node<'a>>) {
    let mut taken: HashMap<PathBuf, &str> = HashMap::new();
    for (cache, disk) in caches.iter().filter_map(|cache| Some((cache, cache.disk.as_ref()?))) {
        match (taken.entry(disk.path.components().collect()), place(&cache.name)) {
            (Entry::Vacant(entry), _) => _ = entry.insert(&cache.name),
            (Entry::Occupied(entry), Some(node)) => {
                let wrong = Wrong::new(format!("[cache.{}] has this directory already", entry.get()));
                node.wrong(wrong.help("each cache needs one of its own"));
            }
            (Entry::Occupied(_), None) => {}
        }
    }
}

/// What does not fit in an eighth of the memory would push out too much of it.
fn max_object(table: &Table<'_>, memory: Option<u64>) -> u64 {
    let memory = memory.unwrap_or(u64::MAX);
    let Some(max) = table.size_if_any("max_object") else { return memory / OBJECTS_MIN };
    if let (true, Some(node)) = (max > memory / 2, table.get("max_object")) {
        node.wrong(Wrong::new("an object may take half of the cache's `memory` at most"));
    }
    max
}

/// So many objects of any size fit in memory.
const OBJECTS_MIN: u64 = 8;

fn ttl(node: &Node<'_>) -> Vec<(u16, Duration)> {
    let mut list = Vec::new();
    for (status, at, node) in node.entries() {
        let Some(status) = status.parse::<u16>().ok().filter(|status| (200..=599).contains(status)) else {
            let wrong = Wrong::new("this is not a status").help("wanted: a status from 200 to 599, in quotes");
            node.report.wrong(&at, &node.path, wrong);
            continue;
        };
        list.extend(node.text().and_then(|text| units::duration(&text)).map(|ttl| (status, ttl)));
    }
    list
}

fn key(table: &Table<'_>) -> CacheKey {
    let texts = |name| table.elements(name).into_iter().filter_map(|node| Some(node.text()?.into_owned())).collect();
    let names = table.elements("normalise");
    CacheKey {
        ignore_query: texts("ignore_query"),
        normalise: names.iter().filter_map(|node| field_name(&node.text()?, &node.at, node)).collect(),
    }
}
