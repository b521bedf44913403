//! A waiting room that runs.

use super::state::lock;
use super::{Ledger, LivePool};
use crate::config::{self, Bind, Config, PoolId, WaitingRoomId};
use crate::telemetry::metrics::RoomLook;
use crate::waiting::{
    ACTIVE_MAX, Bad, Headroom, Heard, Keys, Room, Rules, Said, Saved, SharedRoom, Standing, Template, Verdict,
};
use arc_swap::ArcSwapOption;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

/// What is known of a room, whatever configuration it comes from.
pub struct LiveRoom {
    /// None before anything is known of its past.
    keys: OnceLock<Keys>,
    /// Those of the fleet that it is shared with, if there is one.
    ring: Option<ArcSwapOption<Ring>>,
    state: Mutex<Guarded>,
    /// Visitors who came in, and whose requests have no place in a pool yet.
    entering: AtomicU32,
}

/// What signs tickets of a room that members of a fleet share, and what did.
pub struct Ring {
    /// Signs.
    pub keys: Keys,
    /// Signed, at this member or another.
    pub others: Vec<Keys>,
}

struct Guarded {
    room: Kind,
    /// How often it was closed: what was to be written before that says nothing any more.
    closed: u32,
    /// What the pools have ended, which takes longer to find out than what they have now.
    done: Option<Done>,
}

/// Exchanges that the pools of a room have ended since it was looked for first.
struct Done {
    at: Duration,
    /// Whose these are, and what they had ended then.
    of: Arc<[String]>,
    counted: u64,
    sum: u64,
}

impl Done {
    /// Other pools, after a reload, have ended nothing yet.
    fn goes_on(before: Option<Done>, now: Duration, of: &Arc<[String]>, counted: u64) -> Done {
        let sum = match before {
            Some(before) if before.of == *of => before.sum + counted.saturating_sub(before.counted),
            Some(before) => before.sum,
            None => 0,
        };
        Done { at: now, of: Arc::clone(of), counted, sum }
    }
}

/// A room of this process, or of all members of its fleet.
#[expect(clippy::large_enum_variant, reason = "there are few, and that of a single Weir is not to be looked for")]
pub(super) enum Kind {
    Own(Room),
    Shared(Box<SharedRoom>),
}

/// What one configuration says of a room.
pub struct RoomRules {
    /// Its name.
    pub name: String,
    /// The room.
    pub room: Arc<LiveRoom>,
    /// Its rules.
    pub rules: Rules,
    /// Whether tickets are bound to addresses.
    pub by_address: bool,
    /// The operator's page.
    pub page: Option<Template>,
    /// What the names of its cookies begin with.
    pub cookie: String,
    /// Those that its routes may use.
    pools: Vec<PoolId>,
    pool_names: Arc<[String]>,
}

impl RoomRules {
    pub(super) fn build(config: &Config, id: WaitingRoomId, ledger: &Ledger, now: Duration) -> RoomRules {
        let own = &config.waiting_rooms[id.0];
        let routes = config.routes.iter().filter(|route| route.waiting_room == Some(id));
        let mut pools: Vec<PoolId> = routes.flat_map(|route| route.action.pools()).collect();
        pools.sort_unstable_by_key(|pool| pool.0);
        pools.dedup();
        RoomRules {
            name: own.name.clone(),
            room: ledger.room(&own.name, now),
            rules: rules(own),
            by_address: own.bind == Bind::Client,
            page: own.page.as_deref().map(Template::read),
            cookie: format!("weir_room.{}.", own.name),
            pool_names: pools.iter().map(|pool| config.pools[pool.0].name.clone()).collect(),
            pools,
        }
    }

    /// One who shows nothing that counts. `shown`: what he showed all the same.
    pub fn newcomer(
        &self,
        now: Duration,
        pools: (&Config, &[LivePool]),
        may_wait: bool,
        shown: Option<Bad>,
    ) -> (Verdict, Option<Entering>) {
        self.with(now, pools, |room, headroom| {
            let verdict = match room {
                Kind::Own(room) => {
                    shown.into_iter().for_each(|bad| room.refused(bad));
                    room.newcomer(now, &self.rules, headroom, may_wait)
                }
                Kind::Shared(room) => {
                    shown.into_iter().for_each(|bad| room.refused(bad));
                    room.newcomer(now, &self.rules, headroom, may_wait)
                }
            };
            self.counted(verdict)
        })
    }

    /// One who shows a ticket.
    pub fn ticket(&self, number: u64, now: Duration, pools: (&Config, &[LivePool])) -> (Verdict, Option<Entering>) {
        self.with(now, pools, |room, headroom| {
            self.counted(match room {
                Kind::Own(room) => room.ticket(number, now, &self.rules, headroom),
                Kind::Shared(room) => room.ticket(number, now, &self.rules, headroom),
            })
        })
    }

    /// Counts who comes in, before anybody else is judged.
    fn counted(&self, verdict: Verdict) -> (Verdict, Option<Entering>) {
        (verdict, matches!(verdict, Verdict::Enter(_)).then(|| Entering::into(&self.room)))
    }

    /// One who is inside stays for longer.
    pub fn renew(&self, number: u64, now: Duration) {
        match &mut lock(&self.room.state).room {
            Kind::Own(room) => room.renew(number, now, &self.rules),
            Kind::Shared(room) => room.renew(number, now, &self.rules),
        }
    }

    /// How it is.
    #[must_use]
    pub fn look(&self, now: Duration, pools: (&Config, &[LivePool])) -> RoomLook {
        let standing = self.with(now, pools, |room, headroom| match room {
            Kind::Own(room) => room.standing(now, &self.rules, headroom),
            Kind::Shared(room) => room.standing(now, &self.rules, headroom),
        });
        let Standing { waiting, called, inside, wait, shared, counts } = standing;
        RoomLook {
            room: self.name.clone(),
            waiting,
            called,
            inside,
            shared,
            active: (self.rules.active < ACTIVE_MAX).then_some(self.rules.active),
            wait_seconds: wait.map(|wait| wait.as_secs_f64()),
            entered: counts.entered,
            queued: counts.queued,
            left: counts.left,
            turned_away: counts.full,
            refused: [counts.forged, counts.copied, counts.spent],
        }
    }

    /// What it says to the other members of the fleet now; `None`: it is not shared, or has nothing to say and hears nothing
    /// that it could miss.
    pub fn say(&self, now: Duration, pools: (&Config, &[LivePool]), only_if_busy: bool) -> Option<Said> {
        self.with(now, pools, |room, headroom| match room {
            Kind::Own(_) => None,
            Kind::Shared(room) if only_if_busy && !room.is_busy() => None,
            Kind::Shared(room) => Some(room.say(now, &self.rules, headroom)),
        })
    }

    /// What it hears of the other members; those of whom it is to hear all.
    pub fn hear(&self, now: Duration, heard: &Heard) -> Vec<String> {
        self.shared(|room| room.hear(now, &self.rules, heard)).unwrap_or_default()
    }

    /// The room as one that is shared; `None`: it is not, or is not open yet.
    pub fn shared<T>(&self, what: impl FnOnce(&mut SharedRoom) -> T) -> Option<T> {
        match &mut lock(&self.room.state).room {
            Kind::Own(_) => None,
            Kind::Shared(room) => Some(what(room)),
        }
    }

    fn with<T>(
        &self,
        now: Duration,
        (config, pools): (&Config, &[LivePool]),
        what: impl FnOnce(&mut Kind, Headroom) -> T,
    ) -> T {
        let each = || self.pools.iter().map(|pool| (&config.pools[pool.0], &pools[pool.0]));
        let mut state = lock(&self.room.state);
        let done = match &state.done {
            Some(done) if now < done.at + DONE_AGE => done.sum,
            _ => {
                let counted = each().map(|(_, live)| live.metrics.exchanges()).sum();
                let before = state.done.take();
                state.done.insert(Done::goes_on(before, now, &self.pool_names, counted)).sum
            }
        };
        let rooms = each().map(|(config, live)| (live.room(config, now), config.connections.queue, live.queued()));
        what(&mut state.room, headroom(rooms, self.room.entering.load(SeqCst), done))
    }
}

/// The room of all pools together. Each: exchanges that it takes, and how many more now; and its queue's bound and length.
fn headroom(rooms: impl Iterator<Item = (Option<(u32, u32)>, u32, u32)>, entering: u32, done: u64) -> Headroom {
    let mut all = Headroom { capacity: Some(0), busy: entering, queue: 0, done };
    for (room, queue, queued) in rooms {
        all.capacity = all.capacity.zip(room).map(|(sum, (capacity, _))| sum.saturating_add(capacity));
        let taken = room.map_or(0, |(capacity, free)| capacity.saturating_sub(free));
        all.busy = all.busy.saturating_add(taken).saturating_add(queued);
        all.queue = all.queue.saturating_add(queue);
    }
    all
}

/// One who came in, and counts as one of the pool's until this is dropped: once he has a place there.
pub struct Entering(Arc<LiveRoom>);

impl Entering {
    fn into(room: &Arc<LiveRoom>) -> Entering {
        room.entering.fetch_add(1, SeqCst);
        Entering(Arc::clone(room))
    }
}

impl Drop for Entering {
    fn drop(&mut self) {
        self.0.entering.fetch_sub(1, SeqCst);
    }
}

impl LiveRoom {
    pub(super) fn closed(is_shared: bool) -> LiveRoom {
        let state = Mutex::new(Guarded { room: Kind::Own(Room::kept()), closed: 0, done: None });
        let ring = is_shared.then(ArcSwapOption::empty);
        LiveRoom { keys: OnceLock::new(), ring, state, entering: AtomicU32::new(0) }
    }

    pub(super) fn open(&self, keys: Keys, room: Kind) {
        *lock(&self.state) = Guarded { room, closed: 0, done: None };
        let _ = self.keys.set(keys);
    }

    /// What signs its tickets, once it is open, as long as there is no [`ring`](Self::ring).
    #[must_use]
    pub fn keys(&self) -> Option<&Keys> {
        self.keys.get()
    }

    /// What signs its tickets in a fleet.
    #[must_use]
    pub fn ring(&self) -> Option<Arc<Ring>> {
        self.ring.as_ref()?.load_full()
    }

    pub(super) fn set_ring(&self, ring: Ring) {
        if let Some(known) = &self.ring {
            known.store(Some(Arc::new(ring)));
        }
    }

    /// What is to be written, and how often it was closed before.
    pub(super) fn to_write(&self, now: Duration, rules: &Rules) -> Option<(Saved, u32)> {
        let mut state = lock(&self.state);
        let saved = match &mut state.room {
            Kind::Own(room) => room.to_write(now, rules),
            Kind::Shared(room) => room.to_write(now, rules),
        };
        Some((saved?, state.closed))
    }

    pub(super) fn close(&self, now: Duration, rules: &Rules) -> (Saved, u32) {
        let mut state = lock(&self.state);
        state.closed += 1;
        let saved = match &mut state.room {
            Kind::Own(room) => room.close(now, rules),
            Kind::Shared(room) => room.close(rules),
        };
        (saved, state.closed)
    }

    /// That is written; unless it was closed since, as another process goes on from there.
    pub(super) fn written(&self, (saved, closed): (Saved, u32), now: Duration) {
        let mut state = lock(&self.state);
        if state.closed != closed {
            return;
        }
        match &mut state.room {
            Kind::Own(room) => room.written(saved, now),
            Kind::Shared(room) => room.written(now),
        }
    }
}

fn rules(config: &config::WaitingRoom) -> Rules {
    Rules {
        active: config.active.unwrap_or(ACTIVE_MAX),
        enter: config.enter,
        session: config.session,
        absence: config.absence,
        places: config.places,
    }
}

/// How long the sum of what the pools have ended holds.
const DONE_AGE: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_before_the_last_word_opens_nothing() {
        let at = Duration::from_secs;
        let rules = Rules { active: 9, enter: None, session: at(60), absence: at(60), places: 9 };
        let enters = |room: &LiveRoom, now| match &mut lock(&room.state).room {
            Kind::Own(room) => matches!(room.newcomer(now, &rules, Headroom::default(), true), Verdict::Enter(_)),
            Kind::Shared(_) => false,
        };
        let room = LiveRoom::closed(false);
        let before = room.to_write(at(0), &rules).unwrap();
        room.written(before.clone(), at(0));
        assert!(enters(&room, at(0)));
        room.close(at(1), &rules);
        room.written(before, at(1));
        assert!(!enters(&room, at(1)), "another process lets in");
        let again = room.to_write(at(2), &rules).unwrap();
        room.written(again, at(2));
        assert!(enters(&room, at(2)), "there was none");
    }

    #[test]
    fn what_other_pools_had_ended_before_a_reload_was_not_ended_in_it() {
        let of = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Arc<[String]>>();
        let mut done = None;
        for (names, counted, sum) in [
            (&["a"][..], 5_000, 0),
            (&["a"], 5_007, 7),
            (&["a", "b"], 905_009, 7),
            (&["a", "b"], 905_010, 8),
            (&["b"], 900_000, 8),
            (&["b"], 900_002, 10),
        ] {
            let next = Done::goes_on(done, Duration::ZERO, &of(names), counted);
            assert_eq!(next.sum, sum, "{names:?} {counted}");
            done = Some(next);
        }
    }

    #[test]
    fn pools_are_full_together_and_one_without_bound_never_is() {
        let two = headroom([(Some((10, 4)), 500, 0), (Some((5, 0)), 0, 3)].into_iter(), 2, 7);
        assert_eq!(two, Headroom { capacity: Some(15), queue: 500, busy: 16, done: 7 });
        assert_eq!(headroom([(Some((10, 4)), 500, 0), (None, 500, 0)].into_iter(), 0, 0).capacity, None);
        assert_eq!(headroom([(Some((0, 0)), 500, 0)].into_iter(), 0, 0).capacity, Some(0), "no backend is there");
    }
}
