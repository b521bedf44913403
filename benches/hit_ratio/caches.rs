//! The real memory tier, and LRU.

use crate::Cache;
use crate::trace::{Request, mix};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::AtomicU8;
use weir::cache::memory::{Held, Memory};

/// The memory tier as it is, shards and all.
pub(crate) struct S3Fifo(Memory<Object>);

struct Object {
    hash: u128,
    bytes: usize,
    mark: AtomicU8,
}

/// LRU by bytes, without any overhead of its own.
pub(crate) struct Lru {
    held: HashMap<u64, (u64, usize)>,
    by_age: BTreeMap<u64, u64>,
    room: usize,
    clock: u64,
}

impl S3Fifo {
    pub(crate) fn new(capacity: usize) -> Self {
        Self(Memory::new(capacity, 1))
    }
}

impl Cache for S3Fifo {
    fn asks(&mut self, request: &Request) -> bool {
        let hash = u128::from(mix(request.key)) << 64 | u128::from(mix(request.key ^ u64::MAX));
        let hit = self.0.find(hash, |_| Some(())).is_some();
        if !hit {
            let object = Object { hash, bytes: request.bytes, mark: AtomicU8::new(0) };
            drop(self.0.insert(Arc::new(object), |_| false));
        }
        hit
    }
}

impl Held for Object {
    fn hash(&self) -> u128 {
        self.hash
    }

    fn bytes(&self) -> usize {
        self.bytes
    }

    fn mark(&self) -> &AtomicU8 {
        &self.mark
    }
}

impl Lru {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { held: HashMap::new(), by_age: BTreeMap::new(), room: capacity, clock: 0 }
    }

    fn make_room(&mut self, bytes: usize) {
        while self.room < bytes {
            let Some((_, key)) = self.by_age.pop_first() else { return };
            if let Some((_, bytes)) = self.held.remove(&key) {
                self.room += bytes;
            }
        }
    }
}

impl Cache for Lru {
    fn asks(&mut self, request: &Request) -> bool {
        self.clock += 1;
        if let Some((age, _)) = self.held.get_mut(&request.key) {
            self.by_age.remove(age);
            self.by_age.insert(self.clock, request.key);
            *age = self.clock;
            return true;
        }
        self.make_room(request.bytes);
        self.room -= request.bytes;
        self.by_age.insert(self.clock, request.key);
        self.held.insert(request.key, (self.clock, request.bytes));
        false
    }
}
