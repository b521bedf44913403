use super::paths::view;
use crate::config::{HostPattern, PathPattern, Route};
use std::cmp::Reverse;
use std::collections::HashMap;

/// One way into a route: one of its hosts with one of its paths.
#[derive(Clone, Copy, Debug)]
pub struct Rank<'a> {
    /// Index into the routes given.
    pub route: usize,
    /// None: any host.
    pub host: Option<&'a HostPattern>,
    /// None: any path, and the targets that are no path (`*`, CONNECT).
    pub path: Option<&'a PathPattern>,
    /// How many conditions must hold besides: method and client count one each, fields and parameters one apiece.
    pub conditions: usize,
}

/// All ways into `routes`, the one that is tried first in front.
///
/// Exact host before wildcard (longest suffix first) before none; exact path before longest prefix before regex (in the
/// order of the file) before none; more conditions before fewer. A true tie is an error of the configuration; here the
/// file's order breaks it.
#[must_use]
pub fn order(routes: &[Route]) -> Vec<Rank<'_>> {
    let mut ranks: Vec<_> = routes.iter().enumerate().flat_map(|(index, route)| ranks(index, route)).collect();
    // Regexes first by host, so that equal ones stand together at the place of the first.
    let firsts = first_regexes(&ranks);
    ranks.sort_by_cached_key(|rank| {
        let path = match rank.path {
            Some(PathPattern::Regex(regex)) => (2, firsts[&(rank.host, regex.as_str())], Box::default()),
            Some(PathPattern::Exact(path)) => (0, 0, view(path)),
            Some(PathPattern::Prefix(path)) => (1, usize::MAX - view(path).len(), view(path)),
            None => (3, 0, Box::default()),
        };
        (host_key(rank.host), path, Reverse(rank.conditions), rank.route)
    });
    ranks
}

fn ranks(index: usize, route: &Route) -> impl Iterator<Item = Rank<'_>> {
    let conditions = usize::from(!route.methods.is_empty())
        + usize::from(!route.clients.is_empty())
        + route.fields.len()
        + route.query.len();
    any_or_each(&route.hosts)
        .flat_map(move |host| any_or_each(&route.paths).map(move |path| Rank { route: index, host, path, conditions }))
}

/// Each of `items`, or one `None` if there are none.
fn any_or_each<T>(items: &[T]) -> impl Iterator<Item = Option<&T>> {
    items.is_empty().then_some(None).into_iter().chain(items.iter().map(Some))
}

fn first_regexes<'a>(ranks: &[Rank<'a>]) -> HashMap<(Option<&'a HostPattern>, &'a str), usize> {
    let mut firsts = HashMap::new();
    for (at, rank) in ranks.iter().enumerate() {
        if let Some(PathPattern::Regex(regex)) = rank.path {
            firsts.entry((rank.host, regex.as_str())).or_insert(at);
        }
    }
    firsts
}

fn host_key(host: Option<&HostPattern>) -> (u8, Reverse<usize>, String) {
    match host {
        Some(HostPattern::Exact(name)) => (0, Reverse(0), name.clone()),
        Some(HostPattern::Wildcard(suffix)) => (1, Reverse(suffix.len()), suffix.clone()),
        None => (2, Reverse(0), String::new()),
    }
}
