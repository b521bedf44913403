//! What waiting rooms must remember, over reloads by itself, and over restarts by a file of the state directory.

use super::room::{Kind, Ring};
use super::{Kept, LiveRoom, RoomRules, StateFile};
use crate::live::state::lock;
use crate::waiting::{Keys, Past, Room, SECRET_BYTES, Saved, SharedRoom};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The file.
pub static WAITING_ROOMS: StateFile = StateFile { name: "waiting-rooms", version: 1, bytes_max: 16 << 20 };

/// All rooms that the process has had, by name, those that are in no configuration any more among them: who waits before
/// one that comes back has his place.
///
/// Rooms of a fleet share their places (`fleet` tells the others); what is written of them is what this member knows.
#[derive(Default)]
pub struct Ledger {
    /// This process belongs to a fleet, of so many at least.
    members: Option<u32>,
    /// Signs all tickets, those of a fleet as long as nothing is [adopted](Self::adopt); none before the ledger is open.
    secret: OnceLock<Secret>,
    /// With which members of the fleet sign and have signed, the first of them from now on.
    adopted: Mutex<Vec<Secret>>,
    opened: OnceLock<Opened>,
    /// There may be tickets by the own secret, though others sign now.
    has_signed: AtomicBool,
    rooms: Mutex<BTreeMap<String, Arc<LiveRoom>>>,
    known: Mutex<BTreeMap<String, Saved>>,
}

/// What tickets are signed with.
pub type Secret = [u8; SECRET_BYTES];

/// How the ledger was opened.
struct Opened {
    at: Duration,
    /// There may be tickets by its secret since before.
    was_kept: bool,
}

/// What is to be written, and for whom it is.
pub struct Entry {
    content: Vec<u8>,
    rooms: Vec<(Arc<LiveRoom>, (Saved, u32))>,
}

impl Ledger {
    /// One of a process that belongs to a fleet, of so many members as long as nobody can count them; or to none.
    #[must_use]
    pub fn new(members: Option<u32>) -> Ledger {
        Ledger { members, ..Ledger::default() }
    }

    /// The room of that name.
    #[must_use]
    pub fn room(&self, name: &str, now: Duration) -> Arc<LiveRoom> {
        let mut rooms = lock(&self.rooms);
        if let Some(room) = rooms.get(name) {
            return Arc::clone(room);
        }
        let room = Arc::new(LiveRoom::closed(self.members.is_some()));
        if let Some(secret) = self.secret.get() {
            self.open_room(name, &room, secret, now);
        }
        rooms.insert(name.to_owned(), Arc::clone(&room));
        room
    }

    /// Takes over what was kept, and lets rooms begin. What makes no sense is said, and is none.
    ///
    /// # Errors
    /// What was kept makes no sense; or the system gives no random bytes, and rooms stay closed.
    pub fn open(&self, kept: Option<&Kept>, now: Duration) -> Result<(), &'static str> {
        let read = kept.map(|kept| read(&kept.content).ok_or("it does not say what it should")).transpose();
        let (secret, others, known) = match &read {
            Ok(Some(Read { secret, others, known, .. })) => (*secret, others.clone(), known.clone()),
            Ok(None) | Err(_) => {
                let mut secret = [0; SECRET_BYTES];
                getrandom::fill(&mut secret).map_err(|_| "the system gives no random bytes")?;
                (secret, Vec::new(), BTreeMap::new())
            }
        };
        let _ = self.opened.set(Opened { at: now, was_kept: matches!(&read, Ok(Some(_))) });
        if !others.is_empty() {
            *lock(&self.adopted) = [vec![secret], others].concat();
        }
        *lock(&self.known) = known;
        let secret = self.secret.get_or_init(|| secret);
        for (name, room) in &*lock(&self.rooms) {
            self.open_room(name, room, secret, now);
        }
        match read?.is_some_and(|read| read.is_broken) {
            true => Err("a room does not say what it should, and begins anew"),
            false => Ok(()),
        }
    }

    fn open_room(&self, name: &str, room: &LiveRoom, secret: &Secret, now: Duration) {
        let known = lock(&self.known);
        let saved = known.get(name);
        let state = match self.members {
            None => Kind::Own(saved.map_or_else(Room::kept, |saved| Room::recovered(saved, now))),
            Some(members) => Kind::Shared(Box::new(shared(saved, now).of(members))),
        };
        room.open(Keys::new(secret, name), state);
        if let Some(ring) = ring(&lock(&self.adopted), secret, name) {
            room.set_ring(ring);
        }
    }

    /// The secret that it has itself, and those by which there may be tickets of this member; `None`: it is not open yet.
    #[must_use]
    pub fn secrets(&self, now: Duration) -> Option<(Secret, Vec<Secret>)> {
        let own = *self.secret.get()?;
        let adopted = lock(&self.adopted).clone();
        let may_have_signed =
            self.opened.get().is_some_and(|opened| opened.was_kept || now >= opened.at + SharedRoom::BEGIN_MAX);
        let signed = adopted.is_empty() && may_have_signed;
        self.has_signed.fetch_or(signed, Ordering::Relaxed);
        Some((own, if signed { vec![own] } else { adopted }))
    }

    /// From now on tickets are signed with the first of these, and good by each; those of the own secret are, too.
    pub fn adopt(&self, secrets: Vec<Secret>) {
        let Some(own) = self.secret.get() else { return };
        let mut adopted = lock(&self.adopted);
        if *adopted == secrets {
            return;
        }
        *adopted = secrets;
        for (name, room) in &*lock(&self.rooms) {
            if let Some(ring) = ring(&adopted, own, name) {
                room.set_ring(ring);
            }
        }
    }

    /// What is to be written now, if anything is.
    #[must_use]
    pub fn to_write(&self, rooms: &[RoomRules], now: Duration) -> Option<Entry> {
        self.entry(rooms, |rules| rules.room.to_write(now, &rules.rules))
    }

    /// The last word of this process: rooms give out and call nothing more, until they are [written](Self::written) again.
    #[must_use]
    pub fn close(&self, rooms: &[RoomRules], now: Duration) -> Option<Entry> {
        self.entry(rooms, |rules| Some(rules.room.close(now, &rules.rules)))
    }

    /// That is written.
    pub fn written(&self, entry: Entry, now: Duration) {
        entry.rooms.into_iter().for_each(|(room, saved)| room.written(saved, now));
    }

    fn entry(&self, rooms: &[RoomRules], save: impl Fn(&RoomRules) -> Option<(Saved, u32)>) -> Option<Entry> {
        let secret = self.secret.get()?;
        let mut known = lock(&self.known);
        let mut saved = Vec::new();
        for rules in rooms {
            if let Some(new) = save(rules) {
                known.insert(rules.name.clone(), new.0.clone());
                saved.push((Arc::clone(&rules.room), new));
            }
        }
        let adopted = lock(&self.adopted);
        let first = adopted.first().unwrap_or(secret);
        let mut others: Vec<Secret> = adopted.iter().skip(1).copied().collect();
        if first != secret && self.has_signed.load(Ordering::Relaxed) && !others.contains(secret) {
            others.push(*secret);
        }
        (!saved.is_empty()).then(|| Entry { content: write(first, &others, &known), rooms: saved })
    }
}

impl Entry {
    /// What the file is to hold.
    #[must_use]
    pub fn content(&self) -> Vec<u8> {
        self.content.clone()
    }
}

/// The keys of a room by the secrets of a fleet, if it has any.
fn ring(adopted: &[Secret], own: &Secret, name: &str) -> Option<Ring> {
    let (first, rest) = adopted.split_first()?;
    let is_known = adopted.contains(own);
    let others = rest.iter().chain((!is_known).then_some(own));
    Some(Ring { keys: Keys::new(first, name), others: others.map(|secret| Keys::new(secret, name)).collect() })
}

/// What is known of a room that is shared.
fn shared(saved: Option<&Saved>, now: Duration) -> SharedRoom {
    let mut random = [0; 10];
    // Without random bytes the process id has to do; who is taken already is told so.
    if getrandom::fill(&mut random).is_err() {
        random[..4].copy_from_slice(&std::process::id().to_le_bytes());
    }
    let who = u16::from_le_bytes([random[0], random[1]]);
    let claimant = u64::from_le_bytes(std::array::from_fn(|at| random[at + 2]));
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    match saved {
        Some(saved) => SharedRoom::recovered(saved, who, claimant, now, unix),
        None => SharedRoom::new(who, claimant, now, unix),
    }
}

fn write(secret: &Secret, others: &[Secret], known: &BTreeMap<String, Saved>) -> Vec<u8> {
    let rooms: BTreeMap<&String, Value> = known.iter().map(|(name, saved)| (name, of_saved(saved))).collect();
    let mut value = json!({ "secret": hex(secret), "rooms": rooms });
    if !others.is_empty() {
        value["other_secrets"] = others.iter().map(|secret| hex(secret)).collect();
    }
    value.to_string().into_bytes()
}

fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |digit: &u8| char::from(*digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| Some(digit(pair.first()?)? << 4 | digit(pair.get(1)?)?)).collect()
}

fn of_saved(saved: &Saved) -> Value {
    let mut value = json!({
        "next": saved.next,
        "next_to": saved.next_to,
        "front": saved.front,
        "front_to": saved.front_to,
        "inside": saved.inside,
        "session": saved.session,
        "called": saved.called,
        "gone": of_ranges(&saved.gone),
        "unheard": of_ranges(&saved.unheard),
    });
    if let Some(Past { all, claimant, members }) = &saved.past {
        value["shared"] = json!({ "all": hex(all), "claimant": claimant, "members": members });
    }
    value
}

fn of_ranges(ranges: &[Range<u64>]) -> Vec<[u64; 2]> {
    ranges.iter().map(|range| [range.start, range.end]).collect()
}

/// What was found.
#[derive(Debug, PartialEq, Eq)]
struct Read {
    secret: Secret,
    others: Vec<Secret>,
    known: BTreeMap<String, Saved>,
    /// Some room made no sense: it begins anew, and the others go on.
    is_broken: bool,
}

fn read(content: &[u8]) -> Option<Read> {
    let value: Value = serde_json::from_slice(content).ok()?;
    let secret = to_secret(&value["secret"])?;
    let others = match &value["other_secrets"] {
        Value::Null => Vec::new(),
        others => others.as_array()?.iter().map(to_secret).collect::<Option<_>>()?,
    };
    let (mut known, mut is_broken) = (BTreeMap::new(), false);
    for (name, value) in value["rooms"].as_object()? {
        let saved = to_saved(value).or_else(|| {
            is_broken = true;
            begin_anew(value)
        });
        known.insert(name.clone(), saved?);
    }
    Some(Read { secret, others, known, is_broken })
}

fn to_secret(value: &Value) -> Option<Secret> {
    unhex(value.as_str()?)?.try_into().ok()
}

/// A room that makes no sense gives no number out twice all the same, as its tickets are still good.
fn begin_anew(value: &Value) -> Option<Saved> {
    let after = ["next", "next_to", "front", "front_to"].iter().filter_map(|name| value[*name].as_u64()).max()?;
    Saved::anew(after)
}

fn to_saved(value: &Value) -> Option<Saved> {
    let number = |name: &str| value[name].as_u64();
    let saved = Saved {
        next: number("next")?,
        next_to: number("next_to")?,
        front: number("front")?,
        front_to: number("front_to")?,
        inside: u32::try_from(number("inside")?).ok()?,
        session: number("session")?,
        called: value["called"].as_array()?.iter().map(Value::as_u64).collect::<Option<_>>()?,
        gone: to_ranges(&value["gone"])?,
        unheard: to_ranges(&value["unheard"])?,
        past: match &value["shared"] {
            Value::Null => None,
            past => Some(Past {
                all: unhex(past["all"].as_str()?)?,
                claimant: past["claimant"].as_u64()?,
                members: u32::try_from(past["members"].as_u64()?).ok()?,
            }),
        },
    };
    saved.is_sound().then_some(saved)
}

fn to_ranges(value: &Value) -> Option<Vec<Range<u64>>> {
    let range = |value: &Value| Some(value.get(0)?.as_u64()?..value.get(1)?.as_u64()?);
    value.as_array()?.iter().map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let saved = Saved {
            next: 9,
            next_to: 12,
            front: 5,
            front_to: 6,
            inside: 3,
            session: 301,
            called: vec![2, 4],
            gone: vec![5..6, 7..8],
            unheard: vec![Range { start: 8, end: 9 }],
            past: Some(Past { all: vec![1, 0, 0, 0, 0, 0], claimant: u64::MAX, members: 3 }),
        };
        let known = BTreeMap::from([("sale".to_owned(), saved), ("other".to_owned(), fresh())]);
        let others = vec![[0x0c; SECRET_BYTES], [7; SECRET_BYTES]];
        let content = write(&[0xab; SECRET_BYTES], &others, &known);
        assert_eq!(read(&content), Some(Read { secret: [0xab; SECRET_BYTES], others, known, is_broken: false }));
    }

    fn fresh() -> Saved {
        Saved { next: 1, next_to: 1, front: 1, front_to: 1, ..Saved::default() }
    }

    #[test]
    fn what_makes_no_sense_is_none() {
        let whole =
            String::from_utf8(write(&[1; SECRET_BYTES], &[], &BTreeMap::from([("a".to_owned(), fresh())]))).unwrap();
        assert!(read(whole.as_bytes()).is_some());
        for (from, to) in [("0101", "01g1"), ("\"rooms\"", "\"r\"")] {
            assert_eq!(read(whole.replacen(from, to, 1).as_bytes()), None, "{to}");
        }
        for cut in 0..whole.len() {
            assert_eq!(read(&whole.as_bytes()[..cut]), None);
        }
    }

    #[test]
    fn a_room_that_makes_no_sense_begins_after_all_its_numbers_and_the_others_go_on() {
        let other = Saved { next: 7, next_to: 7, front: 5, front_to: 5, inside: 3, ..Saved::default() };
        let known = BTreeMap::from([("a".to_owned(), fresh()), ("b".to_owned(), other.clone())]);
        let whole = String::from_utf8(write(&[1; SECRET_BYTES], &[], &known)).unwrap();
        for (from, to, next) in [
            ("\"next\":1", "\"next\":0", 1),
            ("\"next\":1", "\"next\":-1", 1),
            ("\"next\":1", "\"next\":900", 900),
            ("\"next_to\":1", "\"next_to\":800000000", 800_000_000),
            ("[]", "{}", 1),
            ("[]", "[8]", 1),
        ] {
            let anew = Saved { next, next_to: next, front: next, front_to: next, ..Saved::default() };
            let known = BTreeMap::from([("a".to_owned(), anew), ("b".to_owned(), other.clone())]);
            let content = whole.replacen(from, to, 1);
            assert_eq!(
                read(content.as_bytes()),
                Some(Read { secret: [1; SECRET_BYTES], others: vec![], known, is_broken: true }),
                "{to}"
            );
            let (ledger, kept) = (Ledger::default(), Kept { version: 1, content: content.into_bytes() });
            assert!(ledger.open(Some(&kept), Duration::ZERO).is_err(), "it is said");
            assert_eq!(ledger.secret.get(), Some(&[1; SECRET_BYTES]));
        }
        // Which numbers it gave out cannot be told.
        let beyond = whole.replacen("\"next_to\":1", "\"next_to\":9223372036854775807", 1);
        assert_eq!(read(beyond.as_bytes()), None);
    }

    #[test]
    fn a_ledger_opens_whatever_it_finds_and_says_what_is_wrong() {
        let ledger = Ledger::default();
        let room = ledger.room("sale", Duration::ZERO);
        assert!(room.keys().is_none());
        let kept = Kept { version: 1, content: b"{}".to_vec() };
        assert!(ledger.open(Some(&kept), Duration::ZERO).is_err());
        assert!(room.keys().is_some() && ledger.room("later", Duration::ZERO).keys().is_some());
    }
}
