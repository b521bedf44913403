//! The tier as its users see it, on real files; `tests/cache_disk.rs` kills it.

use super::*;
use std::borrow::Cow;
use std::path::Path;
use std::sync::Mutex;

mod damage;
mod faults;
mod refusals;

/// The smallest store: seven segments of 256 KiB.
const SIZE: u64 = directory::SIZE_BYTES_MIN;
const NOW: u64 = 1_000_000;

fn options(path: &Path) -> Options {
    Options { readers: 1, ..Options::new(path, SIZE) }
}

fn open(path: &Path) -> Disk {
    Disk::open(&options(path), NOW).unwrap()
}

/// A record whose contents follow from what it is.
fn record(hash: u128, variant: u64, len: usize) -> Record {
    let body: Vec<u8> = (0..len).map(|at| (at as u64 * 31 + hash as u64 * 7 + variant) as u8).collect();
    let meta = Bytes::from(format!("meta of {hash} {variant}"));
    Record { hash, variant, born: 5, expires_ms: NOW * 2, meta, body: Arc::new(body) }
}

fn put(disk: &Disk, record: Record) {
    assert!(disk.write(record));
    disk.flush();
}

async fn get(disk: &Disk, hash: u128, variant: u64) -> Option<Result<(Bytes, Vec<u8>), ReadFault>> {
    let found = disk.find(hash).into_iter().find(|found| found.variant == variant)?;
    Some(disk.read(found).await)
}

async fn is_there(disk: &Disk, wanted: Record) -> bool {
    match get(disk, wanted.hash, wanted.variant).await {
        None => false,
        Some(got) => {
            let (meta, body) = got.unwrap();
            assert!(meta == wanted.meta && body == *wanted.body.whole(), "{wanted:?}");
            true
        }
    }
}

#[tokio::test]
async fn what_is_written_is_read_now_and_after_an_opening() {
    let dir = tempfile::tempdir().unwrap();
    let disk = open(dir.path());
    let sizes = [0, 1, 100, 8000, 9000, 200_000];
    sizes.iter().zip(0..).for_each(|(&len, hash)| put(&disk, record(hash, 1, len)));
    let secret = disk.secret();
    let mut disk = Some(disk);
    for _ in 0..2 {
        let disk = disk.take().unwrap_or_else(|| open(dir.path()));
        for (&len, hash) in sizes.iter().zip(0..) {
            assert!(is_there(&disk, record(hash, 1, len)).await, "{len} bytes");
        }
        assert_eq!((disk.find(99), disk.counts().records, disk.secret()), (Vec::new(), 6, secret));
        let found = disk.find(0)[0];
        assert_eq!((found.hash, found.variant, found.born, found.expires_ms), (0, 1, 5, NOW * 2));
        disk.close();
        assert!(disk.find(0).is_empty() && !disk.write(record(0, 1, 1)) && disk.journal(1, b"").is_err());
    }
}

#[tokio::test]
async fn what_is_replaced_or_removed_stays_so_after_an_opening() {
    let dir = tempfile::tempdir().unwrap();
    let disk = open(dir.path());
    for (hash, variant) in [(1, 1), (1, 2), (2, 1), (2, 2), (3, 1)] {
        put(&disk, record(hash, variant, 10));
    }
    put(&disk, record(1, 1, 20));
    disk.remove(1, Some(2));
    disk.remove(2, None);
    assert!(disk.find(2).is_empty(), "at once");
    assert!(!disk.write(record(3, 1, 300_000)), "larger than a segment");
    disk.flush();
    assert!(disk.find(3).is_empty(), "an older response does not stand in for one that was not taken");
    drop(disk);
    let disk = open(dir.path());
    assert!(is_there(&disk, record(1, 1, 20)).await);
    assert_eq!(disk.counts().records, 1);
}

#[tokio::test]
async fn a_removal_reaches_a_write_that_waits_before_it_and_not_one_behind_it() {
    let dir = tempfile::tempdir().unwrap();
    let disk = open(dir.path());
    assert!(disk.write(record(1, 1, 10)) && disk.write(record(2, 1, 10)));
    disk.remove(1, None);
    disk.remove(2, None);
    assert!(disk.write(record(2, 1, 30)));
    disk.flush();
    assert!(disk.find(1).is_empty() && is_there(&disk, record(2, 1, 30)).await);
}

#[tokio::test]
async fn the_oldest_goes_first_but_what_is_read_stays_and_space_is_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let mut disk = open(dir.path());
    for hash in 0..100 {
        put(&disk, record(hash, 1, 100_000));
        assert!(is_there(&disk, record(0, 1, 100_000)).await, "after {hash}");
        if hash == 50 {
            drop(disk);
            disk = open(dir.path());
        }
    }
    assert!(disk.find(1).is_empty() && is_there(&disk, record(99, 1, 100_000)).await);
    let counts = disk.counts();
    assert!(counts.reclaimed > 40 && counts.reinserted > 2 && counts.bytes <= SIZE, "{counts:?}");
    let blocks = |entry: std::io::Result<std::fs::DirEntry>| {
        std::os::unix::fs::MetadataExt::blocks(&entry.unwrap().metadata().unwrap())
    };
    let used: u64 = std::fs::read_dir(dir.path()).unwrap().map(|entry| blocks(entry) * 512).sum();
    assert!(used <= SIZE && used > SIZE / 2, "{used}");
}

#[tokio::test]
async fn a_larger_size_keeps_what_is_there_a_smaller_one_does_not_and_what_is_of_no_use_is_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let disk = open(dir.path());
    put(&disk, record(1, 1, 10));
    put(&disk, Record { expires_ms: NOW + 5000, ..record(2, 1, 10) });
    drop(disk);
    for (size_bytes, kept) in [(SIZE * 2, true), (SIZE, false), (SIZE * 4, false)] {
        let disk = Disk::open(&Options { size_bytes, ..options(dir.path()) }, NOW + 5000).unwrap();
        assert_eq!(is_there(&disk, record(1, 1, 10)).await, kept);
        assert!(disk.find(2).is_empty());
    }
}

#[test]
fn the_journal_is_there_after_an_opening_and_shorter_after_it_is_compacted() {
    let dir = tempfile::tempdir().unwrap();
    let disk = open(dir.path());
    put(&disk, record(1, 1, 10));
    assert_eq!((disk.generation(), disk.journalled()), (0, Vec::new()));
    disk.journal(7, b"one").unwrap();
    disk.journal(9, b"two").unwrap();
    drop(disk);
    let disk = open(dir.path());
    assert_eq!(disk.journalled(), [(7, b"one".to_vec()), (9, b"two".to_vec())]);
    assert_eq!(disk.generation(), 9);
    while !disk.journal_is_long() {
        disk.journal(10, &[1; 60_000]).unwrap();
    }
    disk.compact_journal([(8, b"both".to_vec())].into_iter()).unwrap();
    assert!(!disk.journal_is_long());
    disk.journal(3, b"late").unwrap();
    drop(disk);
    let disk = open(dir.path());
    assert_eq!(disk.journalled(), [(8, b"both".to_vec()), (3, b"late".to_vec())]);
    assert_eq!((disk.generation(), disk.counts().records), (10, 1));
    let mut refused = 0;
    while let Ok(()) = disk.journal(11, &[1; 60_000]) {
        refused += 1;
        assert!(refused < 20, "it is bounded");
    }
    assert!(disk.compact_journal(std::iter::repeat_n((1, vec![0; 60_000]), 20)).is_err());
    drop(disk);
    assert_eq!(open(dir.path()).journalled().len(), 2 + refused);
}

/// Content that tells who puts it together.
struct Told {
    size: usize,
    by: Arc<Mutex<Vec<Option<String>>>>,
}

impl Content for Told {
    fn size(&self) -> usize {
        self.size
    }

    fn whole(&self) -> Cow<'_, [u8]> {
        lock(&self.by).push(std::thread::current().name().map(str::to_owned));
        Cow::Owned(vec![b'x'; self.size])
    }
}

#[test]
fn content_is_put_together_by_the_thread_that_writes_and_not_where_it_is_not_taken() {
    let dir = tempfile::tempdir().unwrap();
    let disk = open(dir.path());
    let by = Arc::<Mutex<Vec<_>>>::default();
    let of = |size| Record { body: Arc::new(Told { size, by: Arc::clone(&by) }), ..record(1, 1, 0) };
    assert!(!disk.write(of(disk.record_bytes_max() as usize)));
    disk.flush();
    assert!(lock(&by).is_empty());
    put(&disk, of(1000));
    assert_eq!(*lock(&by), [Some("weir-disk-write".to_owned())]);
}
