//! What the script of waiting rooms does in Redis, on a clock of the simulation's own.

use super::Call;
use super::message::{Claim, Heard, Said, Told};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// The time at which a simulation begins.
pub(super) const UNIX: Duration = Duration::from_secs(1_800_000_000);

#[derive(Default)]
pub(super) struct Redis {
    words: Vec<(String, Vec<u8>)>,
    calls: u64,
    claims: HashMap<u64, (u32, u64)>,
    free: Option<Duration>,
    all: HashMap<String, Vec<u8>>,
    members: HashSet<String>,
}

impl Redis {
    /// A member is there; it may tell of itself later.
    pub(super) fn counts(&mut self, me: &str) {
        self.members.insert(me.to_owned());
    }

    /// The last word.
    pub(super) fn last(&self) -> usize {
        self.words.len()
    }

    pub(super) fn all_of(&self, teller: &str) -> Option<&Vec<u8>> {
        self.all.get(teller)
    }

    pub(super) fn hears(&mut self, me: &str, after: usize, said: &Said, now: Duration) -> Heard {
        self.words.extend(said.words.iter().map(|word| (me.to_owned(), word.clone())));
        if let Some(all) = &said.all {
            self.all.insert(me.to_owned(), all.clone());
        }
        if let Some(Call { word, .. }) = said.call.as_ref().filter(|call| call.after == self.calls) {
            self.calls += 1;
            self.words.push((me.to_owned(), word.clone()));
        }
        let (claim, others) = self.claims(said, now);
        let ahead = said.pace.map_or(Duration::ZERO, |pace| {
            let free = self.free.max(Some(now + pace.least.unwrap_or_default())).unwrap_or_default();
            let ahead = (free.saturating_sub(now) + pace.cost).min(pace.most);
            self.free = Some(now + ahead);
            ahead
        });
        let told = self.words[after..].iter();
        let told = told.map(|(by, word)| Told { by: by.clone(), is_own: by == me, word: word.clone() }).collect();
        let members = self.members.len() as u32;
        Heard { asked: now, unix: UNIX + now, members, calls: self.calls, claim, others, ahead, told, is_all: true }
    }

    fn claims(&mut self, said: &Said, now: Duration) -> (u32, Vec<Claim>) {
        let Some(active) = said.active else { return (0, Vec::new()) };
        for Claim { claimant, count, ends_ms } in &said.others {
            self.claims.entry(*claimant).or_insert((*count, *ends_ms));
        }
        let now_ms = now.as_millis() as u64;
        self.claims.retain(|_, (_, ends_ms)| *ends_ms >= now_ms);
        let others = self.claims.iter().filter(|(who, (count, _))| **who != said.claimant && *count > 0);
        let others: Vec<_> =
            others.map(|(who, (count, ends_ms))| Claim { claimant: *who, count: *count, ends_ms: *ends_ms }).collect();
        let taken = others.iter().map(|claim| claim.count).sum();
        let claim = said.kept.max(said.wanted.min(active.saturating_sub(taken)));
        self.claims.insert(said.claimant, (claim, now_ms + said.lasts.as_millis() as u64));
        (claim, others)
    }
}
