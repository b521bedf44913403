//! Where items stand: nodes in chunks that never move, each linked into one queue and into the variants of its hash.

use std::sync::Arc;

/// All nodes of a shard.
pub(super) struct Slab<T> {
    chunks: Vec<Box<[Node<T>]>>,
    free: u32,
}

/// A place for an item.
pub(super) struct Node<T> {
    item: Option<Arc<T>>,
    /// Towards the head of its queue, where the newest stand.
    before: u32,
    /// Towards the tail of its queue; in a free node, the next free one.
    after: u32,
    /// The next older variant of the same hash.
    pub(super) older: u32,
    /// [`UNIT_BYTES`] that it counts for; the top bit is set in the main queue.
    weight: u32,
}

/// A queue of nodes.
pub(super) struct Queue {
    head: u32,
    tail: u32,
    bytes: usize,
    kind: Kind,
}

/// Which queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// What came lately.
    Small,
    /// What was asked for again.
    Main,
}

impl<T> Slab<T> {
    pub(super) fn new() -> Self {
        Self { chunks: Vec::new(), free: NONE }
    }

    /// The node at `at`, which must have been given out.
    pub(super) fn node(&self, at: u32) -> &Node<T> {
        &self.chunks[at as usize / CHUNK_NODES][at as usize % CHUNK_NODES]
    }

    /// The same; nothing if `at` is [`NONE`].
    pub(super) fn get(&self, at: u32) -> Option<&Node<T>> {
        (at != NONE).then(|| self.node(at))
    }

    pub(super) fn node_mut(&mut self, at: u32) -> &mut Node<T> {
        &mut self.chunks[at as usize / CHUNK_NODES][at as usize % CHUNK_NODES]
    }

    /// Whether one more node can be had.
    pub(super) fn has_room(&self) -> bool {
        self.free != NONE || self.places() + CHUNK_NODES < NONE as usize
    }

    /// A node with an item, in no queue yet.
    pub(super) fn add(&mut self, item: Arc<T>, units: u32) -> u32 {
        if self.free == NONE {
            self.grow();
        }
        let at = self.free;
        let node = self.node_mut(at);
        let next = node.after;
        *node = Node { item: Some(item), weight: units, ..Node::empty(NONE) };
        self.free = next;
        at
    }

    /// Takes the item of a node that stands in no queue any more.
    pub(super) fn take(&mut self, at: u32) -> Option<Arc<T>> {
        let free = self.free;
        let node = self.node_mut(at);
        let item = node.item.take();
        node.after = free;
        self.free = at;
        item
    }

    /// How many places there are, taken or free.
    pub(super) fn places(&self) -> usize {
        self.chunks.len() * CHUNK_NODES
    }

    fn grow(&mut self) {
        let first = self.places() as u32;
        let last = first + CHUNK_NODES as u32 - 1;
        let free = (first..=last).map(|at| Node::empty(if at == last { NONE } else { at + 1 }));
        self.chunks.push(free.collect());
        self.free = first;
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.places() * size_of::<Node<T>>() + self.chunks.capacity() * size_of::<Box<[Node<T>]>>()
    }
}

impl<T> Node<T> {
    fn empty(after: u32) -> Self {
        Self { item: None, before: NONE, after, older: NONE, weight: 0 }
    }

    pub(super) fn item(&self) -> Option<&Arc<T>> {
        self.item.as_ref()
    }

    pub(super) fn kind(&self) -> Kind {
        if self.weight & IN_MAIN == 0 { Kind::Small } else { Kind::Main }
    }

    fn bytes(&self) -> usize {
        (self.weight & !IN_MAIN) as usize * UNIT_BYTES
    }
}

impl Queue {
    pub(super) fn new(kind: Kind) -> Self {
        Self { head: NONE, tail: NONE, bytes: 0, kind }
    }

    /// What its items count for.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The node that stands in it longest.
    pub(super) fn oldest(&self) -> Option<u32> {
        (self.tail != NONE).then_some(self.tail)
    }

    /// Adds a node as the newest.
    pub(super) fn push<T>(&mut self, slab: &mut Slab<T>, at: u32) {
        let node = slab.node_mut(at);
        (node.before, node.after) = (NONE, self.head);
        node.weight = match self.kind {
            Kind::Small => node.weight & !IN_MAIN,
            Kind::Main => node.weight | IN_MAIN,
        };
        self.bytes += node.bytes();
        match self.head {
            NONE => self.tail = at,
            head => slab.node_mut(head).before = at,
        }
        self.head = at;
    }

    /// Removes a node, wherever it stands.
    pub(super) fn unlink<T>(&mut self, slab: &mut Slab<T>, at: u32) {
        let node = slab.node(at);
        let (before, after) = (node.before, node.after);
        self.bytes -= node.bytes();
        match before {
            NONE => self.head = after,
            before => slab.node_mut(before).after = after,
        }
        match after {
            NONE => self.tail = before,
            after => slab.node_mut(after).before = before,
        }
    }
}

/// What `bytes` count for, rounded up; none if that cannot be told.
pub(super) fn units_of(bytes: usize) -> Option<u32> {
    u32::try_from(bytes.div_ceil(UNIT_BYTES)).ok().filter(|units| units & IN_MAIN == 0)
}

/// No node.
pub(super) const NONE: u32 = u32::MAX;

/// What weights are counted in.
pub(super) const UNIT_BYTES: usize = 16;

/// Nodes that are allocated at once.
const CHUNK_NODES: usize = 128;

const IN_MAIN: u32 = 1 << 31;
