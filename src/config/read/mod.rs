//! From the shape of the file to checked values: one reader a section.

mod access;
mod action;
mod balance;
mod cache;
mod cluster;
mod compress;
mod edits;
mod limit;
mod listener;
mod log;
mod matching;
mod pool;
mod register;
mod resilience;
mod route;
mod secret;
mod server;
mod token;
mod users;
mod waiting;

use super::file::keys::ROOT;
use super::file::node::Node;
use super::file::report::{At, Report, Wrong};
use super::file::shape;
use super::file::table::Table;
use super::{AccessId, AdminListen, Config, LimitId, Pool, PoolId, Role, ties};
use crate::config::file::units;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use toml::de::{DeTable, DeValue};

/// Reads all sources of a report. `None`, or a value that is not to be used, if anything was recorded as wrong.
pub(crate) fn config(report: &Report<'_>) -> Option<Config> {
    let parsed: Vec<_> = (0..report.sources.len()).map(|source| parse(report, source)).collect();
    let parsed: Vec<_> = parsed.into_iter().collect::<Option<_>>()?;
    let files: Vec<_> = parsed.iter().enumerate().map(|(i, value)| file(report, i, value)).collect();
    let names = Names {
        pools: named(&files, "pool"),
        caches: named(&files, "cache"),
        accesses: named(&files, "access"),
        limits: named(&files, "limit"),
        waiting_rooms: named(&files, "waiting_room"),
        used: RefCell::default(),
        used_accesses: RefCell::default(),
    };
    let routes = all(&files, "route");
    let admin = one(&files, "admin");
    let tokens = token::tokens(&admin);
    let token_names = admin.has("listen").then(|| token::names(&admin));
    let config = Config {
        server: server::server(&one(&files, "server")),
        admin: server::admin(&admin),
        cluster: files.iter().any(|file| file.has("cluster")).then(|| cluster::read(&one(&files, "cluster"))).flatten(),
        log: log::log(&one(&files, "log")),
        listeners: listener::all(report, &all(&files, "listener")),
        pools: names
            .pools
            .tables
            .iter()
            .filter_map(|(name, table)| pool::read(name, table, token_names.as_deref()))
            .collect(),
        caches: names.caches.tables.iter().filter_map(|(name, table)| cache::read(name, table)).collect(),
        accesses: names.accesses.tables.iter().filter_map(|(name, table)| access::read(name, table, &names)).collect(),
        limits: names.limits.tables.iter().filter_map(|(name, table)| limit::read(name, table)).collect(),
        waiting_rooms: names
            .waiting_rooms
            .tables
            .iter()
            .filter_map(|(name, table)| waiting::read(name, table))
            .collect(),
        routes: routes.iter().filter_map(|table| route::read(table, &names)).collect(),
        warnings: Vec::new(),
        interfaces: token::interfaces(&admin, &token::names(&admin)),
        tokens,
    };
    cache::apart(&config.caches, |name| {
        names.caches.tables[*names.caches.by_name.get(name)?].1.table("disk")?.get("path")
    });
    warn_unused(report, &names, &admin, &config);
    warn_crowded(&files, &config);
    waiting::check(&names, &config);
    if config.routes.len() == routes.len() {
        ties::check(report, &routes, &config.routes);
    }
    Some(config)
}

/// Caches that together may hold more than the process.
fn warn_crowded(files: &[Table<'_>], config: &Config) {
    let caches: u64 = config.caches.iter().map(|cache| cache.memory).fold(0, u64::saturating_add);
    if let Some(memory) = config.server.memory.filter(|memory| caches > *memory)
        && let Some(node) = one(files, "server").get("memory")
    {
        let (caches, memory) = (units::show_size(caches), units::show_size(memory));
        node.report.warn(
            &node.at,
            format!("caches may hold {caches}, and the process {memory}: they get what is left of that"),
        );
    }
}

/// `[admin] listen` alone, of a file in which other things may be wrong.
pub(crate) fn admin(report: &Report<'_>) -> Option<AdminListen> {
    let parsed: Vec<_> = report
        .sources
        .iter()
        .map(|source| DeValue::Table(DeTable::parse_recoverable(&source.text).0.into_inner()))
        .collect();
    let mut files = parsed.iter().enumerate().map(|(i, value)| file(report, i, value));
    files.find_map(|file| server::admin(&file.table("admin")?))
}

/// What routes refer to by name.
pub(crate) struct Names<'a> {
    pub(crate) pools: Sections<'a>,
    pub(crate) caches: Sections<'a>,
    pub(crate) accesses: Sections<'a>,
    pub(crate) limits: Sections<'a>,
    pub(crate) waiting_rooms: Sections<'a>,
    /// The pools that some route uses.
    used: RefCell<HashSet<usize>>,
    used_accesses: RefCell<HashSet<usize>>,
}

/// `[pool.A]`, `[pool.B]`: in the order of the files.
pub(crate) struct Sections<'a> {
    what: &'static str,
    tables: Vec<(&'a str, Table<'a>)>,
    by_name: HashMap<&'a str, usize>,
}

impl Names<'_> {
    /// The pool that a value names; one that does not exist is recorded as wrong.
    pub(crate) fn pool(&self, node: &Node<'_>) -> Option<PoolId> {
        self.pool_named(&node.text()?, &node.at, node)
    }

    /// The same for a name that stands elsewhere, such as in a key.
    pub(crate) fn pool_named(&self, name: &str, at: &At, node: &Node<'_>) -> Option<PoolId> {
        let index = self.pools.find(name, at, node)?;
        self.used.borrow_mut().insert(index);
        Some(PoolId(index))
    }

    /// The access that a value names; one that does not exist is recorded as wrong.
    pub(crate) fn access(&self, name: &str, node: &Node<'_>) -> Option<AccessId> {
        let index = self.accesses.find(name, &node.at, node)?;
        self.used_accesses.borrow_mut().insert(index);
        Some(AccessId(index))
    }
}

impl Sections<'_> {
    /// The index of a section; one that does not exist is recorded as wrong.
    pub(crate) fn find(&self, name: &str, at: &At, node: &Node<'_>) -> Option<usize> {
        let found = self.by_name.get(name).copied();
        if found.is_none() {
            // Thousands of dangling names need no thousands of suggestions.
            let wrong = if node.report.is_full() { Wrong::default() } else { self.dangling(name) };
            node.report.wrong(at, &node.path, wrong);
        }
        found
    }

    fn dangling(&self, name: &str) -> Wrong {
        let what = self.what;
        let mut known: Vec<_> = self.by_name.keys().copied().collect();
        known.sort_unstable();
        let shown = shape::short(name);
        let wrong = Wrong::new(format!("there is no {what} `{shown}`")).suggest(name, known.iter().copied());
        match known.len() {
            0 => wrong.help(format!("add a section [{what}.{shown}]")),
            n if n <= NAMES_SHOWN => wrong.help(format!("{}: {}", plural(what), known.join(", "))),
            n => wrong.help(format!(
                "{}: {}, and {} more",
                plural(what),
                known[..NAMES_SHOWN].join(", "),
                n - NAMES_SHOWN
            )),
        }
    }
}

/// `pools`, `accesses`
fn plural(what: &str) -> String {
    format!("{what}{}", if what.ends_with('s') { "es" } else { "s" })
}

/// Parses one source; all syntax errors are recorded.
fn parse<'a>(report: &Report<'a>, source: usize) -> Option<DeValue<'a>> {
    let (table, errors) = DeTable::parse_recoverable(&report.sources[source].text);
    for error in &errors {
        let span = error.span().unwrap_or_default();
        let key = match error.message() {
            "duplicate key" => format!(" `{}`", shape::short(&report.sources[source].text[span.clone()])),
            _ => String::new(),
        };
        report.wrong(&At { source, span }, "", Wrong::new(format!("{}{key}", error.message())));
    }
    errors.is_empty().then(|| DeValue::Table(table.into_inner()))
}

fn file<'a>(report: &'a Report<'a>, source: usize, value: &'a DeValue<'a>) -> Table<'a> {
    let node = Node { report, at: At { source, span: 0..0 }, path: String::new(), value };
    shape::check(&node, &ROOT);
    let file = Table::new(node, &ROOT);
    if source == 0 && !file.has("version") {
        file.node.wrong(Wrong::new("missing `version` in the file").help("wanted: version = 1"));
    }
    file
}

/// All elements of an array of tables, over all files.
fn all<'a>(files: &[Table<'a>], name: &str) -> Vec<Table<'a>> {
    files.iter().flat_map(|file| file.tables(name)).collect()
}

/// A section that may be said once, or an empty one.
fn one<'a>(files: &[Table<'a>], name: &str) -> Table<'a> {
    let mut found = files.iter().filter_map(|file| file.table(name));
    let Some(first) = found.next() else { return files[0].table_or_empty(name) };
    for again in found {
        let wrong = Wrong::new(format!("[{name}] stands in two files"));
        again.node.wrong(wrong.help(format!("the other is at {}", again.node.report.shown(&first.node.at))));
    }
    first
}

/// All sections `[KIND.NAME]`, over all files.
fn named<'a>(files: &[Table<'a>], what: &'static str) -> Sections<'a> {
    let mut sections = Sections { what, tables: Vec::new(), by_name: HashMap::new() };
    for (name, at, table) in files.iter().flat_map(|file| file.named(what)) {
        if let Some(first) = sections.by_name.get(name) {
            let report = table.node.report;
            let other = report.shown(&sections.tables[*first].1.node.at);
            let wrong = Wrong::new(format!("there are two {} `{}`", plural(what), shape::short(name)));
            report.wrong(&at, &table.node.path, wrong.help(format!("the other is at {other}")));
            continue;
        }
        sections.by_name.insert(name, sections.tables.len());
        sections.tables.push((name, table));
    }
    sections
}

fn warn_unused(report: &Report<'_>, names: &Names<'_>, admin: &Table<'_>, config: &Config) {
    let used = names.used.borrow();
    for (index, (name, table)) in names.pools.tables.iter().enumerate() {
        if !used.contains(&index) {
            report.warn(&table.node.at, format!("no route uses pool `{name}`"));
        }
    }
    let used = names.used_accesses.borrow();
    for (index, (name, table)) in names.accesses.tables.iter().enumerate() {
        if !used.contains(&index) {
            report.warn(&table.node.at, format!("no route uses access `{name}`: it protects nothing"));
        }
    }
    for (index, (name, table)) in names.limits.tables.iter().enumerate() {
        if !config.routes.iter().any(|route| route.limits.contains(&LimitId(index))) {
            report.warn(&table.node.at, format!("no route uses limit `{name}`"));
        }
    }
    for (table, token) in admin.tables("tokens").iter().zip(&config.tokens) {
        let is_named = |pool: &Pool| pool.register.as_ref().is_some_and(|it| it.tokens.contains(&token.name));
        if token.role == Role::Registrar && !config.pools.iter().any(is_named) {
            report.warn(&table.node.at, format!("no pool takes registrations by token `{}`", token.name));
        }
    }
    if config.routes.is_empty() {
        report.warn(&At { source: 0, span: 0..0 }, "there is no [[route]]: everything is answered with 404");
    }
}

/// Names listed when one is not found.
const NAMES_SHOWN: usize = 10;
