use super::*;
use crate::config::{Action, PathPattern, Place, ValuePattern};
use crate::http::{Fields, Method, Target};
use proptest::prelude::*;
use regex::bytes::Regex;

const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn route(hosts: &[&str], paths: &[&str]) -> Route {
    let host = |text: &&str| match text.strip_prefix('*') {
        Some(suffix) => HostPattern::Wildcard(suffix.into()),
        None => HostPattern::Exact((*text).into()),
    };
    let path = |text: &&str| match (text.strip_prefix('~'), text.strip_suffix('*')) {
        (Some(regex), _) => PathPattern::Regex(Regex::new(regex).unwrap()),
        (_, Some(prefix)) => PathPattern::Prefix(prefix.into()),
        _ => PathPattern::Exact((*text).into()),
    };
    let (hosts, paths) = (hosts.iter().map(host).collect(), paths.iter().map(path).collect());
    let action = Action::Respond { status: 200, content_type: String::new(), body: String::new() };
    Route { hosts, paths, ..Route::plain(Place { file: "weir.toml".into(), line: 1 }, String::new(), action) }
}

fn get(host: &str, target: &str) -> RequestHead {
    RequestHead { authority: host.into(), target: target.into(), ..Default::default() }
}

fn found(routes: &[Route], host: &str, target: &str) -> Option<usize> {
    Table::build(routes).find(&get(host, target), CLIENT)
}

#[test]
fn an_exact_host_beats_a_longer_wildcard_beats_a_shorter_beats_none() {
    let routes = [route(&[], &[]), route(&["*.b.c"], &[]), route(&["*.c"], &[]), route(&["a.b.c"], &[])];
    for (host, expected) in [
        ("a.b.c", 3),
        ("A.B.C:8080", 3),
        ("a.b.c.", 3),
        ("a.b.c.:80", 3),
        ("x.b.c", 1),
        ("y.x.b.c", 1),
        ("b.c", 2),
        ("c", 0),
        (".c", 0),
        ("", 0),
    ] {
        assert_eq!(found(&routes, host, "/"), Some(expected), "{host}");
    }
    assert_eq!(found(&routes, &("x".repeat(300) + ".b.c"), "/"), Some(0));
    assert_eq!(found(&routes, &("x.".repeat(100) + "b.c"), "/"), Some(1));
}

#[test]
fn an_exact_path_beats_the_longest_prefix_beats_a_regex_beats_none() {
    let routes = [
        route(&[], &[]),
        route(&[], &["~^/a/[0-9]+$", "~^/r"]),
        route(&[], &["/a/*"]),
        route(&[], &["/a/b/*"]),
        route(&[], &["/a/b"]),
        route(&[], &["~^/r/x"]),
    ];
    for (path, expected) in [
        ("/a/b", 4),
        ("/a/b/", 3),
        ("/a/b/c?x", 3),
        ("/a/bc", 2),
        ("/a/1", 2),
        ("/a", 2),
        ("/ab", 0),
        ("/r/x", 1),
        ("/", 0),
        ("*", 0),
        ("", 0),
    ] {
        assert_eq!(found(&routes, "h", path), Some(expected), "{path}");
    }
}

#[test]
fn a_host_whose_paths_do_not_match_falls_back_to_wildcard_then_none() {
    let routes = [route(&["a.b"], &["/x"]), route(&["*.b"], &["/y"]), route(&[], &["/z"])];
    assert_eq!(found(&routes, "a.b", "/x"), Some(0));
    assert_eq!(found(&routes, "a.b", "/y"), Some(1));
    assert_eq!(found(&routes, "a.b", "/z"), Some(2));
    assert_eq!(found(&routes, "a.b", "/w"), None);
}

#[test]
fn more_conditions_are_tried_first_and_a_failing_one_falls_back_to_a_shorter_path() {
    let mut guarded = route(&[], &["/a/b/*"]);
    guarded.methods = vec![Method::Post];
    guarded.fields = vec![("x-beta".into(), ValuePattern::Present)];
    let mut posts = route(&[], &["/a/b/*"]);
    posts.methods = vec![Method::Post];
    let table = Table::build(&[route(&[], &["/a/*"]), posts, guarded]);
    let mut head = get("h", "/a/b/c");
    assert_eq!(table.find(&head, CLIENT), Some(0));
    head.method = Method::Post;
    assert_eq!(table.find(&head, CLIENT), Some(1));
    head.fields.push(b"X-Beta", b"");
    assert_eq!(table.find(&head, CLIENT), Some(2));
}

#[test]
fn parameters_are_compared_decoded_and_clients_by_network() {
    let mut canary = route(&[], &[]);
    canary.query = vec![("na me".into(), ValuePattern::Exact("a/b".into()))];
    canary.clients = vec!["127.0.0.0/8".parse().unwrap()];
    let table = Table::build(&[canary]);
    for (target, expected) in
        [("/?x=1&na+me=%61%2Fb", Some(0)), ("/?na%20me=a/b", Some(0)), ("/?na me=a/bc", None), ("/", None)]
    {
        assert_eq!(table.find(&get("h", target), CLIENT), expected, "{target}");
    }
    let (mapped, other) = ("::ffff:127.0.0.1".parse().unwrap(), "10.0.0.1".parse().unwrap());
    assert_eq!(table.find(&get("h", "/?na+me=a/b"), mapped), Some(0));
    assert_eq!(table.find(&get("h", "/?na+me=a/b"), other), None);
}

#[test]
fn no_spelling_of_a_path_walks_around_its_route() {
    let routes = [route(&[], &[]), route(&[], &["/admin/*"]), route(&[], &["~^/secret/.*$"]), route(&[], &["/one"])];
    for path in ["/%61dmin/x", "/x/../admin", "//admin/x", "/./admin/", "/admin%2fx", "/x/%2e%2e/admin/x"] {
        assert_eq!(found(&routes, "h", path), Some(1), "{path}");
    }
    for path in ["/secret/\u{e9}", "/secret/%0a", "/secret/%ff", "/a/../secret/"] {
        assert_eq!(found(&routes, "h", path), Some(2), "{path}");
    }
    for path in ["/%6Fne", "/./one", "/x/..//one"] {
        assert_eq!(found(&routes, "h", path), Some(3), "{path}");
    }
    assert_eq!(found(&routes, "h", "/admin/../x"), Some(0));
}

#[test]
fn a_pattern_is_found_however_it_is_spelled() {
    let routes = [route(&["Shop.Example"], &["/caf\u{e9}/*", "/a b"])];
    assert_eq!(found(&routes, "shop.example", "/caf%c3%a9/x"), Some(0));
    assert_eq!(found(&routes, "shop.example", "/a%20b"), Some(0));
}

#[test]
fn connect_and_options_star_meet_routes_without_a_path_only() {
    let routes = [route(&[], &["/*"]), route(&[], &[])];
    let head = RequestHead { form: Target::Authority, authority: b"h:1".to_vec(), ..Default::default() };
    assert_eq!(Table::build(&routes).find(&head, CLIENT), Some(1));
    assert_eq!(found(&routes, "h", "*"), Some(1));
    assert_eq!(found(&routes, "h", "/"), Some(0));
}

/// Every way in, sorted as the documentation says, tried one by one by plain text comparison.
fn naive(routes: &[Route], host: &str, path: &str, method: &Method, fields: &Fields) -> Option<usize> {
    let mut best = None;
    for (index, route) in routes.iter().enumerate() {
        let conditions = (route.methods.len().min(1) + route.fields.len(), !route.methods.is_empty());
        let holds = (route.methods.is_empty() || route.methods.contains(method))
            && route.fields.iter().all(|(name, _)| fields.named(name.as_bytes()).next().is_some());
        let hosts: Vec<usize> = match &route.hosts[..] {
            [] => vec![0],
            all => all.iter().filter_map(|pattern| host_score(pattern, host)).collect(),
        };
        let paths: Vec<(usize, isize)> = match &route.paths[..] {
            [] => vec![(0, 0)],
            all => all.iter().filter_map(|pattern| path_score(pattern, path, routes)).collect(),
        };
        for host in &hosts {
            for path in &paths {
                let score = (*host, *path, conditions, std::cmp::Reverse(index));
                if holds && best.as_ref().is_none_or(|(best, _)| score > *best) {
                    best = Some((score, index));
                }
            }
        }
    }
    best.map(|(_, index)| index)
}

fn host_score(pattern: &HostPattern, host: &str) -> Option<usize> {
    match pattern {
        HostPattern::Exact(name) => (name == host).then_some(usize::MAX),
        HostPattern::Wildcard(suffix) => (host.len() > suffix.len() && host.ends_with(suffix)).then_some(suffix.len()),
    }
}

fn path_score(pattern: &PathPattern, path: &str, routes: &[Route]) -> Option<(usize, isize)> {
    match pattern {
        PathPattern::Exact(text) => (text == path).then_some((3, 0)),
        PathPattern::Prefix(text) => {
            (path.starts_with(text) || format!("{path}/") == *text).then_some((2, text.len() as isize))
        }
        PathPattern::Regex(regex) => {
            let same = |p: &PathPattern| matches!(p, PathPattern::Regex(r) if r.as_str() == regex.as_str());
            let first = routes.iter().position(|route| route.paths.iter().any(same)).unwrap();
            regex.is_match(path.as_bytes()).then_some((1, -(first as isize)))
        }
    }
}

fn any_route() -> impl Strategy<Value = Route> {
    let host = proptest::sample::select(vec!["a.b", "b", "a.a.b", "*.b", "*.a.b", "*.a"]);
    // One regex a route at most: the naive matcher counts places by route.
    let path = proptest::sample::select(vec!["/", "/a", "/a/b", "/*", "/a/*", "/a/b/*", "/a/a/*", "/b/*"]);
    let regex = proptest::sample::select(vec!["~^/a", "~b$", "~a/b"]);
    let hosts = prop_oneof![Just(vec![]), proptest::collection::vec(host, 1..3)];
    let paths = prop_oneof![Just(vec![]), proptest::collection::vec(path, 1..4), proptest::collection::vec(regex, 1)];
    (hosts, paths, any::<bool>(), any::<bool>()).prop_map(|(hosts, paths, post, field)| {
        // Regexes are ordered a host: with hosts of their own the places would differ from the naive count.
        let hosts = if paths.iter().any(|path| path.starts_with('~')) { vec![] } else { hosts };
        let mut route = route(&hosts, &paths);
        route.methods.extend(post.then_some(Method::Post));
        route.fields.extend(field.then(|| ("x-f".into(), ValuePattern::Present)));
        route
    })
}

proptest! {
    #[test]
    fn the_table_agrees_with_trying_every_route_by_precedence(
        routes in proptest::collection::vec(any_route(), 0..12),
        requests in proptest::collection::vec(("(a\\.|b\\.){0,3}[ab]", "(/[ab]){0,4}/?", any::<bool>(), any::<bool>()), 20),
    ) {
        let table = Table::build(&routes);
        for (host, path, post, field) in requests {
            let path = if path.is_empty() { "/".to_owned() } else { path };
            let mut head = get(&host, &path);
            if post { head.method = Method::Post; }
            if field { head.fields.push(b"x-f", b"1"); }
            let expected = naive(&routes, &host, &path, &head.method, &head.fields);
            prop_assert_eq!(table.find(&head, CLIENT), expected, "{} {}", host, path);
        }
    }
}
