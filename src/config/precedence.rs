use super::{HostPattern, PathPattern, Route, ValuePattern};
use std::cmp::Reverse;

/// Where one host × path of a route stands in the order of matching: the least that matches wins.
///
/// Exact host before wildcard (longest suffix first) before none; exact path before prefix (longest first) before
/// regular expression (in the order of the file) before none; then more conditions before fewer; then stricter
/// conditions before looser. Only what is still equal is decided by the order of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Precedence {
    host: (u8, Reverse<usize>),
    path: (u8, Reverse<usize>, usize),
    conditions: Reverse<usize>,
    strictness: Reverse<(bool, usize, u8)>,
    index: usize,
}

/// The precedence of one host × path of a route; `index` is the route's in [`super::Config::routes`].
#[must_use]
pub fn precedence(route: &Route, index: usize, host: Option<&HostPattern>, path: Option<&PathPattern>) -> Precedence {
    let host = match host {
        Some(HostPattern::Exact(_)) => (0, Reverse(0)),
        Some(HostPattern::Wildcard(suffix)) => (1, Reverse(suffix.len())),
        None => (2, Reverse(0)),
    };
    let path = match path {
        Some(PathPattern::Exact(_)) => (0, Reverse(0), 0),
        Some(PathPattern::Prefix(prefix)) => (1, Reverse(prefix.len()), 0),
        Some(PathPattern::Regex(_)) => (2, Reverse(0), index),
        None => (3, Reverse(0), 0),
    };
    Precedence { host, path, conditions: Reverse(conditions(route)), strictness: Reverse(strictness(route)), index }
}

/// How many conditions a route has besides host and path: `method` and `client` count one each, `field` and `query`
/// one for each name.
#[must_use]
pub fn conditions(route: &Route) -> usize {
    usize::from(!route.methods.is_empty())
        + route.fields.len()
        + route.query.len()
        + usize::from(!route.clients.is_empty())
}

/// One host and one path of a route; `None` matches all.
pub type HostPath<'a> = (Option<&'a HostPattern>, Option<&'a PathPattern>);

/// Every host × path of a route.
pub fn host_paths(route: &Route) -> impl Iterator<Item = HostPath<'_>> {
    fn some_or_none<T>(all: &[T]) -> impl Iterator<Item = Option<&T>> + Clone {
        all.iter().map(Some).chain(all.is_empty().then_some(None))
    }
    let paths = some_or_none(&route.paths);
    some_or_none(&route.hosts).flat_map(move |host| paths.clone().map(move |path| (host, path)))
}

/// Every host × path of all routes in the order of matching, for `weir check --routes`.
#[must_use]
pub fn order(routes: &[Route]) -> Vec<(&Route, HostPath<'_>)> {
    let mut all = Vec::new();
    for (index, route) in routes.iter().enumerate() {
        all.extend(host_paths(route).map(|(host, path)| (precedence(route, index, host, path), route, (host, path))));
    }
    all.sort_by_key(|(precedence, ..)| *precedence);
    all.into_iter().map(|(_, route, pair)| (route, pair)).collect()
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
        super::order(&config.routes).iter().map(|(route, _)| route.name.clone()).collect()
    }

    #[test]
    fn hosts_then_paths_then_conditions_decide_and_the_order_of_the_file_does_not() {
        let routes = [
            ("1", "host = \"a.example\"\npath = \"/x\"\nmethod = \"GET\""),
            ("2", "host = \"a.example\"\npath = \"/x\""),
            ("3", "host = \"a.example\"\npath = \"/x/y/*\""),
            ("4", "host = \"a.example\"\npath = \"/x/*\""),
            ("5", "host = \"a.example\"\npath = \"~x\""),
            ("6", "host = \"a.example\""),
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
