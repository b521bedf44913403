//! Files of a cache's disk that are not as they were written, under a process that runs and before one that starts: it
//! starts always, each answer is right, what was purged stays so, and what is lost is counted and told once.
//!
//! `WEIR_FLIPS=2048` walks through all files in ranges of so many bytes.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use support::library::{LANGUAGES, Loan, next, varies};
use support::readers::Met;
use support::{Library, Readers, Weir};
use tempfile::TempDir;

/// The smallest store, and as little memory as there may be.
const CACHING: &str = "[cache.pages]\nmemory = \"1MiB\"\ndisk = { path = \"{disk}\", size = \"4MiB\" }\n\
    [[route]]\npool = \"app\"\ncache = \"pages\"\n";
const SEGMENTS: usize = 7;
const BOOKS: u64 = 130;
const LONGEST_BYTES: u64 = 100_000;
const PURGED: usize = 3;

/// A cache with much on its disk, some of which was purged.
struct Stored {
    library: Library,
    disk: TempDir,
    weir: Weir,
}

impl Stored {
    fn new() -> Stored {
        let library = Library::open(LONGEST_BYTES);
        let disk = tempfile::tempdir().unwrap();
        let path = disk.path().display().to_string();
        let weir = Weir::start(CACHING, &[("origin", &library.address()), ("disk", &path)]);
        let stored = Stored { library, disk, weir };
        stored.borrow_all();
        let edition = stored.library.edits(PURGED);
        stored.weir.purges(&format!("{{\"tag\": \"shelf-{PURGED}\"}}"));
        stored.library.made_known(PURGED, edition);
        stored
    }

    /// Borrows each book once: all answers are right.
    fn borrow_all(&self) -> Met {
        self.borrow(3, &all_loans())
    }

    fn borrow(&self, clients: usize, loans: &[Loan]) -> Met {
        let met = Readers::borrow_all(self.weir.address(), clients, &self.library, loans);
        assert_eq!((&met.wrong, &met.broken), (&vec![], &vec![]));
        met
    }

    fn reads(&self, result: &str) -> f64 {
        self.weir.metric(&format!("weir_cache_disk_reads_total{{cache=\"pages\",result=\"{result}\"}}"))
    }

    fn data(&self) -> File {
        OpenOptions::new().read(true).write(true).open(self.disk.path().join("data")).unwrap()
    }

    /// Lines about the disk that tell of trouble: at most one a segment, however many requests met with it.
    fn told(&self) -> usize {
        let text = self.weir.log.text();
        let told = text.lines().filter(|line| line.contains("ERROR")).count();
        assert!(told <= SEGMENTS, "{text}");
        told
    }
}

fn all_loans() -> Vec<Loan> {
    let languages = |book| if varies(book) { &LANGUAGES[..] } else { &LANGUAGES[..1] };
    (0..BOOKS).flat_map(|book| languages(book).iter().map(move |language| Loan::whole(book, language))).collect()
}

#[test]
fn each_range_of_bytes_flipped_in_turn_gives_no_wrong_byte_and_it_always_starts() {
    let mut stored = Stored::new();
    assert!(stored.weir.stop().success());
    let kept = tempfile::tempdir().unwrap();
    copy(stored.disk.path(), kept.path());
    stored.weir.starts_again();
    let whole = stored.borrow_all().hits;
    assert!(whole > 100 && stored.reads("ok") >= whole as f64, "{whole}");
    stored.weir.is_killed();
    let (mut runs, mut harmed, mut corrupt) = (0, 0, 0.0);
    for (name, step) in [("data", flip_bytes(20)), ("journal", flip_bytes(5)), ("format", 16)] {
        let length = kept.path().join(name).metadata().unwrap().len();
        for from in (0..length).step_by(step.min(length) as usize) {
            copy(kept.path(), stored.disk.path());
            flip(&stored.disk.path().join(name), from, step.min(length - from));
            stored.weir.starts_again();
            let met = stored.borrow_all();
            let place = format!("{name} {from}: {} of {whole} hits", met.hits);
            // A damaged journal or format says nothing of what was purged: the store begins anew.
            assert!(met.hits == if name == "data" { met.hits } else { 0 }, "{place}");
            assert!(name != "data" || step > LARGE_BYTES || met.hits * 2 > whole, "{place}");
            assert!(stored.reads("corrupt") == 0.0 || stored.told() > 0, "{place}");
            (runs, harmed) = (runs + 1, harmed + u64::from(met.hits < whole));
            corrupt += stored.reads("corrupt");
            stored.told();
            stored.weir.is_killed();
        }
    }
    println!("{runs} ranges flipped, {harmed} of them cost something, {corrupt} records found damaged when read");
    assert!(harmed > runs / 3 && corrupt > 10.0, "flips that hit nothing show nothing");
}

#[test]
fn files_cut_or_written_over_under_a_process_give_no_wrong_byte() {
    let stored = Stored::new();
    stored.borrow_all();
    let before = stored.reads("ok");
    assert!(before > 20.0, "little memory: much is read from the disk");

    // Cut short: reads fail.
    let length = stored.data().metadata().unwrap().len();
    // Each time anew, as what is written meanwhile makes it long again, with nothing in between.
    let fails = all_loans().into_iter().any(|loan| {
        stored.data().set_len(length / 8).unwrap();
        stored.borrow(1, &[loan]);
        stored.reads("failed") > 0.0
    });
    assert!(fails, "nothing was read from where the file ends");
    (0..3).for_each(|_| drop(stored.borrow_all()));
    assert!(stored.told() > 0);

    // Other bytes.
    let (mut random, mut bytes) = (7, vec![0; 64 * 1024]);
    for at in (0..length).step_by(bytes.len()) {
        bytes.chunks_exact_mut(8).for_each(|chunk| chunk.copy_from_slice(&next(&mut random).to_le_bytes()));
        stored.data().write_all_at(&bytes, at).unwrap();
    }
    (0..3).for_each(|_| drop(stored.borrow_all()));
    assert!(stored.reads("corrupt") > 0.0);
    stored.told();

    // What is written from then on is read again.
    let ok = stored.reads("ok");
    (0..3).for_each(|_| drop(stored.borrow_all()));
    assert!(stored.reads("ok") > ok + 20.0);
}

#[test]
fn files_moved_away_or_removed_under_a_process_cost_nothing_before_its_end() {
    let mut stored = Stored::new();
    let elsewhere = tempfile::tempdir().unwrap();
    for name in ["data", "format", "journal"] {
        fs::rename(stored.disk.path().join(name), elsewhere.path().join(name)).unwrap();
    }
    let ok = stored.reads("ok");
    stored.borrow_all();
    assert!(stored.reads("ok") > ok + 20.0);
    assert_eq!(stored.told(), 0);
    stored.weir.is_killed();
    stored.weir.starts_again();
    assert_eq!(stored.borrow_all().hits, 0);
}

#[test]
fn a_start_on_files_that_are_gone_or_cut_loses_what_was_in_them() {
    let mut stored = Stored::new();
    assert!(stored.weir.stop().success());
    let kept = tempfile::tempdir().unwrap();
    copy(stored.disk.path(), kept.path());
    for name in ["data", "format", "journal", "lock"] {
        for length in [None, Some(0), Some(60), Some(300_000)] {
            copy(kept.path(), stored.disk.path());
            let path = stored.disk.path().join(name);
            match length {
                None => fs::remove_file(&path).unwrap(),
                Some(length) => OpenOptions::new().write(true).open(&path).unwrap().set_len(length).unwrap(),
            }
            stored.weir.starts_again();
            let hits = stored.borrow_all().hits;
            assert!(name == "lock" || hits < 100, "{name} {length:?}: {hits}");
            stored.told();
            stored.weir.is_killed();
        }
    }
}

/// How many bytes are flipped at once: as told, or so that the largest file has about `ranges` of them.
fn flip_bytes(ranges: u64) -> u64 {
    std::env::var("WEIR_FLIPS").map_or((4 << 20) / ranges, |bytes| bytes.parse().unwrap())
}

/// Ranges that may harm most of a store at once.
const LARGE_BYTES: u64 = 64 * 1024;

fn flip(path: &Path, from: u64, length: u64) {
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut bytes = vec![0; length as usize];
    file.read_exact_at(&mut bytes, from).unwrap();
    bytes.iter_mut().for_each(|byte| *byte ^= 0x55);
    file.write_all_at(&bytes, from).unwrap();
}

/// All files of a directory, but for what was there.
fn copy(from: &Path, to: &Path) {
    fs::read_dir(to).unwrap().for_each(|entry| fs::remove_file(entry.unwrap().path()).unwrap());
    for entry in fs::read_dir(from).unwrap() {
        let (mut bytes, entry) = (Vec::new(), entry.unwrap());
        File::open(entry.path()).unwrap().read_to_end(&mut bytes).unwrap();
        File::create(to.join(entry.file_name())).unwrap().write_all(&bytes).unwrap();
    }
}
