//! Exchanges at once that members share: each tells Redis how many of a key it has, and hears how many others have.

use super::link::Link;
use super::names::Names;
use super::turns::{KEYS_MAX, ROUNDS_MAX, Turns};
use super::{FleetError, Hands, scripts};
use crate::limit::{Cursor, Key, Limiter};
use redis::Script;
use std::sync::Arc;
use std::time::Duration;

/// What this member has in flight, on its way to the others.
pub(super) struct Held {
    hands: Arc<Hands>,
    script: Script,
    turns: Turns,
    /// When all is told again.
    again_at: Duration,
}

/// A key of which something changed here.
struct Line {
    /// Which of the limits that there are now.
    limit: usize,
    key: Key,
    own: u32,
}

impl Held {
    pub(super) fn new(hands: Arc<Hands>) -> Held {
        let (script, again_at) = (scripts::hold(), Duration::ZERO);
        Held { hands, script, turns: Turns::default(), again_at }
    }

    /// Redis may have forgotten all of it.
    pub(super) fn lost(&mut self) {
        self.again_at = Duration::ZERO;
    }

    /// Tells what changed since the last time, and hears of the same keys what others have.
    pub(super) async fn share(&mut self, link: &mut Link, names: &Names, member: &str) -> Result<(), FleetError> {
        let limits = (self.hands.limits)();
        let now = (self.hands.now)();
        if now >= self.again_at {
            limits.iter().filter_map(|(_, limiter)| limiter.places()).for_each(|table| table.give_again());
            self.again_at = now + AGAIN_EACH;
        }
        for _ in 0..ROUNDS_MAX {
            let lines = self.collect(&limits);
            if lines.is_empty() {
                break;
            }
            let others = self.tell(link, names, &limits, &lines, member).await?;
            for (line, others) in lines.iter().zip(others) {
                if let Some(table) = limits[line.limit].1.places() {
                    table.take(line.key, others);
                }
            }
            if lines.len() < KEYS_MAX {
                break;
            }
        }
        Ok(())
    }

    /// What changes while nobody can be told is told again later.
    pub(super) fn forget(&mut self) {
        for (_, limiter) in (self.hands.limits)() {
            if let Some(table) = limiter.places() {
                table.report(&mut Cursor::default(), usize::MAX, |_, _| {});
            }
        }
    }

    fn collect(&mut self, limits: &[(String, Arc<Limiter>)]) -> Vec<Line> {
        self.turns.collect(limits, |limit, cursor, max, lines: &mut Vec<Line>| {
            if let Some(table) = limits[limit].1.places() {
                table.report(cursor, max, |key, own| lines.push(Line { limit, key, own }));
            }
        })
    }

    /// How many of each others have.
    async fn tell(
        &self,
        link: &mut Link,
        names: &Names,
        limits: &[(String, Arc<Limiter>)],
        lines: &[Line],
        member: &str,
    ) -> Result<Vec<u32>, FleetError> {
        let mut call = self.script.prepare_invoke();
        call.key(&names.members).arg(member).arg(TOLD_FOR.as_millis() as u64);
        for Line { limit, key, own } in lines {
            call.key(names.held(&limits[*limit].0, key.get())).arg(own);
        }
        let others: Vec<u32> = call.invoke_async(link).await?;
        match others.len() == lines.len() {
            true => Ok(others),
            false => Err(FleetError::Strange("not as many keys as were told")),
        }
    }
}

/// Between two times that all that is held is told again, so that what is held for long is not forgotten.
const AGAIN_EACH: Duration = Duration::from_secs(5);

/// What was not told again for so long is not held any more.
const TOLD_FOR: Duration = Duration::from_secs(20);
