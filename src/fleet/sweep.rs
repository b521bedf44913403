//! All words on leases that Redis has, page by page: those that are over go, so that there are no more than backends of late.

use super::link::Link;
use super::names::Names;
use super::{FleetError, scripts};
use crate::config::Register;
use redis::Script;
use std::time::Duration;

/// Where this member is in them.
pub(super) struct Sweep {
    script: Script,
    /// Of Redis.
    cursor: String,
    /// When it looks next.
    at: Duration,
}

/// Where to go on, and words.
type Page = (String, Vec<Vec<u8>>);

impl Sweep {
    pub(super) fn new() -> Sweep {
        Sweep { script: scripts::known_leases(), cursor: BEGIN.to_owned(), at: Duration::ZERO }
    }

    /// All that are not over.
    pub(super) async fn all(
        &self,
        link: &mut Link,
        names: &Names,
        mut hear: impl FnMut(&[u8]),
    ) -> Result<(), FleetError> {
        let mut cursor = BEGIN.to_owned();
        loop {
            let (next, words) = self.page(link, names, &cursor, true).await?;
            words.iter().for_each(|word| hear(word));
            if next == BEGIN {
                return Ok(());
            }
            cursor = next;
        }
    }

    /// Looks at some more, unless it, or another member, did so a moment ago.
    pub(super) async fn go_on(&mut self, link: &mut Link, names: &Names, now: Duration) -> Result<(), FleetError> {
        if now < self.at {
            return Ok(());
        }
        self.at = now + EACH;
        let mut turn = redis::cmd("SET");
        turn.arg(&names.swept).arg(1).arg("NX").arg("PX").arg(EACH.as_millis() as u64);
        let is_its_turn: Option<String> = turn.query_async(link).await?;
        if is_its_turn.is_some() {
            (self.cursor, _) = self.page(link, names, &self.cursor, false).await?;
        }
        Ok(())
    }

    async fn page(&self, link: &mut Link, names: &Names, cursor: &str, is_wanted: bool) -> Result<Page, FleetError> {
        let mut call = self.script.key(&names.leases);
        call.arg(cursor).arg(PAGE).arg(u8::from(is_wanted)).arg(micros(Register::TTL_MAX)).arg(micros(KEPT));
        Ok(call.invoke_async(link).await?)
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Of Redis: from the beginning, and that it was the end.
const BEGIN: &str = "0";

/// Words that are looked at once: about a millisecond of Redis' time.
const PAGE: usize = 256;

/// Between two pages, of all members together.
const EACH: Duration = Duration::from_secs(1);

/// How long a word is kept that is over, should Redis' clock be set back. Whoever was away for so long that it does not hear that a
/// lease was given back has it for as long as one lasts: nobody renews it.
const KEPT: Duration = Duration::from_secs(60);
