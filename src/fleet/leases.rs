//! Leases that members share: each tells Redis what changed here, and hears what changed elsewhere.

use super::granters::{Calls, GRANTERS_MAX, Granters, LOOK_EACH};
use super::link::Link;
use super::names::Names;
use super::sweep::Sweep;
use super::{FleetError, Hands, scripts};
use crate::live::LeaseChange;
use crate::registry::{Clocks, Word};
use redis::Script;
use std::cell::RefCell;
use std::collections::HashMap;
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
    calls: Calls,
    sweep: Sweep,
    /// The process before this one, until Redis knows that this one is in its place.
    past: Option<String>,
    /// When it is looked next how the others are.
    looks: Duration,
}

/// The other members, as far as they can be heard.
#[derive(Default)]
struct Others {
    granters: Granters,
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
        let (others, calls, sweep) = (Rc::default(), Calls::new(), Sweep::new());
        let (after, past, looks) = (None, None, Duration::ZERO);
        Leases { hands, me, script, changes, after, others, calls, sweep, past, looks }
    }

    /// The process before this one was that member.
    pub(super) fn follows(&mut self, past: Option<String>) {
        self.past = past;
    }

    /// Redis may have forgotten what it was told, or this member missed what others said.
    pub(super) fn lost(&mut self) {
        self.after = None;
    }

    /// What others granted is kept while nobody can renew it here, as Redis is not heard; and while it is not heard from the
    /// member at which it is renewed, if its backend answers.
    pub(super) fn keeper(&self) -> impl Future<Output = ()> + 'static {
        let (hands, others) = (Arc::clone(&self.hands), Rc::clone(&self.others));
        async move {
            let mut ticks = interval(KEPT_EACH);
            loop {
                ticks.tick().await;
                let now = (hands.now)();
                let others = others.borrow();
                let is_alone = others.is_unheard(now);
                hands.registry.stand_in(now, |lease, member, is_up| {
                    lease.falls_silent() <= now && (is_alone || others.granters.is_silent(member) && is_up())
                });
            }
        }
    }

    /// Tells what changed since the last time, and takes over what others told.
    pub(super) async fn share(&mut self, link: &mut Link, names: &Names) -> Result<(), FleetError> {
        if self.after.is_none() {
            self.begin(link, names).await?;
        }
        self.look(link, names).await?;
        self.sweep.go_on(link, names, (self.hands.now)()).await?;
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
        let now = (self.hands.now)();
        if self.others.borrow().is_unheard(now) {
            // Each has all of its time to be heard of.
            self.hands.registry.stand_in(now, |_, _, _| true);
        }
        // What is in the stream now is in what is read below, too.
        let last: Vec<Entry> =
            redis::cmd("XREVRANGE").arg(&names.words).arg("+").arg("-").arg("COUNT").arg(1).query_async(link).await?;
        self.after = Some(last.into_iter().next().map_or_else(|| "0-0".to_owned(), |(id, _)| id));
        self.exchange(link, names, &[]).await?;
        self.changes = self.hands.registry.changes();
        let hear = |word: &[u8]| Word::decode(word).iter().for_each(|word| self.hear(word));
        self.sweep.all(link, names, hear).await?;
        // What others granted they tell themselves: here it may have been kept beyond its time.
        let mut words = self.hands.registry.words(&self.me, self.clocks());
        words.retain(|word| word.member == self.me);
        for words in words.chunks(WORDS_MAX) {
            self.exchange(link, names, words).await?;
        }
        Ok(())
    }

    /// Looks how members are that granted what is known here.
    async fn look(&mut self, link: &mut Link, names: &Names) -> Result<(), FleetError> {
        let now = (self.hands.now)();
        if now < self.looks {
            return Ok(());
        }
        self.looks = now + LOOK_EACH;
        if let Some(past) = &self.past
            && self.calls.follow(link, names, past).await?
        {
            self.past = None;
        }
        let members: Vec<Arc<str>> = self.hands.registry.granters().into_iter().take(GRANTERS_MAX).collect();
        let told = if members.is_empty() { Vec::new() } else { self.calls.look(link, names, &members).await? };
        let now = (self.hands.now)();
        let back = self.others.borrow_mut().granters.note(&members, &told, now);
        if !back.is_empty() {
            self.hands.registry.stand_in(now, |_, member, _| back.contains(member));
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
    /// Whether Redis was not heard for a while.
    fn is_unheard(&self, now: Duration) -> bool {
        now.saturating_sub(self.heard) >= UNHEARD
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
