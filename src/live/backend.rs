use super::state::lock;
use crate::pool::concurrency::{self, Limiter};
use crate::pool::health::outlier::OutlierRules;
use crate::pool::health::standing::Facts;
use crate::pool::health::{Checked, Ejection, Tally};
use crate::pool::policy::Latency;
use crate::telemetry::metrics::BackendMetrics;
use arc_swap::ArcSwapOption;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What is known of a backend, by all workers; it outlives reloads that leave pool, endpoint and check as they are.
/// Times count from the start of the process.
pub struct LiveBackend {
    /// As it stands in logs.
    pub name: String,
    /// Its counters.
    pub metrics: BackendMetrics,
    /// What exchanges learnt of its latency.
    pub latency: Latency,
    in_flight: AtomicU32,
    /// Read when a view is made, and by operators; never at a pick.
    facts: Mutex<Facts>,
    tally: Mutex<Option<Arc<Tally>>>,
    limiter: Mutex<Option<Arc<Limiter>>>,
    why_down: ArcSwapOption<String>,
}

impl LiveBackend {
    /// A backend of which that much is known.
    #[must_use]
    pub fn new(name: String, metrics: BackendMetrics, facts: Facts) -> LiveBackend {
        LiveBackend {
            name,
            metrics,
            latency: Latency::default(),
            in_flight: AtomicU32::new(0),
            facts: Mutex::new(facts),
            tally: Mutex::default(),
            limiter: Mutex::default(),
            why_down: ArcSwapOption::empty(),
        }
    }

    /// Exchanges that it has now, over all workers.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Relaxed)
    }

    /// Whether it has less than `max`.
    #[must_use]
    pub fn has_room(&self, max: Option<u32>) -> bool {
        // SeqCst, as in `leave`: who looks in vain is in the queue by then, and is told of room that is made.
        max.is_none_or(|max| self.in_flight.load(SeqCst) < max)
    }

    /// Counts one more exchange, unless that would be more than `max`.
    #[must_use]
    pub fn enter(&self, max: Option<u32>) -> bool {
        let Some(max) = max else {
            self.in_flight.fetch_add(1, Relaxed);
            return true;
        };
        // Never more, not even for a moment: somebody else would take that for having no room.
        self.in_flight.fetch_update(SeqCst, SeqCst, |before| (before < max).then_some(before + 1)).is_ok()
    }

    /// Counts one less.
    pub fn leave(&self) {
        self.in_flight.fetch_sub(1, SeqCst);
    }

    /// What is known of its health.
    #[must_use]
    pub fn facts(&self) -> Facts {
        *lock(&self.facts)
    }

    /// A probe ended, and that is what its check says now.
    pub fn set_checked(&self, checked: Checked, now: Duration) {
        let mut facts = lock(&self.facts);
        let comes_back = checked.passes() && !facts.checked.is_some_and(|before| before.passes());
        // One that was there from the start was up before us: `up_since` is none, and it does not ramp.
        if comes_back && (facts.up_since.is_some() || matches!(facts.checked, Some(Checked::Down { .. }))) {
            facts.up_since = Some(now);
        }
        // It went down and came back: that is another life than the one that was ejected.
        if comes_back && let Some(ejection) = facts.ejection.as_mut().filter(|ejection| ejection.holds(now)) {
            ejection.lift(now);
            lock(&self.tally).iter().for_each(|tally| tally.restart(now));
        }
        facts.checked = Some(checked);
    }

    /// It was looked at for a reason that is gone: without a check it counts as up.
    pub fn forget_check(&self, now: Duration) {
        let mut facts = lock(&self.facts);
        if facts.checked.take().is_some_and(|checked| !checked.passes()) {
            facts.up_since = Some(now);
        }
        drop(facts);
        self.set_why_down(None);
    }

    /// So much of its share is taken for its load, in 1/256.
    pub fn set_eased(&self, eased: u8) {
        lock(&self.facts).eased = eased;
    }

    /// What its last probe said, if it failed.
    #[must_use]
    pub fn why_down(&self) -> Option<String> {
        self.why_down.load().as_deref().cloned()
    }

    /// Its last probe said so; `None`: it passed.
    pub fn set_why_down(&self, why: Option<String>) {
        if why.is_some() || self.why_down.load().is_some() {
            self.why_down.store(why.map(Arc::new));
        }
    }

    /// It gets nothing for a while.
    pub(super) fn eject(&self, ejection: Ejection) {
        lock(&self.facts).ejection = Some(ejection);
    }

    /// An operator takes it out, or puts it back.
    pub fn set_draining(&self, draining: bool, now: Duration) {
        let mut facts = lock(&self.facts);
        if facts.draining && !draining {
            facts.up_since = Some(now);
        }
        facts.draining = draining;
    }

    /// What it bears by these rules; it goes on where the rules are the same, and begins with `start` where there is none.
    pub(super) fn limiter(&self, rules: concurrency::Rules, start: Option<u32>, now: Duration) -> Arc<Limiter> {
        let mut limiter = lock(&self.limiter);
        match &*limiter {
            Some(limiter) if limiter.rules() == rules => Arc::clone(limiter),
            before => {
                let start = before.as_ref().map(|before| before.sustainable()).or(start);
                Arc::clone(limiter.insert(Arc::new(Limiter::new(rules, start, now))))
            }
        }
    }

    /// What is known of what it bears.
    pub(super) fn known_limiter(&self) -> Option<Arc<Limiter>> {
        lock(&self.limiter).clone()
    }

    /// What exchanges saw of its failures by these rules; it goes on where the rules are the same.
    pub(super) fn tally(&self, rules: &OutlierRules) -> Arc<Tally> {
        let mut tally = lock(&self.tally);
        match &*tally {
            Some(tally) if tally.rules() == rules => Arc::clone(tally),
            _ => Arc::clone(tally.insert(Arc::new(Tally::new(*rules)))),
        }
    }
}
