//! The normalised view of a path: what routes are matched against.
//!
//! Backends read `/%61dmin`, `/x/../admin` and `//admin` as `/admin`, most of them; a route on `/admin/*` that saw only
//! the raw bytes could be walked around. So matching sees one spelling of each path, while the backend still gets the
//! bytes as they came. The view
//! - decodes what may stand bare in a path (RFC 3986 §6.2.2.2 says so of unreserved characters; most backends decode
//!   `%40` and `%3A` as well before they route), and writes all other bytes as escapes in upper case (§6.2.2.1), so that
//!   it is plain ASCII and a regex's `.` meets no surprise;
//! - reads `%2F` as `/`: by the letter it is data, but CGI-like backends decode it before they route, and a
//!   bare `\` too, as the WHATWG's URL parser does;
//! - drops empty segments and resolves dot segments (§5.2.4).
//!
//! Left alone: letter case, path parameters (`/a;b` is not `/a`), double encoding (`%252e` is decoded once, by us and by
//! a backend). Where two sane readings differ in the place they lead to,
//! [`is_ambiguous`] says so, and the request is better refused.

/// Calls `read` with the normalised view of `path`: the path itself if it is plain already, as almost all are.
/// What does not start with `/` (the targets `*` and "") is its own view. Paths up to 256 bytes take no allocation.
pub fn with_view<R>(path: &[u8], read: impl FnOnce(&[u8]) -> R) -> R {
    if is_plain(path) {
        return read(path);
    }
    let room = path.len() * ESCAPE_LEN;
    let mut stack = [0; VIEW_ON_STACK];
    let mut heap = Vec::new();
    let out = if room <= VIEW_ON_STACK {
        &mut stack[..]
    } else {
        heap.resize(room, 0);
        &mut heap[..]
    };
    let len = normalise(path, out);
    read(&out[..len])
}

/// The segment of that number, counted from 1; empty ones do not count.
#[must_use]
pub fn segment(path: &[u8], number: u8) -> Option<&[u8]> {
    path.split(|&b| b == b'/').filter(|segment| !segment.is_empty()).nth(usize::from(number).checked_sub(1)?)
}

/// Whether backends disagree on where `path` leads, in a way that no browser or library would send:
/// - `..` beside an empty segment, an encoded slash or a backslash: `/a//../b` is `/a/b` to some and `/b` to others;
/// - a dot segment with a parameter: `/a/..;/b` is `/b` to servlet containers, and as it stands to all others;
/// - an encoded NUL, at which some stop reading.
#[must_use]
pub fn is_ambiguous(path: &[u8]) -> bool {
    if is_plain(path) {
        return false;
    }
    let (mut climbs, mut unclear) = (false, false);
    let (mut at, mut dots, mut len) = (0, 0, 0);
    while at < path.len() {
        let (piece, step) = next(&path[at..]);
        match piece {
            Piece::Slash | Piece::Escape(b'\\') => {
                climbs |= dots == 2 && len == 2;
                unclear |= path[at] != b'/' || (at > 0 && len == 0);
                (dots, len) = (0, 0);
            }
            Piece::Plain(b'.') => (dots, len) = (dots + 1, len + 1),
            Piece::Plain(b';') if len > 0 && len <= 2 && dots == len => return true,
            Piece::Escape(0) => return true,
            Piece::Plain(_) | Piece::Escape(_) => len += 1,
        }
        at += step;
    }
    climbs |= dots == 2 && len == 2;
    climbs && unclear
}

/// The view is the path itself.
fn is_plain(path: &[u8]) -> bool {
    if path.first() != Some(&b'/') {
        return true;
    }
    let mut after_slash = false;
    for &b in path {
        if !PLAIN[b as usize] || (after_slash && matches!(b, b'/' | b'.')) {
            return false;
        }
        after_slash = b == b'/';
    }
    true
}

/// Writes the view of `path`, which starts with `/`, to `out`; gives its length.
fn normalise(path: &[u8], out: &mut [u8]) -> usize {
    out[0] = b'/';
    let (mut at, mut len, mut segment) = (1, 1, 1);
    while at < path.len() {
        let (piece, step) = next(&path[at..]);
        match piece {
            Piece::Slash => {
                len = close(out, segment, len);
                // An empty or dot segment left the slash before it in place.
                if out[len - 1] != b'/' {
                    out[len] = b'/';
                    len += 1;
                }
                segment = len;
            }
            Piece::Plain(b) => {
                out[len] = b;
                len += 1;
            }
            Piece::Escape(b) => {
                out[len..len + ESCAPE_LEN].copy_from_slice(&escape(b));
                len += ESCAPE_LEN;
            }
        }
        at += step;
    }
    close(out, segment, len)
}

/// Ends the segment `out[segment..len]`: RFC 3986 §5.2.4, with the slash before it kept.
fn close(out: &[u8], segment: usize, len: usize) -> usize {
    match &out[segment..len] {
        b"." => segment,
        b".." => memchr::memrchr(b'/', &out[..segment - 1]).map_or(1, |slash| slash + 1),
        _ => len,
    }
}

enum Piece {
    Slash,
    Plain(u8),
    Escape(u8),
}

/// The first piece of `rest`, which is not empty, and how many bytes it takes.
fn next(rest: &[u8]) -> (Piece, usize) {
    let (byte, step) = match rest {
        [b'%', high, low, ..] => match (hex(*high), hex(*low)) {
            (Some(high), Some(low)) => (high << 4 | low, ESCAPE_LEN),
            _ => return (Piece::Escape(b'%'), 1),
        },
        [b'%', ..] => return (Piece::Escape(b'%'), 1),
        _ => (rest[0], 1),
    };
    let piece = match byte {
        b'/' => Piece::Slash,
        b'\\' if step == 1 => Piece::Slash,
        b if PLAIN[b as usize] => Piece::Plain(b),
        b => Piece::Escape(b),
    };
    (piece, step)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|d| d as u8)
}

fn escape(byte: u8) -> [u8; ESCAPE_LEN] {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    [b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]
}

/// RFC 3986 §2.3.
const fn is_unreserved(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~')
}

/// Bytes that stand for themselves in a path: `pchar` without escapes, and `/` (RFC 3986 §3.3).
const PLAIN: [bool; 256] = {
    let mut table = [false; 256];
    let mut b = 0;
    while b < 256 {
        let c = b as u8;
        table[b] = is_unreserved(c)
            || matches!(
                c,
                b'/' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' | b':' | b'@'
            );
        b += 1;
    }
    table
};

const ESCAPE_LEN: usize = 3;
const VIEW_ON_STACK: usize = 256 * ESCAPE_LEN;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn view(path: &str) -> String {
        with_view(path.as_bytes(), |view| String::from_utf8(view.to_vec()).unwrap())
    }

    #[test]
    fn one_place_has_one_spelling() {
        for path in ["/admin", "/%61dmin", "/%61%64min", "/x/../admin", "/./admin", "//admin", "/%2Fadmin", "/../admin"]
        {
            assert_eq!(view(path), "/admin", "{path}");
        }
        for path in ["/admin/x", "/admin%2fx", "/admin\\x", "/y/%2e%2E/admin/x", "/y/.%2e/admin//x", "/admin/./x"] {
            assert_eq!(view(path), "/admin/x", "{path}");
        }
    }

    #[test]
    fn the_end_of_a_path_keeps_or_gets_its_slash_as_rfc_3986_says() {
        for (path, expected) in
            [("/a/", "/a/"), ("/a/b/..", "/a/"), ("/a/.", "/a/"), ("/..", "/"), ("/a//", "/a/"), ("/a/...", "/a/...")]
        {
            assert_eq!(view(path), expected, "{path}");
        }
    }

    #[test]
    fn what_may_not_stand_bare_stays_encoded_and_nothing_is_decoded_twice() {
        assert_eq!(view("/%3f%252e%23/%zz%4"), "/%3F%252e%23/%25zz%254");
        assert_eq!(view("/%3b%40%3A"), "/;@:");
        assert_eq!(view("/é%5c "), "/%C3%A9%5C%20");
        assert_eq!((view("*"), view("")), ("*".into(), String::new()));
    }

    #[test]
    fn a_climb_past_something_that_backends_count_differently_is_ambiguous() {
        for path in [
            "/a//../b",
            "/a/..//b",
            "/a/x%2f../../b",
            "/a%2F%2e%2e%2Fb",
            "/a/..%2fb",
            "/a\\..\\b",
            "/a%5C..%5Cb",
            "/a/..;/b",
            "/.;x/b",
            "/a/%2e%2E%3Bx",
            "/a%00b",
        ] {
            assert!(is_ambiguous(path.as_bytes()), "{path}");
        }
        for path in
            ["/a/../b", "//a", "/a%2Fb", "/a%5Cb", "/a/..b/c%2Fd", "/a;b/.c;d", "/...;a", "/a%20b", "/..", "*", ""]
        {
            assert!(!is_ambiguous(path.as_bytes()), "{path}");
        }
    }

    proptest! {
        #[test]
        fn a_view_is_its_own_view(path in "/[ab./%2fFeE\\\\é]{0,40}") {
            let once = view(&path);
            // `%25` is data: its own view again, not a second decoding.
            prop_assert_eq!(&view(&once), &once);
            prop_assert!(once.is_ascii() && once.starts_with('/'));
            prop_assert!(!once.contains("//") && !once.contains("/../") && !once.contains("/./"));
        }

        #[test]
        fn any_bytes_have_a_view(path in proptest::collection::vec(any::<u8>(), 0..600)) {
            with_view(&path, |view| assert!(view.len() <= path.len() * ESCAPE_LEN));
            let _ = is_ambiguous(&path);
        }
    }
}
