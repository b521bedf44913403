//! A room imports only from the floors below it: the table of `src/lib.rs`, checked.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

use std::path::{Path, PathBuf};

#[path = "floors/paths.rs"]
mod paths;

/// Floor by floor, from the ground up.
const FLOORS: &[&[&str]] = &[
    &["http"],
    &["config"],
    &["route", "pool", "cache", "access", "limit", "registry", "waiting"],
    &["live"],
    &["wire", "upstream", "exchange", "fleet"],
    &["server", "admin", "command"],
];

/// Rooms beside the floors, with what they may use; any room from [`SIDES_FROM`] up may use them.
const SIDES: &[(&str, &[&str])] = &[("telemetry", &["http", "config"]), ("clock", &[])];

/// The lowest floor that may use a side room.
const SIDES_FROM: usize = 2;

/// The lowest floor whose rooms may use each other: those below are usable and testable alone.
const SIBLINGS_FROM: usize = 4;

#[test]
fn no_room_imports_from_its_own_floor_or_above() {
    let mut wrong = Vec::new();
    let files = rust_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(files.len() > FLOORS.len(), "the sources were not found");
    for (path, name) in files {
        let Some((room, depth)) = place(&name) else { continue };
        let text = std::fs::read_to_string(path).unwrap();
        wrong.extend(violations(&room, depth, &text).into_iter().map(|why| format!("src/{name}: {why}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_import_from_above_is_caught_in_every_spelling() {
    for text in [
        "use crate::server::Worker;",
        "use crate::{http::Fields, server::{Worker, Drain}};",
        "pub(crate) use crate::server as s;",
        "fn f() { crate::server::run() }",
        "use super::server::Worker;",
        "mod tests { use super::super::server::Worker; }",
        "use crate::{self as weir, config};",
        "use crate::*;",
        "use ::weir::server::Worker;",
    ] {
        assert_eq!(violations("route", 1, text).len(), 1, "{text}");
    }
}

#[test]
fn siblings_meet_only_on_the_upper_floors_and_sides_keep_to_themselves() {
    assert_eq!(violations("route", 1, "use crate::pool::Pool;").len(), 1);
    assert_eq!(violations("upstream", 1, "use crate::wire::h1;").len(), 0);
    assert_eq!(violations("clock", 1, "use crate::http::Fields;").len(), 1);
    assert_eq!(violations("telemetry", 1, "use crate::{http::Fields, config::Log};").len(), 0);
    assert_eq!(violations("telemetry", 1, "use crate::live::Snapshot;").len(), 1);
    assert_eq!(violations("http", 1, "use crate::telemetry::Metrics;").len(), 1);
    assert_eq!(violations("pool", 1, "use crate::clock::Clock;").len(), 0);
    assert_eq!(violations("cellar", 1, "").len(), 1);
}

#[test]
fn what_is_allowed_or_only_looks_like_an_import_passes() {
    for text in [
        "use crate::http::Fields; use crate::route::Table;",
        "// use crate::server::Worker;\n/* crate::server /* nested */ */\n/// See [`crate::server`].",
        "const TEXT: &str = \"crate::server::Worker\"; const RAW: &str = r#\"\"crate::server\"#; const C: char = '\"';",
        "fn f<'a>(x: &'a str) -> &'a str { x }",
        "use super::rules::Rule;",
        "mod tests { use super::server; }",
    ] {
        assert_eq!(violations("route", 2, text), Vec::<String>::new(), "{text}");
    }
}

/// The room that a file belongs to, and how many modules deep it stands; none for `lib.rs` and `main.rs`.
fn place(name: &str) -> Option<(String, usize)> {
    let parts: Vec<&str> = name.trim_end_matches(".rs").split('/').collect();
    let depth = if parts.last() == Some(&"mod") { parts.len() - 1 } else { parts.len() };
    let outside = matches!(name, "lib.rs" | "main.rs");
    (!outside).then(|| (parts[0].to_owned(), depth))
}

fn violations(room: &str, depth: usize, text: &str) -> Vec<String> {
    if floor(room).is_none() && side(room).is_none() {
        return vec![format!("the room {room} stands on no floor of tests/floors.rs")];
    }
    let used = paths::rooms(text, depth);
    let wrong = used.into_iter().filter(|(other, _)| other != room && !may_use(room, other));
    wrong.map(|(other, line)| format!("line {line}: {room} may not use {other}")).collect()
}

fn may_use(room: &str, other: &str) -> bool {
    match (floor(room), floor(other), side(room), side(other)) {
        (Some(mine), Some(theirs), ..) => theirs < mine || (theirs == mine && mine >= SIBLINGS_FROM),
        (Some(mine), None, _, Some(_)) => mine >= SIDES_FROM,
        (_, _, Some(allowed), _) => allowed.contains(&other),
        _ => false,
    }
}

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

fn side(room: &str) -> Option<&'static [&'static str]> {
    SIDES.iter().find(|(name, _)| *name == room).map(|(_, allowed)| *allowed)
}

/// All Rust files below `root`, with their path relative to it.
fn rust_files(root: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                found.push((path, name));
            }
        }
    }
    found
}
