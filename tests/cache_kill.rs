//! The process is killed at any moment under load, again and again, on one directory: it always starts, and whatever it
//! answers then is what the origin has, and nothing that was purged. `WEIR_KILLS=50` makes it fifty times.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use std::process;
use std::time::{Duration, SystemTime};
use support::library::{LANGUAGES, Loan, next, varies};
use support::readers::{Editor, Met};
use support::{Library, Readers, Weir};

/// Little memory, so that much comes from the disk; the disk is written through again and again.
const CACHING: &str = "[server]\nworkers = 2\n\
    [cache.pages]\nmemory = \"4MiB\"\nmax_object = \"1MiB\"\ndisk = { path = \"{disk}\", size = \"32MiB\" }\n\
    [[route]]\npool = \"app\"\ncache = \"pages\"\n";
const BOOKS: u64 = 400;
const LONGEST_BYTES: u64 = 600_000;
const CLIENTS: u64 = 6;

#[test]
fn killed_at_any_moment_under_load_it_starts_and_answers_right() {
    let kills = std::env::var("WEIR_KILLS").map_or(4, |kills| kills.parse().unwrap());
    let mut random = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64 ^ u64::from(process::id()) << 40 | 1;
    println!("seed {random}");
    let library = Library::open(LONGEST_BYTES);
    let disk = tempfile::tempdir().unwrap();
    let places = [("origin", library.address()), ("disk", disk.path().display().to_string())];
    let places = places.each_ref().map(|(name, value)| (*name, value.as_str()));
    let mut weir = Weir::start(CACHING, &places);
    let (mut all, mut hits, mut purges) = (Met::default(), 0, 0);
    for kill in 0..kills {
        let readers = Readers::start(weir.address(), CLIENTS, &library, BOOKS, next(&mut random));
        let editor = Editor::start(weir.at("admin"), &library, next(&mut random));
        std::thread::sleep(Duration::from_micros(next(&mut random) % LONGEST_LOAD_MICROS));
        weir.is_killed();
        purges += editor.stop();
        let met = readers.stop();
        assert_eq!(met.wrong, [""; 0], "before kill {kill}");
        (all.right, all.hits) = (all.right + met.right, all.hits + met.hits);
        if kill % 4 == 3 {
            // It dies again while it starts.
            weir.begins_again();
            std::thread::sleep(Duration::from_micros(next(&mut random) % LONGEST_START_MICROS));
            weir.is_killed();
        }
        weir.starts_again();
        // Each for the first time: a hit is of the disk.
        let met = Readers::borrow_all(weir.address(), 2, &library, &all_loans());
        assert_eq!((met.wrong, met.broken), (vec![], vec![]), "after kill {kill}");
        hits += met.hits;
        assert_eq!(weir.metric("weir_cache_disk_reads_total{cache=\"pages\",result=\"corrupt\"}"), 0.0);
        assert!(weir.metric("weir_cache_disk_reads_total{cache=\"pages\",result=\"ok\"}") >= met.hits as f64);
        assert!(!weir.log.text().contains("ERROR"), "{}", weir.log.text());
    }
    println!("{kills} kills: {} right under load, {} of them stored; {purges} purges", all.right, all.hits);
    println!("after starts {} right, {hits} of them from the disk", kills * all_loans().len() as u64);
    assert!(hits > kills * 20 && purges > kills, "a disk that gives nothing is right as well");
}

/// Every book in every language, once.
fn all_loans() -> Vec<Loan> {
    let languages = |book| if varies(book) { &LANGUAGES[..] } else { &LANGUAGES[..1] };
    (0..BOOKS).flat_map(|book| languages(book).iter().map(move |language| Loan::whole(book, language))).collect()
}

/// The longest time under load before a kill.
const LONGEST_LOAD_MICROS: u64 = 700_000;
/// About as long as a start takes without optimisation.
const LONGEST_START_MICROS: u64 = 60_000;
