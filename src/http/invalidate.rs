//! What an unsafe request makes out of date beside its own target (RFC 9111 §4.4, RFC 9875).

use super::Fields;
use super::structured::list_of_strings;

/// The target that a Location or Content-Location names, if it is of the same origin as `url` (scheme, host and path); no
/// other URL may be invalidated.
#[must_use]
pub fn same_origin_target(reference: &[u8], url: &[u8]) -> Option<Vec<u8>> {
    let reference = reference.split(|&b| b == b'#').next().unwrap_or_default();
    let authority_at = url.windows(3).position(|three| three == b"://")? + 3;
    let path_at =
        authority_at + url[authority_at..].iter().position(|&b| b == b'/').unwrap_or(url.len() - authority_at);
    let (origin, path) = url.split_at(path_at);
    if reference.starts_with(b"//") {
        return in_origin(&[&url[..authority_at - 2], reference].concat(), origin);
    }
    if reference.starts_with(b"/") {
        return Some(reference.to_vec());
    }
    if memchr::memmem::find(reference, b"://").is_some() {
        return in_origin(reference, origin);
    }
    if reference.is_empty() {
        return Some(path.to_vec());
    }
    // RFC 3986 §5.2.3: merged with the directory of the base.
    let path = path.split(|&b| b == b'?').next().unwrap_or_default();
    if reference.starts_with(b"?") {
        return Some([path, reference].concat());
    }
    let directory = path.iter().rposition(|&b| b == b'/').map_or(0, |at| at + 1);
    Some(without_dots(&[&path[..directory], reference].concat()))
}

fn in_origin(absolute: &[u8], origin: &[u8]) -> Option<Vec<u8>> {
    let (head, rest) = absolute.split_at_checked(origin.len())?;
    if !head.eq_ignore_ascii_case(origin) {
        return None;
    }
    match rest.first() {
        None => Some(b"/".to_vec()),
        Some(b'/') => Some(rest.to_vec()),
        Some(_) => None,
    }
}

/// RFC 3986 §5.2.4
fn without_dots(target: &[u8]) -> Vec<u8> {
    let end = target.iter().position(|&b| b == b'?').unwrap_or(target.len());
    let mut segments: Vec<&[u8]> = Vec::new();
    let mut parts = target[..end].split(|&b| b == b'/').skip(1).peekable();
    while let Some(part) = parts.next() {
        let is_last = parts.peek().is_none();
        match part {
            b"." if is_last => segments.push(b""),
            b"." => {}
            b".." => {
                segments.pop();
                if is_last {
                    segments.push(b"");
                }
            }
            part => segments.push(part),
        }
    }
    let mut path = vec![b'/'];
    path.extend_from_slice(&segments.join(&b'/'));
    path.extend_from_slice(&target[end..]);
    path
}

/// The groups that a response to an unsafe request invalidates (RFC 9875 §3).
#[must_use]
pub fn group_invalidations(fields: &Fields) -> Vec<String> {
    list_of_strings(fields.named(b"cache-group-invalidation")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_resolved_within_the_origin_alone() {
        let base = b"http://a:81/b/c?d";
        for (reference, expected) in [
            ("http://a:81/x", Some("/x")),
            ("HTTP://A:81/x?y#z", Some("/x?y")),
            ("http://a:81", Some("/")),
            ("http://a:812/x", None),
            ("https://a:81/x", None),
            ("http://b/x", None),
            ("//a:81/x", Some("/x")),
            ("//b/x", None),
            ("/x/../y", Some("/x/../y")),
            ("e", Some("/b/e")),
            ("../e?f", Some("/e?f")),
            ("./", Some("/b/")),
            ("..", Some("/")),
            ("?q", Some("/b/c?q")),
            ("", Some("/b/c?d")),
        ] {
            let target = same_origin_target(reference.as_bytes(), base).map(|t| String::from_utf8(t).unwrap());
            assert_eq!(target.as_deref(), expected, "{reference}");
        }
    }
}
