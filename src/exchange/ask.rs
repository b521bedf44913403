//! The question to an authorising backend, and its answer.

use super::access::Turned;
use super::attempts::{Ended, Task, Trail, attempts};
use super::mirror::Tee;
use super::nobody::Nobody;
use super::priority::priority;
use super::serve::{Course, Scratch};
use super::{Downstream, Refusal, prepare};
use crate::access::{Answer, forwarded_for, subrequest};
use crate::http::{FieldName, Fields, RequestHead, ResponseHead};
use crate::live::LiveAsk;
use crate::telemetry::access::End;
use crate::telemetry::metrics::{AccessVerdict, RefusalReason};
use std::cell::Cell;
use std::time::Instant;

/// Questions of one worker at once; more are refused.
const AT_ONCE: usize = 1024;
/// Bytes of an answer's content; what is longer is no answer.
const CONTENT_MAX: u64 = 64 * 1024;
/// Bytes of an answer's fields that go on to the backend.
const FIELDS_BYTES_MAX: usize = 16 * 1024;
/// Bytes of a name that is worth to be known by.
const USER_BYTES_MAX: usize = 255;

/// What the client is told.
pub(super) struct Told {
    head: ResponseHead,
    content: Vec<u8>,
}

impl Course<'_> {
    /// Asks, and changes the request as the answer says.
    pub(super) async fn consult(&self, ask: &LiveAsk, scratch: &mut Scratch) -> Result<(), Turned> {
        let failed = || Turned::Away(Refusal::AccessUnknown, AccessVerdict::Failed);
        let asks = &self.worker.asks;
        let _slot = Slot::of(asks).ok_or(Turned::Away(Refusal::AccessBusy, AccessVerdict::Busy))?;
        let mut head = subrequest(&scratch.request, &ask.config.path);
        prepare::request(&mut head, self.client, &ask.route, self.id)
            .map_err(|refusal| Turned::Away(refusal, AccessVerdict::Wrong))?;
        forwarded_for(&scratch.request, &mut head.fields);
        if let Some(host) = &ask.config.host {
            head.authority = host.clone().into_bytes();
        }
        let mut asker = Nobody::curious(CONTENT_MAX);
        let response = self.answer_of(ask, &head, &mut asker).await.ok_or_else(failed)?;
        match Answer::of(response.status) {
            Answer::Failed => Err(failed()),
            Answer::Denied => Err(Turned::Told(Told { head: response, content: asker.into_kept() })),
            Answer::Granted if size(ask, &response.fields) > FIELDS_BYTES_MAX => Err(failed()),
            Answer::Granted => {
                take_over(ask, &response.fields, scratch);
                Ok(())
            }
        }
    }

    /// The whole answer, in time; none if there was none.
    async fn answer_of(&self, ask: &LiveAsk, head: &RequestHead, asker: &mut Nobody) -> Option<ResponseHead> {
        let priority = self.route.map(|(_, route)| priority(route, head)).unwrap_or_default();
        let Course { worker, client, who, held, .. } = *self;
        let tee = Tee::default();
        let pool = ask.config.pool;
        let (route, tee, forwarded, voyage) = (&ask.route, &tee, None, None);
        let task = Task { worker, client, who, held, route, pool, head, tee, forwarded, voyage, priority };
        let (mut response, mut trail, began) = (ResponseHead::default(), Trail::default(), Instant::now());
        let all = attempts(&task, &mut response, asker, &mut trail);
        // tokio's timer: the time is exact, as a client waits for it.
        let ended = tokio::time::timeout(ask.config.timeout, all).await;
        let first_byte = trail.first_byte.map(|at| at.duration_since(began));
        worker.metrics.pool_done(&held.generation.snapshot.pools[pool.0].metrics, response.status, first_byte);
        match ended {
            Ok(Ended::Answered) => Some(response),
            other => {
                tracing::debug!(access = ask.route.name, ?other, "no answer");
                None
            }
        }
    }

    /// Sends the client what the backend said that was asked.
    pub(super) async fn pass_on<D: Downstream>(
        &self,
        told: Told,
        scratch: &mut Scratch,
        down: &mut D,
        trail: &mut Trail,
    ) -> End {
        let Some((_, route)) = self.route else { return self.refuse(Refusal::NoRoute, scratch, down, trail).await };
        self.worker.metrics.refused(RefusalReason::Access);
        let fields = &mut scratch.response.fields;
        scratch.response.status = told.head.status;
        fields.clone_from(&told.head.fields);
        fields.remove(FieldName::ContentLength);
        if !fields.has(FieldName::CacheControl) {
            fields.push_known(FieldName::CacheControl, b"no-store");
        }
        match self.say(&told.content, route, scratch, down, trail).await {
            End::Complete => End::Refused,
            other => other,
        }
    }
}

/// The fields that are taken of an answer, each once.
fn taken(ask: &LiveAsk) -> impl Iterator<Item = &[u8]> {
    let user = ask.config.user.iter().filter(|user| !ask.config.fields.contains(user));
    ask.config.fields.iter().chain(user).map(String::as_bytes)
}

fn size(ask: &LiveAsk, answer: &Fields) -> usize {
    taken(ask).flat_map(|name| answer.named(name).map(move |value| name.len() + value.len())).sum()
}

/// What the answer does not have, the request does not have either.
fn take_over(ask: &LiveAsk, answer: &Fields, scratch: &mut Scratch) {
    let fields = &mut scratch.request.fields;
    for name in taken(ask) {
        fields.remove_named(name);
        answer.named(name).for_each(|value| fields.push(name, value));
    }
    let user = ask.config.user.as_ref().and_then(|name| answer.named(name.as_bytes()).next());
    if let Some(user) = user.filter(|user| !user.is_empty() && user.len() <= USER_BYTES_MAX) {
        scratch.user.clear();
        scratch.user.extend_from_slice(user);
    }
}

/// One of [`AT_ONCE`].
struct Slot<'a>(&'a Cell<usize>);

impl<'a> Slot<'a> {
    fn of(asks: &'a Cell<usize>) -> Option<Slot<'a>> {
        let taken = asks.get();
        (taken < AT_ONCE).then(|| {
            asks.set(taken + 1);
            Slot(asks)
        })
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}
