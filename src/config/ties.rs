use super::file::report::{Report, Wrong};
use super::file::table::Table;
use super::precedence::host_paths;
use super::{HostPattern, PathPattern, Route};
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Records routes that tie, and routes that can never match. Linear in the number of host × path × method.
pub(crate) fn check(report: &Report<'_>, tables: &[Table<'_>], routes: &[Route]) {
    let mut taken = HashMap::new();
    let mut names = HashMap::new();
    for (index, route) in routes.iter().enumerate() {
        let conditions = conditions_key(route);
        if let Some((other, what)) = claim(&mut taken, index, route, &conditions) {
            tie(report, tables, index, other, &what);
        }
        same_name(report, tables, &mut names, index);
    }
    for (index, route) in routes.iter().enumerate() {
        unreachable(report, tables, &taken, index, route);
    }
}

/// What decides whether a request meets a route at the same place in the order as another.
type Key<'a> = (Option<&'a HostPattern>, String, String, String);

/// Takes every host × path × method of a route; the first that another has taken is given back.
fn claim<'a>(
    taken: &mut HashMap<Key<'a>, usize>,
    index: usize,
    route: &'a Route,
    conditions: &str,
) -> Option<(usize, String)> {
    let mut clash = None;
    for (host, path) in host_paths(route) {
        let methods = route.methods.iter().map(ToString::to_string);
        for method in methods.chain(route.methods.is_empty().then(String::new)) {
            let what = describe(host, path, &method);
            match taken.entry((host, path_key(path), method, conditions.to_owned())) {
                Entry::Vacant(entry) => _ = entry.insert(index),
                Entry::Occupied(entry) => clash = clash.or(Some((*entry.get(), what))),
            }
        }
    }
    clash
}

fn describe(host: Option<&HostPattern>, path: Option<&PathPattern>, method: &str) -> String {
    let host = host.map_or_else(|| "every host".to_owned(), |host| format!("host {host}"));
    let path = path.map_or_else(|| "every path".to_owned(), |path| format!("path {path}"));
    let method = if method.is_empty() { String::new() } else { format!(", method {method}") };
    format!("{host}, {path}{method}")
}

fn tie(report: &Report<'_>, tables: &[Table<'_>], index: usize, other: usize, what: &str) {
    let node = &tables[index].node;
    let wrong = match index == other {
        true => Wrong::new(format!("this [[route]] names something twice: {what}")),
        false => Wrong::new(format!("two routes tie for {what}"))
            .help(format!("the other is at {}", report.shown(&tables[other].node.at)))
            .help("nothing orders them: the order of the file does not count; add a condition to one, or join them"),
    };
    node.wrong(wrong);
}

/// A regular expression comes after every prefix, so one beside `/*` is never asked.
fn unreachable(
    report: &Report<'_>,
    tables: &[Table<'_>],
    taken: &HashMap<Key<'_>, usize>,
    index: usize,
    route: &Route,
) {
    let all_regex = !route.paths.is_empty() && route.paths.iter().all(|path| matches!(path, PathPattern::Regex(_)));
    if !all_regex {
        return;
    }
    let root = path_key(Some(&PathPattern::Prefix("/".into())));
    let hosts = route.hosts.iter().map(Some).chain(route.hosts.is_empty().then_some(None));
    let covered: Option<Vec<usize>> =
        hosts.map(|host| taken.get(&(host, root.clone(), String::new(), String::new())).copied()).collect();
    if let Some(other) = covered.and_then(|others| others.first().copied()) {
        let wrong = Wrong::new("this [[route]] can never match: a regular expression comes after the prefix \"/*\"");
        let other = report.shown(&tables[other].node.at);
        let help = format!("\"/*\" is at {other}; leave `path` out there to match what nothing else matches");
        tables[index].node.wrong(wrong.help(help));
    }
}

fn same_name<'a>(report: &Report<'_>, tables: &[Table<'a>], names: &mut HashMap<String, usize>, index: usize) {
    let Some(node) = tables[index].get("name") else { return };
    let Some(name) = node.text() else { return };
    match names.entry(name.into_owned()) {
        Entry::Vacant(entry) => _ = entry.insert(index),
        Entry::Occupied(entry) => {
            let wrong = Wrong::new(format!("two routes have the name `{}`", entry.key()));
            node.wrong(wrong.help(format!("the other is at {}", report.shown(&tables[*entry.get()].node.at))));
        }
    }
}

/// Tells exact paths, prefixes and expressions apart by their first or last character.
fn path_key(path: Option<&PathPattern>) -> String {
    path.map(ToString::to_string).unwrap_or_default()
}

/// Conditions besides the method, in an order of their own; equal for two routes if they ask for the same.
fn conditions_key(route: &Route) -> String {
    let pairs = |what, pairs: &[(String, super::ValuePattern)]| {
        pairs.iter().map(|(name, value)| format!("{what} {name:?} {:?}", value.to_string())).collect::<Vec<_>>()
    };
    let mut all = pairs("field", &route.fields);
    all.extend(pairs("query", &route.query));
    let mut clients: Vec<_> = route.clients.iter().map(|network| format!("client {network}")).collect();
    clients.sort_unstable();
    clients.dedup();
    all.extend(clients);
    all.sort_unstable();
    all.join("\n")
}
