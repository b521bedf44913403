use super::{Settling, Shared};
use crate::live::KeyRing;
use crate::telemetry::metrics::AccessMetrics;
use crate::upstream::KeyFetcher;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{JoinHandle, spawn_local};

/// The tasks that fetch keys, one a ring.
#[derive(Default)]
pub(super) struct Fetches(HashMap<*const KeyRing, JoinHandle<()>>);

impl Fetches {
    /// Starts those that are missing, and ends those that are wanted no more.
    pub(super) fn follow(&mut self, shared: &Rc<Shared>, settling: &Rc<Settling>) {
        let Some(generation) = shared.generation.borrow().clone() else { return };
        let mut wanted = HashMap::new();
        for access in &generation.snapshot.accesses {
            if let Some(ring) = access.ring() {
                wanted.insert(Arc::as_ptr(ring), (access, ring));
            }
        }
        self.0.retain(|ring, task| {
            let stays = wanted.remove(ring).is_some();
            if !stays {
                task.abort();
            }
            stays
        });
        for (key, (access, ring)) in wanted {
            let fetch = Fetch {
                shared: shared.clone(),
                name: access.name.clone(),
                metrics: access.metrics.clone(),
                ring: Arc::clone(ring),
                fetcher: KeyFetcher::default(),
            };
            // The task holds the ring, so that the address stays its own.
            self.0.insert(key, spawn_local(fetch.run(settling.clone())));
        }
    }
}

/// Fetches the keys of one ring for as long as they are wanted.
struct Fetch {
    shared: Rc<Shared>,
    name: String,
    metrics: AccessMetrics,
    ring: Arc<KeyRing>,
    fetcher: KeyFetcher,
}

impl Fetch {
    async fn run(self, settling: Rc<Settling>) {
        let mut settling = Some(settling);
        loop {
            let wanted = self.wait().await;
            self.fetch(wanted).await;
            settling.take();
        }
    }

    /// Until a fetch is due: by the clock, or as somebody wants a key that is not known, which is said.
    async fn wait(&self) -> bool {
        let mut wanted = false;
        loop {
            let left = self.ring.due(wanted).saturating_sub(self.shared.clock.coarse());
            if left.is_zero() {
                return wanted;
            }
            tokio::select! {
                () = tokio::time::sleep(left.max(SLEEP_MIN)) => {}
                () = self.ring.wanted() => wanted = true,
            }
        }
    }

    async fn fetch(&self, wanted: bool) {
        let began = self.shared.clock.coarse();
        self.ring.begin();
        let fetched = self.fetcher.fetch(self.ring.url()).await;
        let why = self.ring.ended(began, wanted, fetched.map_err(|error| error.to_string())).err();
        self.shared.counts.keys_fetched(&self.metrics, why.is_none());
        match (why, self.ring.held()) {
            (None, held) => {
                let keys = held.map_or(0, |held| held.keys.len());
                tracing::debug!(access = self.name, keys, "keys fetched");
            }
            (Some(why), Some(_)) => {
                tracing::warn!(access = self.name, url = %self.ring.url(), why, "keys cannot be fetched; the last ones are used on");
            }
            (Some(why), None) => {
                tracing::error!(access = self.name, url = %self.ring.url(), why, "keys cannot be fetched; nobody is let in");
            }
        }
    }
}

/// The clock is coarse: no shorter sleep moves it.
const SLEEP_MIN: Duration = Duration::from_millis(50);
