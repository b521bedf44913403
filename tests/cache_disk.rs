//! The disk tier is killed at any moment, and opened again: what is read is what was written, what was purged stays so.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

use bytes::Bytes;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use weir::cache::disk::{Disk, Options, ReadFault, Record};

/// The smallest store: it is written through many times in a run.
const SIZE_BYTES: u64 = 4 << 20;
const HASHES: u64 = 300;
const NOW_MS: u64 = 1_000;
/// The child is killed long before.
const CHILD_LIFE: Duration = Duration::from_secs(20);
/// Where the child finds its directory, and the generation that it goes on from.
const CHILD: &str = "WEIR_DISK_CHILD";

#[tokio::test]
async fn killed_at_any_moment_it_opens_again_with_right_bytes_and_all_acknowledged_purges() {
    if let Ok(told) = std::env::var(CHILD) {
        let (generation, path) = told.split_once(' ').unwrap();
        return write_until_killed(Path::new(path), generation.parse().unwrap()).await;
    }
    let kills = std::env::var("WEIR_KILLS").map_or(8, |kills| kills.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let (mut acknowledged, mut random, mut found) = (0, 88_172_645_463_325_252, 0);
    for _ in 0..kills {
        let after = Duration::from_micros(next(&mut random) % 60_000);
        acknowledged = kill_after(dir.path(), acknowledged, after);
        found += check(dir.path(), acknowledged).await;
    }
    assert!(found > kills, "there was something to find: {found}");
    assert!(acknowledged > kills, "there were purges: {acknowledged}");
}

/// Runs this test as a child, kills it `after` its first purge, and gives the last one that it acknowledged.
fn kill_after(path: &Path, generation: u64, after: Duration) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "--nocapture",
            "killed_at_any_moment_it_opens_again_with_right_bytes_and_all_acknowledged_purges",
        ])
        .env(CHILD, format!("{generation} {}", path.display()))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let read = |line: String| line.strip_prefix("purged ").map(|number| number.parse::<u64>().unwrap());
    let first = lines.by_ref().find_map(read).unwrap();
    std::thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
    lines.filter_map(read).fold(first, u64::max)
}

/// Opens the store, reads all of it, and gives the number of records.
async fn check(path: &Path, acknowledged: u64) -> u64 {
    let disk = Disk::open(&options(path), NOW_MS).unwrap();
    let purges = disk.journalled();
    assert!(disk.generation() >= acknowledged);
    let last = purges.last().unwrap().0;
    assert!(last >= acknowledged, "purge {acknowledged} was acknowledged, and {last} is the last one there");
    assert!(purges.iter().all(|(generation, bytes)| *bytes == purge(*generation)));
    assert!(purges.is_sorted_by(|a, b| a.0 + 1 == b.0), "none between is missing");
    let mut found = 0;
    for hash in (0..HASHES).map(hash_of) {
        for record in disk.find(hash) {
            let (meta, body) = disk.read(record).await.unwrap();
            let wanted = make(record.hash, record.variant, record.born);
            assert!(meta == wanted.meta && body == *wanted.body.whole(), "{record:?}");
            found += 1;
        }
    }
    let counts = disk.counts();
    assert_eq!((counts.records, counts.corrupt), (found, 0));
    found
}

/// The child: writes, reads, removes and purges as fast as it can.
async fn write_until_killed(path: &Path, generation: u64) {
    let disk = Disk::open(&options(path), NOW_MS).unwrap();
    let (mut generation, mut random) = (generation.max(disk.generation()), generation + 77);
    let started = Instant::now();
    for step in 0_u64.. {
        let random = next(&mut random);
        let hash = hash_of(random % HASHES);
        match random >> 32 & 15 {
            0 => disk.remove(hash, None),
            1 => disk.remove(hash, Some(random >> 20 & 1)),
            2..5 => {
                for found in disk.find(hash) {
                    assert!(!matches!(disk.read(found).await, Err(ReadFault::Corrupt | ReadFault::Io)));
                }
            }
            _ => drop(disk.write(make(hash, random >> 20 & 1, generation))),
        }
        if step % 50 == 0 {
            generation += 1;
            if disk.journal_is_long() || generation % 64 == 0 {
                disk.compact_journal((generation - generation.min(10)..generation).map(|g| (g, purge(g)))).unwrap();
            }
            disk.journal(generation, &purge(generation)).unwrap();
            println!("purged {generation}");
        }
        if started.elapsed() > CHILD_LIFE {
            return;
        }
    }
}

#[tokio::test]
#[ignore = "a million records take minutes without optimisation"]
async fn a_million_records_are_found_again_in_less_than_ten_seconds() {
    const RECORDS: u64 = 1_000_000;
    let dir = tempfile::tempdir_in(std::env::var_os("WEIR_DISK_DIR").unwrap_or_else(|| "/tmp".into())).unwrap();
    let options = Options::new(dir.path(), 6 << 30);
    let disk = Disk::open(&options, NOW_MS).unwrap();
    let body = Arc::new(vec![7_u8; 4096]);
    let started = Instant::now();
    for number in 0..RECORDS {
        let body = Arc::clone(&body);
        let record = Record { body, meta: Bytes::from(vec![1; 400]), ..make(hash_of(number), 1, 1) };
        while !disk.write(record.clone()) {
            disk.flush();
        }
    }
    disk.flush();
    println!("{RECORDS} records written in {:?}", started.elapsed());
    let started = Instant::now();
    drop(disk);
    println!("closed in {:?}", started.elapsed());
    let started = Instant::now();
    let disk = Disk::open(&options, NOW_MS).unwrap();
    let took = started.elapsed();
    println!("opened in {took:?}: {:?}", disk.counts());
    assert_eq!(disk.counts().records, RECORDS);
    assert!(took < Duration::from_secs(10));
    let started = Instant::now();
    for number in (0..RECORDS).step_by(50) {
        disk.read(disk.find(hash_of(number))[0]).await.unwrap();
    }
    println!("{:?} a read", started.elapsed() / (RECORDS as u32 / 50));
}

fn options(path: &Path) -> Options {
    Options { readers: 2, ..Options::new(path, SIZE_BYTES) }
}

/// A record whose contents follow from what it is.
fn make(hash: u128, variant: u64, born: u64) -> Record {
    let mut state = hash as u64 ^ variant << 7 ^ born << 17 | 1;
    let len = next(&mut state) % 30_000;
    let body: Vec<u8> = (0..len / 8).flat_map(|_| next(&mut state).to_le_bytes()).collect();
    let meta = Bytes::from(format!("{hash} {variant} {born}"));
    Record { hash, variant, born, expires_ms: u64::MAX, meta, body: Arc::new(body) }
}

fn purge(generation: u64) -> Vec<u8> {
    let mut state = generation | 1 << 40;
    next(&mut state).to_le_bytes().repeat(generation as usize % 40)
}

fn hash_of(number: u64) -> u128 {
    let mut state = number + 1;
    u128::from(next(&mut state)) << 64 | u128::from(next(&mut state).wrapping_mul(0x2545_f491_4f6c_dd1d))
}

/// Xorshift (Marsaglia 2003).
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}
