use super::Names;
use super::matching::{plain_path, regex};
use crate::config::file::node::Node;
use crate::config::file::report::Wrong;
use crate::config::file::table::Table;
use crate::config::{Action, PoolId, Rewrite};
use crate::http::is_value;

/// The one of `pool`, `redirect` and `respond` that is there.
pub(super) fn action(route: &Table<'_>, names: &Names<'_>) -> Option<Action> {
    let given: Vec<_> = ["pool", "redirect", "respond"].into_iter().filter(|name| route.has(name)).collect();
    let help = "wanted: one of pool = \"…\", redirect = { to = \"…\" }, respond = { status = 200 }";
    // An unknown key may be what was meant.
    if given.is_empty() && route.all_known() {
        route.node.wrong(Wrong::new("this [[route]] does nothing").help(help));
    }
    for other in given.iter().skip(1).filter_map(|name| route.get(name)) {
        other.wrong(Wrong::new(format!("this [[route]] has `{}` already", given[0])).help(help));
    }
    match *given.first()? {
        "pool" => match route.table("pool") {
            Some(pools) => several(&pools, names),
            None => names.pool(&route.get("pool")?).map(Action::Pool),
        },
        "redirect" => redirect(&route.table("redirect")?),
        _ => respond(&route.table("respond")?),
    }
}

/// `{ split }` or `{ read, write }`.
fn several(table: &Table<'_>, names: &Names<'_>) -> Option<Action> {
    match (table.get("split"), table.get("read"), table.get("write")) {
        (Some(split), None, None) if !table.has("read_your_writes") => shares(&split, names),
        (None, Some(read), Some(write)) => {
            let (read, write) = (names.pool(&read), names.pool(&write));
            Some(Action::ReadWrite {
                read: read?,
                write: write?,
                read_your_writes: table.duration_if_any("read_your_writes"),
            })
        }
        _ => {
            let wrong = Wrong::new("`pool` of [[route]] needs either `split`, or `read` and `write`");
            table.node.wrong(wrong.help("wanted: { split = { a = 95, b = 5 } } or { read = \"a\", write = \"b\" }"));
            None
        }
    }
}

fn shares(split: &Node<'_>, names: &Names<'_>) -> Option<Action> {
    let entries = split.entries();
    let share = |(name, at, node): &(&str, _, Node<'_>)| {
        let pool: Option<PoolId> = names.pool_named(name, at, node);
        Some((pool?, u32::try_from(node.integer()?).ok()?))
    };
    let shares: Vec<_> = entries.iter().map(share).collect();
    let shares: Vec<_> = shares.into_iter().collect::<Option<_>>()?;
    if shares.iter().all(|(_, weight)| *weight == 0) {
        split.wrong(Wrong::new("the shares of a split cannot all be 0"));
        return None;
    }
    Some(Action::Split(shares))
}

fn redirect(table: &Table<'_>) -> Option<Action> {
    let to = table.get("to").and_then(|node| node.parse(target));
    let status = table.integer("status");
    if let Some(node) = table.get("status").filter(|_| !REDIRECTS.contains(&status)) {
        node.wrong(
            Wrong::new(format!("{status} is not the status of a redirect")).help("allowed: 301, 302, 303, 307, 308"),
        );
    }
    Some(Action::Redirect { to: to?, status })
}

fn target(text: &str) -> Result<String, Wrong> {
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let after = &rest[at..];
        let found = PLACEHOLDERS.iter().find(|name| after.starts_with(**name));
        let Some(found) = found else {
            return Err(Wrong::new("unknown placeholder").help(format!("allowed: {}", PLACEHOLDERS.join(", "))));
        };
        rest = &after[found.len()..];
    }
    let absolute = ["http://", "https://", "/", "{scheme}://", "{path}"].iter().any(|start| text.starts_with(start));
    let plain = text.bytes().all(|b| b.is_ascii_graphic());
    match (absolute, plain) {
        (true, true) => Ok(text.to_owned()),
        (false, _) => Err(Wrong::new("a redirect goes to a URL or a path")
            .help("wanted: \"https://shop.example{path}\" or \"/elsewhere\"")),
        (_, false) => Err(Wrong::new("a URL is written in printable ASCII").help("write other bytes as %XX")),
    }
}

fn respond(table: &Table<'_>) -> Option<Action> {
    let content_type = match table.get("type") {
        Some(node) => node.parse(media_type)?,
        None => table.text_or_default("type").into_owned(),
    };
    let status = table.integer("status");
    let body = table.text_or_default("body").into_owned();
    // RFC 9110 §6.4.1: these have no content.
    if let Some(node) = table.get("body").filter(|_| matches!(status, 204 | 205 | 304) && !body.is_empty()) {
        node.wrong(Wrong::new(format!("a response with status {status} has no content")));
    }
    Some(Action::Respond { status, content_type, body })
}

fn media_type(text: &str) -> Result<String, Wrong> {
    match text.contains('/') && is_value(text.as_bytes()) {
        true => Ok(text.to_owned()),
        false => Err(Wrong::new("this is not a media type").help("wanted: \"text/html; charset=utf-8\" or the like")),
    }
}

/// `rewrite`
pub(super) fn rewrite(table: &Table<'_>) -> Option<Rewrite> {
    let path = |node: &Node<'_>| node.parse(|text| plain_path(text).map(|()| text.to_owned()));
    let given: Vec<_> = ["strip", "prefix", "path", "regex", "to"].into_iter().filter(|name| table.has(name)).collect();
    match given[..] {
        ["strip"] => path(&table.get("strip")?).map(Rewrite::Strip),
        ["prefix"] => path(&table.get("prefix")?).map(Rewrite::Prefix),
        ["path"] => path(&table.get("path")?).map(Rewrite::Path),
        ["regex", "to"] => {
            let regex = table.get("regex")?.parse(regex)?;
            Some(Rewrite::Regex(regex, table.text("to")?.into_owned()))
        }
        _ => {
            let wrong = Wrong::new("`rewrite` of [[route]] does one thing");
            table.node.wrong(wrong.help("wanted: one of { strip = \"/a\" }, { prefix = \"/a\" }, { path = \"/a\" }, { regex = \"…\", to = \"…\" }"));
            None
        }
    }
}

const REDIRECTS: &[u16] = &[301, 302, 303, 307, 308];

const PLACEHOLDERS: &[&str] = &["{scheme}", "{host}", "{path}", "{query}"];
