//! What is kept of the fleet for the next process, as JSON: up to which purge the disks of this one are purged, and how many
//! members there were.

use super::Hands;
use super::place::Place;
use crate::cache::purge::{Mode, What};
use crate::live::{Purge, StateFile};
use serde_json::{Value, json};
use std::time::Duration;

/// Its file in `[server] state`.
static FILE: StateFile = StateFile { name: "fleet", version: 1, bytes_max: 64 * 1024 };

/// How things are with a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    /// Where it is; `None`: nobody knows.
    pub(super) place: Option<Place>,
    /// How many there are; see [`Most`].
    pub(super) members: u32,
    /// As which others know it.
    pub(super) member: String,
}

/// Keeps it, with the disks that there are now.
pub(super) fn keep(hands: &Hands, fleet: &str, Kept { place, members, member }: &Kept) {
    let disks: Vec<_> = (hands.disks)().into_iter().map(|(_, id)| id).collect();
    let place = place.as_ref().map(|Place { epoch, number, id }| json!({ "epoch": epoch, "number": number, "id": id }));
    let kept = json!({ "fleet": fleet, "place": place, "disks": disks, "members": members, "member": member });
    hands.state.keep(&FILE, kept.to_string().into_bytes());
}

/// Where the last process of this member was, and what is to be purged for that to hold of all disks. May wait for the disk.
pub(super) fn last(hands: &Hands, fleet: &str) -> Option<(Place, Vec<Purge>)> {
    let content = match hands.state.read(&FILE) {
        Ok(kept) => kept?.content,
        Err(error) => {
            tracing::warn!(%error, "it is not known which purges of the fleet were done");
            return None;
        }
    };
    let Some((place, disks)) = serde_json::from_slice(&content).ok().and_then(|kept| read(&kept, fleet)) else {
        hands.state.set_aside(&FILE, "it does not say how far its purges are");
        return None;
    };
    let others = (hands.disks)().into_iter().filter(|(_, id)| !disks.contains(id));
    let purge = |(cache, _)| Purge { cache: Some(cache), what: vec![What::All], mode: Mode::Hard };
    Some((place?, others.map(purge).collect()))
}

/// How many members that fleet had, if the last process of this one kept it. May wait for the disk.
pub(super) fn members(hands: &Hands, fleet: &str) -> Option<u32> {
    // Whether it can be read is said where the purges are looked for.
    let kept: Value = serde_json::from_slice(&hands.state.read(&FILE).ok()??.content).ok()?;
    members_of(&kept, fleet)
}

/// As which others of that fleet knew the last process of this member, if it kept that. May wait for the disk.
pub(super) fn member(hands: &Hands, fleet: &str) -> Option<String> {
    let kept: Value = serde_json::from_slice(&hands.state.read(&FILE).ok()??.content).ok()?;
    member_of(&kept, fleet)
}

fn member_of(kept: &Value, fleet: &str) -> Option<String> {
    let is_one = |member: &&str| member.len() == MEMBER_LEN && member.bytes().all(|byte| byte.is_ascii_hexdigit());
    kept["member"].as_str().filter(|_| kept["fleet"] == fleet).filter(is_one).map(str::to_owned)
}

fn members_of(kept: &Value, fleet: &str) -> Option<u32> {
    let members = kept["members"].as_u64().filter(|_| kept["fleet"] == fleet)?;
    u32::try_from(members).ok().filter(|members| (1..=MEMBERS_MAX).contains(members))
}

/// The most members at once within the last half an hour, or up to an hour: when all end one by one, the last does not keep
/// that it was alone.
#[derive(Debug, Default)]
pub(super) struct Most {
    since: Duration,
    before: u32,
    now: u32,
}

impl Most {
    /// So many there were before.
    pub(super) fn after(members: u32, now: Duration) -> Most {
        Most { since: now, before: members, now: 0 }
    }

    pub(super) fn note(&mut self, members: u32, now: Duration) {
        let old = now.saturating_sub(self.since);
        if old >= WINDOW {
            self.before = if old < 2 * WINDOW { self.now } else { 0 };
            (self.since, self.now) = (now, 0);
        }
        self.now = self.now.max(members);
    }

    pub(super) fn get(&self) -> u32 {
        self.before.max(self.now).max(1)
    }
}

const WINDOW: Duration = Duration::from_secs(30 * 60);

/// Characters of the name of a member.
const MEMBER_LEN: usize = 32;

/// More make no sense.
const MEMBERS_MAX: u32 = 1_000_000;

/// Where a process of that fleet was, if that is known, and for which disks; `None`: it makes no sense.
fn read(kept: &Value, fleet: &str) -> Option<(Option<Place>, Vec<String>)> {
    let text = |value: &Value| Some(value.as_str()?.to_owned());
    let disks = kept["disks"].as_array()?.iter().map(text).collect::<Option<_>>()?;
    let place = match &kept["place"] {
        Value::Null => None,
        place => {
            Some(Place { epoch: text(&place["epoch"])?, number: place["number"].as_u64()?, id: text(&place["id"])? })
        }
    };
    Some((place.filter(|_| kept["fleet"] == fleet), disks))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_many_there_were_is_kept_of_one_fleet_and_not_of_the_last_who_left() {
        let of = |text: &str| members_of(&serde_json::from_str(text).unwrap(), "shop");
        assert_eq!(of(r#"{"fleet": "shop", "members": 3}"#), Some(3));
        for other in
            [r#"{"fleet": "other", "members": 3}"#, r#"{"fleet": "shop"}"#, r#"{"fleet": "shop", "members": 0}"#]
        {
            assert_eq!(of(other), None, "{other}");
        }
        let member = |text: &str| member_of(&serde_json::from_str(text).unwrap(), "shop");
        let name = "0123456789abcdef".repeat(2);
        assert_eq!(member(&format!(r#"{{"fleet": "shop", "member": "{name}"}}"#)), Some(name.clone()));
        assert_eq!(member(&format!(r#"{{"fleet": "other", "member": "{name}"}}"#)), None);
        assert_eq!(member(r#"{"fleet": "shop", "member": "short"}"#), None);
        let minutes = |n: u64| Duration::from_secs(60 * n);
        let mut most = Most::after(3, minutes(100));
        for (minute, members, expected) in
            [(101, 1, 3), (129, 2, 3), (130, 1, 2), (140, 5, 5), (161, 2, 5), (191, 1, 2), (300, 1, 1)]
        {
            most.note(members, minutes(minute));
            assert_eq!(most.get(), expected, "{minute}");
        }
        assert_eq!(Most::default().get(), 1);
    }

    #[test]
    fn what_is_kept_is_of_one_fleet_and_may_say_that_nobody_knows() {
        let of = |text: &str| read(&serde_json::from_str(text).unwrap(), "shop");
        let place = Place { epoch: "e".into(), number: 7, id: "a-1".into() };
        let disks = vec!["d".to_owned()];
        let text = r#"{"fleet": "FLEET", "place": {"epoch": "e", "number": 7, "id": "a-1"}, "disks": ["d"]}"#;
        assert_eq!(of(&text.replace("FLEET", "shop")), Some((Some(place), disks.clone())));
        assert_eq!(of(&text.replace("FLEET", "other")), Some((None, disks.clone())));
        assert_eq!(of(r#"{"fleet": "shop", "place": null, "disks": ["d"]}"#), Some((None, disks)));
        for wrong in [r"{}", r#"{"disks": [1]}"#, r#"{"fleet": "shop", "place": {"epoch": "e"}, "disks": []}"#] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
