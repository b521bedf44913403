//! Members that granted leases which are known here: whether they can be heard.

use super::link::Link;
use super::names::Names;
use super::{FleetError, scripts};
use crate::config::Register;
use redis::Script;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// How it stands with each.
#[derive(Default)]
pub(super) struct Granters {
    known: HashMap<Arc<str>, Granter>,
}

struct Granter {
    /// Until when it is a member, as Redis was told; another one says that it was heard again.
    lease: String,
    /// When that was another one.
    heard: Duration,
    is_silent: bool,
}

/// What Redis knows of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign<'a> {
    /// It is one, until then.
    Member(&'a str),
    /// It said good-bye, or another process took its place.
    Left,
    /// It was killed, or is cut off from Redis.
    Gone,
}

impl Granters {
    /// Whether a member cannot be heard, and said no good-bye.
    pub(super) fn is_silent(&self, member: &str) -> bool {
        self.known.get(member).is_some_and(|granter| granter.is_silent)
    }

    /// Notes how these are, as Redis says it, and forgets all others; who was silent and is not any more.
    pub(super) fn note(&mut self, members: &[Arc<str>], told: &[String], now: Duration) -> BTreeSet<Arc<str>> {
        self.known.retain(|member, _| members.contains(member));
        let mut back = BTreeSet::new();
        for (member, told) in members.iter().zip(told) {
            let was_silent = self.is_silent(member);
            self.see(member, Sign::of(told), now);
            match (was_silent, self.is_silent(member)) {
                (false, true) => tracing::warn!(
                    member = &**member,
                    "a member is silent: backends that registered there are kept as long as they answer"
                ),
                (true, false) => {
                    tracing::info!(member = &**member, "a member that was silent is back, or has left");
                    back.insert(Arc::clone(member));
                }
                _ => {}
            }
        }
        back
    }

    fn see(&mut self, member: &Arc<str>, sign: Sign<'_>, now: Duration) {
        let new = || Granter { lease: String::new(), heard: now, is_silent: false };
        let granter = self.known.entry(Arc::clone(member)).or_insert_with(new);
        granter.is_silent = match sign {
            Sign::Member(lease) if lease != granter.lease => {
                (granter.lease, granter.heard) = (lease.to_owned(), now);
                false
            }
            Sign::Member(_) => now.saturating_sub(granter.heard) >= UNHEARD,
            Sign::Left => false,
            Sign::Gone => true,
        };
    }
}

impl Sign<'_> {
    /// As the script says it.
    fn of(told: &str) -> Sign<'_> {
        match told {
            "left" => Sign::Left,
            "gone" => Sign::Gone,
            lease => Sign::Member(lease),
        }
    }
}

/// What Redis is asked, and told, of members.
pub(super) struct Calls {
    look: Script,
    follow: Script,
}

impl Calls {
    pub(super) fn new() -> Calls {
        Calls { look: scripts::granters(), follow: scripts::follow() }
    }

    /// What it knows of each.
    pub(super) async fn look(
        &self,
        link: &mut Link,
        names: &Names,
        members: &[Arc<str>],
    ) -> Result<Vec<String>, FleetError> {
        let mut call = self.look.prepare_invoke();
        call.key(&names.members);
        for member in members {
            call.key(names.left(member)).arg(&**member);
        }
        let told: Vec<String> = call.invoke_async(link).await?;
        match told.len() == members.len() {
            true => Ok(told),
            false => Err(FleetError::Strange("not as many members as were asked for")),
        }
    }

    /// This member is in the place of that one, unless it is still there; whether it is not.
    pub(super) async fn follow(&self, link: &mut Link, names: &Names, past: &str) -> Result<bool, FleetError> {
        let mut call = self.follow.key(&names.members);
        call.key(names.left(past)).arg(past).arg(LEFT_KEPT.as_millis() as u64);
        Ok(call.invoke_async(link).await?)
    }
}

/// A member that was not heard for so long is silent: less than half of the shortest lease.
const UNHEARD: Duration = Duration::from_millis(400);

/// For how long it is known that a member has left: as long as anything that it granted may last.
pub(super) const LEFT_KEPT: Duration = Register::TTL_MAX;

/// So many members are asked about.
pub(super) const GRANTERS_MAX: usize = 256;

/// Between two looks at them.
pub(super) const LOOK_EACH: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_not_heard_is_silent_but_not_who_has_left() {
        let (ms, a) = (Duration::from_millis, [Arc::<str>::from("a")]);
        let mut granters = Granters::default();
        let sees = |granters: &mut Granters, told: &str, now| {
            let back = granters.note(&a, &[told.to_owned()], ms(now));
            (granters.is_silent("a"), back.len())
        };
        for (told, now, expected) in [
            ("3000", 0, (false, 0)),
            ("3100", 100, (false, 0)),
            ("3100", 400, (false, 0)),
            ("3100", 500, (true, 0)),
            ("gone", 600, (true, 0)),
            ("3700", 700, (false, 1)),
            ("left", 800, (false, 0)),
            ("gone", 900, (true, 0)),
            ("left", 950, (false, 1)),
        ] {
            assert_eq!(sees(&mut granters, told, now), expected, "{told} {now}");
        }
        assert!(!granters.is_silent("b"), "nobody knows of it yet");
        sees(&mut granters, "gone", 1_000);
        granters.note(&[], &[], ms(1_100));
        assert!(!granters.is_silent("a"), "nothing is there of it any more");
    }
}
