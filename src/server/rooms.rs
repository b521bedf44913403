//! What waiting rooms must remember is written ahead of its use, by a thread of its own.

use crate::exchange::Generation;
use crate::live::{Ledger, RoomRules, StateDir, WAITING_ROOMS};
use arc_swap::ArcSwap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle, park, park_timeout};
use std::time::{Duration, Instant};

/// Writes for all rooms of the configuration that runs.
pub(super) struct Scribe {
    latest: Arc<ArcSwap<Generation>>,
    state: Arc<StateDir>,
    began: Instant,
    ends: Arc<AtomicBool>,
    /// Held from what is so until it is handed over, so that nothing older comes after the last word.
    desk: Arc<Mutex<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Scribe {
    /// Starts the thread. It does nothing before rooms are [open](Self::open).
    pub(super) fn start(
        latest: &Arc<ArcSwap<Generation>>,
        state: &Arc<StateDir>,
        began: Instant,
    ) -> io::Result<Scribe> {
        let ends = Arc::<AtomicBool>::default();
        let desk = Arc::<Mutex<()>>::default();
        let (theirs, rooms, dir) = (Arc::clone(&ends), Arc::clone(latest), Arc::clone(state));
        let shared = Arc::clone(&desk);
        let thread = thread::Builder::new().name("rooms".into()).spawn(move || {
            while !theirs.load(Relaxed) {
                let generation = rooms.load_full();
                if generation.snapshot.rooms.is_empty() {
                    park();
                } else {
                    park_timeout(PERIOD);
                    write(&generation, &dir, began, &shared);
                }
            }
        })?;
        Ok(Scribe { latest: Arc::clone(latest), state: Arc::clone(state), began, ends, desk, thread: Some(thread) })
    }

    /// Takes over what a process before left behind. To be called once nobody else writes there, and before visitors come.
    pub(super) fn open(&self) {
        let generation = self.latest.load_full();
        let kept = self.state.read(&WAITING_ROOMS).unwrap_or_else(|error| {
            tracing::error!(%error, "places in waiting rooms are lost");
            None
        });
        if let Err(why) = ledger(&generation).open(kept.as_ref(), self.began.elapsed()) {
            self.state.set_aside(&WAITING_ROOMS, why);
        }
        write(&generation, &self.state, self.began, &self.desk);
        self.wakes();
    }

    fn wakes(&self) {
        self.thread.iter().for_each(|thread| thread.thread().unpark());
    }

    /// Another configuration runs.
    pub(super) fn changed(&self) {
        self.wakes();
    }

    /// Hands the last word over to be written: from here on, another process gives numbers out.
    pub(super) fn close(&self) {
        self.say_last();
    }

    fn say_last(&self) {
        let generation = self.latest.load_full();
        let _held = self.desk.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = ledger(&generation).close(rooms(&generation), self.began.elapsed()) {
            self.state.keep(&WAITING_ROOMS, entry.content());
        }
    }

    /// The same at the end of the process.
    pub(super) fn end(mut self) {
        self.ends.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
        self.say_last();
    }
}

/// Writes what is to be written, and lets rooms go as far as that says.
fn write(generation: &Generation, state: &StateDir, began: Instant, desk: &Mutex<()>) {
    let held = desk.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(entry) = ledger(generation).to_write(rooms(generation), began.elapsed()) else { return };
    let is_kept = state.keep(&WAITING_ROOMS, entry.content());
    drop(held);
    if is_kept && state.settle(SETTLE_MAX) {
        ledger(generation).written(entry, began.elapsed());
    }
}

fn ledger(generation: &Generation) -> &Ledger {
    &generation.snapshot.ledger
}

fn rooms(generation: &Generation) -> &[RoomRules] {
    &generation.snapshot.rooms
}

/// How often rooms are asked whether there is something to write.
const PERIOD: Duration = Duration::from_millis(100);

/// How long the disk may take. Rooms go no further meanwhile than what was written allows.
const SETTLE_MAX: Duration = Duration::from_secs(2);
