//! What an operator asks of the caches that run.

use crate::admin::{Purge, Purged, TopAsk};
use crate::cache::top::{By, TopKey};
use crate::live::{CacheRules, Snapshot};

/// Purges in the caches that are meant.
pub(super) fn purge(snapshot: &Snapshot, purge: &Purge) -> Purged {
    let caches = match meant(snapshot, purge.cache.as_deref()) {
        None => return Purged::NoSuchCache,
        Some(caches) if caches.is_empty() => return Purged::NoCache,
        Some(caches) => caches,
    };
    let (mut generation, mut objects, mut failed) = (0, None, None);
    for rules in &caches {
        for what in &purge.what {
            match rules.purge(what, purge.mode) {
                Ok(done) => {
                    generation = generation.max(done.generation);
                    objects = done.objects.map_or(objects, |more| Some(objects.unwrap_or(0) + more));
                }
                // The others are purged all the same.
                Err(error) => failed = failed.or_else(|| Some(format!("[cache.{}]: {error}", rules.cache.name))),
            }
        }
    }
    if let Some(why) = failed {
        return Purged::Failed(why);
    }
    Purged::Done { caches: caches.iter().map(|rules| rules.cache.name.clone()).collect(), generation, objects }
}

/// The keys that cost most, over the caches that are meant.
pub(super) fn top(snapshot: &Snapshot, ask: &TopAsk) -> Option<Vec<TopKey>> {
    let caches = meant(snapshot, ask.cache.as_deref()).filter(|caches| !caches.is_empty())?;
    let mut keys: Vec<TopKey> = caches.iter().flat_map(|rules| rules.cache.misses.top(ask.by, ask.n)).collect();
    keys.sort_by_key(|key| std::cmp::Reverse(if ask.by == By::Misses { key.count } else { key.bytes }));
    Some(keys)
}

/// The cache of that name, or all; `None` if there is none of that name.
fn meant<'a>(snapshot: &'a Snapshot, name: Option<&str>) -> Option<Vec<&'a CacheRules>> {
    match name {
        None => Some(snapshot.caches.iter().collect()),
        Some(name) => snapshot.caches.iter().find(|rules| rules.cache.name == name).map(|rules| vec![rules]),
    }
}
