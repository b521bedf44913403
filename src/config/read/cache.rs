use super::Sections;
use crate::config::file::report::Wrong;

/// Checks what the shape of a cache does not say; caching itself is for a later version.
pub(super) fn check(caches: &Sections<'_>) {
    for (name, table) in &caches.tables {
        let ttl = table.get("ttl").map(|node| node.entries()).unwrap_or_default();
        for (status, at, node) in ttl {
            if !status.parse::<u16>().is_ok_and(|status| (200..=599).contains(&status)) {
                let wrong = Wrong::new("this is not a status").help("wanted: a status from 200 to 599, in quotes");
                node.report.wrong(&at, &node.path, wrong);
            }
        }
        let warning = format!("[cache.{name}] is read, but this version does not cache yet");
        table.node.report.warn(&table.node.at, warning);
    }
}
