//! Another process takes over the directory of a cache's disk, under load; or it cannot, and the old one takes it back.
//! `WEIR_UPGRADES=20` makes it so many upgrades under load.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use std::fs;
use support::installed::install;
use support::library::{LANGUAGES, Loan, varies};
use support::pages::{CACHING, Pages, disk_reads, on_disk};
use support::readers::{Editor, Met};
use support::{Gate, Library, Readers, Weir, eventually};

const BOOKS: u64 = 150;
const LONGEST_BYTES: u64 = 100_000;
const CLIENTS: u64 = 8;

fn borrow_all(weir: &Weir, library: &Library) -> Met {
    let languages = |book| if varies(book) { &LANGUAGES[..] } else { &LANGUAGES[..1] };
    let loans: Vec<_> =
        (0..BOOKS).flat_map(|book| languages(book).iter().map(move |language| Loan::whole(book, language))).collect();
    let met = Readers::borrow_all(weir.address(), 2, library, &loans);
    assert_eq!((&met.wrong, &met.broken), (&vec![], &vec![]));
    met
}

#[test]
fn under_load_nothing_fails_and_each_process_goes_on_with_what_the_one_before_stored() {
    let upgrades = std::env::var("WEIR_UPGRADES").map_or(2, |upgrades| upgrades.parse().unwrap());
    let library = Library::open(LONGEST_BYTES);
    let disk = tempfile::tempdir().unwrap();
    let mut weir = Weir::start(CACHING, &[("origin", &library.address()), ("disk", disk.path().to_str().unwrap())]);
    borrow_all(&weir, &library);
    let readers = Readers::start(weir.address(), CLIENTS, &library, BOOKS, 77);
    let editor = Editor::start(weir.at("admin"), &library, 78);
    let mut found = 0.0;
    for _ in 0..upgrades {
        readers.goes_on(200);
        weir.upgrade().unwrap();
        readers.goes_on(400);
        found += disk_reads(&weir);
    }
    let (met, purges) = (readers.stop(), editor.stop());
    assert_eq!((&met.wrong, &met.broken), (&vec![], &vec![]));
    println!(
        "{upgrades} upgrades: {} right, {} of them stored, {found} from the disk; {purges} purges",
        met.right, met.hits
    );
    assert!(found > 20.0 * f64::from(upgrades) && purges > 10);
    assert!(!weir.log.text().contains("ERROR"), "{}", weir.log.text());
}

#[test]
fn a_directory_that_a_failed_successor_had_is_taken_back_and_what_was_invalidated_meanwhile_stays_gone() {
    let mut one = Pages::start();
    let pages = ["kept", "written", "purged", "group"];
    pages.iter().for_each(|page| one.stores(page, page));
    one.stores("other", "old");
    eventually("all is on the disk", || on_disk(&one.weir) == 5.0);
    let (gate, before) = one.begins_upgrade("exit 1");
    // Meanwhile memory serves alone.
    assert_eq!(one.stored("kept"), "kept");
    one.posts("written");
    let mut admin = support::Client::connect(one.weir.at("admin"));
    let answer = admin.post("/v1/purge", "{\"tag\": \"purged\"}").field("Content-Type", "application/json").sees(500);
    assert!(answer.text().contains("another process"), "{}", answer.text());
    one.origin.replies(204).field("Cache-Group-Invalidation", "\"group\"");
    one.weir.client().post("/elsewhere", "x").sees(204);
    fs::write(gate, "").unwrap();
    assert!(one.weir.upgraded(before).is_err());
    eventually("the directory is taken back", || on_disk(&one.weir) > 0.0);
    for page in ["written", "purged"] {
        one.is_gone(page);
    }
    assert_eq!(one.stored("kept"), "kept");
    // And it is written again, and holds through a crash.
    one.posts("kept");
    one.stores("kept", "newer");
    one.weir.counts("weir_cache_disk_writes_total{cache=\"pages\",result=\"ok\"}", 3.0);
    one.weir.is_killed();
    install(env!("CARGO_BIN_EXE_weir").as_ref(), &one.binary);
    one.weir.starts_again();
    assert_eq!(
        (one.stored("kept"), one.stored("other"), one.stored("purged")),
        ("newer".into(), "old".into(), "new".into())
    );
    assert!(disk_reads(&one.weir) >= 3.0);
}

#[test]
fn what_the_old_process_invalidates_while_the_new_one_starts_is_gone_for_the_new_one() {
    let mut one = Pages::start();
    ["kept", "written", "purged"].iter().for_each(|page| one.stores(page, page));
    eventually("all is on the disk", || on_disk(&one.weir) == 3.0);
    let (gate, before) = one.begins_upgrade(&format!("exec {} \"$@\"", env!("CARGO_BIN_EXE_weir")));
    one.posts("written");
    fs::write(gate, "").unwrap();
    one.weir.upgraded(before).unwrap();
    assert_eq!(one.stored("kept"), "kept");
    one.is_gone("written");
    assert_eq!(disk_reads(&one.weir), 1.0);
}

#[test]
fn what_is_purged_or_written_at_one_process_is_gone_at_the_other_while_the_old_one_drains() {
    let mut one = Pages::start();
    ["purged", "written"].iter().for_each(|page| one.stores(page, page));
    eventually("all is on the disk", || on_disk(&one.weir) == 2.0);
    let (mut idle, mut writer, written) = (one.weir.client(), one.weir.client(), Gate::new());
    idle.get("/purged").sees(200).body("purged");
    one.origin.says("").after(&written).then("HTTP/1.1 204 No Content\r\n\r\n");
    writer.post("/written", "x").sent();
    one.origin.request(2);
    one.weir.upgrade().unwrap();
    // The old process has it in memory, and is told of the purge before that is acknowledged.
    // Who asks the old one, which listens for a moment more, is told to ask again.
    eventually("it is purged", || one.weir.tries_purge("{\"tag\": \"purged\"}").status == 200);
    one.origin.replies(200).body("new");
    idle.get("/purged").sees(200).body("new").field("connection", "close");
    // What the new one has stored is gone once the old one has heard that it was changed.
    assert_eq!(one.stored("written"), "written");
    written.open();
    writer.sees(204);
    one.origin.replies(200).body("new");
    eventually("it is told", || one.weir.client().get("/written").sees(200).text() == "new");
}

#[test]
fn a_directory_that_somebody_still_has_is_taken_back_when_it_is_free() {
    let mut one = Pages::start();
    one.stores("kept", "kept");
    eventually("it is on the disk", || on_disk(&one.weir) == 1.0);
    let holder = one.weir.path("holder");
    let lock = one.disk.path().join("lock");
    // It leaves somebody behind who holds the lock.
    let holds = format!(
        "(exec 9<>{0}; flock 9; touch {1}; while ! test -e {1}.end; do sleep 0.01; done) <&- >&- 2>&- &\nwhile ! test -e {1}; do sleep 0.01; done\nexit 1",
        lock.display(),
        holder.display()
    );
    let (gate, before) = one.begins_upgrade(&holds);
    fs::write(gate, "").unwrap();
    assert!(one.weir.upgraded(before).is_err());
    one.weir.log.find(before, "goes on without its disk").unwrap();
    assert_eq!(one.stored("kept"), "kept");
    fs::write(holder.with_extension("end"), "").unwrap();
    eventually("it is taken back", || on_disk(&one.weir) == 1.0);
}
