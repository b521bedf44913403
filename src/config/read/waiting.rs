use super::Names;
use crate::config::file::report::Wrong;
use crate::config::file::source::read_bounded;
use crate::config::file::table::Table;
use crate::config::file::units;
use crate::config::{Bind, Config, Pool, PoolId, Route, WaitingRoom, WaitingRoomId};
use std::time::Duration;

pub(super) fn read(name: &str, table: &Table<'_>) -> Option<WaitingRoom> {
    check_name(name, table);
    for (key, min) in [("session", SESSION_MIN), ("absence", ABSENCE_MIN)] {
        if let Some(node) = table.get(key).filter(|_| table.duration(key) < min) {
            node.wrong(Wrong::new("this is too short").help(format!("wanted: {} seconds at least", min.as_secs())));
        }
    }
    Some(WaitingRoom {
        name: name.to_owned(),
        active: table.integer_if_any("active"),
        enter: table.text("enter").and_then(|text| units::rate(&text)),
        session: table.duration("session"),
        absence: table.duration("absence"),
        places: table.integer("places"),
        bind: if table.text_or_default("bind") == "agent" { Bind::Agent } else { Bind::Client },
        page: page(table),
    })
}

/// Cookies show it (RFC 6265 §4.1.1).
fn check_name(name: &str, table: &Table<'_>) {
    let is_plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if !is_plain || name.len() > NAME_BYTES_MAX {
        let wrong = Wrong::new("the name of a waiting room is part of a cookie's");
        let help = format!("wanted: letters, digits, `-` and `_`, {NAME_BYTES_MAX} at most");
        table.node.wrong(wrong.help(help));
    }
}

fn page(table: &Table<'_>) -> Option<String> {
    let node = table.get("page")?;
    let path = node.file_path()?;
    let text = read_bounded(&path, PAGE_BYTES_MAX)
        .and_then(|bytes| String::from_utf8(bytes).map_err(|_| "it is not text in UTF-8".to_owned()));
    match text {
        Ok(text) => Some(text),
        Err(why) => {
            node.wrong(Wrong::new(format!("cannot read {}: {why}", path.display())));
            None
        }
    }
}

/// The room before a route, which needs a pool to be full.
pub(super) fn of_route(table: &Table<'_>, names: &Names<'_>) -> Option<WaitingRoomId> {
    let node = table.get("waiting_room")?;
    if ["redirect", "respond"].into_iter().any(|action| table.has(action)) {
        node.wrong(Wrong::new("there is nothing to wait for where no pool is asked"));
    }
    names.waiting_rooms.find(&node.text()?, &node.at, &node).map(WaitingRoomId)
}

/// Each room must be full at some time; and is used.
pub(super) fn check(names: &Names<'_>, config: &Config) {
    for (at, (name, table)) in names.waiting_rooms.tables.iter().enumerate() {
        let routes: Vec<&Route> =
            config.routes.iter().filter(|route| route.waiting_room == Some(WaitingRoomId(at))).collect();
        if routes.is_empty() {
            table.node.report.warn(&table.node.at, format!("no route uses waiting room `{name}`"));
            continue;
        }
        if table.has("active") || table.has("enter") {
            continue;
        }
        let pools = routes.iter().flat_map(|route| route.action.pools()).filter_map(|PoolId(at)| config.pools.get(at));
        if let Some(pool) = pools.into_iter().find(|pool| !has_bound(pool)) {
            let wrong = Wrong::new(format!("nothing says when this room is full: pool `{}` has no bound", pool.name));
            table.node.wrong(wrong.help(format!(
                "wanted: active = 500, or enter = \"50/s\", or in [pool.{}] connections = {{ max = 100 }} or concurrency = \"adaptive\"",
                pool.name
            )));
        }
    }
}

/// Whether the exchanges of a pool are limited.
fn has_bound(pool: &Pool) -> bool {
    pool.connections.max.is_some() || pool.concurrency.is_some()
}

/// Less is no session: a page and its parts take as long.
const SESSION_MIN: Duration = Duration::from_secs(5);

/// Pages come back in less.
const ABSENCE_MIN: Duration = Duration::from_secs(15);

const NAME_BYTES_MAX: usize = 64;

/// A page is kept in memory.
const PAGE_BYTES_MAX: u64 = 1 << 20;
