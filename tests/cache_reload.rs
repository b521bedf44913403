//! A reload that changes what the configuration says of a cache, or comes while it fetches.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use support::pages::{CACHING, Pages, disk_reads, on_disk};
use support::{Gate, eventually};

#[test]
fn a_reload_that_changes_a_cache_keeps_what_is_stored_and_a_directory_stays_where_it_is() {
    let mut one = Pages::start();
    ["a", "b"].iter().for_each(|page| one.stores(page, page));
    eventually("all is on the disk", || on_disk(&one.weir) == 2.0);
    // Less memory, other rules.
    let changed = CACHING.replace("16MiB", "1MiB").replace("\ndisk", "\nvariants = 3\ndisk");
    one.weir.becomes(&changed);
    assert_eq!((one.stored("a"), one.stored("b")), ("a".into(), "b".into()));
    for moved in
        ["disk = { path = \"{disk}\", size = \"64MiB\" }", "disk = { path = \"{disk}x\", size = \"32MiB\" }", ""]
    {
        one.weir.rewrite(&CACHING.replace("disk = { path = \"{disk}\", size = \"32MiB\" }", moved));
        let said = one.weir.reload().unwrap_err();
        assert!(said.contains("a reload cannot change `disk` of a [cache.NAME]"), "{said}");
        assert_eq!(one.stored("a"), "a");
    }
    // Taken away: its requests go to the origin; put back: what is on the disk is there again.
    one.weir.becomes("[server]\nworkers = 2\n[[route]]\npool = \"app\"\n");
    one.weir.client().get("/a").sees(200).body("ok").lacks("cache-status");
    eventually("it can be put back", || {
        one.weir.rewrite(CACHING);
        one.weir.reload().is_ok()
    });
    assert_eq!((one.stored("a"), one.stored("b")), ("a".into(), "b".into()));
    assert_eq!(disk_reads(&one.weir), 2.0);
    one.weir.is_killed();
    one.weir.starts_again();
    assert_eq!(one.stored("a"), "a");
}

#[test]
fn a_reload_under_a_fetch_neither_doubles_it_nor_hides_it_from_a_write() {
    let one = Pages::start();
    let (first, second) = (Gate::new(), Gate::new());
    let slow = |gate: &Gate| {
        let text = "HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: 3\r\n\r\nold";
        one.origin.says("").after(gate).then(text);
    };
    slow(&first);
    let mut before = one.weir.client();
    before.get("/x").sent();
    one.origin.request(0);
    one.weir.becomes(&CACHING.replace("16MiB", "8MiB"));
    // Who asks now shares it.
    let mut after = one.weir.client();
    after.get("/x").sent();
    one.weir.counts("weir_cache_collapsed_total{cache=\"pages\"}", 1.0);
    first.open();
    [&mut before, &mut after].into_iter().for_each(|client| drop(client.sees(200).body("old")));
    one.origin.saw(1);
    one.posts("x");
    // One that a write overtakes is not stored, whatever configuration it began under.
    slow(&second);
    before.get("/x").sent();
    one.origin.request(2);
    one.weir.becomes(CACHING);
    one.posts("x");
    second.open();
    before.sees(200).body("old");
    one.is_gone("x");
}
