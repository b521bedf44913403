//! Rates and bandwidths that members share: each tells Redis what it let in, and hears how far its keys are ahead by what all
//! let in.

use super::link::Link;
use super::names::Names;
use super::turns::{KEYS_MAX, ROUNDS_MAX, Turns};
use super::{FleetError, Hands, scripts};
use crate::limit::{Advance, Cursor, Limiter};
use crate::live::Fleet;
use redis::Script;
use std::sync::Arc;
use std::time::Duration;

/// The rates of this member on their way to the others.
pub(super) struct Limits {
    hands: Arc<Hands>,
    script: Script,
    turns: Turns,
    /// By so many at least is divided while nobody can be told.
    members_least: u32,
}

/// A key of which something was let in here.
struct Line {
    /// Which of the limits that there are now.
    limit: usize,
    advance: Advance,
}

impl Limits {
    pub(super) fn new(hands: Arc<Hands>, members_least: u32) -> Limits {
        Limits { hands, script: scripts::advance(), turns: Turns::default(), members_least }
    }

    /// Tells what was let in since the last time, and hears of the same keys what others did.
    pub(super) async fn share(&mut self, link: &mut Link, names: &Names, fleet: &Fleet) -> Result<(), FleetError> {
        let began = (self.hands.now)();
        let limits = (self.hands.limits)();
        for _ in 0..ROUNDS_MAX {
            let asked = (self.hands.now)();
            let lines = self.collect(&limits, asked);
            if !lines.is_empty() {
                let heard = self.tell(link, names, &limits, &lines, fleet.members()).await?;
                for (line, ahead) in lines.iter().zip(heard) {
                    if let Some(shared) = limits[line.limit].1.shared() {
                        // From before Redis was asked: rather too little than more at each time.
                        let (ahead, most) = (Duration::from_micros(ahead), shared.most(fleet.members()));
                        shared.take(line.advance.key, ahead, most, asked);
                    }
                }
            }
            if lines.len() < KEYS_MAX {
                break;
            }
        }
        fleet.share.touch(fleet.members().max(self.members_least), began + IN_TOUCH);
        Ok(())
    }

    /// What is let in while nobody can be told is nobody's business: each has its own part then.
    pub(super) fn forget(&mut self) {
        for (_, limiter) in (self.hands.limits)() {
            if let Some(shared) = limiter.shared() {
                shared.report(&mut Cursor::default(), usize::MAX, (self.hands.now)(), |_| {});
            }
        }
    }

    fn collect(&mut self, limits: &[(String, Arc<Limiter>)], now: Duration) -> Vec<Line> {
        self.turns.collect(limits, |limit, cursor, max, lines: &mut Vec<Line>| {
            if let Some(shared) = limits[limit].1.shared() {
                shared.report(cursor, max, now, |advance| lines.push(Line { limit, advance }));
            }
        })
    }

    /// How far each is ahead by what all let in, in microseconds.
    async fn tell(
        &self,
        link: &mut Link,
        names: &Names,
        limits: &[(String, Arc<Limiter>)],
        lines: &[Line],
        members: u32,
    ) -> Result<Vec<u64>, FleetError> {
        let mut call = self.script.prepare_invoke();
        for Line { limit, advance } in lines {
            let (name, limiter) = &limits[*limit];
            let most = limiter.shared().map_or(Duration::ZERO, |shared| shared.most(members));
            call.key(names.rate(name, advance.key.get()));
            call.arg(advance.cost).arg(advance.before).arg(most.as_secs_f64() * 1e6);
        }
        let heard: Vec<u64> = call.invoke_async(link).await?;
        match heard.len() == lines.len() {
            true => Ok(heard),
            false => Err(FleetError::Strange("not as many keys as were told")),
        }
    }
}

/// For how long this member may act as one who knows what the others let in, since it asked last: five beats.
const IN_TOUCH: Duration = Duration::from_millis(100);
