//! Files that are not as they were written: never a wrong byte, and the store always opens.

use super::*;
use std::fs;

/// A store with two sealed segments, one that is written, and two purges.
fn store(path: &Path) -> Vec<(u128, usize)> {
    let disk = open(path);
    let records: Vec<(u128, usize)> = (0..7).map(|hash| (hash, 60_000 + hash as usize * 5000)).collect();
    records.iter().for_each(|&(hash, len)| put(&disk, record(hash, 1, len)));
    put(&disk, record(1, 1, 61_000));
    disk.remove(2, None);
    disk.journal(7, b"one").unwrap();
    disk.journal(8, b"two").unwrap();
    disk.flush();
    records
}

/// Opens the store and reads all: what was lost by the damage, if what is there is right.
async fn lost(path: &Path, records: &[(u128, usize)]) -> usize {
    let disk = open(path);
    let whole = disk.journalled() == [(7, b"one".to_vec()), (8, b"two".to_vec())];
    assert!(whole || disk.counts().records == 0, "what was purged is not known, but records are there");
    let mut lost = 0;
    for &(hash, len) in records {
        match get(&disk, hash, 1).await {
            Some(Ok((meta, body))) => {
                // An older record stands in for a newer one only if that is damaged.
                let right = [len, 61_000].map(|len| record(hash, 1, len));
                assert!(right.iter().any(|r| r.meta == meta && *r.body.whole() == *body), "record {hash}");
            }
            Some(Err(fault)) => {
                assert_eq!(fault, ReadFault::Corrupt);
                assert!(disk.find(hash).is_empty() && disk.counts().corrupt > 0);
                lost += 1;
            }
            None => lost += usize::from(hash != 2),
        }
    }
    // It goes on being used.
    put(&disk, record(77, 1, 10));
    assert!(is_there(&disk, record(77, 1, 10)).await);
    lost
}

async fn flip_each(name: &str, ranges: impl Iterator<Item = usize>) {
    let (dir, scratch) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let records = store(dir.path());
    let bytes = fs::read(dir.path().join(name)).unwrap();
    for at in ranges.filter(|&at| at < bytes.len()) {
        for entry in fs::read_dir(dir.path()).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), scratch.path().join(entry.file_name())).unwrap();
        }
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        fs::write(scratch.path().join(name), &flipped).unwrap();
        let lost = lost(scratch.path(), &records).await;
        assert!(name != "data" || lost <= 4, "byte {at} cost {lost} records");
    }
}

const SEGMENT: usize = 256 << 10;

#[tokio::test]
async fn no_flipped_bit_in_the_records_gives_a_wrong_byte() {
    // In each of the first segments: its header, a record's header, its contents, and the index at the end.
    let places = [0, 9, 63, 64, 70, 100, 161, 180, 30_000, 60_180, SEGMENT - 300, SEGMENT - 70, SEGMENT - 20];
    flip_each("data", (0..4).flat_map(|segment| places.map(|at| segment * SEGMENT + at))).await;
}

#[tokio::test]
async fn no_flipped_bit_in_the_journal_or_the_format_brings_back_what_was_purged() {
    flip_each("journal", [0, 9, 47, 48, 57, 65, 70, 71, 95, 200, (1 << 20) - 1].into_iter()).await;
    flip_each("format", (0..80).step_by(9)).await;
}

#[tokio::test]
#[ignore = "each byte range in turn takes minutes"]
async fn no_flipped_bit_anywhere_gives_a_wrong_byte() {
    flip_each("data", (0..4 * SEGMENT).step_by(397)).await;
    flip_each("journal", (0..200).chain((200..1 << 20).step_by(40_000))).await;
    flip_each("format", 0..80).await;
}

#[tokio::test]
async fn a_file_that_is_cut_short_or_missing_costs_what_was_in_it() {
    for name in ["data", "journal", "format"] {
        for len in [None, Some(0), Some(50), Some(70_000)] {
            let dir = tempfile::tempdir().unwrap();
            let records = store(dir.path());
            let path = dir.path().join(name);
            match len {
                None => fs::remove_file(&path).unwrap(),
                Some(len) => fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(len).unwrap(),
            }
            // A longer `format` is not ours either.
            assert!(lost(dir.path(), &records).await > 0, "{name} {len:?}");
        }
    }
}

#[tokio::test]
async fn an_index_that_is_lost_is_made_anew_from_the_records() {
    let dir = tempfile::tempdir().unwrap();
    let records = store(dir.path());
    let mut bytes = fs::read(dir.path().join("data")).unwrap();
    for segment in 1..3 {
        bytes[segment * SEGMENT - 70..segment * SEGMENT].fill(0);
    }
    fs::write(dir.path().join("data"), &bytes).unwrap();
    assert_eq!(lost(dir.path(), &records).await, 0);
    let again = fs::read(dir.path().join("data")).unwrap();
    assert_eq!(&again[SEGMENT - 64..SEGMENT - 56], b"weir-end");
}
