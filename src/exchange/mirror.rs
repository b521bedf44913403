//! Copies of requests to another pool: never waited for, bounded in number, size and time, their answers thrown away.

use super::attempts::{Task, Trail, attempts};
use super::nobody::{Content, Nobody};
use super::worker::Held;
use super::{Client, Worker};
use crate::config::{Mirror, PoolId, Priority};
use crate::http::{Fields, Length, Method, RequestHead, ResponseHead};
use crate::telemetry::metrics::Mirrored;
use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

/// Copies of one worker that are collected or under way at once; more are dropped.
const AT_ONCE: usize = 64;
/// Bytes of content that a copy may have.
const CONTENT_MAX: usize = 64 * 1024;
/// Bytes of an answer's content that are read for the sake of the connection.
const ANSWER_MAX: u64 = 1024 * 1024;
/// How long a copy may take altogether.
const TOTAL: Duration = Duration::from_secs(30);

/// The request that may be copied, as it goes to its own pool.
pub(super) struct Original<'a> {
    pub(super) worker: &'a Rc<Worker>,
    pub(super) client: &'a Client,
    pub(super) who: IpAddr,
    pub(super) held: &'a Rc<Held>,
    /// The index of its route.
    pub(super) route: usize,
    pub(super) head: &'a RequestHead,
    pub(super) length: Length,
    /// Of the exchange; random.
    pub(super) id: u128,
}

/// Copies `original` if its lot falls on that: at once if it has no content, otherwise by what is told to the [`Tee`].
pub(super) fn mirror(mirror: &Mirror, original: &Original<'_>) -> Tee {
    if !is_picked(mirror.share, original.id) || !is_copyable(original.head, original.length) {
        return Tee::default();
    }
    let is_short = !matches!(original.length, Length::Known(bytes) if bytes > CONTENT_MAX as u64);
    let Some(slot) = is_short.then(|| Slot::take(original.worker)).flatten() else {
        original.worker.metrics.mirrored(Mirrored::Dropped);
        return Tee::default();
    };
    let copy = Twin::of(slot, mirror.pool, original);
    if original.length == Length::None {
        copy.send();
        return Tee::default();
    }
    Tee(RefCell::new(Some(Box::new(copy))))
}

/// Whether the lot of exchange `id` falls among `share` of 10,000. A split of pools draws from other bits.
fn is_picked(share: u16, id: u128) -> bool {
    let lot = (u64::from((id >> 64) as u32) * LOTS) >> u32::BITS;
    lot < u64::from(share)
}

/// Lots in the drum; a share is so many of them.
const LOTS: u64 = 10_000;

/// A tunnel has two ends, and cannot have three.
fn is_copyable(head: &RequestHead, length: Length) -> bool {
    head.protocol.is_empty() && head.method != Method::Connect && length != Length::Tunnel
}

/// Sees request content pass on its way up, and keeps it if there is a copy to be made.
#[derive(Default)]
pub(super) struct Tee(RefCell<Option<Box<Twin>>>);

impl Tee {
    /// A piece passes.
    pub(super) fn data(&self, piece: &[u8]) {
        let mut copy = self.0.borrow_mut();
        if let Some(made) = &mut *copy {
            if made.content.len() + piece.len() <= CONTENT_MAX {
                made.content.extend_from_slice(piece);
            } else {
                *copy = None;
            }
        }
    }

    /// The content is complete: the copy can go.
    pub(super) fn end(&self, trailers: Option<&Fields>) {
        if let Some(mut copy) = self.0.take() {
            copy.trailers = trailers.cloned();
            copy.send();
        }
    }
}

/// A copy in the making; it is counted as dropped unless it is sent.
struct Twin {
    slot: Slot,
    pool: PoolId,
    client: Client,
    who: IpAddr,
    held: Rc<Held>,
    route: usize,
    head: RequestHead,
    length: Length,
    content: Vec<u8>,
    trailers: Option<Fields>,
}

impl Twin {
    fn of(slot: Slot, pool: PoolId, original: &Original<'_>) -> Twin {
        let Original { client, who, held, route, head, length, .. } = *original;
        let content = match length {
            Length::Known(bytes) => Vec::with_capacity(usize::try_from(bytes).unwrap_or(0).min(CONTENT_MAX)),
            _ => Vec::new(),
        };
        let (client, held, head) = (client.clone(), Rc::clone(held), head.clone());
        Twin { slot, pool, client, who, held, route, head, length, content, trailers: None }
    }

    /// Sends it on a task of its own.
    fn send(self) {
        self.slot.sent.set(true);
        self.slot.worker.metrics.mirrored(Mirrored::Sent);
        tokio::task::spawn_local(self.run());
    }

    async fn run(self) {
        let Twin { slot, pool, client, who, held, route, head, length, content, trailers } = self;
        let worker = &slot.worker;
        let route = &held.generation.snapshot.config.routes[route];
        let task = Task {
            worker,
            client: &client,
            who,
            held: &held,
            route,
            pool,
            head: &head,
            tee: &Tee::default(),
            forwarded: None,
            voyage: None,
            // Nobody waits for the answer.
            priority: Priority::Low,
        };
        let mut down = Nobody::careless(Content { length, content: content.into(), trailers }, ANSWER_MAX);
        let (mut response, mut trail) = (ResponseHead::default(), Trail::default());
        let ended = worker.clock.within(TOTAL, attempts(&task, &mut response, &mut down, &mut trail)).await;
        tracing::debug!(route = route.name, status = response.status, ?ended, "mirrored");
    }
}

/// One of [`AT_ONCE`].
struct Slot {
    worker: Rc<Worker>,
    sent: Cell<bool>,
}

impl Slot {
    fn take(worker: &Rc<Worker>) -> Option<Slot> {
        let taken = worker.mirrors.get();
        (taken < AT_ONCE).then(|| {
            worker.mirrors.set(taken + 1);
            Slot { worker: Rc::clone(worker), sent: Cell::new(false) }
        })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.worker.mirrors.set(self.worker.mirrors.get() - 1);
        if !self.sent.get() {
            self.worker.metrics.mirrored(Mirrored::Dropped);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_share_of_the_lots_is_picked_to_one_in_ten_thousand() {
        for share in [0, 1, 1000, 5000, 9999, 10_000] {
            // Every lot once, at its lower and its upper end.
            for at in [|lot: u64| (lot << 32).div_ceil(LOTS), |lot: u64| ((lot + 1) << 32).div_ceil(LOTS) - 1] {
                let picked = (0..LOTS).filter(|lot| is_picked(share, u128::from(at(*lot)) << 64)).count();
                assert_eq!(picked, usize::from(share));
            }
        }
    }

    proptest! {
        #[test]
        fn a_greater_share_picks_what_a_smaller_one_did(id: u128, a in 0..=10_000u16, b in 0..=10_000u16) {
            prop_assert!(!is_picked(a.min(b), id) || is_picked(a.max(b), id));
            prop_assert!(is_picked(10_000, id) && !is_picked(0, id));
        }
    }

    #[test]
    fn tunnels_are_not_copied() {
        let plain = RequestHead::default();
        assert!(is_copyable(&plain, Length::None) && is_copyable(&plain, Length::Unknown));
        assert!(!is_copyable(&plain, Length::Tunnel));
        assert!(!is_copyable(&RequestHead { protocol: b"websocket".into(), ..Default::default() }, Length::None));
        assert!(!is_copyable(&RequestHead { method: Method::Connect, ..Default::default() }, Length::None));
    }
}
