//! The configuration anew: read beside the main thread, then taken over whole or not at all.

use super::RunError;
use super::build::{Built, build};
use super::process::Process;
use super::systemd::State;
use super::worker::{Handle, Order};
use crate::admin::Verdict;
use crate::config::Config;
use crate::telemetry::access::Prepared;
use std::future::Future;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout;

impl Process {
    /// Reads the configuration again and makes all of it, on a thread that may wait for files.
    pub(super) fn read(&self) -> impl Future<Output = Result<Built, RunError>> + use<> {
        self.manager.tell(&[State::Reloading, State::Status("reloading")]);
        let (source, latest) = (self.source.clone(), Arc::clone(&self.latest));
        let (metrics, tickets) = (Arc::clone(&self.metrics), self.tickets.clone());
        let (keeper, began) = (Rc::clone(&self.keeper), self.began);
        // A thread that still hangs on a file is not joined by another one.
        let hangs = Arc::strong_count(&self.reading) > 1;
        let reading = Arc::clone(&self.reading);
        async move {
            if hangs {
                return Err(RunError::Slow(READ_MAX));
            }
            let read = tokio::task::spawn_blocking(move || {
                let _reading = reading;
                let config = source.load().map_err(RunError::Load)?;
                let before = latest.load();
                refuse_what_stays(&before.snapshot.config, &config)?;
                build(config, &metrics, &tickets, Some(&before), began.elapsed()).map_err(RunError::Load)
            });
            let built = match timeout(READ_MAX, read).await {
                Ok(Ok(result)) => result?,
                Ok(Err(panic)) => return Err(RunError::System(io::Error::other(panic))),
                Err(_) => return Err(RunError::Slow(READ_MAX)),
            };
            // Who is sent to a new backend finds it known.
            keeper.keep(&built.generation).await;
            Ok(built)
        }
    }

    /// Takes over what was read, or leaves everything as it is; says and counts which.
    pub(super) async fn reload(&mut self, read: Result<Built, RunError>) -> Verdict {
        let result = read.and_then(|built| self.apply(built));
        if result.is_ok() {
            // Who hears that it is done is to meet listeners as they are now.
            let _ = timeout(HEARD_MAX, self.heard()).await;
        }
        self.metrics.reloaded(result.is_ok());
        let verdict = match result {
            Ok(warnings) => {
                tracing::info!("reloaded");
                Verdict::Done(serde_json::json!({ "applied": true, "warnings": warnings }))
            }
            Err(error) => {
                self.keeper.keep_on(self.latest.load_full());
                tracing::error!("not reloaded, the old configuration serves on\n{error}");
                Verdict::Failed(error.to_string(), error.to_json())
            }
        };
        self.tell_ready();
        verdict
    }

    /// Waits until the workers have done what they were told.
    async fn heard(&self) {
        let ping = |worker: &Handle| {
            let (answer, answered) = oneshot::channel();
            let _ = worker.orders.send(Order::Ping(answer));
            answered
        };
        for answered in self.workers.iter().map(ping).collect::<Vec<_>>() {
            let _ = answered.await;
        }
    }

    /// What can fail comes first, and last of that what others could see.
    fn apply(&mut self, built: Built) -> Result<Vec<String>, RunError> {
        let Built { generation, listeners, warnings, inbox: _ } = built;
        let log = generation.snapshot.config.log.clone();
        let access = Prepared::open(&log.access).map_err(RunError::Access)?;
        let own: Vec<_> = self.listeners.keys().copied().collect();
        let new = listeners.iter().map(|state| state.config.address).filter(|address| !own.contains(address));
        let mut shares = self.inherited.shares(new, self.worker_count(), &own)?;
        // From here on nothing can fail.
        self.access.take(access);
        warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        if let Some(events) = &self.events {
            events.set_level(log.level);
        }
        self.latest.store(generation);
        self.registry.configure(&self.latest.load().snapshot, self.began.elapsed());
        if let Some((_, state)) = &self.admin {
            state.set_gate(super::process::gate(&self.latest.load().snapshot.config));
        }
        self.scribe.changed();
        for state in &listeners {
            match shares.remove(&state.config.address) {
                Some(share) => self.open(state, share),
                None => self.order(|| Order::Change(state.clone())),
            }
        }
        for address in own {
            if !listeners.iter().any(|state| state.config.address == address) {
                self.listeners.remove(&address);
                self.order(|| Order::Close(address));
            }
        }
        Ok(warnings)
    }
}

/// What is fixed at start is refused by name, not ignored.
fn refuse_what_stays(old: &Config, new: &Config) -> Result<(), RunError> {
    match () {
        () if old.server.workers != new.server.workers => Err(RunError::NeedsRestart("[server] workers")),
        () if old.server.state != new.server.state => Err(RunError::NeedsRestart("[server] state")),
        () if old.admin != new.admin => Err(RunError::NeedsRestart("[admin] listen")),
        () if old.cluster != new.cluster => Err(RunError::NeedsRestart("[cluster]")),
        () if moves_a_disk(old, new) => Err(RunError::NeedsRestart("`disk` of a [cache.NAME]")),
        () => Ok(()),
    }
}

/// A cache that runs keeps its directory, or its having none.
fn moves_a_disk(old: &Config, new: &Config) -> bool {
    let before = |name: &str| old.caches.iter().find(|cache| cache.name == name);
    new.caches.iter().any(|cache| before(&cache.name).is_some_and(|before| before.disk != cache.disk))
}

/// How long the files of a configuration may take to be read. They are local, mostly.
const READ_MAX: Duration = Duration::from_secs(45);

/// How long all workers may take to hear of it.
const HEARD_MAX: Duration = Duration::from_secs(1);
