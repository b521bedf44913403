//! An open tier: what it knows of itself, its threads and its lock.

use super::directory::{self, Directory};
use super::error::DiskError;
use super::index::Index;
use super::journal::{JOURNAL_BYTES, Journal};
use super::log::Log;
use super::medium::Medium;
use super::options::Options;
use super::reader;
use super::recover;
use super::shared::{Shared, lock};
use super::writer::Writer;
use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) shared: Arc<Shared>,
    pub(super) secret: [u8; 16],
    pub(super) generation: u64,
    pub(super) bytes_allocated: u64,
    pub(super) journalled: Mutex<Vec<(u64, Vec<u8>)>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    lock: Mutex<Option<File>>,
}

impl Inner {
    /// Opens a tier on the files that `wrap` makes of real ones, and starts its threads.
    pub(super) fn open(
        options: &Options,
        now_ms: u64,
        wrap: impl Fn(File) -> Arc<dyn Medium>,
    ) -> Result<Inner, DiskError> {
        let directory = directory::open(&options.path, options.size_bytes)?;
        let Directory { lock, identity, segments, data, journal, journalled } = directory;
        let mut log = Log {
            medium: wrap(data),
            seed: identity.seed,
            segment_bytes: identity.segment_bytes,
            turns: vec![0; segments as usize],
            next_turn: 1,
            active: None,
        };
        let index = Index::default();
        let generation = recover::recover(&mut log, &index, &options.path, now_ms).max(journalled.generation);
        let journal = Journal::new(wrap(journal), journalled.len, journalled.generation, log.seed);
        let shared = Arc::new(Shared::new(options, now_ms, &log, index, journal));
        let inner = Inner {
            shared: Arc::clone(&shared),
            secret: identity.secret,
            generation,
            bytes_allocated: u64::from(segments) * u64::from(identity.segment_bytes) + JOURNAL_BYTES,
            journalled: Mutex::new(journalled.records),
            threads: Mutex::default(),
            lock: Mutex::new(Some(lock)),
        };
        let started = inner.start(Writer::new(shared, log), options.readers.max(1));
        started.map_err(|error| DiskError::Io(options.path.clone(), error))?;
        Ok(inner)
    }

    fn start(&self, writer: Writer, readers: usize) -> io::Result<()> {
        let mut threads = lock(&self.threads);
        let spawn = |name: String| thread::Builder::new().name(name);
        threads.push(spawn("weir-disk-write".into()).spawn(move || writer.run())?);
        for number in 0..readers.min(READERS_MAX) {
            let shared = Arc::clone(&self.shared);
            threads.push(spawn(format!("weir-disk-{number}")).spawn(move || reader::run(&shared))?);
        }
        Ok(())
    }

    /// Writes what waits, ends the threads and lets the directory go.
    pub(super) fn close(&self) {
        self.shared.tasks.end();
        self.shared.jobs.end();
        for thread in std::mem::take(&mut *lock(&self.threads)) {
            // A thread that panicked has nothing left to do.
            drop(thread.join());
        }
        if let Some(journal) = lock(&self.shared.journal).take() {
            // Its records are there all the same unless power is lost.
            drop(journal.medium.sync());
        }
        self.shared.index.clear();
        drop(lock(&self.lock).take());
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

/// Threads that may read.
const READERS_MAX: usize = 64;
