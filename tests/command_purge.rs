//! `weir purge` and `weir top`, which ask a process that runs.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod support;

use std::num::NonZeroUsize;
use std::process::{Command, ExitCode};
use std::sync::{Arc, Mutex};
use support::Weir;
use tokio::sync::mpsc;
use weir::admin::{self, AdminState, Purge, Purged, TopAsk};
use weir::cache::purge::{Mode, What};
use weir::cache::top::Top;
use weir::command::{Reach, Where, purge, top};
use weir::config::AdminListen;
use weir::telemetry::Metrics;

/// An admin listener with a cache behind it that remembers what it was asked for.
struct Desk {
    process: Where,
    asked: Arc<Mutex<Vec<Purge>>>,
    admin: admin::Admin,
}

impl Desk {
    fn start(objects: Option<u64>) -> Desk {
        let listener = admin::bind(&AdminListen::Tcp(([127, 0, 0, 1], 0).into())).unwrap();
        let address = listener.name().parse().unwrap();
        let state = AdminState::new(Metrics::new(NonZeroUsize::MIN), mpsc::channel(1).0);
        let asked = Arc::<Mutex<Vec<Purge>>>::default();
        let (noted, top) = (Arc::clone(&asked), Top::default());
        state.set_purger(Box::new(move |purge| {
            noted.lock().unwrap().push(purge.clone());
            match purge.cache.as_deref() {
                Some("other") => Purged::NoSuchCache,
                Some("broken") => Purged::Failed("the disk is full".into()),
                _ => Purged::Done { caches: vec!["pages".into()], generation: 7, objects },
            }
        }));
        top.note(b"https://shop.example/a", 2_048);
        state.set_topper(Box::new(move |ask: &TopAsk| Some(top.top(ask.by, ask.n))));
        let mut admin = admin::start(listener, state).unwrap();
        admin.begin();
        let process =
            Where { config: "none.toml".into(), admin: Some(Reach::At(AdminListen::Tcp(address))), token: None };
        Desk { process, asked, admin }
    }

    fn purge(&self, wanted: &purge::Wanted, json: bool) -> (bool, String) {
        let mut out = Vec::new();
        let code = purge::purge(&self.process, wanted, json, &mut out).unwrap();
        (code == ExitCode::SUCCESS, String::from_utf8(out).unwrap())
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.admin.stop();
    }
}

#[test]
fn what_was_purged_is_said_in_the_form_of_keys() {
    let desk = Desk::start(Some(3));
    let wanted = purge::Wanted { urls: vec!["Shop.Example/a".into()], ..Default::default() };
    let (ok, said) = desk.purge(&wanted, false);
    assert_eq!(
        said,
        "http://shop.example/a: purged\nhttps://shop.example/a: purged\n\
         3 stored responses of these URLs were there\ncache pages, generation 7\n"
    );
    let what = vec![What::Url(b"http://shop.example/a".into()), What::Url(b"https://shop.example/a".into())];
    assert!(ok && *desk.asked.lock().unwrap() == [Purge { cache: None, what, mode: Mode::Hard }]);
}

#[test]
fn several_things_are_purged_at_once_hard_or_softly() {
    let desk = Desk::start(None);
    let wanted = purge::Wanted {
        tags: vec!["sale".into()],
        prefixes: vec!["https://a/img/*".into()],
        hosts: vec!["B".into()],
        all: true,
        soft: true,
        cache: Some("pages".into()),
        ..Default::default()
    };
    let (ok, said) = desk.purge(&wanted, false);
    assert!(ok, "{said}");
    for line in [
        "everything: stale from now on",
        "tag sale: stale from now on",
        "https://a/img/*: stale from now on",
        "host b: stale from now on",
        "cache pages, generation 7",
    ] {
        assert!(said.lines().any(|said| said == line), "{line}\n{said}");
    }
    let asked = desk.asked.lock().unwrap();
    assert_eq!((asked[0].what.len(), asked[0].mode, asked[0].cache.as_deref()), (4, Mode::Soft, Some("pages")));
}

#[test]
fn what_cannot_be_purged_is_told_why_and_nothing_is() {
    let desk = Desk::start(None);
    let wrong = purge::Wanted { urls: vec!["ftp://a/".into()], tags: vec!["t".into()], ..Default::default() };
    let (ok, said) = desk.purge(&wrong, false);
    assert!(!ok && said.starts_with("error: url: \"ftp://a/\" has a scheme"), "{said}");
    assert!(said.ends_with("nothing is purged\n") && desk.asked.lock().unwrap().is_empty());
    let elsewhere = purge::Wanted { all: true, cache: Some("other".into()), ..Default::default() };
    let (ok, said) = desk.purge(&elsewhere, true);
    let content: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert!(!ok && content["applied"] == false && content["error"] == "there is no cache \"other\"", "{said}");
    let unwritten = purge::Wanted { all: true, cache: Some("broken".into()), ..Default::default() };
    let said = desk.purge(&unwritten, false);
    assert_eq!(said, (false, "error: the disk is full\nit is purged, but may come back after a crash\n".into()));
}

#[test]
fn the_keys_that_cost_most_are_shown_below_the_status() {
    let desk = Desk::start(None);
    let mut out = Vec::new();
    let wanted = top::Wanted { keys: 5, cache: None };
    assert_eq!(top::once(&desk.process, &wanted, &mut out).unwrap(), ExitCode::SUCCESS);
    let said = String::from_utf8(out).unwrap();
    assert!(said.starts_with("weir ") && said.contains("\nkeys by misses\n"), "{said}");
    assert_eq!(said.matches("  1     2.0 KiB  https://shop.example/a\n").count(), 2, "{said}");
}

#[test]
fn the_command_line_says_what_is_missing() {
    let weir = Weir::start("[[route]]\nrespond = {}\n", &[]);
    let file = weir.path("weir.toml");
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_weir")).args(arguments).arg("-c").arg(&file).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).unwrap())
    };
    let (code, said) = run(&["purge"]);
    assert!(code == Some(2) && said.contains("--tag"), "{said}");
    let (code, said) = run(&["purge", "shop.example/a", "--soft"]);
    assert!(code == Some(1) && said == "error: there is no cache\nnothing is purged\n", "{said}");
    // What is no terminal gets it once.
    let (code, said) = run(&["top", "-n", "3"]);
    assert!(code == Some(0) && said.starts_with("weir ") && said.ends_with("\nthere is no cache\n"), "{said}");
    let (code, said) = run(&["top", "-n", "0"]);
    assert!(code == Some(2) && said.contains("1..=1024"), "{said}");
}
