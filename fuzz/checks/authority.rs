use weir::http::path::{is_ambiguous, with_view};
use weir::http::{RequestHead, Scheme, parse_authority, same_authority, split_port};

/// Line 1 is Host, line 2 the target. Host and port, path and query are slices that put together give what was received;
/// the view of a path is plain, and its own view.
pub(crate) fn check(data: &[u8]) {
    let end = data.iter().position(|&b| b == b'\n').unwrap_or(data.len());
    let (authority, target) = (&data[..end], data.get(end + 1..).unwrap_or_default());
    splits(authority);
    names_a_place(authority);
    let head = RequestHead { authority: authority.to_vec(), target: target.to_vec(), ..RequestHead::default() };
    assert_eq!(head.host(), split_port(authority).0);
    assert!(!head.path().contains(&b'?'));
    match head.query() {
        Some(query) => assert_eq!([head.path(), query].join(&b'?'), target),
        None => assert_eq!(head.path(), target),
    }
    has_one_view(head.path());
}

fn splits(authority: &[u8]) {
    let (host, port) = split_port(authority);
    match port {
        Some(port) => {
            assert!(!port.is_empty() && !port.contains(&b':') && !port.contains(&b']'));
            assert_eq!([host, port].join(&b':'), authority);
        }
        None => assert!(host == authority || [host, b":"].concat() == authority),
    }
}

fn names_a_place(authority: &[u8]) {
    let Some(read) = parse_authority(authority) else { return };
    assert!(authority.iter().all(|&b| b.is_ascii_graphic() && !b"@,/?#\\\"<>".contains(&b)));
    assert_eq!(read.host, split_port(authority).0);
    for (scheme, default) in [(Scheme::Http, 80), (Scheme::Https, 443)] {
        let port = format!(":{}", read.port.unwrap_or(default));
        let upper = [&read.host.to_ascii_uppercase(), port.as_bytes()].concat();
        assert!(read.host.is_empty() || same_authority(authority, &upper, scheme));
    }
}

fn has_one_view(path: &[u8]) {
    let ambiguous = is_ambiguous(path);
    if !path.starts_with(b"/") {
        return;
    }
    let view = with_view(path, <[u8]>::to_vec);
    assert!(view.starts_with(b"/") && view.iter().all(u8::is_ascii_graphic));
    assert!(!view.split(|&b| b == b'/').any(|segment| matches!(segment, b"." | b"..")));
    assert!(!view.windows(2).any(|pair| pair == b"//"));
    assert_eq!(with_view(&view, <[u8]>::to_vec), view);
    assert!(ambiguous || !is_ambiguous(&view));
}
