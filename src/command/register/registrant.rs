use super::backend::Check;
use crate::admin::Place;
use crate::command::ask::{Answer, NoAnswer, Where};
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

/// A backend that is to be registered, and where.
pub(super) struct Registrant {
    pub(super) process: Where,
    pub(super) place: Place,
    pub(super) content: String,
    pub(super) check: Check,
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

/// Keeps the backend registered for as long as it is healthy, until it is told to stop; whether it may be registered then.
pub(super) async fn stay(registrant: Rc<Registrant>, mut stopping: watch::Receiver<bool>) -> bool {
    let (mut said, mut is_there) = (None, false);
    loop {
        // Never broken off: what is on its way may be done.
        let outcome = registrant.renew().await;
        let wait = match &outcome {
            Outcome::Granted(renew) => *renew,
            Outcome::Ill(_) if !is_there => ILL_PAUSE,
            Outcome::Ill(_) | Outcome::Refused(_) => REFUSED_PAUSE,
        };
        is_there |= matches!(outcome, Outcome::Granted(_));
        say(&registrant.place, &mut said, outcome);
        if timeout(wait, stopping.wait_for(|stop| *stop)).await.is_ok() {
            return is_there;
        }
    }
}

/// Each turn once.
fn say(place: &Place, said: &mut Option<String>, outcome: Outcome) {
    let what = match outcome {
        Outcome::Granted(_) => "registered".to_owned(),
        // Who starts is not healthy yet.
        Outcome::Ill(_) if said.is_none() => return,
        Outcome::Ill(why) => format!("not healthy, and not renewed: {why}"),
        Outcome::Refused(why) => format!("not registered: {why}"),
    };
    if said.as_ref() != Some(&what) {
        eprintln!("weir register: {} {}: {what}", place.pool, place.address.as_deref().unwrap_or_default());
        *said = Some(what);
    }
}

impl Registrant {
    async fn renew(&self) -> Outcome {
        let check = self.check.clone();
        if let Err(why) = spawn_blocking(move || check.ask()).await.unwrap_or_else(|why| Err(why.to_string())) {
            return Outcome::Ill(why);
        }
        match self.send("PUT", self.place.path(), self.content.clone(), PUT_MAX).await {
            Ok(answer) => outcome(&answer),
            Err(why) => Outcome::Refused(why),
        }
    }

    /// Drains it and takes it out, within `wait`; at least begins to.
    pub(super) async fn leaves(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let why = loop {
            let wait = until.saturating_duration_since(Instant::now());
            let path = format!("{}?wait={}ms", self.place.path(), wait.as_millis());
            match self.send("DELETE", path, String::new(), wait + LEAVE_MAX).await {
                // There, too many wait already.
                Ok(answer) if answer.is_done() && answer.status == 202 && !wait.is_zero() => {
                    sleep(LOOK_PAUSE.min(wait)).await;
                }
                // It may have run out meanwhile.
                Ok(answer) if answer.is_done() || answer.status == 404 => return,
                Ok(answer) => break answer.error().to_owned(),
                Err(why) => break why,
            }
        };
        eprintln!("weir register: {}: not taken out: {why}", self.place.pool);
    }

    async fn send(
        &self,
        method: &'static str,
        path: String,
        content: String,
        limit: Duration,
    ) -> Result<Answer, String> {
        let process = self.process.clone();
        let sent = spawn_blocking(move || process.send(method, &path, &content, limit));
        sent.await.map_err(|why| why.to_string())?.map_err(|why: NoAnswer| first_line(&why.to_string()))
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

/// How soon it is asked again whether it has left.
const LOOK_PAUSE: Duration = Duration::from_secs(1);

/// How long the answer may take beside the drain.
const LEAVE_MAX: Duration = Duration::from_secs(3);
