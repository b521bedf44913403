use std::task::{Context, Poll, Waker};

/// Ticks in one turn.
pub(super) const BUCKETS: usize = 1024;

/// Index of an entry in the slab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key(u32);

/// Deadlines in buckets by tick; each bucket is a doubly linked list through a slab, so that insert and remove are O(1).
#[derive(Debug)]
pub(super) struct Wheel {
    entries: Vec<Entry>,
    free: u32,
    live: usize,
    buckets: Box<[u32; BUCKETS]>,
}

#[derive(Debug)]
struct Entry {
    prev: u32,
    next: u32,
    deadline: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    Free,
    Waiting { waker: Waker, kind: Kind },
    Fired,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// The next request, of which nothing has come.
    Idle,
    /// The rest of a request's head.
    Head,
    /// Anything else.
    Busy,
}

const NIL: u32 = u32::MAX;

impl Default for Wheel {
    fn default() -> Self {
        Wheel { entries: Vec::new(), free: NIL, live: 0, buckets: Box::new([NIL; BUCKETS]) }
    }
}

impl Wheel {
    pub(super) fn insert(&mut self, deadline: u64, kind: Kind, waker: Waker) -> Key {
        let entry = Entry { prev: NIL, next: NIL, deadline, state: State::Waiting { waker, kind } };
        let at = if self.free == NIL {
            self.entries.push(entry);
            u32::try_from(self.entries.len() - 1).expect("fewer than 2^32 timers")
        } else {
            let at = self.free;
            self.free = self.entries[at as usize].next;
            self.entries[at as usize] = entry;
            at
        };
        self.live += 1;
        self.link(at);
        Key(at)
    }

    pub(super) fn remove(&mut self, Key(at): Key) {
        if matches!(self.entries[at as usize].state, State::Waiting { .. }) {
            self.unlink(at);
        }
        self.entries[at as usize].state = State::Free;
        self.entries[at as usize].next = self.free;
        self.free = at;
        self.live -= 1;
    }

    pub(super) fn poll(&mut self, Key(at): Key, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.entries[at as usize].state {
            State::Waiting { waker, .. } => {
                waker.clone_from(cx.waker());
                Poll::Pending
            }
            State::Fired | State::Free => Poll::Ready(()),
        }
    }

    /// Fires what is due in the bucket of `tick`.
    pub(super) fn expire(&mut self, tick: u64) {
        let mut at = self.buckets[bucket(tick)];
        while at != NIL {
            let next = self.entries[at as usize].next;
            if self.entries[at as usize].deadline <= tick {
                self.fire(at);
            }
            at = next;
        }
    }

    /// Fires all up to that kind, whenever they are due.
    pub(super) fn expire_kinds(&mut self, last: Kind) {
        for at in 0..self.entries.len() {
            if matches!(self.entries[at].state, State::Waiting { kind, .. } if kind <= last) {
                self.fire(at as u32);
            }
        }
    }

    fn fire(&mut self, at: u32) {
        self.unlink(at);
        if let State::Waiting { waker, .. } = std::mem::replace(&mut self.entries[at as usize].state, State::Fired) {
            waker.wake();
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.live
    }

    fn link(&mut self, at: u32) {
        let head = &mut self.buckets[bucket(self.entries[at as usize].deadline)];
        let next = std::mem::replace(head, at);
        self.entries[at as usize].next = next;
        if next != NIL {
            self.entries[next as usize].prev = at;
        }
    }

    fn unlink(&mut self, at: u32) {
        let Entry { prev, next, deadline, .. } = self.entries[at as usize];
        match prev {
            NIL => self.buckets[bucket(deadline)] = next,
            _ => self.entries[prev as usize].next = next,
        }
        if next != NIL {
            self.entries[next as usize].prev = prev;
        }
    }
}

fn bucket(tick: u64) -> usize {
    (tick % BUCKETS as u64) as usize
}
