//! Leases that members share: each tells Redis what changed here, and hears what changed elsewhere.

use super::link::Link;
use super::names::Names;
use super::{FleetError, Hands, scripts};
use crate::live::LeaseChange;
use crate::registry::{Clocks, Says, Word};
use redis::Script;
use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::{Receiver, error::TryRecvError};
use tokio::time::interval;

/// The leases of this member on their way to the others, and theirs on their way here.
pub(super) struct Leases {
    hands: Arc<Hands>,
    me: Arc<str>,
    script: Script,
    changes: Receiver<LeaseChange>,
    /// The last that was heard, as an id of the stream; `None`: all is to be told and heard again.
    after: Option<String>,
    others: Rc<RefCell<Others>>,
}

/// What other members granted, for as long as they can be heard.
#[derive(Default)]
struct Others {
    granted: HashMap<(String, SocketAddr), Word>,
    /// When Redis was heard last.
    heard: Duration,
    /// Its time, less that of this process.
    ahead: Duration,
}

/// Its time in microseconds; and what followed what was heard, by its id.
type Heard = (u64, Vec<Entry>);

/// One of the stream: its id and its fields.
type Entry = (String, HashMap<String, Vec<u8>>);

impl Leases {
    pub(super) fn new(hands: Arc<Hands>, member: &str) -> Leases {
        let changes = hands.registry.changes();
        let (me, script) = (Arc::from(member), scripts::leases());
        Leases { hands, me, script, changes, after: None, others: Rc::default() }
    }

    /// Redis may have forgotten what it was told, or this member missed what others said.
    pub(super) fn lost(&mut self) {
        self.after = None;
    }

    /// As long as Redis is not heard, nobody can renew here what he renews elsewhere: that is kept.
    pub(super) fn keeper(&self) -> impl Future<Output = ()> + 'static {
        let (hands, others) = (Arc::clone(&self.hands), Rc::clone(&self.others));
        async move {
            let mut ticks = interval(KEPT_EACH);
            loop {
                ticks.tick().await;
                let now = (hands.now)();
                for word in others.borrow_mut().kept(now) {
                    let unix = word.said;
                    // What has left, or cannot be had, is not kept either.
                    let _ = hands.registry.hear(&word, Clocks { now, unix });
                }
            }
        }
    }

    /// Tells what changed since the last time, and takes over what others told.
    pub(super) async fn share(&mut self, link: &mut Link, names: &Names) -> Result<(), FleetError> {
        if self.after.is_none() {
            self.begin(link, names).await?;
        }
        for _ in 0..ROUNDS_MAX {
            let (words, is_all) = self.news();
            let heard = self.exchange(link, names, &words).await?;
            if is_all && heard < WORDS_MAX {
                break;
            }
        }
        Ok(())
    }

    /// Learns the time and all that is known, and tells all that is known here.
    async fn begin(&mut self, link: &mut Link, names: &Names) -> Result<(), FleetError> {
        // What is in the stream now is in what is read below, too.
        let last: Vec<Entry> =
            redis::cmd("XREVRANGE").arg(&names.words).arg("+").arg("-").arg("COUNT").arg(1).query_async(link).await?;
        self.after = Some(last.into_iter().next().map_or_else(|| "0-0".to_owned(), |(id, _)| id));
        self.exchange(link, names, &[]).await?;
        self.changes = self.hands.registry.changes();
        let known: HashMap<String, Vec<u8>> = redis::cmd("HGETALL").arg(&names.leases).query_async(link).await?;
        let mut gone = Vec::new();
        for (field, bytes) in known {
            match Word::decode(&bytes) {
                Some(word) if word.ends() >= self.clocks().unix => self.hear(&word),
                _ => gone.push(field),
            }
        }
        for fields in gone.chunks(WORDS_MAX) {
            let _: u64 = redis::cmd("HDEL").arg(&names.leases).arg(fields).query_async(link).await?;
        }
        // What others granted they tell themselves: here it may have been kept beyond its time.
        let mut words = self.hands.registry.words(&self.me, self.clocks());
        words.retain(|word| word.member == self.me);
        for words in words.chunks(WORDS_MAX) {
            self.exchange(link, names, words).await?;
        }
        Ok(())
    }

    /// What changed here, [`WORDS_MAX`] at most, and whether that is all.
    fn news(&mut self) -> (Vec<Word>, bool) {
        let mut words = Vec::new();
        while words.len() < WORDS_MAX {
            match self.changes.try_recv() {
                Ok(change) => words.extend(change.word(&self.me, self.clocks())),
                Err(TryRecvError::Lagged(_)) => {
                    // Those that it has not told are told with all others, at the next beat.
                    self.lost();
                    return (words, true);
                }
                Err(_) => return (words, true),
            }
        }
        (words, false)
    }

    /// How many it heard.
    async fn exchange(&mut self, link: &mut Link, names: &Names, words: &[Word]) -> Result<usize, FleetError> {
        let after = self.after.clone().unwrap_or_else(|| "0-0".to_owned());
        let asked = (self.hands.now)();
        let mut call = self.script.prepare_invoke();
        call.key(&names.words).key(&names.leases).arg(after).arg(STREAM_MAX).arg(WORDS_MAX);
        for word in words {
            call.arg(format!("{} {}", word.pool, word.address)).arg(word.encode());
        }
        let (time, heard): Heard = call.invoke_async(link).await?;
        {
            let mut others = self.others.borrow_mut();
            (others.ahead, others.heard) = (Duration::from_micros(time).saturating_sub(asked), (self.hands.now)());
        }
        let count = heard.len();
        for (id, mut fields) in heard {
            if let Some(word) = fields.remove("word").and_then(|bytes| Word::decode(&bytes)) {
                self.hear(&word);
            }
            // If it is to begin anew, it stays so.
            self.after = self.after.take().map(|_| id);
        }
        Ok(count)
    }

    fn hear(&self, word: &Word) {
        if word.member == self.me {
            return;
        }
        self.others.borrow_mut().note(word);
        if let Err(refused) = self.hands.registry.hear(word, self.clocks()) {
            tracing::debug!(pool = word.pool, address = %word.address, ?refused, "a lease of another member is not taken");
        }
    }

    fn clocks(&self) -> Clocks {
        let now = (self.hands.now)();
        Clocks { now, unix: now + self.others.borrow().ahead }
    }
}

impl Others {
    fn note(&mut self, word: &Word) {
        let key = (word.pool.clone(), word.address);
        match word.says {
            Says::Granted { .. } => self.granted.insert(key, word.clone()),
            Says::GivenBack { .. } => self.granted.remove(&key),
        };
    }

    /// What is said for others while they cannot be heard, of those whose time is half over.
    fn kept(&mut self, now: Duration) -> Vec<Word> {
        let unix = now + self.ahead;
        self.granted.retain(|_, word| word.ends() > unix);
        if now.saturating_sub(self.heard) < UNHEARD {
            return Vec::new();
        }
        let old = self.granted.values_mut().filter(|word| word.said + (word.ends() - word.said) / 2 < unix);
        old.map(|word| {
            word.said = unix;
            word.clone()
        })
        .collect()
    }
}

/// Words that are told, and heard, at once.
const WORDS_MAX: usize = 256;

/// Times that words are exchanged at each beat; what is left waits for the next.
const ROUNDS_MAX: usize = 8;

/// Between two looks at what is to be kept.
const KEPT_EACH: Duration = Duration::from_millis(100);

/// After so long without a word from Redis, others cannot be heard.
const UNHEARD: Duration = Duration::from_millis(200);

/// Words that Redis keeps about for those who were not there for a moment.
const STREAM_MAX: usize = 10_000;
