//! The end: what is in flight is finished.

use super::handover::each_cache;
use super::process::Process;
use super::signals::{Signals, Wish};
use super::systemd::State;
use super::worker::{Handle, Order};
use std::process::ExitCode;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

impl Process {
    /// Finishes what is in flight, for as long as the configuration allows or until asked a second time.
    pub(super) async fn drain(self, signals: &mut Signals) -> ExitCode {
        self.manager.tell(&[State::Stopping, State::Status("draining")]);
        if let Some((_, state)) = &self.admin {
            state.set_ready(false);
        }
        drop(self.stop_accepting(Duration::ZERO));
        self.end(signals, 1).await
    }

    /// The same after another process took over and this one stopped accepting: nothing is told any more.
    pub(super) async fn leave(self, signals: &mut Signals) -> ExitCode {
        // Whoever stops the service stops both, and this one is about to leave anyway.
        self.end(signals, 2).await
    }

    /// Tells the workers, and gives what is told back once each has stopped. Idle connections may ask once more for
    /// as long as `patience`.
    pub(super) fn stop_accepting(&self, patience: Duration) -> Vec<oneshot::Receiver<()>> {
        let stop = |worker: &Handle| {
            let (answer, stopped) = oneshot::channel();
            let _ = worker.orders.send(Order::Drain(patience, answer));
            stopped
        };
        self.workers.iter().map(stop).collect()
    }

    /// `asks_max`: so many signals end it at once.
    async fn end(self, signals: &mut Signals, asks_max: usize) -> ExitCode {
        let limit = self.latest.load().snapshot.config.server.drain;
        tracing::info!(?limit, "draining");
        if let Some(watchdog) = &self.watchdog {
            watchdog.abort();
        }
        let Process { workers, access, admin, latest, speaker, state, registry, scribe, .. } = self;
        let all = until(|| workers.iter().all(|worker| worker.thread.is_finished()));
        let asked_again = async {
            for _ in 0..asks_max {
                while signals.next().await != Wish::Drain {}
            }
        };
        tokio::select! {
            () = all => tracing::info!("drained"),
            () = sleep(limit) => {
                tracing::warn!("the time to drain is over: what was left is cut off");
                // The access log is complete once no worker writes to it.
                workers.iter().for_each(|worker| drop(worker.orders.send(Order::End)));
            }
            () = asked_again => return ExitCode::FAILURE,
        }
        if let Some((mut admin, _)) = admin {
            admin.stop();
            let _ = timeout(ADMIN_END_MAX, until(|| admin.is_finished())).await;
        }
        let _ = access.close();
        if let Some(mut speaker) = speaker {
            // Nobody is to wait for who is gone.
            let _ = timeout(FLEET_END_MAX, tokio::task::spawn_blocking(move || speaker.leave())).await;
        }
        // What waits to be written to a cache's disk is written, what another process is to know is told.
        let leaving = tokio::task::spawn_blocking(move || {
            each_cache(&latest.load_full(), |cache| {
                cache.is_told();
                cache.leave_disk();
            });
        });
        let _ = timeout(DISK_END_MAX, leaving).await;
        registry.write();
        let ended = tokio::task::spawn_blocking(move || {
            scribe.end();
            state.settle(DISK_END_MAX)
        });
        let _ = ended.await;
        ExitCode::SUCCESS
    }
}

async fn until(condition: impl Fn() -> bool) {
    /// How often we look.
    const LOOK: Duration = Duration::from_millis(10);
    while !condition() {
        sleep(LOOK).await;
    }
}

/// How long the fleet's good-bye may take, a word that is under way among it.
const FLEET_END_MAX: Duration = Duration::from_secs(3);

/// How long what waits for the disk may take.
const DISK_END_MAX: Duration = Duration::from_secs(5);

/// How long the last answers of the admin listener may take.
const ADMIN_END_MAX: Duration = Duration::from_secs(2);
