use weir::http::{RequestHead, split_port};

/// Host and port, path and query are slices that put together give what was received; line 1 is Host, line 2 the target.
pub fn check(data: &[u8]) {
    let end = data.iter().position(|&b| b == b'\n').unwrap_or(data.len());
    let (authority, target) = (&data[..end], data.get(end + 1..).unwrap_or_default());
    let (host, port) = split_port(authority);
    match port {
        Some(port) => {
            assert!(!port.is_empty() && !port.contains(&b':') && !port.contains(&b']'));
            assert_eq!([host, port].join(&b':'), authority);
        }
        None => assert!(host == authority || [host, b":"].concat() == authority),
    }
    let head = RequestHead { authority: authority.to_vec(), target: target.to_vec(), ..RequestHead::default() };
    assert_eq!(head.host(), host);
    assert!(!head.path().contains(&b'?'));
    match head.query() {
        Some(query) => assert_eq!([head.path(), query].join(&b'?'), target),
        None => assert_eq!(head.path(), target),
    }
}
