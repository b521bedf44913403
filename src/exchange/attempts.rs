//! Attempts at backends, until one gives a response or none can.

use super::attempt::{Step, attempt};
use super::chances::{Chances, kept_max};
use super::crew::{Crew, Picked, Tried};
use super::kept::Kept;
use super::mirror::Tee;
use super::relay::{Bounds, Moved};
use super::reuse::{Forwarded, Keep, Voyage};
use super::slot::Slot;
use super::want::Want;
use super::worker::Held;
use super::{Body, Client, Downstream, Refusal, Source, Worker, prepare};
use crate::config::{self, HashPolicy, LimitId, Policy, PoolId, Priority, Route};
use crate::http::{FieldName, Length, RequestHead, ResponseHead, Scheme, cookie};
use crate::live::{Admitted, Displaced, Entering, LivePool};
use crate::pool::policy::Ask;
use crate::pool::{hash_part, sticky_cookie};
use crate::route;
use crate::telemetry::metrics::CacheOutcome;
use std::cell::Cell;
use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

/// What attempts need to know.
pub(super) struct Task<'a> {
    pub(super) worker: &'a Worker,
    pub(super) client: &'a Client,
    /// Who it is, by the word of earlier hops where that is believed.
    pub(super) who: IpAddr,
    pub(super) held: &'a Held,
    pub(super) route: &'a Route,
    pub(super) pool: PoolId,
    pub(super) head: &'a RequestHead,
    pub(super) tee: &'a Tee,
    /// What the cache has to say of the response; none where no cache is used.
    pub(super) forwarded: Option<&'a Forwarded>,
    /// It is the cache itself that asks.
    pub(super) voyage: Option<&'a Voyage>,
    /// Who is served before it.
    pub(super) priority: Priority,
}

/// What is known of the attempts made.
#[derive(Default)]
pub(super) struct Trail {
    pub(super) attempts: u32,
    pub(super) crew: Option<Rc<Crew>>,
    /// Index in the crew.
    pub(super) backend: Option<usize>,
    pub(super) first_byte: Option<Instant>,
    pub(super) moved: Moved,
    /// What the cache did, as logs have it.
    pub(super) cache: Option<CacheOutcome>,
    /// The limit that refused it.
    pub(super) limit: Option<LimitId>,
    /// The first limit that would have, if it did more than observe.
    pub(super) limit_observed: Option<LimitId>,
    /// What it has of a waiting room that let it in just now, until it has a place in the pool.
    pub(super) entering: Option<Entering>,
}

impl Trail {
    /// The name of the backend that was asked last.
    pub(super) fn backend(&self) -> Option<&str> {
        Some(&self.crew.as_ref()?.members.list[self.backend?].backend.name)
    }
}

/// How the attempts ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// The client has the whole response.
    Answered,
    /// Nothing was said to the client yet.
    Refused(Refusal),
    /// The response broke off midway.
    Broken(Refusal),
    /// The client is gone.
    ClientGone,
}

/// Tries backends until one answers.
pub(super) async fn attempts<D: Downstream>(
    task: &Task<'_>,
    response: &mut ResponseHead,
    down: &mut D,
    trail: &mut Trail,
) -> Ended {
    let want = Want::new(task);
    let ended = tries(task, &want, response, down, trail).await;
    want.ended(&ended);
    ended
}

async fn tries<D: Downstream>(
    task: &Task<'_>,
    want: &Want<'_>,
    response: &mut ResponseHead,
    down: &mut D,
    trail: &mut Trail,
) -> Ended {
    let live = task.live_pool();
    let Some(admitted) = live.admit(task.now()) else { return Ended::Refused(Refusal::Breaker) };
    live.budget.deposit();
    let crew = task.worker.crew(task.held, task.pool);
    trail.crew = Some(crew.clone());
    let affinity = Affinity::of(task, &crew);
    let whole = Cell::new(true);
    let mut kept = Kept::up_to(kept_max(task), &whole);
    let mut chances = Chances::new(task, &crew, &whole);
    let mut last = None;
    let mut again = None;
    loop {
        let fresh = again.is_some();
        let slot = match again.take() {
            Some(slot) => slot,
            None => match seat(task, &crew, &affinity, &chances.tried, down, &mut trail.entering).await {
                Ok(slot) => slot,
                Err(Ended::Refused(refusal)) => return Ended::Refused(last.unwrap_or(refusal)),
                Err(ended) => return ended,
            },
        };
        trail.attempts += 1;
        trail.entering = None;
        trail.backend = Some(slot.at);
        if let Some(voyage) = task.voyage {
            voyage.note(trail);
        }
        if trail.attempts > 1 {
            task.worker.metrics.retried(&live.metrics);
        }
        let seated = Seated { slot: &slot, crew: &crew, want, fresh, wanted: affinity.wanted, admitted: &admitted };
        match attempt(task, &seated, &chances, &mut kept, response, down, trail).await {
            Step::Ended(ended) => return ended,
            Step::Again => again = Some(slot),
            Step::Next { refusal, granted, cause } => {
                if !granted && !chances.allow(cause, slot.at) {
                    return Ended::Refused(refusal);
                }
                chances.tried(slot.at, cause);
                last = Some(refusal);
            }
        }
    }
}

/// An attempt's place.
pub(super) struct Seated<'a> {
    pub(super) slot: &'a Slot<'a>,
    pub(super) crew: &'a Crew,
    pub(super) want: &'a Want<'a>,
    /// On a new connection, as one that stood was closed under us.
    pub(super) fresh: bool,
    /// The backend that the client's cookie names.
    pub(super) wanted: Option<usize>,
    pub(super) admitted: &'a Admitted<'a>,
}

/// Where a request belongs.
struct Affinity {
    ask: Ask,
    wanted: Option<usize>,
}

impl Affinity {
    fn of(task: &Task<'_>, crew: &Crew) -> Affinity {
        let balance = &task.config().balance;
        let hash = match &balance.policy {
            Policy::Hash(HashPolicy { by, .. }) => hash_part(by, task.head, task.who),
            _ => None,
        };
        let wanted = balance
            .sticky
            .as_ref()
            .zip(crew.members.sticky.as_ref())
            .and_then(|(sticky, values)| values.backend(cookie(&task.head.fields, &sticky.cookie)?));
        Affinity { ask: Ask { random: task.worker.random() as u64, hash }, wanted }
    }
}

/// A backend with room for this exchange, which may have to wait for it.
async fn seat<'a, D: Downstream>(
    task: &Task<'a>,
    crew: &'a Crew,
    affinity: &Affinity,
    tried: &Tried,
    down: &mut D,
    entering: &mut Option<Entering>,
) -> Result<Slot<'a>, Ended> {
    let (live, config) = (task.live_pool(), task.config());
    let is_bounded = config.connections.max.is_some() || config.concurrency.is_some();
    let is_first = !is_bounded || live.state.queue.is_first(task.priority);
    let picked = match is_first {
        true => crew.pick(config, live, &affinity.ask, affinity.wanted, tried, task.now()),
        // Who came before is served before.
        false => Picked::Full,
    };
    match picked {
        Picked::One(slot) => Ok(slot),
        Picked::Nobody => Err(Ended::Refused(crew.why_nobody())),
        // Boxed: rare, and large.
        Picked::Full => Box::pin(wait(task, crew, affinity, tried, down, entering)).await,
    }
}

/// Waits in the pool's queue for room.
async fn wait<'a, D: Downstream>(
    task: &Task<'a>,
    crew: &'a Crew,
    affinity: &Affinity,
    tried: &Tried,
    down: &mut D,
    entering: &mut Option<Entering>,
) -> Result<Slot<'a>, Ended> {
    let (live, config) = (task.live_pool(), task.config());
    crew.stir(live, task.now());
    let priority = task.priority;
    let shed = |why: Refusal| {
        task.worker.metrics.shed(&live.metrics, priority);
        Err(Ended::Refused(why))
    };
    let Some(place) = live.state.queue.enter(priority, config.connections.queue) else {
        return shed(Refusal::QueueFull);
    };
    *entering = None;
    let look = || match crew.pick(config, live, &affinity.ask, affinity.wanted, tried, task.now()) {
        Picked::One(slot) => Some(Ok(slot)),
        Picked::Nobody => Some(Err(Ended::Refused(crew.why_nobody()))),
        Picked::Full => None,
    };
    let body = down.halves().0;
    let watches = body.length() == Length::None;
    let mut gone = pin!(body.gone());
    let mut turn = pin!(task.worker.clock.within(config.connections.queue_timeout, place.until(tried.len() > 0, look)));
    poll_fn(|cx| {
        if let Poll::Ready(turn) = turn.as_mut().poll(cx) {
            return Poll::Ready(match turn {
                Ok(Ok(found)) => found,
                Ok(Err(Displaced)) => shed(Refusal::Displaced),
                Err(_) => shed(Refusal::QueueTimeout),
            });
        }
        // Content that is still to be read would be taken for a sign of life.
        if watches && gone.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(Ended::ClientGone));
        }
        Poll::Pending
    })
    .await
}

impl<'a> Task<'a> {
    pub(super) fn live_pool(&self) -> &'a LivePool {
        &self.held.generation.snapshot.pools[self.pool.0]
    }

    pub(super) fn config(&self) -> &'a config::Pool {
        &self.held.generation.snapshot.config.pools[self.pool.0]
    }

    /// Since the process began.
    pub(super) fn now(&self) -> Duration {
        self.worker.clock.coarse()
    }

    pub(super) fn bounds(&self) -> Bounds {
        let (pool, route) = (&self.config().timeouts, &self.route.timeouts);
        Bounds {
            client: self.client.gate.timeouts.body,
            backend: route.idle.unwrap_or(pool.idle),
            first_byte: route.first_byte.unwrap_or(pool.first_byte),
            tunnel: route.upgrade_idle.unwrap_or(TUNNEL_IDLE),
            max_body: self.route.max_body,
        }
    }

    /// What learns from the response for the cache.
    pub(super) fn keep(&self) -> Option<&'a Keep> {
        self.forwarded.and_then(|forwarded| forwarded.keep.as_ref())
    }

    /// Makes the backend's response the client's.
    pub(super) fn respond(&self, head: &mut ResponseHead, length: Length, seated: &Seated<'_>) -> Result<(), Refusal> {
        let clock = &self.worker.clock;
        prepare::response(head, clock)?;
        match self.voyage {
            Some(voyage) => voyage.answered(),
            None => {
                // Before it is made this client's.
                if let Some(forwarded) = self.forwarded {
                    forwarded.learn(self.head, head, length);
                }
                prepare::edit(head, self.route);
            }
        }
        if let Some(forwarded) = self.forwarded {
            forwarded.respond(head);
        }
        if let crate::config::Action::ReadWrite { read_your_writes: Some(ttl), .. } = &self.route.action
            && !self.head.method.is_safe()
            && head.status < 500
        {
            head.fields.push_known(FieldName::SetCookie, &route::wrote_cookie(clock.date().unix(), *ttl));
        }
        let at = seated.slot.at;
        if let Some(sticky) = &self.config().balance.sticky
            && seated.wanted != Some(at)
            && let Some(value) = seated.crew.members.sticky.as_ref().and_then(|values| values.value(at))
        {
            let is_secure = self.client.scheme == Scheme::Https;
            let cookie = sticky_cookie(sticky, value, is_secure);
            // What is for one client is no part of what may be stored.
            match self.voyage {
                Some(voyage) => voyage.extra.borrow_mut().push_known(FieldName::SetCookie, cookie.as_bytes()),
                None => head.fields.push_known(FieldName::SetCookie, cookie.as_bytes()),
            }
        }
        Ok(())
    }
}

/// How long a tunnel may be silent unless the route says otherwise.
const TUNNEL_IDLE: Duration = Duration::from_secs(3600);
