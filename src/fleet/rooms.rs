//! Waiting rooms that members share: each tells Redis what changed here, and hears what changed elsewhere.

use super::link::Link;
use super::names::{Names, RoomNames};
use super::{FleetError, Hands, scripts};
use crate::live::{Fleet, RoomRules, Secret, Snapshot};
use crate::waiting::{Call, Claim, Heard, Said, SharedPace as Pace, Told};
use redis::Script;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// The rooms of this member on their way to the others, and theirs on their way here.
pub(super) struct Rooms {
    hands: Arc<Hands>,
    me: String,
    script: Script,
    /// By name, those that are in touch.
    places: HashMap<String, Place>,
}

struct Place {
    /// The last word that was heard, as an id of the stream.
    after: String,
    /// When it was heard.
    heard: Duration,
    /// Which Redis this member has told of itself; empty: none yet.
    began: String,
}

/// One of the stream: its id and its fields.
type Entry = (String, HashMap<String, Vec<u8>>);

/// What the script answers.
type Answer = (u64, u64, u32, u64, String, Vec<String>, Vec<Entry>);

impl Rooms {
    pub(super) fn new(hands: Arc<Hands>, member: &str) -> Rooms {
        Rooms { hands, me: member.to_owned(), script: scripts::room(), places: HashMap::new() }
    }

    /// Redis may have forgotten what it was told, or this member missed what others said.
    pub(super) fn lost(&mut self) {
        self.places.clear();
    }

    /// Tells what changed since the last time, and takes over what others told.
    pub(super) async fn share(&mut self, link: &mut Link, names: &Names, fleet: &Fleet) -> Result<(), FleetError> {
        let generation = (self.hands.latest)();
        let snapshot = &generation.snapshot;
        self.places.retain(|name, _| snapshot.rooms.iter().any(|rules| rules.name == *name));
        for rules in &snapshot.rooms {
            self.share_one(link, names, (rules, snapshot), fleet.members()).await?;
        }
        Ok(())
    }

    async fn share_one(
        &mut self,
        link: &mut Link,
        names: &Names,
        (rules, snapshot): (&RoomRules, &Snapshot),
        members: u32,
    ) -> Result<(), FleetError> {
        let keys = names.room(&rules.name);
        let heard = self.places.get(&rules.name).map(|place| place.heard);
        // Words are kept for longer than that.
        if heard.is_none_or(|heard| (self.hands.now)() > heard + MISSED)
            && !self.join(link, names, &keys, (rules, snapshot)).await?
        {
            return Ok(());
        }
        for _ in 0..ROUNDS_MAX {
            let now = (self.hands.now)();
            let may_rest = heard.is_some_and(|heard| now < heard + REST);
            let Some(said) = rules.say(now, snapshot.headroom(), may_rest) else { return Ok(()) };
            let Some(heard) = self.exchange(link, names, &rules.name, &said, members).await? else {
                // It was emptied since: the next beat begins anew with it.
                self.places.remove(&rules.name);
                return Ok(());
            };
            for member in rules.hear((self.hands.now)(), &heard) {
                let all: Option<Vec<u8>> = redis::cmd("GET").arg(keys.all(&member)).query_async(link).await?;
                rules.shared(|room| all.into_iter().for_each(|all| room.merge(&member, &all, (self.hands.now)())));
            }
            if heard.is_all {
                break;
            }
        }
        Ok(())
    }

    /// `false`: the room is not open yet.
    async fn join(
        &mut self,
        link: &mut Link,
        names: &Names,
        keys: &RoomNames,
        (rules, snapshot): (&RoomRules, &Snapshot),
    ) -> Result<bool, FleetError> {
        let Some(mut who) = rules.shared(|room| room.who()) else { return Ok(false) };
        self.learn_secrets(link, names, snapshot).await?;
        for _ in 0..ISSUERS_TRIED {
            let _: u64 = redis::cmd("HSETNX").arg(&keys.issuers).arg(who).arg(&self.me).query_async(link).await?;
            let known: Option<String> = redis::cmd("HGET").arg(&keys.issuers).arg(who).query_async(link).await?;
            if known.is_none_or(|known| known == self.me) {
                break;
            }
            let mut random = [0; 2];
            let _ = getrandom::fill(&mut random);
            who = u16::from_le_bytes(random);
            rules.shared(|room| room.becomes(who));
        }
        let last: Vec<Entry> =
            redis::cmd("XREVRANGE").arg(&keys.words).arg("+").arg("-").arg("COUNT").arg(1).query_async(link).await?;
        let after = last.into_iter().next().map_or_else(|| "0-0".to_owned(), |(id, _)| id);
        let heard = (self.hands.now)();
        rules.shared(|room| room.joins(heard));
        self.places.insert(rules.name.clone(), Place { after, heard, began: String::new() });
        Ok(true)
    }

    /// All members sign with what the first of them brought, and tickets that any of them signed before are good at all.
    async fn learn_secrets(&self, link: &mut Link, names: &Names, snapshot: &Snapshot) -> Result<(), FleetError> {
        let Some((own, used)) = snapshot.ledger.secrets((self.hands.now)()) else { return Ok(()) };
        let script = scripts::room_secrets();
        let mut call = script.prepare_invoke();
        call.key(&names.room_secrets).arg(&own[..]).arg(SECRETS_MAX);
        for secret in &used {
            call.arg(&secret[..]);
        }
        let known: Vec<Vec<u8>> = call.invoke_async(link).await?;
        let known: Vec<Secret> = known.into_iter().filter_map(|secret| secret.try_into().ok()).collect();
        if known.is_empty() {
            return Err(FleetError::Strange("secrets of rooms that are none"));
        }
        snapshot.ledger.adopt(known);
        Ok(())
    }

    /// `None`: Redis has forgotten what this member told before, and has done nothing.
    async fn exchange(
        &mut self,
        link: &mut Link,
        names: &Names,
        name: &str,
        said: &Said,
        members: u32,
    ) -> Result<Option<Heard>, FleetError> {
        let keys = names.room(name);
        if let Some(all) = &said.all {
            let mut set = redis::cmd("SET");
            set.arg(keys.all(&self.me)).arg(all).arg("PX").arg(ALL_KEPT.as_millis() as u64);
            let () = set.query_async(link).await?;
        }
        let place = self.places.get_mut(name).ok_or(FleetError::Strange("a room that has not joined"))?;
        let asked = (self.hands.now)();
        let mut call = self.script.prepare_invoke();
        call.key(&keys.words).key(&keys.state).key(&keys.claims).key(&keys.issuers).key(&names.room_secrets);
        call.arg(&self.me).arg(&place.after).arg(STREAM_MAX).arg(WORDS_MAX);
        call.arg(said.active.map(|active| active.to_string()).unwrap_or_default());
        call.arg(format!("{:016x}", said.claimant)).arg(said.kept).arg(said.wanted).arg(said.lasts.as_millis() as u64);
        match said.pace {
            Some(Pace { cost, least, most }) => {
                let least = least.map(|least| micros(least).to_string()).unwrap_or_default();
                call.arg(micros(cost)).arg(least).arg(micros(most))
            }
            None => call.arg("").arg("").arg(""),
        };
        match &said.call {
            Some(Call { after, word }) => call.arg(after.to_string()).arg(&word[..]),
            None => call.arg("").arg(""),
        };
        call.arg((KEPT + said.lasts).min(KEPT_MAX).as_millis() as u64);
        call.arg(&place.began).arg(said.others.len());
        for Claim { claimant, count, ends_ms } in &said.others {
            call.arg(format!("{claimant:016x}")).arg(format!("{count} {ends_ms}"));
        }
        for word in &said.words {
            call.arg(&word[..]);
        }
        let (unix, calls, claim, ahead, began, claims, entries): Answer = call.invoke_async(link).await?;
        if began.is_empty() {
            return Ok(None);
        }
        place.began = began;
        let others = claims.chunks_exact(2).filter_map(|pair| claim_of(&pair[0], &pair[1])).take(CLAIMS_MAX).collect();
        let is_all = entries.len() < WORDS_MAX;
        let mut told = Vec::new();
        for (id, mut fields) in entries {
            let by = fields.remove("by").map(|by| String::from_utf8_lossy(&by).into_owned()).unwrap_or_default();
            let word = fields.remove("word").unwrap_or_default();
            told.push(Told { is_own: by == self.me, by, word });
            place.after = id;
        }
        place.heard = (self.hands.now)();
        let (unix, ahead) = (Duration::from_micros(unix), Duration::from_micros(ahead));
        Ok(Some(Heard { asked, unix, members, calls, claim, others, ahead, told, is_all }))
    }
}

/// `None`: it makes no sense.
fn claim_of(claimant: &str, said: &str) -> Option<Claim> {
    let (count, ends) = said.split_once(' ')?;
    let claimant = u64::from_str_radix(claimant, 16).ok()?;
    Some(Claim { claimant, count: count.parse().ok()?, ends_ms: ends.parse().ok()? })
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// Words that are heard at once.
const WORDS_MAX: usize = 256;

/// Members whose places inside are remembered.
const CLAIMS_MAX: usize = 4_096;

/// Times that words are exchanged at each beat; what is left waits for the next.
const ROUNDS_MAX: usize = 8;

/// Words that Redis keeps about for those who were not there for a moment.
const STREAM_MAX: usize = 10_000;

/// Who heard nothing for so long may have missed what is not kept any more.
const MISSED: Duration = Duration::from_secs(5);

/// A room in which nothing goes on is told, and hears, no more often.
const REST: Duration = Duration::from_millis(100);

/// How long all that a member knows is kept for those who ask for it.
const ALL_KEPT: Duration = Duration::from_secs(10);

/// How long after the last word of anybody all of a room is kept: longer than tickets are good, which is a day; and as long as passes
/// are on top of it, within reason.
const KEPT: Duration = Duration::from_secs(2 * 86_400);
const KEPT_MAX: Duration = Duration::from_secs(10 * 365 * 86_400);

/// Secrets that members share.
const SECRETS_MAX: usize = 8;

/// Of 65,536, how many are tried to find one that nobody else gives out numbers by.
const ISSUERS_TRIED: usize = 8;
