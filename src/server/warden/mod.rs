//! The thread that keeps the process below its ceiling of memory.

mod proc;
mod share;

use crate::exchange::Generation;
use crate::live::{Ceiling, Held, Level, Pressure};
use arc_swap::ArcSwap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// The main thread's end. The thread ends when it is dropped.
pub(super) struct Warden {
    _ends: Sender<()>,
}

/// How often it looks while it is far from the ceiling, and near it: what comes in meanwhile is above it at worst.
const TICK_FAR: Duration = Duration::from_millis(50);
const TICK_NEAR: Duration = Duration::from_millis(10);

impl Warden {
    /// Starts the thread. What it finds is in `pressure`.
    pub(super) fn start(latest: &Arc<ArcSwap<Generation>>, pressure: &Arc<Pressure>) -> io::Result<Warden> {
        let (ends, ended) = channel();
        let mut watch = Watch {
            latest: Arc::clone(latest),
            pressure: Arc::clone(pressure),
            share: share::of_this_process(),
            ceiling: Ceiling::default(),
            began: Instant::now(),
            // A process before this one may have done without.
            has_huge_pages: proc::has_huge_pages(),
        };
        if proc::held().is_none() {
            tracing::warn!("the system does not say how much memory is held: [server] memory is not kept to");
            return Ok(Warden { _ends: ends });
        }
        watch.size_pages(watch.bytes(&latest.load()));
        thread::Builder::new().name("weir-warden".into()).spawn(move || {
            let mut tick = TICK_FAR;
            while matches!(ended.recv_timeout(tick), Err(RecvTimeoutError::Timeout)) {
                tick = if watch.look() { TICK_NEAR } else { TICK_FAR };
            }
        })?;
        Ok(Warden { _ends: ends })
    }
}

struct Watch {
    latest: Arc<ArcSwap<Generation>>,
    pressure: Arc<Pressure>,
    /// What is not said is that.
    share: u64,
    ceiling: Ceiling,
    began: Instant,
    has_huge_pages: bool,
}

impl Watch {
    /// Looks, and does what is called for; whether the ceiling is near.
    fn look(&mut self) -> bool {
        let Some(process) = proc::held() else { return false };
        let generation = self.latest.load();
        let snapshot = &generation.snapshot;
        let bytes = self.bytes(&generation);
        self.size_pages(bytes);
        let caches_max = snapshot.config.caches.iter().map(|cache| cache.memory).sum();
        let caches = snapshot.caches.iter().map(|rules| rules.cache.memory.bytes() as u64).sum();
        let held = Held { process, caches, caches_max };
        let ordered = self.ceiling.judge(bytes, held, self.began.elapsed());
        let before = self.pressure.level();
        self.pressure.set(bytes, held, ordered);
        for (cache, rules) in snapshot.config.caches.iter().zip(&snapshot.caches) {
            rules.cache.limit_memory(share_of(cache.memory, ordered.caches, caches_max));
        }
        if before != ordered.level {
            told(before, ordered.level, process, bytes);
        }
        process > bytes / 4 * 3
    }

    fn bytes(&self, generation: &Generation) -> u64 {
        generation.snapshot.config.server.memory.unwrap_or(self.share)
    }

    /// Huge pages come whole, however little of one is used: below a low ceiling they would be above it before anybody looks.
    fn size_pages(&mut self, bytes: u64) {
        let huge = bytes >= HUGE_PAGES_FROM;
        if huge != self.has_huge_pages && proc::allow_huge_pages(huge) {
            self.has_huge_pages = huge;
        }
    }
}

/// The ceiling from which on what is kept free below it is sixteen huge pages of 2 MiB.
const HUGE_PAGES_FROM: u64 = 1 << 30;

/// A cache's part of what all may hold.
fn share_of(own: u64, all: u64, max: u64) -> usize {
    let part = u128::from(own) * u128::from(all) / u128::from(max.max(1));
    usize::try_from(part).unwrap_or(usize::MAX)
}

fn told(before: Level, level: Level, held_bytes: u64, ceiling_bytes: u64) {
    match (before, level) {
        (_, Level::Full) => tracing::warn!(held_bytes, ceiling_bytes, "memory is full: new work is refused"),
        (Level::Full, _) => tracing::info!(held_bytes, ceiling_bytes, "there is memory again"),
        (_, Level::Tight) => tracing::info!(held_bytes, ceiling_bytes, "memory is tight: caches shrink"),
        (_, Level::Calm) => tracing::info!(held_bytes, ceiling_bytes, "caches have their memory again"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caches_share_what_there_is_by_what_they_are_given() {
        assert_eq!(share_of(100, 300, 300), 100);
        assert_eq!((share_of(100, 30, 300), share_of(200, 30, 300)), (10, 20));
        assert_eq!((share_of(0, 0, 0), share_of(u64::MAX, u64::MAX, u64::MAX)), (0, usize::MAX));
    }
}
