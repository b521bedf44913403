use crate::live::Purge;
use std::collections::{HashSet, VecDeque};
use std::time::Duration;

/// The purges that were seen, by their ids: each is done once here, however often Redis says it, and those of the last minutes
/// are told again to a Redis that has forgotten them.
#[derive(Default)]
pub(super) struct Known {
    ids: HashSet<String>,
    /// In the order in which they came.
    order: VecDeque<Seen>,
}

struct Seen {
    id: String,
    purge: Purge,
    at: Duration,
}

impl Known {
    /// `false`: it is known already.
    pub(super) fn note(&mut self, id: &str, purge: &Purge, now: Duration) -> bool {
        if !self.ids.insert(id.to_owned()) {
            return false;
        }
        self.order.push_back(Seen { id: id.to_owned(), purge: purge.clone(), at: now });
        while self.order.len() > KNOWN_MAX {
            if let Some(seen) = self.order.pop_front() {
                self.ids.remove(&seen.id);
            }
        }
        true
    }

    /// Those of the last minutes that Redis does not have: it has `there`.
    pub(super) fn forgotten(&self, there: &HashSet<String>, now: Duration) -> Vec<(String, Purge)> {
        let recent =
            self.order.iter().rev().take(RETOLD_MAX).take_while(|seen| now.saturating_sub(seen.at) < RETOLD_FOR);
        let mut forgotten: Vec<_> =
            recent.filter(|seen| !there.contains(&seen.id)).map(|seen| (seen.id.clone(), seen.purge.clone())).collect();
        forgotten.reverse();
        forgotten
    }
}

/// Purges that are known by their ids; twice what Redis keeps.
const KNOWN_MAX: usize = 2 * super::news::KEPT_MAX;

/// Purges that are told again at most.
const RETOLD_MAX: usize = 1_000;

/// For how long a purge is told again.
const RETOLD_FOR: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::purge::{Mode, What};

    fn purge(tag: &str) -> Purge {
        Purge { cache: None, what: vec![What::Tag(tag.into())], mode: Mode::Hard }
    }

    #[test]
    fn each_purge_is_done_once() {
        let mut known = Known::default();
        assert!(known.note("a", &purge("x"), Duration::ZERO));
        assert!(!known.note("a", &purge("x"), Duration::ZERO));
        for n in 0..KNOWN_MAX {
            assert!(known.note(&n.to_string(), &purge("y"), Duration::ZERO));
        }
        assert_eq!((known.ids.len(), known.order.len()), (KNOWN_MAX, KNOWN_MAX));
    }

    #[test]
    fn what_redis_has_forgotten_is_told_again_in_order_for_a_while() {
        let mut known = Known::default();
        for (n, id) in ["a", "b", "c", "d"].into_iter().enumerate() {
            known.note(id, &purge(id), Duration::from_secs(300 * n as u64));
        }
        let forgotten = known.forgotten(&HashSet::from(["c".to_owned()]), Duration::from_secs(900));
        let ids: Vec<_> = forgotten.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!(ids, ["d"]);
        let ids: Vec<_> =
            known.forgotten(&HashSet::new(), Duration::from_secs(900)).into_iter().map(|(id, _)| id).collect();
        assert_eq!(ids, ["c", "d"]);
    }
}
