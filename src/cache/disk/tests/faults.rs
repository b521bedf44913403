//! Disks that fail.

use super::*;
use crate::cache::disk::medium::Medium;
use crate::cache::disk::options::PAUSE;
use std::fs::File;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

/// A file whose reads and writes fail while a test wants it.
#[derive(Debug)]
struct Failing {
    file: File,
    faults: Arc<Faults>,
}

#[derive(Debug, Default)]
struct Faults {
    reads: AtomicBool,
    hangs: AtomicBool,
    writes: AtomicBool,
    writes_tried: AtomicU64,
}

impl Medium for Failing {
    fn read(&self, into: &mut [u8], at: u64) -> io::Result<()> {
        while self.faults.hangs.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(1));
        }
        if self.faults.reads.load(Ordering::Relaxed) { Err(eio()) } else { self.file.read(into, at) }
    }

    fn write(&self, parts: &[&[u8]], at: u64) -> io::Result<()> {
        self.faults.writes_tried.fetch_add(1, Ordering::Relaxed);
        if self.faults.writes.load(Ordering::Relaxed) {
            // Part of it reaches the disk.
            self.file.write(&[&parts[0][..parts[0].len() / 2]], at)?;
            return Err(eio());
        }
        self.file.write(parts, at)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }
}

fn eio() -> io::Error {
    io::Error::from_raw_os_error(rustix::io::Errno::IO.raw_os_error())
}

fn failing(path: &Path, pause: Duration) -> (Disk, Arc<Faults>) {
    let faults = Arc::new(Faults::default());
    let wrap = |file| Arc::new(Failing { file, faults: Arc::clone(&faults) }) as Arc<dyn Medium>;
    let read_max = Duration::from_millis(50);
    let inner = Inner::open(&Options { pause, read_max, ..options(path) }, NOW, wrap).unwrap();
    (Disk(Arc::new(inner)), faults)
}

#[tokio::test]
async fn a_read_that_fails_is_counted_and_the_record_stays() {
    let dir = tempfile::tempdir().unwrap();
    let (disk, faults) = failing(dir.path(), PAUSE);
    put(&disk, record(1, 1, 10));
    faults.reads.store(true, Ordering::Relaxed);
    for errors in 1..4 {
        assert_eq!(get(&disk, 1, 1).await, Some(Err(ReadFault::Io)));
        assert_eq!((disk.counts().read_errors, lock(&disk.0.shared.told).len()), (errors, 1), "told once");
    }
    faults.reads.store(false, Ordering::Relaxed);
    assert!(is_there(&disk, record(1, 1, 10)).await);
}

#[tokio::test]
async fn a_read_that_hangs_is_given_up_and_nobody_waits_behind_it() {
    let dir = tempfile::tempdir().unwrap();
    let (disk, faults) = failing(dir.path(), PAUSE);
    (1..4).for_each(|hash| put(&disk, record(hash, 1, 10)));
    faults.hangs.store(true, Ordering::Relaxed);
    assert_eq!(get(&disk, 1, 1).await, Some(Err(ReadFault::Io)));
    assert!(disk.find(2).is_empty() && disk.counts().read_errors == 1, "it is not even looked for");
    assert!(disk.write(record(4, 1, 10)), "whether it can be written is another matter");
    faults.hangs.store(false, Ordering::Relaxed);
    while disk.find(2).is_empty() {
        tokio::task::yield_now().await;
    }
    assert!(is_there(&disk, record(2, 1, 10)).await && is_there(&disk, record(1, 1, 10)).await);
}

#[tokio::test]
async fn after_writes_failed_in_a_row_none_is_tried_for_a_while() {
    let dir = tempfile::tempdir().unwrap();
    let (disk, faults) = failing(dir.path(), PAUSE);
    put(&disk, record(1, 1, 10));
    faults.writes.store(true, Ordering::Relaxed);
    for hash in 2..5 {
        assert!(!disk.counts().off);
        put(&disk, record(hash, 1, 10));
    }
    let tried = faults.writes_tried.load(Ordering::Relaxed);
    assert!(disk.counts().off && !disk.write(record(9, 1, 10)));
    assert!(is_there(&disk, record(1, 1, 10)).await, "it is read all the same");
    let counts = disk.counts();
    assert_eq!((counts.write_errors, counts.writes, counts.writes_dropped), (3, 1, 1));
    assert_eq!(faults.writes_tried.load(Ordering::Relaxed), tried);
}

#[tokio::test]
async fn when_the_disk_is_well_again_it_is_written_and_nothing_half_written_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let (disk, faults) = failing(dir.path(), Duration::ZERO);
    for hash in 0..40 {
        faults.writes.store(hash % 8 > 2, Ordering::Relaxed);
        put(&disk, record(hash, 1, 50_000));
    }
    faults.writes.store(true, Ordering::Relaxed);
    assert!(disk.journal(3, b"not written").is_err());
    faults.writes.store(false, Ordering::Relaxed);
    disk.journal(4, b"written instead").unwrap();
    let counts = disk.counts();
    assert!(counts.writes == 15 && counts.write_errors >= 25 && !counts.off, "{counts:?}");
    let there: Vec<u128> = (0..40).filter(|&hash| !disk.find(hash).is_empty()).collect();
    assert!(there.iter().all(|hash| hash % 8 <= 2) && there.contains(&34), "{there:?}");
    drop(disk);
    let disk = open(dir.path());
    assert_eq!(disk.journalled(), [(4, b"written instead".to_vec())]);
    for hash in there.into_iter().filter(|&hash| hash >= 32) {
        assert!(is_there(&disk, record(hash, 1, 50_000)).await, "{hash}");
    }
}

#[tokio::test]
async fn a_segment_that_cannot_be_read_when_it_is_reclaimed_is_let_go_whole() {
    let dir = tempfile::tempdir().unwrap();
    let (disk, faults) = failing(dir.path(), PAUSE);
    for hash in 0..40 {
        faults.reads.store(true, Ordering::Relaxed);
        put(&disk, record(hash, 1, 100_000));
        faults.reads.store(false, Ordering::Relaxed);
    }
    let counts = disk.counts();
    assert_eq!(counts.writes, counts.records + counts.reclaimed);
    assert!(disk.find(0).is_empty() && is_there(&disk, record(39, 1, 100_000)).await);
}
