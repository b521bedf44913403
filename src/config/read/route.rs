use super::action::{action, rewrite};
use super::compress::compress;
use super::edits::{self, field_name};
use super::matching::{host, method, network, path, value};
use super::{Names, waiting};
use crate::config::file::node::Node;
use crate::config::file::report::Wrong;
use crate::config::file::source::read_bounded;
use crate::config::file::table::Table;
use crate::config::file::units;
use crate::config::{
    AccessId, CacheId, ErrorPage, HostPattern, LimitId, Mirror, PathPattern, Priority, Route, RoutePriority,
    RouteTimeouts, ValuePattern,
};
use crate::http::Method;
use std::collections::HashSet;

pub(super) fn read(table: &Table<'_>, names: &Names<'_>) -> Option<Route> {
    let timeouts = table.table_or_empty("timeouts");
    let allowed: Vec<_> = table.elements("allow").iter().filter_map(Node::text).collect();
    let (hosts, paths) = (table.parse_all("host", host), table.parse_all("path", path));
    let action = action(table, names);
    let route = Route {
        place: table.node.place(),
        name: table.text("name").map_or_else(|| name_of(&hosts, &paths), |name| name.into_owned()),
        hosts,
        paths,
        methods: table.parse_all("method", method),
        fields: conditions(table, "field", true),
        query: conditions(table, "query", false),
        clients: table.parse_all("client", network),
        rewrite: table.table("rewrite").and_then(|table| rewrite(&table)),
        request: table.table("request").map(|table| edits::request(&table)).unwrap_or_default(),
        response: table.table("response").map(|table| edits::response(&table)).unwrap_or_default(),
        timeouts: RouteTimeouts {
            first_byte: timeouts.duration_if_any("first_byte"),
            idle: timeouts.duration_if_any("idle"),
            upgrade_idle: Some(timeouts.duration("upgrade_idle")),
            total: timeouts.duration_if_any("total"),
        },
        max_body: table.size_if_any("max_body"),
        mirror: table.table("mirror").and_then(|table| mirror(&table, names)),
        maintenance: table.boolean("maintenance"),
        errors: table.get("errors").map(|node| pages(&node)).unwrap_or_default(),
        access: access(table, names),
        cache: cache(table, names),
        waiting_room: waiting::of_route(table, names),
        limits: limits(table, names),
        compress: compress(table),
        priority: priority(&table.text_or_default("priority")),
        allow_trace: allowed.iter().any(|method| method == "TRACE"),
        allow_connect: allowed.iter().any(|method| method == "CONNECT"),
        // Last: the others are checked even if there is none.
        action: action?,
    };
    check_methods(table, &route);
    Some(route)
}

/// `shop.example/api/*`
fn name_of(hosts: &[HostPattern], paths: &[PathPattern]) -> String {
    let host = hosts.first().map_or_else(|| "*".to_owned(), ToString::to_string);
    let path = paths.first().map_or_else(|| "/*".to_owned(), ToString::to_string);
    format!("{host}{path}")
}

/// A method that is refused before routes are asked can never match.
fn check_methods(table: &Table<'_>, route: &Route) {
    for node in table.elements("method") {
        let refused = match node.text().map(|text| Method::parse(text.as_bytes())) {
            Some(Some(Method::Trace)) => !route.allow_trace,
            Some(Some(Method::Connect)) => !route.allow_connect,
            _ => false,
        };
        if refused {
            let wrong = Wrong::new(format!("{} is refused, so this can never match", node.raw()));
            node.wrong(wrong.help(format!("add: allow = [\"{}\"]", node.raw())));
        }
    }
}

/// `field` or `query`
fn conditions(table: &Table<'_>, key: &str, are_fields: bool) -> Vec<(String, ValuePattern)> {
    let (mut conditions, mut seen) = (Vec::new(), HashSet::new());
    for (name, at, node) in table.get(key).map(|node| node.entries()).unwrap_or_default() {
        let name = match are_fields {
            true => field_name(name, &at, &node),
            false => Some(name.to_owned()),
        };
        let (Some(name), Some(value)) = (name, node.parse(value)) else { continue };
        if !seen.insert(name.clone()) {
            node.report.wrong(&at, &node.path, Wrong::new(format!("`{name}` is named twice")));
        }
        conditions.push((name, value));
    }
    conditions
}

fn priority(word: &str) -> RoutePriority {
    let fixed = Priority::ALL.into_iter().find(|priority| priority.label() == word);
    fixed.map_or(RoutePriority::Client, RoutePriority::Fixed)
}

fn mirror(table: &Table<'_>, names: &Names<'_>) -> Option<Mirror> {
    let share = units::share(&table.text_or_default("share")).unwrap_or(units::SHARE_WHOLE);
    Some(Mirror { pool: names.pool(&table.get("pool")?)?, share })
}

fn access(table: &Table<'_>, names: &Names<'_>) -> Option<AccessId> {
    let node = table.get("access")?;
    names.access(&node.text()?, &node)
}

fn cache(table: &Table<'_>, names: &Names<'_>) -> Option<CacheId> {
    let node = table.get("cache")?;
    names.caches.find(&node.text()?, &node.at, &node).map(CacheId)
}

fn limits(table: &Table<'_>, names: &Names<'_>) -> Vec<LimitId> {
    let mut limits = Vec::new();
    for node in table.elements("limits") {
        let Some(text) = node.text() else { continue };
        let Some(id) = names.limits.find(&text, &node.at, &node).map(LimitId) else { continue };
        if limits.contains(&id) {
            node.wrong(Wrong::new(format!("`{text}` is named twice")));
            continue;
        }
        limits.push(id);
    }
    if let Some(node) = table.get("limits").filter(|_| limits.len() > Route::LIMITS_MAX) {
        node.wrong(Wrong::new(format!("a route may have {} limits at most", Route::LIMITS_MAX)));
    }
    limits
}

fn pages(node: &Node<'_>) -> Vec<ErrorPage> {
    let mut pages = Vec::new();
    for (status, at, node) in node.entries() {
        let Some(status) = status.parse::<u16>().ok().filter(|status| (400..=599).contains(status)) else {
            let wrong =
                Wrong::new("this is not the status of an error").help("wanted: a status from 400 to 599, in quotes");
            node.report.wrong(&at, &node.path, wrong);
            continue;
        };
        let Some(path) = node.file_path() else { continue };
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        let content_type = CONTENT_TYPES.iter().find(|(e, _)| *e == extension).map_or(PLAIN, |(_, t)| *t).to_owned();
        match read_bounded(&path, PAGE_BYTES_MAX) {
            Ok(body) => pages.push(ErrorPage { status, content_type, body }),
            Err(why) => node.wrong(Wrong::new(format!("cannot read {}: {why}", path.display()))),
        }
    }
    pages
}

/// A page for errors is kept in memory.
const PAGE_BYTES_MAX: u64 = 1 << 20;

const CONTENT_TYPES: &[(&str, &str)] = &[
    ("html", "text/html; charset=utf-8"),
    ("htm", "text/html; charset=utf-8"),
    ("json", "application/json"),
    ("txt", PLAIN),
    ("svg", "image/svg+xml"),
    ("xml", "application/xml"),
];

const PLAIN: &str = "text/plain; charset=utf-8";
