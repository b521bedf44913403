use crate::config::Rewrite;
use crate::http::path::with_view;
use regex::bytes::Regex;

/// Changes the path of `target` as `rewrite` says; the query stays, joined by `&` if the new path brings its own.
///
/// The path is taken as received; only if that does not match, its normalised view is (a route that `/%61pi/x` met must
/// not have its rewrite slip). The result starts with exactly one `/` and holds no controls or spaces. Targets that are no
/// path (`*`, CONNECT) are left alone.
pub fn rewrite(rewrite: &Rewrite, target: &mut Vec<u8>) {
    if target.first() != Some(&b'/') {
        return;
    }
    let path_len = memchr::memchr(b'?', target).unwrap_or(target.len());
    let (path, query) = target.split_at(path_len);
    let changed = match rewrite {
        Rewrite::Strip(front) => by_either(path, |path| strip(front.as_bytes(), path)),
        Rewrite::Prefix(front) => Some([trim_end(front.as_bytes()), path].concat()),
        Rewrite::Path(path) => Some(path.clone().into_bytes()),
        Rewrite::Regex(regex, to) => by_either(path, |path| substitute(regex, to, path)),
    };
    if let Some(path) = changed {
        *target = join(&path, query);
    }
}

fn by_either(path: &[u8], change: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    change(path).or_else(|| with_view(path, |view| if view == path { None } else { change(view) }))
}

/// `path` without `front`, if that is there as whole segments.
fn strip(front: &[u8], path: &[u8]) -> Option<Vec<u8>> {
    let rest = path.strip_prefix(trim_end(front))?;
    (rest.is_empty() || rest[0] == b'/').then(|| rest.to_vec())
}

fn substitute(regex: &Regex, to: &str, path: &[u8]) -> Option<Vec<u8>> {
    regex.is_match(path).then(|| regex.replace(path, to.as_bytes()).into_owned())
}

fn trim_end(front: &[u8]) -> &[u8] {
    front.strip_suffix(b"/").unwrap_or(front)
}

fn join(path: &[u8], query: &[u8]) -> Vec<u8> {
    let mut target = Vec::with_capacity(path.len() + query.len() + 1);
    target.push(b'/');
    // Two slashes in front would read as a host to some.
    let from = path.iter().position(|&b| b != b'/').unwrap_or(path.len());
    for &b in &path[from..] {
        match b {
            0..=b' ' | 0x7f | b'#' => target.extend_from_slice(format!("%{b:02X}").as_bytes()),
            _ => target.push(b),
        }
    }
    match query {
        [b'?', query @ ..] if path.contains(&b'?') => {
            target.push(b'&');
            target.extend_from_slice(query);
        }
        _ => target.extend_from_slice(query),
    }
    target
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(rule: &Rewrite, target: &str) -> String {
        let mut target = target.as_bytes().to_vec();
        rewrite(rule, &mut target);
        String::from_utf8(target).unwrap()
    }

    #[test]
    fn strip_takes_whole_segments_from_the_front() {
        for front in ["/api", "/api/"] {
            let rule = Rewrite::Strip(front.into());
            for (target, expected) in [
                ("/api/x?y=/api", "/x?y=/api"),
                ("/api", "/"),
                ("/api?x", "/?x"),
                ("/apis/x", "/apis/x"),
                ("/x/api", "/x/api"),
                ("/api//evil", "/evil"),
                ("/api/a%2Fb", "/a%2Fb"),
                ("/%61pi/x", "/x"),
                ("//api/x", "/x"),
                ("*", "*"),
                ("", ""),
            ] {
                assert_eq!(rewritten(&rule, target), expected, "{target}");
            }
        }
    }

    #[test]
    fn prefix_and_path_keep_the_query() {
        assert_eq!(rewritten(&Rewrite::Prefix("/v2/".into()), "/a?b"), "/v2/a?b");
        assert_eq!(rewritten(&Rewrite::Path("/x".into()), "/a?b"), "/x?b");
        assert_eq!(rewritten(&Rewrite::Path("/x?c=1".into()), "/a?b"), "/x?c=1&b");
        assert_eq!(rewritten(&Rewrite::Path("x y".into()), "/a"), "/x%20y");
    }

    #[test]
    fn a_regex_sees_the_path_alone_and_cannot_lose_the_slash() {
        let rule = |regex: &str, to: &str| Rewrite::Regex(Regex::new(regex).unwrap(), to.into());
        assert_eq!(rewritten(&rule("^/u/([0-9]+)", "/user/$1"), "/u/7/x?q=/u/8"), "/user/7/x?q=/u/8");
        assert_eq!(rewritten(&rule("^/u/([0-9]+)", "/user/$1"), "/%75/7"), "/user/7");
        assert_eq!(rewritten(&rule("^/u/([0-9]+)", "/user?id=$1"), "/u/7?x"), "/user?id=7&x");
        assert_eq!(rewritten(&rule("^/", ""), "//evil.example/x"), "/evil.example/x");
        assert_eq!(rewritten(&rule("^/no", "/x"), "/a//b"), "/a//b");
    }
}
