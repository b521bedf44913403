//! The thread that writes.

use super::lock;
use crate::telemetry::Metrics;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Mutex;
use std::sync::mpsc::Receiver;

/// Whole lines.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) bytes: Vec<u8>,
    pub(super) lines: u64,
}

impl Batch {
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.lines = 0;
    }
}

/// Where lines go from now on, if that was changed.
#[derive(Default)]
pub(super) struct NextSink(Mutex<Option<Option<Sink>>>);

impl NextSink {
    pub(super) fn put(&self, sink: Option<Sink>) {
        *lock(&self.0) = Some(sink);
    }
}

/// Where lines go.
pub(super) struct Sink<W = File> {
    to: W,
    /// The last write stopped inside of a line.
    torn: bool,
    /// The last write failed; that was said.
    failing: bool,
}

impl Sink {
    /// Unbuffered, unlike the one of the standard library.
    pub(super) fn stdout() -> io::Result<Sink> {
        Ok(Sink::new(File::from(io::stdout().as_fd().try_clone_to_owned()?)))
    }

    /// Appends to the file; makes it if it is not there.
    pub(super) fn file(path: &Path) -> io::Result<Sink> {
        Ok(Sink::new(OpenOptions::new().append(true).create(true).mode(FILE_MODE).open(path)?))
    }
}

impl<W: Write> Sink<W> {
    fn new(to: W) -> Sink<W> {
        Sink { to, torn: false, failing: false }
    }

    /// Writes a batch; gives the number of lines lost. A failure is reported once, until a write succeeds.
    fn write(&mut self, batch: &Batch) -> u64 {
        let mut written = 0;
        let result = self.write_all(&batch.bytes, &mut written);
        let failed = result.is_err();
        match result {
            Err(why) if !self.failing => tracing::error!(%why, "the access log cannot be written; lines are dropped"),
            Ok(()) if self.failing => tracing::info!("the access log can be written again"),
            _ => {}
        }
        self.failing = failed;
        if !failed {
            return 0;
        }
        let whole = batch.bytes[..written].iter().filter(|&&b| b == b'\n').count() as u64;
        self.torn |= written > 0 && batch.bytes[written - 1] != b'\n';
        batch.lines.saturating_sub(whole)
    }

    /// Ends a torn line first, so that what follows can be read.
    fn write_all(&mut self, bytes: &[u8], written: &mut usize) -> io::Result<()> {
        while self.torn {
            self.torn = self.write_some(b"\n")? == 0;
        }
        while *written < bytes.len() {
            *written += self.write_some(&bytes[*written..])?;
        }
        Ok(())
    }

    fn write_some(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.to.write(bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Err(why) if why.kind() == ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }
}

/// Writes batches until all senders are gone.
pub(super) fn run(batches: &Receiver<Batch>, next: &NextSink, metrics: &Metrics) {
    let mut sink = None;
    for batch in batches {
        if let Some(changed) = lock(&next.0).take() {
            sink = changed;
        }
        if let Some(sink) = &mut sink {
            metrics.access_log_dropped(sink.write(&batch));
        }
    }
}

/// Lines may hold what not everyone should read.
const FILE_MODE: u32 = 0o640;

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk with room for so many bytes.
    struct Disk {
        room: usize,
        holds: Vec<u8>,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let n = bytes.len().min(self.room);
            self.room -= n;
            self.holds.extend_from_slice(&bytes[..n]);
            if n == 0 { Err(ErrorKind::StorageFull.into()) } else { Ok(n) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn batch(text: &str) -> Batch {
        Batch { bytes: text.into(), lines: text.lines().count() as u64 }
    }

    #[test]
    fn a_full_disk_loses_the_lines_that_do_not_fit_and_no_other() {
        let mut sink = Sink::new(Disk { room: 5, holds: Vec::new() });
        assert_eq!(sink.write(&batch("aa\nbb\ncc\n")), 2);
        assert_eq!(sink.write(&batch("dd\n")), 1);
        sink.to.room = 100;
        assert_eq!(sink.write(&batch("ee\n")), 0);
        assert_eq!(sink.to.holds, b"aa\nbb\nee\n");
    }

    #[test]
    fn a_failure_is_told_once() {
        let mut sink = Sink::new(Disk { room: 0, holds: Vec::new() });
        assert!(!sink.failing);
        sink.write(&batch("a\n"));
        assert!(sink.failing);
        sink.to.room = 10;
        sink.write(&batch("b\n"));
        assert!(!sink.failing);
    }
}
