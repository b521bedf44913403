//! Another process takes over: what it gets, and what becomes of this one.

use super::away::{Away, LEAVE_MAX, TAKE_MAX, Taken};
use super::process::Process;
use super::systemd::State;
use super::upgrade::{self, Program, Slot, Successor, UpgradeError};
use super::worker::{Handle, Order};
use crate::admin::Verdict;
use crate::exchange::Generation;
use crate::live::{self, Listener, LiveCache};
use arc_swap::ArcSwap;
use std::future::Future;
use std::io::{self, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

impl Process {
    /// Starts the binary anew, and waits until it is ready to take over.
    pub(super) fn upgrade(&self, program: Program) -> impl Future<Output = Result<Successor, UpgradeError>> + use<> {
        self.manager.tell(&[State::Status("upgrading")]);
        tracing::info!("upgrading");
        if let Some(taking) = self.taking_back.take() {
            taking.abort();
        }
        let limit = self.latest.load().snapshot.config.server.upgrade_timeout;
        let (latest, away) = (self.latest.load_full(), Arc::clone(&self.away));
        let own = self.own_sockets();
        self.registry.write();
        let state = Arc::clone(&self.state);
        let lent: Vec<_> = self.workers.iter().map(lend).collect();
        let given: Vec<_> =
            self.listeners.keys().copied().filter(|address| self.inherited.is_given(*address)).collect();
        async move {
            let mut sockets = own.map_err(UpgradeError::Sockets)?;
            for answer in lent {
                let lent = timeout(LEND_MAX, answer).await.ok().and_then(Result::ok);
                let lent = lent.ok_or_else(|| UpgradeError::Sockets(io::Error::other("a worker does not answer")))?;
                let lent = lent.map_err(UpgradeError::Sockets)?.into_iter();
                // What is shared goes along once.
                let lent = lent.filter(|(address, _)| !given.contains(address));
                sockets.extend(lent.map(|(address, socket)| (Slot::Listener(address), socket.into())));
            }
            // The directories of caches are for one process at a time.
            leave_directories(away, latest).await?;
            // Most of what is to survive is there when the other process starts; the rest when it serves.
            let _ = tokio::task::spawn_blocking(move || state.settle(STATE_MAX)).await;
            upgrade::start(&program, sockets, limit).await
        }
    }

    /// The sockets that no worker has.
    fn own_sockets(&self) -> io::Result<Vec<(Slot, OwnedFd)>> {
        let mut sockets = self.inherited.slots()?;
        if let (Some((admin, _)), Some(listen)) = (&self.admin, &self.latest.load().snapshot.config.admin)
            && self.inherited.given_admin(listen).is_none()
            && let Some(socket) = admin.socket()
        {
            sockets.push((Slot::Admin(listen.to_string()), socket.try_clone_to_owned()?));
        }
        let state = self.state.path().map_or(Slot::Memory, |path| Slot::State(path.to_owned()));
        sockets.push((state, self.state.descriptor()?));
        Ok(sockets)
    }

    /// From here on another process serves; this one is to [`leave`](Self::leave). `reload`: it is to reload first.
    pub(super) async fn hand_over(&mut self, successor: Successor, reload: bool) -> Result<u32, UpgradeError> {
        let pid = successor.pid();
        // Said by the process that the manager still listens to.
        self.manager.tell(&[State::MainPid(pid)]);
        self.leave_state().await;
        match successor.go(reload, self.away.news()).await {
            Ok(stream) => self.tell_each_other(BufReader::new(stream), self.away.stay()),
            Err(error) => {
                self.manager.tell(&[State::MainPid(std::process::id())]);
                return Err(error);
            }
        }
        self.registry.hand_over();
        if let Some((admin, _)) = &mut self.admin {
            admin.leave_file();
            admin.stop();
            let _ = timeout(STOP_MAX, admin.closed()).await;
        }
        // Who hears of the new process is to meet it.
        for stopped in self.stop_accepting(IDLE_GRACE) {
            let _ = timeout(STOP_MAX, stopped).await;
        }
        Ok(pid)
    }

    /// Writes the last of what is to survive; from here on that is for another process to do.
    async fn leave_state(&self) {
        self.registry.write();
        let state = Arc::clone(&self.state);
        // What is given out after is the other process's to give.
        self.scribe.close();
        let left = tokio::task::spawn_blocking(move || state.pause(STATE_MAX));
        if !left.await.unwrap_or(false) {
            tracing::warn!(
                "what is to survive a restart is not written whole: the process that takes over has it older"
            );
        }
    }

    /// From here on what changes in the caches of this process and the other one is told from one to the other.
    pub(super) fn tell_each_other(&self, reader: BufReader<UnixStream>, listener: Option<Listener>) {
        let listener = listener.unwrap_or_else(|| {
            let (teller, listener) = live::line();
            each_cache(&self.latest.load(), |cache| cache.tells(Some(teller.clone())));
            listener
        });
        if let Err(error) = upgrade::tell_each_other(reader, listener, Arc::clone(&self.latest)) {
            tracing::warn!(%error, "the other process is not told what changes in caches");
        }
    }

    /// Says and counts how an upgrade ended.
    pub(super) async fn upgraded(&self, result: Result<u32, UpgradeError>) -> Verdict {
        match result {
            Ok(pid) => {
                tracing::info!(pid, "another process serves from now on");
                Verdict::Done(serde_json::json!({ "applied": true, "pid": pid }))
            }
            Err(error) => {
                self.metrics.upgraded(false);
                self.state.resume();
                self.take_back().await;
                tracing::error!("not upgraded, this process serves on\n{error}");
                self.tell_ready();
                Verdict::Failed(error.to_string(), None)
            }
        }
    }

    /// Takes the directories of caches back, in a while if somebody has them still: a process that was killed may take time
    /// to be gone.
    async fn take_back(&self) {
        let (away, latest) = (Arc::clone(&self.away), Arc::clone(&self.latest));
        match try_take(&away, &latest).await {
            Taken::All => return,
            Taken::Hangs => tracing::error!("goes on without a disk that does not answer yet, which is tried again"),
            Taken::Not(failed) => failed.into_iter().for_each(|(cache, error)| {
                tracing::error!(cache, %error, "goes on without its disk, which is tried again");
            }),
        }
        let taking = tokio::task::spawn_local(async move {
            let mut tries = 0;
            while tries < TAKE_TRIES {
                sleep(TAKE_PAUSE).await;
                match try_take(&away, &latest).await {
                    Taken::All => return tracing::info!("all caches have their disks again"),
                    // Nobody else has them: they are there once it answers.
                    Taken::Hangs => {}
                    Taken::Not(_) => tries += 1,
                }
            }
            tracing::error!("goes on without a disk: start the process anew once its directory is free");
        });
        self.taking_back.set(Some(taking.abort_handle()));
    }
}

/// Lets go of the directories of caches, which are for one process at a time; or of the upgrade, if a disk does not answer.
async fn leave_directories(away: Arc<Away>, latest: Arc<Generation>) -> Result<(), UpgradeError> {
    let turn = away.turn();
    let leaving = Arc::clone(&away);
    let left = timeout(LEAVE_MAX, tokio::task::spawn_blocking(move || leaving.leave(&latest, turn))).await;
    if let Ok(Ok(true)) = left {
        return Ok(());
    }
    // What it has not begun by now is not to be done after.
    let _ = away.turn();
    Err(UpgradeError::Disk(LEAVE_MAX))
}

async fn try_take(away: &Arc<Away>, latest: &ArcSwap<Generation>) -> Taken {
    let (taking, latest, turn) = (Arc::clone(away), latest.load_full(), away.turn());
    let taken = timeout(TAKE_MAX, tokio::task::spawn_blocking(move || taking.take_back(&latest, turn))).await;
    taken.ok().and_then(Result::ok).unwrap_or(Taken::Hangs)
}

/// Does something with each cache that runs.
pub(super) fn each_cache(generation: &Generation, what: impl Fn(&LiveCache)) {
    generation.snapshot.caches.iter().for_each(|rules| what(&rules.cache));
}

fn lend(worker: &Handle) -> oneshot::Receiver<io::Result<Vec<(SocketAddr, TcpListener)>>> {
    let (answer, lent) = oneshot::channel();
    let _ = worker.orders.send(Order::Lend(answer));
    lent
}

/// Tries to take a directory back, and the pause between two.
const TAKE_TRIES: u32 = 60;
const TAKE_PAUSE: Duration = Duration::from_secs(1);

/// How long a worker may take to give its sockets out.
const LEND_MAX: Duration = Duration::from_secs(5);

/// How long the last of what is to survive may take to be written.
const STATE_MAX: Duration = Duration::from_secs(5);

/// How long a worker may take to stop accepting.
const STOP_MAX: Duration = Duration::from_secs(1);

/// How long, after another process took over, a connection without a request may stay to ask once more: the response
/// then says that it ends, so that no request meets a closed connection.
const IDLE_GRACE: Duration = Duration::from_secs(2);
