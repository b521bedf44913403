//! What is stored, put to use: between admission and the first attempt.

mod board;
mod deliver;
mod depart;
mod encode;
mod fetch;
mod follow;
mod forward;
mod keep;
mod landing;
mod miss;
mod purge;
mod question;
mod rest;
mod stow;
mod stream;
mod whole;
mod worth;

pub(super) use depart::Voyage;
pub(super) use forward::Forwarded;
pub(super) use keep::Keep;
pub(super) use landing::Failure;
pub(super) use question::Question;

use super::Downstream;
use super::attempts::Trail;
use super::serve::{Course, Scratch};
use crate::cache::entry::Entry;
use crate::config::CacheId;
use crate::http::{CacheStatus, Forward, IfFailed, Method, RequestHead, Reuse};
use crate::telemetry::access::End;
use crate::telemetry::metrics::CacheOutcome;
use deliver::Serving;
use rest::Rest;
use std::net::IpAddr;
use std::sync::Arc;

/// What the cache made of a request.
pub(super) enum Reused {
    /// It was answered.
    Ended(End),
    /// It goes on to a backend; what is to be said of that.
    Forward(Box<Forwarded>),
}

/// What a look into the cache gives.
enum Looked {
    /// A stored response that may be used; whether it is to be validated in the background.
    Hit(Arc<Entry>, Reuse),
    /// Nothing that may be used as it is: why, and what is stale.
    Miss(Forward, Option<Stale>),
    /// An operator purges its URL.
    Purge,
    /// The cache is not asked.
    Pass(Forward, Option<&'static str>),
}

/// A stored response that must be validated before it is used.
#[derive(Clone, Debug)]
struct Stale {
    entry: Arc<Entry>,
    /// What it is good for if that fails.
    if_failed: IfFailed,
}

/// What is stored of what is to be fetched.
#[derive(Clone, Copy)]
enum Basis<'a> {
    Nothing,
    /// What is to be validated.
    Stale(&'a Stale),
    /// Parts, which the rest is to be joined with.
    Parts(&'a Rest),
}

impl Course<'_> {
    /// Answers from the cache, or by a fetch that others share, or says what the forwarded request's response is to say.
    pub(super) async fn reuse<D: Downstream>(
        &self,
        id: CacheId,
        scratch: &mut Scratch,
        down: &mut D,
        trail: &mut Trail,
    ) -> Reused {
        let question = Question::ask(self, id, &scratch.request, std::mem::take(&mut scratch.key));
        let reused = match question.look(self, &scratch.request, down) {
            Looked::Hit(entry, reuse) => Reused::Ended(self.hit(&question, &entry, reuse, scratch, down, trail).await),
            Looked::Miss(forward, stale) => {
                // Boxed: what is large is not carried by a hit.
                Box::pin(self.miss(&question, forward, stale, scratch, down, trail)).await
            }
            Looked::Purge => Reused::Ended(Box::pin(self.purge(&question, scratch, down, trail)).await),
            Looked::Pass(forward, detail) => {
                trail.cache = Some(outcome(forward));
                let mut forwarded = question.forwarded(self, forward, detail);
                forwarded.keep = self.keeps_post(&question, &scratch.request);
                Reused::Forward(Box::new(forwarded))
            }
        };
        if let Some(outcome) = trail.cache {
            let bytes = if matches!(outcome, CacheOutcome::Hit | CacheOutcome::Stale) { trail.moved.down } else { 0 };
            self.worker.metrics.cache_asked(&question.rules.metrics, outcome, bytes);
        }
        scratch.key = question.into_memory();
        reused
    }

    /// What stores the response to a POST, should it stand for that to a GET.
    fn keeps_post(&self, question: &Question<'_>, request: &RequestHead) -> Option<Keep> {
        if request.method != Method::Post {
            return None;
        }
        self.learning(question, request).map(|stow| Keep::of_post(stow, &request.target))
    }

    async fn hit<D: Downstream>(
        &self,
        question: &Question<'_>,
        entry: &Arc<Entry>,
        reuse: Reuse,
        scratch: &mut Scratch,
        down: &mut D,
        trail: &mut Trail,
    ) -> End {
        if reuse == Reuse::WhileRevalidate {
            // First: who reads slowly is not waited for.
            self.refresh(question, entry, scratch);
        }
        let status = CacheStatus { ttl: Some(entry.life.ttl(question.now_ms)), ..CacheStatus::HIT };
        trail.cache = Some(if reuse == Reuse::Fresh { CacheOutcome::Hit } else { CacheOutcome::Stale });
        let serving = Serving { entry, status, is_hit: true };
        self.deliver(question, &serving, scratch, down, trail).await
    }
}

/// Why a request went forward, as logs and metrics have it.
fn outcome(forward: Forward) -> CacheOutcome {
    match forward {
        Forward::Bypass => CacheOutcome::Bypass,
        Forward::Method => CacheOutcome::Method,
        Forward::UriMiss => CacheOutcome::UriMiss,
        Forward::VaryMiss => CacheOutcome::VaryMiss,
        Forward::Request => CacheOutcome::Request,
        Forward::Stale => CacheOutcome::Expired,
        Forward::Partial => CacheOutcome::Partial,
    }
}

/// Whether a client is in one of these networks.
fn is_within(networks: &[ipnet::IpNet], who: IpAddr) -> bool {
    let who = who.to_canonical();
    networks.iter().any(|network| network.contains(&who))
}
