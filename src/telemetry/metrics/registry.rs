use super::cells::Series;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Series by name, at most `max` of them; past that, all share one.
pub(super) struct Registry<K, C> {
    workers: usize,
    max: usize,
    named: Mutex<BTreeMap<K, Arc<Series<C>>>>,
    other_name: K,
    other: Arc<Series<C>>,
    other_used: AtomicBool,
}

impl<K: Ord + Clone, C: Default> Registry<K, C> {
    pub(super) fn new(workers: usize, max: usize, other_name: K) -> Registry<K, C> {
        let other = Arc::new(Series::new(workers));
        Registry { workers, max, named: Mutex::default(), other_name, other, other_used: AtomicBool::new(false) }
    }

    /// The series of this name; a new one if there is room, made by forgetting those that no snapshot holds.
    pub(super) fn get(&self, name: K) -> Arc<Series<C>> {
        let mut named = self.named();
        if let Some(series) = named.get(&name) {
            return Arc::clone(series);
        }
        if named.len() >= self.max {
            named.retain(|_, series| Arc::strong_count(series) > 1);
        }
        // A name that is spelled like the overflow is the overflow: a series must not be listed twice.
        if named.len() >= self.max || name == self.other_name {
            self.other_used.store(true, Relaxed);
            return Arc::clone(&self.other);
        }
        let series = Arc::new(Series::new(self.workers));
        named.insert(name, Arc::clone(&series));
        series
    }

    /// All series in use, by name; the shared one last.
    pub(super) fn list(&self) -> Vec<(K, Arc<Series<C>>)> {
        let mut list: Vec<_> = self.named().iter().map(|(name, series)| (name.clone(), Arc::clone(series))).collect();
        if self.other_used.load(Relaxed) {
            list.push((self.other_name.clone(), Arc::clone(&self.other)));
        }
        list
    }

    /// A panic elsewhere leaves the map whole: each change is one call.
    fn named(&self) -> MutexGuard<'_, BTreeMap<K, Arc<Series<C>>>> {
        self.named.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::metrics::cells::PoolCells;

    fn registry() -> Registry<String, PoolCells> {
        Registry::new(1, 2, "other".into())
    }

    #[test]
    fn a_name_keeps_its_series() {
        let registry = registry();
        assert!(Arc::ptr_eq(&registry.get("a".into()), &registry.get("a".into())));
    }

    #[test]
    fn past_the_ceiling_names_share_one_series() {
        let registry = registry();
        let held = [registry.get("a".into()), registry.get("b".into())];
        assert!(Arc::ptr_eq(&registry.get("c".into()), &registry.get("d".into())));
        let names: Vec<String> = registry.list().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["a", "b", "other"]);
        drop(held);
    }

    #[test]
    fn names_that_nobody_holds_make_room() {
        let registry = registry();
        let held = registry.get("a".into());
        let _ = registry.get("b".into());
        let _ = registry.get("c".into());
        let names: Vec<String> = registry.list().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["a", "c"]);
        drop(held);
    }

    #[test]
    fn a_name_spelled_like_the_overflow_is_listed_once() {
        let registry = registry();
        let held = [registry.get("other".into()), registry.get("a".into()), registry.get("b".into())];
        let _ = registry.get("c".into());
        assert_eq!(registry.list().iter().filter(|(name, _)| name == "other").count(), 1);
        drop(held);
    }
}
