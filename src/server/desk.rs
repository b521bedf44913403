//! Where jobs come in and their outcomes go out.

use super::RunError;
use super::agenda::{Agenda, Turn};
use super::build::Built;
use super::process::Process;
use super::upgrade::{Program, Successor, UpgradeError};
use crate::admin::{Ask, Job, Verdict};
use std::future::{Future, pending};
use std::ops::ControlFlow;
use std::pin::Pin;
use tokio::sync::{mpsc, oneshot};

/// The jobs of the process: what runs, what waits, and who wants to know.
pub(super) struct Desk {
    program: Program,
    asks: mpsc::Receiver<Ask>,
    agenda: Agenda,
    running: Option<Pin<Box<dyn Future<Output = Done>>>>,
    /// Those who wait for the end of what runs.
    askers: Vec<Asker>,
    /// Those who wait for a job after it.
    later: Vec<(Job, Asker)>,
}

type Asker = oneshot::Sender<Verdict>;

/// What the desk has to do.
pub(super) enum Event {
    /// Somebody asks through the admin listener.
    Asked(Ask),
    /// What ran has ended.
    Done(Done),
}

/// How what ran has ended.
pub(super) enum Done {
    Reload(Box<Result<Built, RunError>>),
    Upgrade(Box<Result<Successor, UpgradeError>>),
}

impl Desk {
    pub(super) fn new(program: Program, asks: mpsc::Receiver<Ask>) -> Desk {
        Desk { program, asks, agenda: Agenda::default(), running: None, askers: Vec::new(), later: Vec::new() }
    }

    /// The next thing that happens.
    pub(super) async fn next(&mut self) -> Event {
        let Desk { asks, running, .. } = self;
        let done = async {
            match running {
                Some(running) => running.await,
                None => pending().await,
            }
        };
        tokio::select! {
            Some(ask) = asks.recv() => Event::Asked(ask),
            done = done => Event::Done(done),
        }
    }

    /// Somebody wants `job`: it is done now, after what runs, or not at all.
    pub(super) fn ask(&mut self, job: Job, asker: Option<Asker>, process: &Process) {
        if asker.is_some() && job == Job::Reload && self.agenda.upgrades() {
            // The outcome would be another process's to tell.
            return refuse(job, asker);
        }
        match self.agenda.ask(job) {
            Turn::Now => {
                self.askers.extend(asker);
                self.start(job, process);
            }
            Turn::Later => {
                // Those who went away make room.
                self.later.retain(|(_, asker)| !asker.is_closed());
                self.later.extend(asker.map(|asker| (job, asker)));
            }
            Turn::Never => refuse(job, asker),
        }
    }

    /// Takes the outcome over, and begins what comes next. It breaks if another process serves from now on.
    pub(super) async fn finish(&mut self, done: Done, process: &mut Process) -> ControlFlow<()> {
        self.running = None;
        match done {
            Done::Reload(result) => {
                let verdict = process.reload(*result).await;
                self.answer(verdict);
            }
            Done::Upgrade(result) => {
                let result = match *result {
                    Ok(successor) => process.hand_over(successor, self.agenda.reload_waits()).await,
                    Err(error) => Err(error),
                };
                let has_left = result.is_ok();
                let verdict = process.upgraded(result).await;
                self.answer(verdict);
                if has_left {
                    self.close();
                    return ControlFlow::Break(());
                }
            }
        }
        if let Some(job) = self.agenda.done() {
            let (now, later) = std::mem::take(&mut self.later).into_iter().partition(|(its, _)| *its == job);
            self.later = later;
            self.askers = now.into_iter().map(|(_, asker)| asker).collect();
            self.start(job, process);
        }
        ControlFlow::Continue(())
    }

    /// Nothing more is done; whoever waits is told so by being let go.
    pub(super) fn close(&mut self) {
        self.asks.close();
        while self.asks.try_recv().is_ok() {}
        self.later.clear();
        self.askers.clear();
        self.running = None;
    }

    fn start(&mut self, job: Job, process: &Process) {
        self.running = Some(match job {
            Job::Reload => {
                let read = process.read();
                Box::pin(async { Done::Reload(Box::new(read.await)) })
            }
            Job::Upgrade => {
                let upgrade = process.upgrade(self.program.clone());
                Box::pin(async { Done::Upgrade(Box::new(upgrade.await)) })
            }
        });
    }

    fn answer(&mut self, verdict: Verdict) {
        for asker in self.askers.drain(..) {
            let _ = asker.send(verdict.clone());
        }
    }
}

fn refuse(job: Job, asker: Option<Asker>) {
    const WHY: &str = "an upgrade is under way";
    match asker {
        Some(asker) => drop(asker.send(Verdict::NotNow(WHY))),
        None => tracing::warn!(?job, "refused: {WHY}"),
    }
}
