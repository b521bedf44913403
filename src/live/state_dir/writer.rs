//! The thread that writes: the latest content of each file, and again if the disk refuses it.

use super::Medium;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What waits to be written.
#[derive(Debug)]
pub(super) struct Desk {
    state: Mutex<State>,
    /// Something is to be done, or was.
    turned: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// By name, whole files.
    waiting: BTreeMap<&'static str, Vec<u8>>,
    /// One is being written.
    is_writing: bool,
    is_paused: bool,
    is_closed: bool,
    /// Why the last write failed, and from when on it is tried again.
    trouble: Option<(String, Instant)>,
}

impl Desk {
    pub(super) fn new(is_paused: bool) -> Desk {
        Desk { state: Mutex::new(State { is_paused, ..State::default() }), turned: Condvar::new() }
    }

    pub(super) fn put(&self, name: &'static str, bytes: Vec<u8>) {
        self.lock().waiting.insert(name, bytes);
        self.turned.notify_all();
    }

    pub(super) fn pause(&self, limit: Duration) -> bool {
        let is_settled = self.settle(limit);
        let mut state = self.lock();
        state.is_paused = true;
        // One that came in between is still to end, so that whoever reads afterwards reads no half of an order.
        let wait = self.turned.wait_timeout_while(state, limit, |state| state.is_writing);
        let (state, _) = wait.unwrap_or_else(PoisonError::into_inner);
        is_settled && !state.is_writing
    }

    pub(super) fn resume(&self) {
        self.lock().is_paused = false;
        self.turned.notify_all();
    }

    pub(super) fn settle(&self, limit: Duration) -> bool {
        let mut state = self.lock();
        // What failed is tried at once.
        if let Some((_, again)) = &mut state.trouble {
            *again = Instant::now();
        }
        self.turned.notify_all();
        let is_open = |state: &mut State| !state.is_paused && (state.is_writing || !state.waiting.is_empty());
        let wait = self.turned.wait_timeout_while(state, limit, is_open);
        let (state, _) = wait.unwrap_or_else(PoisonError::into_inner);
        state.waiting.is_empty() && !state.is_writing
    }

    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.turned.notify_all();
    }

    pub(super) fn trouble(&self) -> Option<String> {
        self.lock().trouble.as_ref().map(|(why, _)| why.clone())
    }

    /// The next file, when it is time; `None` at the end.
    fn take(&self) -> Option<(&'static str, Vec<u8>)> {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            let may_write = !state.is_paused && (state.trouble.as_ref().is_none_or(|(_, again)| *again <= now));
            if (may_write || (state.is_closed && !state.is_paused))
                && let Some(file) = state.waiting.pop_first()
            {
                state.is_writing = true;
                return Some(file);
            }
            if state.is_closed {
                return None;
            }
            let wait = match &state.trouble {
                Some((_, again)) if !state.is_paused && !state.waiting.is_empty() => again.duration_since(now),
                _ => IDLE_MAX,
            };
            (state, _) = self.turned.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn wrote(&self, name: &'static str, bytes: Vec<u8>, result: Result<(), String>) {
        let mut state = self.lock();
        state.is_writing = false;
        match result {
            Ok(()) => {
                if state.trouble.take().is_some() {
                    tracing::info!(file = name, "what is to survive a restart is written again");
                }
            }
            Err(why) => {
                // A later content, if there is one, is the one that counts. At the end nothing is tried again.
                if !state.is_closed {
                    state.waiting.entry(name).or_insert(bytes);
                }
                if state.trouble.is_none() || state.is_closed {
                    tracing::error!(file = name, why, "what is to survive a restart cannot be written");
                }
                state.trouble = Some((why, Instant::now() + AGAIN));
            }
        }
        drop(state);
        self.turned.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts the thread; it ends when the desk is closed.
pub(super) fn start(desk: Arc<Desk>, medium: Arc<Medium>) -> io::Result<JoinHandle<()>> {
    let body = move || {
        while let Some((name, bytes)) = desk.take() {
            let result = medium.replace(name, &bytes).map_err(|error| error.to_string());
            desk.wrote(name, bytes, result);
        }
    };
    thread::Builder::new().name("weir-state".into()).spawn(body)
}

/// When a write that failed is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// It wakes when it is told to; this only bounds the wait.
const IDLE_MAX: Duration = Duration::from_secs(3600);
