use weir::wire::proxy_protocol::{HEADER_BYTES_MAX, Parsed, parse, write_v1, write_v2};

/// A header is read the same however many bytes follow it, its beginnings wait for more, and addresses survive being
/// written in both versions.
pub(crate) fn check(data: &[u8]) {
    match parse(data) {
        Ok(Parsed::Header { consumed, source, destination }) => {
            assert!(consumed <= data.len() && consumed <= HEADER_BYTES_MAX);
            let own = &data[..consumed];
            assert_eq!(parse(own), parse(data));
            for end in (0..consumed).step_by(consumed / 64 + 1).chain([consumed - 1]) {
                assert_eq!(parse(&own[..end]), Ok(Parsed::Incomplete), "{end}");
            }
            let (Some(from), Some(to)) = (source, destination) else { return };
            for write in [write_v1, write_v2] {
                let mut text = Vec::new();
                write(from, to, &mut text);
                assert_eq!(parse(&text), Ok(Parsed::Header { consumed: text.len(), source, destination }));
            }
        }
        Ok(Parsed::Incomplete) => assert!(data.len() < HEADER_BYTES_MAX),
        Err(_) => {}
    }
}
