use super::{Answer, Found, NameError};
use std::time::Duration;

/// How many denials in a row take a set away, if [`DENIED_HOLD`] is over too.
pub const DENIALS_MIN: u32 = 3;

/// For how long at least a name that had addresses must be denied before they are taken away.
pub const DENIED_HOLD: Duration = Duration::from_secs(30);

/// For how long a set outlives lookups that fail without an answer (RFC 8767 §5: one to three days).
pub const STALE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// What has changed about a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// This is its set from now on; the same as before when lookups work again.
    Found(Answer),
    /// Lookups do not give an answer; the set stays.
    Held(NameError),
    /// There is no set (any more).
    Gone(NameError),
}

/// What a name stands for while lookups fail: stale addresses are better than none, for a bounded time.
///
/// A lookup that fails (timeout, SERVFAIL) says nothing about the name: the set stays for [`STALE_MAX`], as nginx and Envoy
/// keep it. A denial (NXDOMAIN, no records) is an answer, but often a mistake that is soon undone: the set is taken away
/// only after [`DENIALS_MIN`] in a row over at least [`DENIED_HOLD`], as HAProxy's `hold nx` does; nginx and Envoy take it
/// away at once.
#[derive(Clone, Debug, Default)]
pub struct Hold {
    found: Vec<Found>,
    trouble: Option<Trouble>,
}

#[derive(Clone, Debug)]
struct Trouble {
    since: Duration,
    failures: u32,
    denials: u32,
    denied_since: Option<Duration>,
    told: Option<Told>,
}

/// What was told last, so that it is told once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Held { denied: bool },
    Gone { denied: bool },
}

impl Hold {
    /// What a lookup changes; `now` since any start that stays the same. `None` if there is nothing new to tell.
    pub fn take(&mut self, now: Duration, result: Result<Answer, NameError>) -> Option<News> {
        match result {
            Ok(answer) if answer.found.is_empty() => self.fail(now, NameError::NotFound),
            Ok(answer) => self.succeed(answer),
            Err(error) => self.fail(now, error),
        }
    }

    /// The set that holds; empty if there is none.
    #[must_use]
    pub fn found(&self) -> &[Found] {
        &self.found
    }

    /// Lookups in a row without an answer.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.trouble.as_ref().map_or(0, |trouble| trouble.failures)
    }

    fn succeed(&mut self, answer: Answer) -> Option<News> {
        let recovered = self.trouble.take().is_some();
        if !recovered && self.found == answer.found {
            return None;
        }
        self.found.clone_from(&answer.found);
        Some(News::Found(answer))
    }

    fn fail(&mut self, now: Duration, error: NameError) -> Option<News> {
        let trouble = self.trouble.get_or_insert_with(|| Trouble::new(now));
        trouble.failures = trouble.failures.saturating_add(1);
        if error.is_denial() {
            trouble.denials = trouble.denials.saturating_add(1);
            trouble.denied_since.get_or_insert(now);
        }
        if trouble.is_over(now) {
            self.found.clear();
        }
        let denied = error.is_denial();
        let (told, news) = match self.found.is_empty() {
            true => (Told::Gone { denied }, News::Gone(error)),
            false => (Told::Held { denied }, News::Held(error)),
        };
        (trouble.told.replace(told) != Some(told)).then_some(news)
    }
}

impl Trouble {
    fn new(now: Duration) -> Trouble {
        Trouble { since: now, failures: 0, denials: 0, denied_since: None, told: None }
    }

    /// Failures in between say nothing, so that they do not end a row of denials.
    fn is_over(&self, now: Duration) -> bool {
        let denied = self.denied_since.is_some_and(|since| now.saturating_sub(since) >= DENIED_HOLD);
        (denied && self.denials >= DENIALS_MIN) || now.saturating_sub(self.since) >= STALE_MAX
    }
}

#[cfg(test)]
mod tests;
