use super::backend::Check;
use crate::admin::Place;
use crate::command::ask::{Answer, NoAnswer, Where};
use std::cell::Cell;
use std::io::{self, Write};
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

/// A backend that is to be registered, and where.
pub(super) struct Registrant {
    process: Where,
    /// What tells it from others with which the same backend is registered, for messages.
    at: Option<String>,
    place: Place,
    content: String,
    check: Check,
    /// It is registered, as far as is known: also where the answer to that was lost.
    is_there: Cell<bool>,
    /// It was taken out, and may still have something to end.
    is_out: Cell<bool>,
    /// Nothing more is asked to keep it there.
    is_settled: watch::Sender<bool>,
}

/// What came of asking for a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    /// It is there; when to renew it.
    Granted(Duration),
    /// The backend is not healthy, and why.
    Ill(String),
    /// There is no lease, and why.
    Refused(String),
}

/// What came of taking it out.
enum Out {
    /// It has left, or was not there.
    Left,
    /// It gets nothing new.
    Drains,
    /// It may well be there, and why.
    Failed(String),
}

/// Why there is no answer.
struct Lost {
    why: String,
    /// What was asked may be done all the same.
    may_be_done: bool,
}

/// Keeps the backend registered for as long as it is healthy, until it is told to stop.
pub(super) async fn stay(registrant: Rc<Registrant>, mut stopping: watch::Receiver<bool>) {
    let mut said = None;
    loop {
        let checked = tokio::select! {
            biased;
            _ = stopping.wait_for(|stop| *stop) => break,
            checked = registrant.is_healthy() => checked,
        };
        // Never broken off: what is on its way may be done.
        let outcome = match checked {
            Ok(()) => registrant.puts().await,
            Err(why) => Outcome::Ill(why),
        };
        let wait = match &outcome {
            Outcome::Granted(renew) => *renew,
            Outcome::Ill(_) if !registrant.is_there.get() => ILL_PAUSE,
            Outcome::Ill(_) | Outcome::Refused(_) => REFUSED_PAUSE,
        };
        registrant.says(&mut said, outcome);
        if timeout(wait, stopping.wait_for(|stop| *stop)).await.is_ok() {
            break;
        }
    }
    registrant.is_settled.send_replace(true);
}

impl Registrant {
    pub(super) fn new(process: Where, at: Option<String>, place: Place, content: String, check: Check) -> Registrant {
        let (is_there, is_out) = (Cell::default(), Cell::default());
        Registrant { process, at, place, content, check, is_there, is_out, is_settled: watch::Sender::new(false) }
    }

    /// Takes it out once the last renewal, which may be on its way, has been answered or hangs, and waits for its drain, so long at most. Whether
    /// anybody hears of that is known soon: a Weir that says nothing is not waited for.
    pub(super) async fn leaves(&self, wait: Duration) {
        let _ = timeout(SETTLE_MAX, self.is_settled.subscribe().wait_for(|is| *is)).await;
        if !self.is_there.get() {
            return;
        }
        let until = Instant::now() + wait;
        let mut waits = Duration::ZERO;
        loop {
            match self.takes_out(waits, LEAVE_MAX).await {
                Out::Left => return,
                Out::Failed(why) => return self.tells(&format!("not taken out: {why}")),
                // There, too many wait already.
                Out::Drains if !waits.is_zero() => sleep(LOOK_PAUSE.min(waits)).await,
                Out::Drains => {}
            }
            waits = until.saturating_duration_since(Instant::now());
            if waits.is_zero() {
                return;
            }
        }
    }

    /// Takes it out if that is not done yet, and waits for nothing.
    pub(super) async fn parts(&self) {
        if self.is_there.get() && !self.is_out.get() {
            let _ = self.takes_out(Duration::ZERO, PART_MAX).await;
        }
    }

    async fn is_healthy(&self) -> Result<(), String> {
        let check = self.check.clone();
        spawn_blocking(move || check.ask()).await.unwrap_or_else(|why| Err(why.to_string()))
    }

    async fn puts(&self) -> Outcome {
        // Who is told to end meanwhile takes it out.
        let before = self.is_there.replace(true);
        match self.send("PUT", self.place.path(), self.content.clone(), PUT_MAX).await {
            Ok(answer) => {
                let outcome = outcome(&answer);
                self.is_there.set(before || matches!(outcome, Outcome::Granted(_)));
                outcome
            }
            Err(Lost { why, may_be_done }) => {
                self.is_there.set(before || may_be_done);
                Outcome::Refused(why)
            }
        }
    }

    async fn takes_out(&self, wait: Duration, more: Duration) -> Out {
        let path = format!("{}?wait={}ms", self.place.path(), wait.as_millis());
        match self.send("DELETE", path, String::new(), wait + more).await {
            // It may have run out meanwhile.
            Ok(answer) if answer.is_done() || answer.status == 404 => {
                self.is_out.set(true);
                if answer.status == 202 { Out::Drains } else { Out::Left }
            }
            Ok(answer) => Out::Failed(answer.error().to_owned()),
            Err(Lost { why, .. }) => Out::Failed(why),
        }
    }

    async fn send(&self, method: &'static str, path: String, content: String, limit: Duration) -> Result<Answer, Lost> {
        let process = self.process.clone();
        let sent = spawn_blocking(move || process.send(method, &path, &content, limit));
        let lost = |why: String, may_be_done| Lost { why, may_be_done };
        match timeout(limit, sent).await {
            Err(_) => Err(lost(format!("no answer within {limit:?}"), true)),
            Ok(Err(why)) => Err(lost(why.to_string(), true)),
            Ok(Ok(answer)) => answer.map_err(|why: NoAnswer| lost(first_line(&why.to_string()), why.may_be_heard())),
        }
    }

    /// Each turn once.
    fn says(&self, said: &mut Option<String>, outcome: Outcome) {
        let what = match outcome {
            Outcome::Granted(_) => "registered".to_owned(),
            // Who starts is not healthy yet.
            Outcome::Ill(_) if said.is_none() => return,
            Outcome::Ill(why) => format!("not healthy, and not renewed: {why}"),
            Outcome::Refused(why) => format!("not registered: {why}"),
        };
        if said.as_ref() != Some(&what) {
            self.tells(&what);
            *said = Some(what);
        }
    }

    /// To whoever reads that; the backend is kept all the same if nobody does.
    fn tells(&self, what: &str) {
        let Place { pool, address } = &self.place;
        let at = self.at.as_ref().map(|at| format!(" at {at}")).unwrap_or_default();
        let address = address.as_deref().unwrap_or_default();
        let _ = writeln!(io::stderr(), "weir register: {pool} {address}{at}: {what}");
    }
}

fn outcome(answer: &Answer) -> Outcome {
    let renew = answer.content["renew_after_ms"].as_u64().filter(|_| answer.is_done() || answer.status == 201);
    match renew {
        Some(renew) => Outcome::Granted(Duration::from_millis(renew).max(RENEW_MIN)),
        None => Outcome::Refused(answer.error().to_owned()),
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

/// How soon a backend that starts is asked again.
const ILL_PAUSE: Duration = Duration::from_millis(250);

/// How soon a lease is asked for again.
const REFUSED_PAUSE: Duration = Duration::from_secs(1);

/// However short a lease is.
const RENEW_MIN: Duration = Duration::from_millis(100);

/// How long the answer to a registration may take.
const PUT_MAX: Duration = Duration::from_secs(5);

/// How long the end of a renewal is waited for.
const SETTLE_MAX: Duration = Duration::from_secs(2);

/// How soon it is asked again whether it has left.
const LOOK_PAUSE: Duration = Duration::from_secs(1);

/// How long the answer may take beside the drain.
const LEAVE_MAX: Duration = Duration::from_secs(3);

/// The same for who waits for nothing.
const PART_MAX: Duration = Duration::from_secs(1);
