//! What is asked of the fleet that this process belongs to; `fleet` keeps it.

use crate::cache::purge::{Mode, What};
use crate::limit::{Secret, Share};
use crate::telemetry::metrics::FleetLook;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// The other members, as this one knows them.
pub struct Fleet {
    /// Nanoseconds of the boot clock: until then nothing was purged elsewhere that is not known here.
    sure_until: AtomicU64,
    /// As counted last, this one among them.
    members: AtomicU32,
    is_up: AtomicBool,
    trouble: Mutex<Option<String>>,
    /// What Redis refuses, and why.
    left_out: Mutex<Option<String>>,
    outbox: mpsc::Sender<Outgoing>,
    /// What this member may let in of a rate by itself.
    pub share: Arc<Share>,
    /// With which all members make keys of limits; of this process alone before it is in touch.
    pub secret: Arc<Secret>,
}

/// What is to be purged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purge {
    /// The name of the cache; `None`: each that there is.
    pub cache: Option<String>,
    /// What, one or more.
    pub what: Vec<What>,
    /// Whether it is gone, or stale from now on.
    pub mode: Mode,
}

/// A purge on its way to the other members.
#[derive(Debug)]
pub struct Outgoing {
    /// What is purged; here that is done already.
    pub purge: Purge,
    /// Who waits for the outcome.
    pub told: oneshot::Sender<Told>,
}

/// What became of a purge that others are to hear of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Each of so many members has it, this one among them; or has no lease, and hears of it before it reuses anything.
    Everywhere {
        /// This one among them.
        members: u32,
    },
    /// It is sent as soon as Redis can be reached; why it cannot.
    Queued(String),
    /// Some have not said in time that they have it.
    Unanswered,
    /// Too many wait already: ask again.
    Refused,
}

impl Fleet {
    /// One that nothing is known of yet, and what leaves through it.
    #[must_use]
    pub fn new() -> (Fleet, mpsc::Receiver<Outgoing>) {
        let (outbox, inbox) = mpsc::channel(OUTGOING_MAX);
        let fleet = Fleet {
            sure_until: AtomicU64::new(0),
            members: AtomicU32::new(1),
            is_up: AtomicBool::new(false),
            trouble: Mutex::default(),
            left_out: Mutex::default(),
            outbox,
            share: Arc::default(),
            secret: super::limit::secret(),
        };
        (fleet, inbox)
    }

    /// Whether what is stored may be reused at `now` of the boot clock: all purges that were acknowledged are known.
    #[must_use]
    pub fn is_sure(&self, now: Duration) -> bool {
        nanos(now) < self.sure_until.load(Relaxed)
    }

    /// All purges are known that are acknowledged until then.
    pub fn set_sure(&self, until: Duration) {
        self.sure_until.store(nanos(until), Relaxed);
    }

    /// How many members there were when they were counted last.
    #[must_use]
    pub fn members(&self) -> u32 {
        self.members.load(Relaxed).max(1)
    }

    /// So many are reckoned with until they are counted: each has its part of what they share.
    pub fn reckon(&self, members: u32) {
        self.members.store(members, Relaxed);
        self.share.touch(members, Duration::ZERO);
    }

    /// So many are there, and Redis can be reached.
    pub fn set_up(&self, members: u32) {
        self.members.store(members, Relaxed);
        self.is_up.store(true, Relaxed);
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Redis cannot be reached.
    pub fn set_down(&self, why: &str) {
        self.is_up.store(false, Relaxed);
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(why.to_owned());
    }

    /// Redis is there, and refuses some of what is shared; why.
    pub fn set_left_out(&self, why: Option<String>) {
        let mut left_out = self.left_out.lock().unwrap_or_else(PoisonError::into_inner);
        if *left_out != why {
            *left_out = why;
        }
    }

    /// Whether Redis can be reached.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.is_up.load(Relaxed)
    }

    /// Why Redis cannot be reached.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How it is at `now`, the time since the process began.
    #[must_use]
    pub fn look(&self, now: Duration) -> FleetLook {
        let shares_limits = self.share.is_in_touch(now);
        let left_out = || self.left_out.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let why = self.trouble().or_else(left_out);
        FleetLook { members: self.members(), is_up: self.is_up(), why, shares_limits }
    }

    /// Tells the others of a purge that is done here, and waits until they have it.
    pub async fn tell(&self, purge: Purge) -> Told {
        let (told, heard) = oneshot::channel();
        if self.outbox.try_send(Outgoing { purge, told }).is_err() {
            return Told::Refused;
        }
        match tokio::time::timeout(TOLD_MAX, heard).await {
            Ok(Ok(told)) => told,
            Ok(Err(_)) => Told::Refused,
            Err(_) => Told::Unanswered,
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// How long whoever purges waits for the others.
const TOLD_MAX: Duration = Duration::from_secs(15);

/// Purges that wait to be sent; more are refused.
const OUTGOING_MAX: usize = 1_024;
