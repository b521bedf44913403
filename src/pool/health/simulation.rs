//! Thousands of backends through failures, slow starts and ejections, on a clock of the test's own.

use super::outlier::{Case, Room, Tally, has_room, is_outlier, tests::rules};
use super::probe::{Checked, Rules, next_probe};
use super::window::Counts;
use super::{Standing, slow_start};
use std::time::Duration;

/// One backend as it is, and as the pool sees it.
#[derive(Default)]
struct Backend {
    fails_exchanges: bool,
    fails_probes: bool,
    checked: Checked,
    probe_at: Duration,
    tally: Tally,
    ejected_until: Duration,
    up_since: Duration,
}

impl Backend {
    fn standing(&self, now: Duration) -> Standing {
        match self.checked {
            Checked::Unknown => Standing::Unchecked,
            Checked::Down { .. } => Standing::Down,
            _ if now < self.ejected_until => Standing::Ejected { until: self.ejected_until },
            _ if slow_start::share(self.up_since, now, RAMP) < slow_start::WHOLE => Standing::Ramping,
            _ => Standing::Up,
        }
    }
}

struct Pool {
    backends: Vec<Backend>,
    now: Duration,
    random: u64,
}

const PROBES: Rules = Rules { every: Duration::from_secs(5), rise: 2, fall: 3 };
const RAMP: Duration = Duration::from_secs(30);
const STEP: Duration = Duration::from_millis(500);

impl Pool {
    /// Marsaglia's xorshift: the same run each time.
    fn random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    fn chance(&mut self, one_in: u64) -> bool {
        (self.random() >> 33).is_multiple_of(one_in)
    }

    fn probe(&mut self, at: usize) {
        let random = self.random();
        let backend = &mut self.backends[at];
        if self.now >= backend.probe_at {
            let was_up = matches!(backend.checked, Checked::Up { .. });
            backend.checked.judge(!backend.fails_probes, &PROBES);
            if !was_up && matches!(backend.checked, Checked::Up { .. }) {
                backend.up_since = self.now;
            }
            backend.probe_at = self.now + next_probe(Duration::ZERO, &PROBES, random);
        }
    }

    fn exchange(&mut self, at: usize) {
        let now = self.now;
        if !self.backends[at].standing(now).available() {
            return;
        }
        if !self.backends[at].fails_exchanges {
            return self.backends[at].tally.succeeded(&rules(), now);
        }
        self.backends[at].tally.failed(&rules(), now);
        let backend = &self.backends[at];
        let case = Case {
            in_a_row: backend.tally.in_a_row(),
            own: backend.tally.counts(&rules(), now),
            others: Counts { total: 1_000, failed: 0 },
        };
        let ejected = self.ejected();
        let available = self.backends.iter().filter(|backend| backend.standing(now).available()).count();
        let room = Room { size: self.backends.len(), ejected, available_others: available - 1 };
        if is_outlier(&case, &rules()) && has_room(&room, &rules()) {
            let until = self.backends[at].tally.eject(&rules(), now);
            let backend = &mut self.backends[at];
            (backend.ejected_until, backend.up_since) = (until, until);
        }
    }

    fn ejected(&self) -> usize {
        self.backends.iter().filter(|it| self.now < it.ejected_until).count()
    }
}

#[test]
fn no_sequence_leaves_a_healthy_backend_out_for_good() {
    const COUNT: usize = 2_000;
    let mut pool = Pool { backends: Vec::new(), now: Duration::ZERO, random: 88_172_645_463_325_252 };
    pool.backends.resize_with(COUNT, Backend::default);
    // Ten minutes of trouble.
    for step in 0..1_200 {
        for at in 0..COUNT {
            if pool.chance(400) {
                pool.backends[at].fails_exchanges ^= true;
            }
            if pool.chance(400) {
                pool.backends[at].fails_probes ^= true;
            }
            pool.probe(at);
            if (at + step) % 4 == 0 {
                pool.exchange(at);
            }
        }
        assert!(pool.ejected() <= COUNT / 2, "at {:?}", pool.now);
        pool.now += STEP;
    }
    // Then all are well; the longest ejection, a rise and a slow start later all are up.
    let (ejection, rise) = (rules().eject * 10, PROBES.every * (PROBES.rise + 2));
    let end = pool.now + ejection + rise + RAMP;
    for backend in &mut pool.backends {
        (backend.fails_exchanges, backend.fails_probes) = (false, false);
    }
    while pool.now < end {
        (0..COUNT).for_each(|at| pool.probe(at));
        pool.now += STEP;
    }
    for backend in &pool.backends {
        assert_eq!(backend.standing(pool.now), Standing::Up);
    }
}

#[test]
fn the_probes_of_many_backends_do_not_stay_in_step() {
    let mut pool = Pool { backends: Vec::new(), now: Duration::ZERO, random: 1 };
    pool.backends.resize_with(1_000, Backend::default);
    for _ in 0..120 {
        (0..1_000).for_each(|at| pool.probe(at));
        pool.now += STEP;
    }
    // A minute later at most a third of them fall into one half second of five.
    let mut next: Vec<u128> = pool.backends.iter().map(|it| it.probe_at.as_millis() / 500).collect();
    next.sort_unstable();
    let most = next.chunk_by(|a, b| a == b).map(<[u128]>::len).max().unwrap_or(0);
    assert!(most < 333, "{most}");
}
