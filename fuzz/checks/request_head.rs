use weir::http::{Fields, Length, RequestHead, Target, Version, is_name, is_value, parse_authority};
use weir::wire::h1::parse::{Limits, Parsed, RequestFrame, request};

const LIMITS: Limits = Limits { size: 4096, fields: 32 };

/// Room for what a canonical form adds: white space and a Host line.
const LIMITS_AGAIN: Limits = Limits { size: 3 * 4096, fields: 33 };

/// What a head is read as is valid, does not depend on how many bytes came with it, and survives being written again.
pub(crate) fn check(data: &[u8]) {
    let mut head = RequestHead::default();
    let Ok(Parsed::Complete(frame)) = request(data, LIMITS, &mut head) else { return };
    is_valid(&head, &frame);
    assert!(frame.consumed <= data.len());
    let own = &data[..frame.consumed];
    assert_eq!(request(own, LIMITS, &mut RequestHead::default()), Ok(Parsed::Complete(frame)));
    for end in (0..own.len()).step_by(own.len() / 16 + 1).chain([own.len() - 1]) {
        assert_eq!(request(&own[..end], LIMITS, &mut RequestHead::default()), Ok(Parsed::Partial), "{end}");
    }
    if head.form == Target::Origin {
        reads_again(&head, &frame);
    }
}

fn is_valid(head: &RequestHead, frame: &RequestFrame) {
    assert!(parse_authority(&head.authority).is_some());
    assert!(head.fields.len() <= LIMITS.fields);
    assert!(head.fields.named(b"host").next().is_none());
    assert!(head.fields.iter().all(|(_, name, value)| is_name(name) && is_value(value)));
    assert!(head.target.iter().all(u8::is_ascii_graphic));
    match head.form {
        Target::Origin => assert_eq!(head.target.first(), Some(&b'/')),
        Target::Asterisk => assert_eq!(head.target, b"*"),
        Target::Authority => assert!(!head.authority.is_empty()),
    }
    let chunked = head.fields.named(b"transfer-encoding").next().is_some();
    let counted = head.fields.named(b"content-length").next().is_some();
    assert!(!(chunked && counted));
    match frame.length {
        Length::Unknown => assert!(chunked && head.version == Version::Http11),
        Length::Known(_) => assert!(counted),
        Length::None | Length::Tunnel => assert!(!chunked),
    }
}

fn reads_again(head: &RequestHead, frame: &RequestFrame) {
    let mut text = format!("{} ", head.method).into_bytes();
    text.extend_from_slice(&head.target);
    text.extend_from_slice(format!(" HTTP/{}\r\n", head.version.as_str()).as_bytes());
    line(&mut text, b"Host", &head.authority);
    head.fields.iter().for_each(|(_, name, value)| line(&mut text, name, value));
    text.extend_from_slice(b"\r\n");
    let mut again = RequestHead::default();
    let read = request(&text, LIMITS_AGAIN, &mut again);
    assert_eq!(read, Ok(Parsed::Complete(RequestFrame { consumed: text.len(), ..*frame })));
    assert_eq!((&again.method, &again.target, &again.authority), (&head.method, &head.target, &head.authority));
    assert_eq!(again.protocol, head.protocol);
    assert!(pairs(&again.fields).eq(pairs(&head.fields)));
}

fn pairs(fields: &Fields) -> impl Iterator<Item = (&[u8], &[u8])> {
    fields.iter().map(|(_, name, value)| (name, value))
}

fn line(text: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    text.extend_from_slice(&[name, b": ", value, b"\r\n"].concat());
}
