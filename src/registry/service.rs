use super::{Moment, Registration};
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// A service as an agent of another registry knows it: a lease for as long as its checks allow. Times count from the start of
/// the process.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// What it is called by who registered it; one of all pools.
    pub id: String,
    /// Its name, which is that of a pool.
    pub pool: String,
    /// Where it is.
    pub address: SocketAddr,
    /// Its share relative to the others while its checks pass, and while one warns.
    pub weights: (u16, u16),
    /// The name of the token that registered it.
    pub by: Arc<str>,
    /// All of them.
    pub checks: Vec<ServiceCheck>,
    /// When it was; long ago if that is not known any more.
    pub registered: Moment,
    /// It is to get nothing for now.
    pub maintenance: bool,
    /// Since when its backend does not answer, where it does not say so itself.
    pub ill_since: Option<Duration>,
    /// What else was said of it, to be shown as it was said: an object.
    pub shown: Value,
}

/// A check of a service.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceCheck {
    /// What it is called by who answers for it; one of all services.
    pub id: String,
    /// For those who look.
    pub name: String,
    /// The service says itself how it is, at least that often; `None`: the pool's own check finds it out.
    pub ttl: Option<Duration>,
    /// As said last.
    pub status: Status,
    /// When.
    pub heard: Duration,
    /// Since when it is critical, if that is its last word.
    pub critical_since: Option<Duration>,
    /// What was said with it.
    pub note: String,
    /// After having been critical for so long its service is forgotten.
    pub deregister_after: Option<Duration>,
}

/// How a check stands; the worst of a service counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// All is well.
    Passing,
    /// It serves, with another weight.
    Warning,
    /// It gets nothing.
    Critical,
}

impl Service {
    /// How it stands: as the worst of its checks.
    #[must_use]
    pub fn status(&self, now: Duration) -> Status {
        let worst = self.checks.iter().map(|check| check.status_at(now)).max().unwrap_or(Status::Passing);
        if self.maintenance { Status::Critical } else { worst }
    }

    /// The lease that it is to have now; `None`: none.
    #[must_use]
    pub fn lease(&self, now: Duration) -> Option<Registration> {
        let weight = match self.status(now) {
            Status::Passing => self.weights.0,
            Status::Warning => self.weights.1,
            Status::Critical => return None,
        };
        // No longer than until the first of its checks is critical.
        let ttl = self.checks.iter().filter_map(|check| Some(check.lapses()?.saturating_sub(now))).min();
        Some(Registration { ttl, weight, probed: ttl.is_none(), ..Registration::default() })
    }

    /// What of it is kept over a restart: not when something was heard, nor what was noted then.
    pub(super) fn kept(&self) -> Service {
        let checks = self.checks.iter().map(ServiceCheck::kept).collect();
        Service { checks, registered: Moment::LONG_AGO, ill_since: None, ..self.clone() }
    }

    /// When it was heard last: it registered, or answered for itself.
    pub(super) fn said(&self) -> Moment {
        let heard = self.checks.iter().filter(|check| check.ttl.is_some()).map(|check| Moment::at(check.heard));
        heard.chain([self.registered]).max().unwrap_or(self.registered)
    }

    /// Whether it answers for itself.
    #[must_use]
    pub fn has_ttl(&self) -> bool {
        self.checks.iter().any(|check| check.ttl.is_some())
    }

    /// Whether it is there.
    #[must_use]
    pub fn is_at(&self, pool: &str, address: SocketAddr) -> bool {
        self.address == address && self.pool == pool
    }

    /// Whether one of its checks is called that.
    #[must_use]
    pub fn has_check(&self, check: &str) -> bool {
        self.checks.iter().any(|known| known.id == check)
    }

    /// Whether one of its checks has been critical for so long that it is to be forgotten.
    pub(super) fn is_over(&self, now: Duration) -> bool {
        self.checks.iter().any(|check| {
            let since = match check.ttl {
                Some(_) => check.critical_since(now),
                None => self.ill_since,
            };
            check.deregister_after.zip(since).is_some_and(|(after, since)| since.saturating_add(after) <= now)
        })
    }
}

impl ServiceCheck {
    /// How it stands: critical once nothing was heard for too long.
    #[must_use]
    pub fn status_at(&self, now: Duration) -> Status {
        if self.lapses().is_some_and(|lapses| lapses <= now) { Status::Critical } else { self.status }
    }

    /// When it becomes critical by itself.
    fn lapses(&self) -> Option<Duration> {
        self.ttl.map(|ttl| self.heard.saturating_add(ttl))
    }

    /// What of it is kept over a restart.
    pub(super) fn kept(&self) -> ServiceCheck {
        ServiceCheck { heard: Duration::ZERO, critical_since: None, note: String::new(), ..self.clone() }
    }

    /// How it stands from now on. One that says again that it is critical is so since it was first, or since its time was over.
    pub(super) fn says(&mut self, status: Status, note: String, now: Duration) {
        let since = self.critical_since(now);
        self.critical_since = (status == Status::Critical).then(|| since.unwrap_or(now));
        (self.status, self.heard, self.note) = (status, now, note);
    }

    fn critical_since(&self, now: Duration) -> Option<Duration> {
        self.critical_since.or_else(|| self.lapses().filter(|lapses| *lapses <= now))
    }
}

impl Status {
    /// As agents say it.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Status::Passing => "passing",
            Status::Warning => "warning",
            Status::Critical => "critical",
        }
    }

    /// Reads that.
    #[must_use]
    pub fn read(text: &str) -> Option<Status> {
        [Status::Passing, Status::Warning, Status::Critical].into_iter().find(|status| status.label() == text)
    }
}
