use super::{HostPattern, PathPattern, Route, ValuePattern};
use std::cmp::Reverse;
use std::collections::HashMap;

/// One way into a route: one of its hosts with one of its paths.
#[derive(Clone, Copy, Debug)]
pub struct Rank<'a> {
    /// Index into the routes given.
    pub route: usize,
    /// `None`: any host.
    pub host: Option<&'a HostPattern>,
    /// `None`: any path.
    pub path: Option<&'a PathPattern>,
    /// How many conditions must hold besides: `method` and `client` count one each, `field` and `query` one a name.
    pub conditions: usize,
}

/// All ways into `routes`, the one that is tried first in front.
///
/// Exact host before wildcard (longest suffix first) before none; exact path before prefix (longest first) before
/// regular expression (in the order of the file) before none; then more conditions before fewer; then stricter
/// conditions before looser. Only what is still equal is decided by the order of the file.
#[must_use]
pub fn order(routes: &[Route]) -> Vec<Rank<'_>> {
    let mut ranks: Vec<_> = routes.iter().enumerate().flat_map(|(index, route)| ranks(index, route)).collect();
    let firsts = first_regexes(&ranks);
    ranks.sort_by_cached_key(|rank| {
        let path = match rank.path {
            Some(PathPattern::Exact(path)) => (0, Reverse(0), path.as_str()),
            Some(PathPattern::Prefix(path)) => (1, Reverse(path.len()), path.as_str()),
            Some(PathPattern::Regex(regex)) => (2, Reverse(usize::MAX - firsts[&(rank.host, regex.as_str())]), ""),
            None => (3, Reverse(0), ""),
        };
        (host_key(rank.host), path, Reverse(rank.conditions), Reverse(strictness(&routes[rank.route])), rank.route)
    });
    ranks
}

/// Every host × path of a route; `None` matches all.
pub(crate) fn host_paths(route: &Route) -> impl Iterator<Item = (Option<&HostPattern>, Option<&PathPattern>)> {
    fn any_or_each<T>(all: &[T]) -> impl Iterator<Item = Option<&T>> + Clone {
        all.iter().map(Some).chain(all.is_empty().then_some(None))
    }
    let paths = any_or_each(&route.paths);
    any_or_each(&route.hosts).flat_map(move |host| paths.clone().map(move |path| (host, path)))
}

fn ranks(index: usize, route: &Route) -> impl Iterator<Item = Rank<'_>> {
    let conditions = usize::from(!route.methods.is_empty())
        + route.fields.len()
        + route.query.len()
        + usize::from(!route.clients.is_empty());
    host_paths(route).map(move |(host, path)| Rank { route: index, host, path, conditions })
}

/// Equal expressions stand together at the place of the first, so that their conditions can order them.
fn first_regexes<'a>(ranks: &[Rank<'a>]) -> HashMap<(Option<&'a HostPattern>, &'a str), usize> {
    let mut firsts = HashMap::new();
    for (at, rank) in ranks.iter().enumerate() {
        if let Some(PathPattern::Regex(regex)) = rank.path {
            firsts.entry((rank.host, regex.as_str())).or_insert(at);
        }
    }
    firsts
}

fn host_key(host: Option<&HostPattern>) -> (u8, Reverse<usize>, &str) {
    match host {
        Some(HostPattern::Exact(name)) => (0, Reverse(0), name),
        Some(HostPattern::Wildcard(suffix)) => (1, Reverse(suffix.len()), suffix),
        None => (2, Reverse(0), ""),
    }
}

/// Method, then how strict values are in sum, then the widest client network (narrower is stricter).
fn strictness(route: &Route) -> (bool, usize, u8) {
    let values = route.fields.iter().chain(&route.query).map(|(_, value)| match value {
        ValuePattern::Exact(text) => STRICT + text.len(),
        ValuePattern::Prefix(text) => text.len(),
        ValuePattern::Regex(_) => 1,
        ValuePattern::Present => 0,
    });
    // Both families of addresses on one scale.
    let bits = |net: &ipnet::IpNet| net.prefix_len() + if net.addr().is_ipv4() { 96 } else { 0 };
    (!route.methods.is_empty(), values.sum(), route.clients.iter().map(bits).min().unwrap_or(0))
}

/// Above the length of any prefix that a file could hold: an exact value is stricter than every prefix.
const STRICT: usize = 1 << 32;

#[cfg(test)]
mod tests {
    use crate::config::load_text;
    use std::path::Path;

    fn order(routes: &str) -> Vec<String> {
        let text = format!(
            "version = 1\n[[listener]]\naddress = \"127.0.0.1:0\"\n[pool.a]\nbackends = [\"127.0.0.1:1\"]\n{routes}"
        );
        let config = load_text(Path::new("test"), &text, &|_| None).unwrap();
        super::order(&config.routes).iter().map(|rank| config.routes[rank.route].name.clone()).collect()
    }

    #[test]
    fn hosts_then_paths_then_conditions_decide_and_the_order_of_the_file_does_not() {
        let routes = [
            ("1", "host = \"a.example\"\npath = \"/x\"\nmethod = \"GET\""),
            ("2", "host = \"a.example\"\npath = \"/x\""),
            ("3", "host = \"a.example\"\npath = \"/x/y/*\""),
            ("4", "host = \"a.example\"\npath = \"/x/*\""),
            ("5", "host = \"a.example\"\npath = \"~x\""),
            ("6", "host = \"a.example\"\nmethod = [\"GET\", \"HEAD\"]"),
            ("7", "host = \"*.b.example\"\nfield = { a = \"1\" }"),
            ("8", "host = \"*.b.example\"\nfield = { a = \"1*\" }"),
            ("9", "host = \"*.example\""),
            ("A", "path = \"/x\""),
            ("B", "client = \"10.1.0.0/16\""),
            ("C", "client = \"10.0.0.0/8\""),
            ("D", ""),
        ];
        let write = |(name, text): &(&str, &str)| format!("[[route]]\nname = \"{name}\"\npool = \"a\"\n{text}\n");
        let forward: String = routes.iter().map(write).collect();
        let backward: String = routes.iter().rev().map(write).collect();
        let wanted: Vec<_> = routes.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(order(&forward), wanted);
        assert_eq!(order(&backward), wanted);
    }
}
