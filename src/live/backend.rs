use crate::pool::health::{Standing, Tally, slow_start};
use crate::pool::policy::Latency;
use crate::telemetry::metrics::BackendMetrics;
use arc_swap::ArcSwapOption;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};
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
    /// What exchanges saw of its failures.
    pub tally: Tally,
    in_flight: AtomicU32,
    checked: AtomicU8,
    up_since_ms: AtomicU64,
    ejected_until_ms: AtomicU64,
    draining: AtomicBool,
    why_down: ArcSwapOption<String>,
}

/// What probes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum CheckState {
    /// There is no check, or it passes.
    Up = 0,
    /// No probe has ended yet.
    Unknown = 1,
    /// The check fails.
    Down = 2,
}

impl LiveBackend {
    /// A backend that nothing is known of. `up_since`: for a slow start; zero is long ago.
    #[must_use]
    pub fn new(name: String, metrics: BackendMetrics, checked: CheckState, up_since: Duration) -> LiveBackend {
        LiveBackend {
            name,
            metrics,
            latency: Latency::default(),
            tally: Tally::default(),
            in_flight: AtomicU32::new(0),
            checked: AtomicU8::new(checked as u8),
            up_since_ms: AtomicU64::new(millis(up_since)),
            ejected_until_ms: AtomicU64::new(0),
            draining: AtomicBool::new(false),
            why_down: ArcSwapOption::empty(),
        }
    }

    /// Exchanges that it has now, over all workers.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Relaxed)
    }

    /// Counts one more exchange, unless that would be more than `max`.
    #[must_use]
    pub fn enter(&self, max: Option<u32>) -> bool {
        let before = self.in_flight.fetch_add(1, Relaxed);
        if max.is_some_and(|max| before >= max) {
            self.in_flight.fetch_sub(1, Relaxed);
            return false;
        }
        true
    }

    /// Counts one less.
    pub fn leave(&self) {
        self.in_flight.fetch_sub(1, Relaxed);
    }

    /// What probes said last.
    #[must_use]
    pub fn check_state(&self) -> CheckState {
        match self.checked.load(Relaxed) {
            0 => CheckState::Up,
            1 => CheckState::Unknown,
            _ => CheckState::Down,
        }
    }

    /// Probes say something else.
    pub fn set_check_state(&self, checked: CheckState, now: Duration) {
        // One that was there from the start was up before us.
        let comes_up = match self.check_state() {
            CheckState::Up => false,
            CheckState::Unknown => self.up_since_ms.load(Relaxed) > 0,
            CheckState::Down => true,
        };
        if checked == CheckState::Up && comes_up {
            self.up_since_ms.store(millis(now), Relaxed);
        }
        self.checked.store(checked as u8, Relaxed);
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

    /// It gets nothing until then.
    pub fn eject(&self, until: Duration) {
        self.ejected_until_ms.store(millis(until), Relaxed);
        // Its slow start begins when it is back.
        self.up_since_ms.store(millis(until), Relaxed);
    }

    /// An operator takes it out, or puts it back.
    pub fn set_draining(&self, draining: bool, now: Duration) {
        if self.draining.swap(draining, Relaxed) && !draining {
            self.up_since_ms.store(millis(now), Relaxed);
        }
    }

    /// Whether an operator took it out.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }

    /// Whether and why it may be used at `now`.
    #[must_use]
    pub fn standing(&self, now: Duration, slow_start: Duration) -> Standing {
        let until = Duration::from_millis(self.ejected_until_ms.load(Relaxed));
        match self.check_state() {
            _ if self.is_draining() => Standing::Draining,
            CheckState::Unknown => Standing::Unchecked,
            CheckState::Down => Standing::Down,
            CheckState::Up if now < until => Standing::Ejected { until },
            CheckState::Up if self.share(now, slow_start) < slow_start::WHOLE => Standing::Ramping,
            CheckState::Up => Standing::Up,
        }
    }

    /// How much of its weight counts, in 1/[`slow_start::WHOLE`].
    #[must_use]
    pub fn share(&self, now: Duration, slow_start: Duration) -> u32 {
        match self.up_since_ms.load(Relaxed) {
            0 => slow_start::WHOLE,
            since => slow_start::share(Duration::from_millis(since), now, slow_start),
        }
    }
}

/// Never 0 for a time that is not: 0 stands for long ago.
fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(u64::from(!time.is_zero()))
}
