//! How a member of a fleet is with the others: whether it hears them, and knows what they know.

use super::message::Claim;
use std::collections::HashSet;
use std::time::Duration;

/// How this member is with the others.
#[derive(Debug)]
pub(super) struct Fleet {
    pub(super) began: Duration,
    /// The time there, less that of this process.
    pub(super) ahead: Duration,
    pub(super) members: u32,
    /// Until then it may act as one who knows what others do.
    pub(super) touch: Duration,
    /// Places inside that it may take.
    pub(super) claim: u32,
    pub(super) claimed: Duration,
    pub(super) claimant: u64,
    /// Places inside that others had when it heard last.
    pub(super) others: Vec<Claim>,
    pub(super) knows: Knows,
    /// The last call that was heard of, if nothing was missed.
    pub(super) calls: Option<u64>,
    pub(super) hello: bool,
    pub(super) tells_all: bool,
    /// Others asked for all that it knows; and when it told all last.
    pub(super) is_asked: bool,
    pub(super) told_all: Duration,
}

/// What a member knows of a line.
#[derive(Debug)]
pub(super) enum Knows {
    /// Nothing, of the others.
    Nothing,
    /// It asked them; whether it knew all before, and how many they are, as far as they are there again.
    Asked {
        at: Duration,
        answered: HashSet<String>,
        again: bool,
        there: u32,
        /// Since when as many are there as there were.
        gathered: Option<Duration>,
        /// It was in touch until it asked: so were the others, and who is not there is gone.
        prompt: bool,
    },
    All,
}

impl Fleet {
    /// How long a process that knows nothing waits for a first word of the others.
    pub(super) const BEGIN_MAX: Duration = Duration::from_secs(2);

    pub(super) fn settle(&mut self, now: Duration) {
        let Knows::Asked { at, answered, there, gathered, prompt, .. } = &self.knows else { return };
        let members = self.members;
        let is_answered = self.calls.is_some() && answered.len() as u32 + 1 >= members;
        // Who is there again has not told anything yet: a member is counted a moment before it does.
        let until = match gathered {
            Some(gathered) => *gathered + ANSWERS_MAX,
            None if *prompt => *at + ANSWERS_MAX,
            None => *at + GATHERED_MAX,
        };
        if is_answered || now >= until {
            self.members = (*there).max(1);
            self.knows = Knows::All;
            // Others have not heard whom it called meanwhile.
            self.tells_all = true;
        }
    }

    /// So many are there.
    pub(super) fn counts(&mut self, now: Duration, members: u32) {
        match &mut self.knows {
            // Others may be on their way back.
            Knows::Asked { there, gathered, .. } => {
                (*there, self.members) = (members, self.members.max(members));
                *gathered = (members >= self.members).then(|| gathered.unwrap_or(now));
            }
            _ => self.members = members.max(1),
        }
    }

    /// It is in touch again, and asks the others for all that they know.
    pub(super) fn asks(&mut self, now: Duration) {
        (self.hello, self.tells_all, self.calls) = (true, true, None);
        let (again, prompt) = match &self.knows {
            Knows::Nothing => (false, false),
            Knows::Asked { again, prompt, .. } => (*again, *prompt && now < self.touch),
            Knows::All => (true, now < self.touch),
        };
        let answered = HashSet::new();
        self.knows = Knows::Asked { at: now, answered, again, there: 0, gathered: None, prompt };
    }

    /// Whether it acts as one with the others.
    pub(super) fn is_together(&self, now: Duration) -> bool {
        now < self.touch && matches!(self.knows, Knows::All)
    }

    /// Whether it goes on without the others, as they cannot be heard.
    pub(super) fn is_apart(&self, now: Duration) -> bool {
        !self.is_together(now) && !self.is_beginning(now)
    }

    /// Whether it waits for a first word of the others.
    pub(super) fn is_beginning(&self, now: Duration) -> bool {
        match self.knows {
            Knows::Nothing => now < self.began + Self::BEGIN_MAX,
            Knows::Asked { again, .. } => !again && now < self.touch,
            Knows::All => false,
        }
    }
}

/// How long the others may take to tell all that they know, once they are there.
const ANSWERS_MAX: Duration = Duration::from_secs(1);

/// And how long they may take to be there again, if there were more.
const GATHERED_MAX: Duration = Duration::from_secs(5);

/// For how long a member may act as one who knows what the others do, since it asked last.
pub(super) const IN_TOUCH: Duration = Duration::from_millis(400);
