//! What other members of a fleet granted.

use super::{Book, LiveRegistry, lock};
use crate::registry::{Lease, Signs, Touched};
use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

impl LiveRegistry {
    /// The other members that granted what is in the pools.
    #[must_use]
    pub fn granters(&self) -> BTreeSet<Arc<str>> {
        let book = lock(&self.book);
        let granted = book.registry.iter().filter(|(_, lease)| !lease.is_draining());
        granted.filter_map(|(_, lease)| lease.by.member.clone()).collect()
    }

    /// Renews what other members granted, where that is `wanted` of a lease, its member, and whether its backend answers as far as
    /// anybody knows.
    pub fn stand_in(&self, now: Duration, wanted: impl Fn(&Lease, &str, &dyn Fn() -> bool) -> bool) {
        let mut book = lock(&self.book);
        let Book { registry, rules, .. } = &mut *book;
        let mut moved = Vec::new();
        for (pool, rules) in rules {
            let signs = OnceCell::new();
            let is_wanted = |lease: &Lease, member: &Arc<str>| {
                wanted(lease, member, &|| signs.get_or_init(|| rules.signs()).is_up(lease.address))
            };
            if registry.stand_in(pool, now, is_wanted) > Touched::Nothing {
                moved.push(pool.clone());
            }
        }
        if moved.is_empty() {
            return;
        }
        moved.iter().for_each(|pool| book.touch(pool, Touched::Seats));
        book.unwritten = true;
        self.turned.notify_one();
    }
}
