//! A pool's backends as one worker sees them: who may be used, who is next, and the connections to each.

use super::Refusal;
use super::slot::Slot;
use crate::config;
use crate::live::{LivePool, Members};
use crate::pool::concurrency::Limiter;
use crate::pool::health::panic;
use crate::pool::health::standing::Facts;
use crate::pool::policy::{Ask, Look, Policy, View};
use crate::upstream::Line;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// The members of a pool with what a worker keeps for them.
pub(super) struct Crew {
    pub(super) members: Arc<Members>,
    pub(super) lines: Vec<Rc<Line>>,
    choice: RefCell<Choice>,
    seen: Cell<Seen>,
}

struct Choice {
    policy: Policy,
    view: View,
}

/// What the view was made of.
#[derive(Clone, Copy)]
struct Seen {
    turns: u64,
    /// Somebody's ejection ends, or slow start goes on.
    until: Duration,
}

/// What a pick gives.
pub(super) enum Picked<'a> {
    /// A backend.
    One(Slot<'a>),
    /// Those that may be used have no room.
    Full,
    /// None may be used.
    Nobody,
}

impl Crew {
    pub(super) fn new(members: Arc<Members>, lines: Vec<Rc<Line>>, policy: Policy) -> Crew {
        let choice = RefCell::new(Choice { policy, view: View::new(&[]) });
        Crew { members, lines, choice, seen: Cell::new(Seen { turns: u64::MAX, until: Duration::ZERO }) }
    }

    /// The next backend for an exchange that has `tried` some. `wanted`: where its client belongs.
    pub(super) fn pick<'a>(
        &'a self,
        pool: &config::Pool,
        live: &'a LivePool,
        ask: &Ask,
        wanted: Option<usize>,
        tried: &Tried,
        now: Duration,
    ) -> Picked<'a> {
        self.look_again(pool, live, now);
        let choice = &mut *self.choice.borrow_mut();
        let looking = Looking { members: &self.members, tried, max: pool.connections.max, now };
        let wanted = wanted.filter(|&at| choice.view.weight(at) > 0 && looking.may(at));
        for _ in 0..PICKS_MAX {
            let Some(at) = wanted.or_else(|| choice.policy.pick(&choice.view, &looking, ask)) else { break };
            // Another worker may have been faster.
            if let Some(slot) = Slot::take(&self.members, at, pool.connections.max, &live.state.queue, now) {
                return Picked::One(slot);
            }
        }
        let untried = choice.view.usable().iter().any(|&at| !tried.has(at as usize));
        if untried { Picked::Full } else { Picked::Nobody }
    }

    /// Sees to it that limits whose exchanges do not end are looked at, and that who waits hears of room.
    pub(super) fn stir(&self, live: &LivePool, now: Duration) {
        let queue = &live.state.queue;
        let limiters = self.members.list.iter().filter_map(|member| member.limiter.as_deref());
        // All of them are to look.
        let room: u32 = limiters.filter(|limiter| limiter.has_room(now)).map(Limiter::room).sum();
        queue.freed_for(room);
    }

    /// Why nobody could be picked.
    pub(super) fn why_nobody(&self) -> Refusal {
        if self.members.list.is_empty() { Refusal::PoolEmpty } else { Refusal::NoBackend }
    }

    /// Whether there is a backend that was not tried.
    pub(super) fn has_other(&self, tried: &Tried, now: usize) -> bool {
        self.choice.borrow().view.usable().iter().any(|&at| at as usize != now && !tried.has(at as usize))
    }

    /// Makes the view anew if something changed.
    fn look_again(&self, pool: &config::Pool, live: &LivePool, now: Duration) {
        let turns = live.state.turns();
        let Seen { turns: seen, until } = self.seen.get();
        if turns == seen && now < until {
            return;
        }
        let list = &self.members.list;
        let facts: Vec<Facts> = list.iter().map(|member| member.backend.facts()).collect();
        let rated: Vec<panic::Member> = list
            .iter()
            .zip(&facts)
            .map(|(member, facts)| panic::Member {
                standing: member.standing_by(facts, now, pool.slow_start),
                weight: member.weight,
            })
            .collect();
        let mode = panic::mode(&rated, pool.panic);
        let weight = |(member, facts): (&panic::Member, &Facts)| match mode.uses(member) {
            true => facts.weighed(member.weight, pool.slow_start, now),
            false => 0,
        };
        let weights: Vec<u32> = rated.iter().zip(&facts).map(weight).collect();
        let until = facts.iter().filter_map(|facts| facts.next_change(pool.slow_start, now)).min();
        let until = until.unwrap_or(Duration::MAX);
        let choice = &mut *self.choice.borrow_mut();
        choice.view = View::new(&weights);
        choice.policy.refresh(&choice.view);
        self.seen.set(Seen { turns, until });
    }
}

/// How often a pick is repeated because others took the room meanwhile.
const PICKS_MAX: u32 = 4;

struct Looking<'a> {
    members: &'a Members,
    tried: &'a Tried,
    max: Option<u32>,
    now: Duration,
}

impl Look for Looking<'_> {
    fn in_flight(&self, at: usize) -> u32 {
        self.members.list[at].backend.in_flight()
    }

    fn latency(&self, at: usize) -> u64 {
        self.members.list[at].backend.latency.read(self.now)
    }

    fn may(&self, at: usize) -> bool {
        let member = &self.members.list[at];
        !self.tried.has(at)
            && member.backend.has_room(self.max)
            && member.limiter.as_ref().is_none_or(|limiter| limiter.has_room(self.now))
    }
}

/// Backends that an exchange tried.
#[derive(Debug, Default)]
pub(super) struct Tried {
    list: [u32; Tried::MAX],
    len: usize,
}

impl Tried {
    /// So many backends an exchange tries at most; the configuration allows no more attempts.
    pub(super) const MAX: usize = 10;

    pub(super) fn has(&self, at: usize) -> bool {
        self.list[..self.len].iter().any(|&tried| tried as usize == at)
    }

    pub(super) fn add(&mut self, at: usize) {
        if let (Some(place), Ok(at)) = (self.list.get_mut(self.len), u32::try_from(at)) {
            *place = at;
            self.len += 1;
        }
    }

    /// How many.
    pub(super) fn len(&self) -> usize {
        self.len
    }
}
