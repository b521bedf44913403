//! The fleet: this process as one of several that share their state through Redis.
//!
//! One thread of its own speaks to Redis. Nothing on a request's way waits for it: what others need to know is in
//! [`live::Fleet`](crate::live::Fleet).

mod beat;
mod error;
mod granters;
mod held;
mod kept;
mod known;
mod leases;
mod limits;
mod link;
mod names;
mod news;
mod parts;
mod place;
mod rooms;
mod scripts;
mod sweep;
mod turns;

pub use error::FleetError;

use crate::config::Cluster;
use crate::exchange::Generation;
use crate::limit::Limiter;
use crate::live::{Fleet, LiveRegistry, Outgoing, Purge, StateDir};
use beat::Beat;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use tokio::runtime::LocalRuntime;
use tokio::sync::{mpsc, oneshot};

/// What the fleet does in this process.
pub struct Hands {
    /// Purges here what another member purged. It may wait for the disk. `false`: it may come back after a restart.
    pub purge: Box<dyn Fn(&Purge) -> bool + Send + Sync>,
    /// The caches that have a disk, and which one.
    pub disks: Box<dyn Fn() -> Vec<(String, String)> + Send + Sync>,
    /// Backends that register themselves.
    pub registry: Arc<LiveRegistry>,
    /// Where it is kept how far those are purged.
    pub state: Arc<StateDir>,
    /// The limits that there are now, by name.
    pub limits: Box<dyn Fn() -> Vec<(String, Arc<Limiter>)> + Send + Sync>,
    /// What runs, with the waiting rooms that there are now.
    pub latest: Box<dyn Fn() -> Arc<Generation> + Send + Sync>,
    /// The time by which limits and rooms are judged.
    pub now: Box<dyn Fn() -> Duration + Send + Sync>,
}

/// The thread that speaks to Redis.
pub struct Speaker {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Speaker {
    /// Starts it. May wait for the disk.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(
        cluster: Cluster,
        fleet: Arc<Fleet>,
        inbox: mpsc::Receiver<Outgoing>,
        hands: Hands,
    ) -> io::Result<Speaker> {
        // Before anybody is let in.
        fleet.reckon(kept::members(&hands, &cluster.name).unwrap_or(1).max(cluster.members));
        let (stop, stopped) = oneshot::channel();
        let body = move || match LocalRuntime::new() {
            Ok(runtime) => runtime.block_on(Beat::new(cluster, fleet, inbox, hands).run(stopped)),
            Err(error) => tracing::error!(%error, "no runtime for the fleet"),
        };
        let thread = thread::Builder::new().name("weir-fleet".into()).spawn(body)?;
        Ok(Speaker { stop: Some(stop), thread: Some(thread) })
    }

    /// Leaves the fleet, so that nobody waits for this member any more; takes [`LEAVE_MAX`] at most.
    pub fn leave(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// How long a good-bye may take.
pub const LEAVE_MAX: Duration = Duration::from_millis(500);
