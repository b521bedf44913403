//! One line an exchange. Workers format into buffers of their own; one thread writes.
//!
//! A worker never waits: if the writer cannot keep up, whole buffers are dropped and their lines counted.

mod escape;
mod format;
mod record;
mod stamp;
mod template;
mod writer;

pub use format::Format;
pub use record::{End, Record, Tls};
pub use template::{Template, TemplateError};

use crate::config::{self, AccessFormat, Destination};
use crate::telemetry::Metrics;
use arc_swap::ArcSwap;
use stamp::Stamp;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{fmt, io, thread};
use writer::{Batch, NextSink, Sink};

/// The access log of the process. It outlives reloads; [`apply`](Self::apply) changes what it does.
pub struct AccessLog {
    shared: Arc<Shared>,
    metrics: Arc<Metrics>,
    destination: Mutex<Destination>,
    sender: Mutex<Option<SyncSender<Batch>>>,
    /// Disconnected when the writer thread ends.
    ended: Mutex<Receiver<()>>,
}

/// What one worker writes through. Dropping it hands over what it holds.
pub struct AccessWorker {
    shared: Arc<Shared>,
    metrics: Arc<Metrics>,
    sender: Option<SyncSender<Batch>>,
    stamp: Stamp,
    batch: Batch,
}

struct Shared {
    on: AtomicBool,
    format: ArcSwap<Format>,
    next: NextSink,
}

/// Why an access log cannot be written as configured.
#[derive(Debug)]
pub enum AccessError {
    /// The template has a placeholder that does not exist, or braces that do not match.
    Template(TemplateError),
    /// The file, or the thread that would write it, cannot be had.
    Open(PathBuf, io::Error),
}

impl AccessLog {
    /// Opens the destination and starts the writer thread.
    ///
    /// # Errors
    /// The template is wrong, the file cannot be opened, or there is no thread to be had.
    pub fn open(config: &config::AccessLog, metrics: Arc<Metrics>) -> Result<AccessLog, AccessError> {
        let shared = Arc::new(Shared {
            on: AtomicBool::new(config.to != Destination::Off),
            format: ArcSwap::from_pointee(Format::compile(&config.format).map_err(AccessError::Template)?),
            next: NextSink::default(),
        });
        shared.next.put(open(&config.to)?);
        let (sender, batches) = sync_channel(QUEUE_BATCHES);
        let (alive, ended) = sync_channel(0);
        let (writer, counted) = (Arc::clone(&shared), Arc::clone(&metrics));
        thread::Builder::new()
            .name("access-log".into())
            .spawn(move || {
                let _alive: SyncSender<()> = alive;
                writer::run(&batches, &writer.next, &counted);
            })
            .map_err(|why| AccessError::Open(PathBuf::from("access-log"), why))?;
        let destination = Mutex::new(config.to.clone());
        Ok(AccessLog { shared, metrics, destination, sender: Mutex::new(Some(sender)), ended: Mutex::new(ended) })
    }

    /// The handle of one worker.
    #[must_use]
    pub fn worker(&self) -> AccessWorker {
        AccessWorker {
            shared: Arc::clone(&self.shared),
            metrics: Arc::clone(&self.metrics),
            sender: lock(&self.sender).clone(),
            stamp: Stamp::default(),
            batch: Batch::default(),
        }
    }

    /// Takes another format and destination; a file is opened again even if it is the same. On an error nothing
    /// changes. Lines formatted before may still go to the new destination.
    ///
    /// # Errors
    /// The template is wrong or the file cannot be opened.
    pub fn apply(&self, config: &config::AccessLog) -> Result<(), AccessError> {
        self.take(Prepared::open(config)?);
        Ok(())
    }

    /// As [`apply`](Self::apply), with what was opened before.
    pub fn take(&self, Prepared { format, to, sink }: Prepared) {
        self.redirect(sink);
        self.shared.format.store(Arc::new(format));
        self.shared.on.store(to != Destination::Off, Relaxed);
        *lock(&self.destination) = to;
    }

    /// Opens the file again, after it was moved away.
    ///
    /// # Errors
    /// It cannot be opened; lines go on to the old one.
    pub fn reopen(&self) -> Result<(), AccessError> {
        let destination = lock(&self.destination).clone();
        self.redirect(open(&destination)?);
        Ok(())
    }

    /// Waits until all lines are written, [`CLOSE_WAIT`] at most; false if that was not enough. The workers' handles
    /// must have been dropped before.
    #[must_use]
    pub fn close(&self) -> bool {
        drop(lock(&self.sender).take());
        lock(&self.ended).recv_timeout(CLOSE_WAIT) != Err(RecvTimeoutError::Timeout)
    }

    fn redirect(&self, sink: Option<Sink>) {
        self.shared.next.put(sink);
        // An empty batch wakes the writer, so that it lets go of the old file; if the queue is full it is awake.
        if let Some(sender) = &*lock(&self.sender) {
            let _ = sender.try_send(Batch::default());
        }
    }
}

/// A format and a destination that stand ready, so that nothing can fail once they are taken over.
pub struct Prepared {
    format: Format,
    to: Destination,
    sink: Option<Sink>,
}

impl Prepared {
    /// Opens the destination.
    ///
    /// # Errors
    /// The template is wrong or the file cannot be opened.
    pub fn open(config: &config::AccessLog) -> Result<Prepared, AccessError> {
        let format = Format::compile(&config.format).map_err(AccessError::Template)?;
        Ok(Prepared { format, to: config.to.clone(), sink: open(&config.to)? })
    }
}

impl AccessWorker {
    /// Whether lines are written at all; ask before making a [`Record`].
    #[inline]
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.shared.on.load(Relaxed)
    }

    /// Adds a line. It never waits.
    pub fn log(&mut self, record: &Record<'_>) {
        if !self.is_on() {
            return;
        }
        if self.batch.bytes.capacity() == 0 {
            self.batch.bytes.reserve(BUFFER_BYTES + BUFFER_BYTES / 8);
        }
        self.shared.format.load().line(record, &mut self.stamp, &mut self.batch.bytes);
        self.batch.lines += 1;
        if self.batch.bytes.len() >= BUFFER_BYTES {
            self.flush();
        }
    }

    /// Hands over what is there, to be called every [`FLUSH_EVERY`] and at the end. It never waits: if the queue is
    /// full, the lines are dropped and counted.
    pub fn flush(&mut self) {
        if self.batch.lines == 0 {
            return;
        }
        let batch = std::mem::take(&mut self.batch);
        let sent = match &self.sender {
            Some(sender) => sender.try_send(batch),
            None => Err(TrySendError::Disconnected(batch)),
        };
        if let Err(TrySendError::Full(mut batch) | TrySendError::Disconnected(mut batch)) = sent {
            self.metrics.access_log_dropped(batch.lines);
            batch.clear();
            self.batch = batch;
        }
    }
}

impl Drop for AccessWorker {
    fn drop(&mut self) {
        self.flush();
    }
}

impl fmt::Display for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AccessError::Template(why) => write!(f, "access log: {why}"),
            AccessError::Open(path, why) => write!(f, "access log: {}: {why}", path.display()),
        }
    }
}

impl std::error::Error for AccessError {}

fn open(to: &Destination) -> Result<Option<Sink>, AccessError> {
    match to {
        Destination::Off => Ok(None),
        Destination::Stdout => {
            Sink::stdout().map(Some).map_err(|why| AccessError::Open(PathBuf::from("standard output"), why))
        }
        Destination::File(path) => Sink::file(path).map(Some).map_err(|why| AccessError::Open(path.clone(), why)),
    }
}

/// A panic elsewhere leaves these whole: each is changed by one assignment.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Checks a format without opening anything, for `weir check`.
///
/// # Errors
/// The template is wrong.
pub fn check(format: &AccessFormat) -> Result<(), TemplateError> {
    Format::compile(format).map(drop)
}

/// Bytes after which a worker hands its buffer over.
pub const BUFFER_BYTES: usize = 32 * 1024;
/// How long a line may stay in a worker's buffer.
pub const FLUSH_EVERY: Duration = Duration::from_millis(500);
/// Buffers that wait for the writer, of all workers.
pub const QUEUE_BATCHES: usize = 64;
/// How long [`AccessLog::close`] waits.
pub const CLOSE_WAIT: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;
