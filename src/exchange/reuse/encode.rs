//! Stored responses on a route that compresses: each is encoded once for all who accept the coding, and kept so beside it.

use super::Question;
use crate::cache::entry::Entry;
use crate::cache::form::{Judged, Made};
use crate::config::CacheId;
use crate::exchange::Worker;
use crate::exchange::compress::Compression;
use crate::exchange::serve::Course;
use crate::exchange::worker::Held;
use crate::http::Fields;
use crate::http::coding::{Coding, Effort, compressible, encode_whole, says_vary};
use crate::live::FormKept;
use crate::telemetry::metrics::Encoded;
use std::rc::Rc;
use std::sync::Arc;

/// Which form of a stored response goes to a client.
pub(super) enum Shape {
    /// What is stored.
    Plain,
    /// The same; others get another, which Vary has still to say.
    Varies,
    /// This one.
    Encoded(Arc<Entry>, Coding),
    /// None is there yet: it is encoded on its way.
    Streams,
}

impl Course<'_> {
    /// For the whole of `entry`; `edited` are its fields, where the route changes them.
    pub(super) fn shape(&self, question: &Question<'_>, entry: &Arc<Entry>, edited: Option<&Fields>) -> Shape {
        let Some(compression) = &self.compression else { return Shape::Plain };
        let judged = judged(entry, edited, compression);
        if !judged.compressible {
            return Shape::Plain;
        }
        let plain = if judged.lacks_vary { Shape::Varies } else { Shape::Plain };
        let Some(coding) = compression.wish.coding else { return plain };
        if entry.is_poor_in(coding) {
            return plain;
        }
        if let Some(form) = question.rules.cache.form(entry, coding) {
            self.worker.metrics.encoded_hit(&question.rules.metrics);
            return Shape::Encoded(form, coding);
        }
        // HEAD is told of a form that is there, and makes none.
        let made = if compression.wish.is_head { None } else { self.make(question, entry, coding) };
        match made {
            Some(form) => Shape::Encoded(form, coding),
            None if entry.is_poor_in(coding) => plain,
            None => Shape::Streams,
        }
    }

    /// Whether a 200 of `entry` says Accept-Encoding in Vary beyond what is stored; so does what stands for a part of it, or for
    /// none. `edited` are its fields, where the route changes them.
    pub(super) fn varies(&self, entry: &Entry, edited: Option<&Fields>) -> bool {
        self.compression.as_ref().is_some_and(|compression| judged(entry, edited, compression).lacks_vary)
    }

    /// Makes a form, unless somebody does, or it has to wait: small ones at once, others beside.
    fn make(&self, question: &Question<'_>, entry: &Arc<Entry>, coding: Coding) -> Option<Arc<Entry>> {
        let bytes = entry.whole()?.len();
        let is_small = bytes <= AT_ONCE_BYTES_MAX;
        if !question.rules.cache.bears_form(entry) {
            return None;
        }
        let has_time = is_small || (self.worker.encodings.get() < ENCODINGS_MAX && !self.worker.pressure.is_full());
        if bytes > FORM_BYTES_MAX || !has_time || !entry.begin_form(coding) {
            return None;
        }
        let worker = Rc::clone(self.worker);
        let making =
            Making { worker, held: Rc::clone(self.held), cache: question.id, entry: Arc::clone(entry), coding };
        if !question.rules.cache.holds(entry) {
            entry.made(coding, Made::Not);
            return None;
        }
        if is_small {
            let encoded = encode(entry, coding);
            return making.conclude(Some(encoded));
        }
        let encodings = &self.worker.encodings;
        encodings.set(encodings.get() + 1);
        tokio::task::spawn_local(making.beside());
        None
    }
}

/// A form in the making.
struct Making {
    worker: Rc<Worker>,
    held: Rc<Held>,
    cache: CacheId,
    entry: Arc<Entry>,
    coding: Coding,
}

impl Making {
    /// Off this thread.
    async fn beside(self) {
        let (entry, coding) = (Arc::clone(&self.entry), self.coding);
        let encoded = tokio::task::spawn_blocking(move || encode(&entry, coding)).await;
        self.worker.encodings.set(self.worker.encodings.get() - 1);
        drop(self.conclude(encoded.ok()));
    }

    /// `None`: it could not be encoded, which is not tried again.
    fn conclude(self, encoded: Option<Vec<u8>>) -> Option<Arc<Entry>> {
        let Making { worker, held, cache, entry, coding } = self;
        let rules = &held.generation.snapshot.caches[cache.0];
        let content = entry.whole().unwrap_or_default().len();
        let (form, made, result, evicted) = match encoded.filter(|encoded| encoded.len() < content) {
            None => (None, Made::NotSmaller, Encoded::NotSmaller, 0),
            Some(encoded) => match rules.cache.keep_form(&entry, coding, &encoded) {
                FormKept::Held(form, evicted) => (Some(form), Made::Kept, Encoded::Kept, evicted),
                FormKept::TooLarge => (None, Made::NotSmaller, Encoded::Dropped, 0),
                // The tier may hold more again.
                FormKept::NoRoom | FormKept::Orphan => (None, Made::Not, Encoded::Dropped, 0),
            },
        };
        entry.made(coding, made);
        worker.metrics.encoded(&rules.metrics, result, evicted);
        form
    }
}

/// What is remembered, where the route changes nothing.
fn judged(entry: &Entry, edited: Option<&Fields>, compression: &Compression<'_>) -> Judged {
    match edited {
        Some(fields) => judge(entry, fields, compression),
        None => entry.judged(compression.print).unwrap_or_else(|| {
            let judged = judge(entry, &entry.fields(), compression);
            entry.judge(compression.print, judged);
            judged
        }),
    }
}

fn judge(entry: &Entry, fields: &Fields, compression: &Compression<'_>) -> Judged {
    let length = entry.complete();
    let compressible = compressible(entry.status, fields, length, compression.rules);
    Judged { compressible, lacks_vary: compressible && !says_vary(fields) }
}

fn encode(entry: &Entry, coding: Coding) -> Vec<u8> {
    encode_whole(coding, Effort::Stored, entry.whole().unwrap_or_default())
}

/// Content that is encoded where it is asked for: 0.1 to 0.3 ms.
const AT_ONCE_BYTES_MAX: usize = 8 * 1024;
/// Content that is encoded to be kept: br takes 0.3 s for it. What is larger is encoded for each client, as it goes.
const FORM_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Encodings beside a worker: so many at once as there are workers, each with 16 MiB for its tables at most.
const ENCODINGS_MAX: usize = 1;
