//! A file system without room below a cache's disk: at the start it is an error that says so; later on answers stay right,
//! purges hold or are said not to, what fails is counted and told once, and it goes on when there is room again.
//!
//! Needs root for its file systems. `WEIR_REST=1` waits for the 30 s after which a disk that failed is written again.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use rustix::fs::{FallocateFlags, fallocate};
use std::fs::{self, OpenOptions};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use support::library::{Loan, SHELVES};
use support::mount::Small;
use support::readers::Met;
use support::{Client, Library, Readers, Weir, eventually};

const CACHING: &str = "[cache.pages]\nmemory = \"1MiB\"\ndisk = { path = \"{disk}\", size = \"4MiB\" }\n\
    [[route]]\npool = \"app\"\ncache = \"pages\"\n";
const BOOKS: u64 = 100;
const LONGEST_BYTES: u64 = 60_000;

fn starts(library: &Library, disk: &Path) -> Weir {
    Weir::start(CACHING, &[("origin", &library.address()), ("disk", disk.to_str().unwrap())])
}

fn borrow_all(weir: &Weir, library: &Library) -> Met {
    let loans: Vec<_> = (0..BOOKS).map(|book| Loan::whole(book, "en")).collect();
    let met = Readers::borrow_all(weir.address(), 2, library, &loans);
    assert_eq!((&met.wrong, &met.broken), (&vec![], &vec![]));
    met
}

fn writes(weir: &Weir, result: &str) -> f64 {
    weir.metric(&format!("weir_cache_disk_writes_total{{cache=\"pages\",result=\"{result}\"}}"))
}

fn told(weir: &Weir, part: &str) -> usize {
    weir.log.text().lines().filter(|line| line.contains(part)).count()
}

/// Purges by JSON; the status, and what is said.
fn purges(weir: &Weir, what: &str) -> (u16, String) {
    let mut client = Client::connect(weir.at("admin"));
    let answer = client.post("/v1/purge", what).field("Content-Type", "application/json").gets().unwrap();
    (answer.status, answer.text())
}

/// What `weir run` says of a file before it ends, without success, and in time.
fn refuses(shell: &str, disk: &Path) -> String {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("weir.toml");
    let text = "version = 1\n[[listener]]\naddress = \"127.0.0.1:0\"\n[pool.app]\nbackends = [\"127.0.0.1:1\"]\n";
    fs::write(&file, format!("{text}{}", CACHING.replace("{disk}", disk.to_str().unwrap()))).unwrap();
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("{shell} exec timeout 20 \"$0\" run -c \"$1\""), env!("CARGO_BIN_EXE_weir")])
        .arg(&file);
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr).unwrap().replace(disk.to_str().unwrap(), "DIR")
}

#[test]
fn a_disk_without_the_room_is_an_error_at_the_start_and_is_left_as_it_was() {
    let Some(small) = Small::mount(2) else { return };
    let said = refuses("", &small.path().join("pages"));
    let wanted =
        "error: [cache.pages] disk: DIR has no room: the disk tier allocates its whole size at the start, which takes ";
    assert!(said.starts_with(wanted) && said.contains("are free; give it a smaller size"), "{said}");
    let data = small.path().join("pages/data").metadata().unwrap();
    assert_eq!(data.len(), 0);
}

#[test]
fn a_limit_on_the_length_of_files_is_an_error_at_the_start_and_no_death() {
    let directory = tempfile::tempdir().unwrap();
    // In blocks of 512 bytes, or of 1024 if sh is bash.
    let said = refuses("ulimit -f 1100;", &directory.path().join("pages"));
    assert!(said.contains("[cache.pages] disk: DIR"), "{said}");
    assert!(said.contains("limit on the length of files"), "{said}");
}

#[test]
fn a_disk_that_others_fill_up_changes_nothing_until_the_journal_of_purges_is_full() {
    let Some(small) = Small::mount(8) else { return };
    let library = Library::open(LONGEST_BYTES);
    let mut weir = starts(&library, &small.path().join("pages"));
    small.fills();
    borrow_all(&weir, &library);
    let hits = borrow_all(&weir, &library).hits;
    assert!(hits > 50 && writes(&weir, "failed") == 0.0, "all its room was taken at the start");
    // Long names, five hundred at a time: what they leave behind has no room to be made shorter.
    let many = |round: u32| {
        let tags: Vec<_> = (0..500).map(|number| format!("\"{}-{round}-{number}\"", "x".repeat(360))).collect();
        purges(&weir, &format!("{{\"tags\": [{}]}}", tags.join(",")))
    };
    let mut acknowledged = 0;
    let (status, said) = (0..10)
        .map(many)
        .inspect(|(status, _)| acknowledged += u32::from(*status == 200))
        .find(|(status, _)| *status != 200)
        .unwrap();
    assert!((4..=5).contains(&acknowledged), "the journal has a MiB: {acknowledged} times five hundred purges fit");
    assert!(status == 500 && said.contains("[cache.pages]"), "{said}");
    let trouble = told(&weir, "journal of purges");
    assert!((1..=2).contains(&trouble), "told once: {}", weir.log.text());
    // Nor is there room for the shortest ones any more.
    eventually("it is full to the last bytes", || purges(&weir, "{\"tag\": \"x\"}").0 == 500);
    // What is not written down holds all the same, for as long as the process lives.
    let edition = library.edits(3);
    assert_eq!(purges(&weir, "{\"tag\": \"shelf-3\"}").0, 500);
    library.made_known(3, edition);
    borrow_all(&weir, &library);
    // There is room again: nothing more is needed.
    small.empties();
    let edition = library.edits(4);
    assert_eq!(purges(&weir, "{\"tag\": \"shelf-4\"}").0, 200);
    library.made_known(4, edition);
    weir.is_killed();
    weir.starts_again();
    assert!(borrow_all(&weir, &library).hits > 40);
}

#[test]
fn writes_that_fail_for_want_of_room_cost_no_answer_and_are_told_once() {
    let Some(small) = Small::mount(8) else { return };
    let library = Library::open(LONGEST_BYTES);
    let mut weir = starts(&library, &small.path().join("pages"));
    borrow_all(&weir, &library);
    // As on a file system that cannot allocate: what has a length takes no room until it is written.
    for (name, length) in [("data", 2 << 20), ("journal", 1 << 20)] {
        let file = OpenOptions::new().write(true).open(small.path().join("pages").join(name)).unwrap();
        fallocate(file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, 0, length).unwrap();
    }
    small.fills();
    for _ in 0..3 {
        (0..SHELVES).for_each(|shelf| {
            let edition = library.edits(shelf);
            // Not written down, so it says that it failed.
            assert_eq!(purges(&weir, &format!("{{\"tag\": \"shelf-{shelf}\"}}")).0, 500);
            library.made_known(shelf, edition);
        });
        borrow_all(&weir, &library);
    }
    eventually("it gives up for a while", || weir.metric("weir_cache_disk_rests{cache=\"pages\"}") > 0.0);
    borrow_all(&weir, &library);
    assert!(writes(&weir, "failed") >= 3.0 && writes(&weir, "dropped") > 0.0);
    assert_eq!(told(&weir, "nothing is written to it for a while"), 1, "{}", weir.log.text());
    small.empties();
    if std::env::var_os("WEIR_REST").is_some() {
        std::thread::sleep(Duration::from_secs(31));
        let before = writes(&weir, "ok");
        let edition = library.edits(5);
        assert_eq!(purges(&weir, "{\"tag\": \"shelf-5\"}").0, 200);
        library.made_known(5, edition);
        borrow_all(&weir, &library);
        eventually("it is written again", || writes(&weir, "ok") > before);
        assert_eq!(told(&weir, "is written again"), 1, "{}", weir.log.text());
    }
    weir.is_killed();
    weir.starts_again();
    borrow_all(&weir, &library);
}
