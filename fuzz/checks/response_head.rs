use weir::http::{Length, Method, ResponseHead, is_name, is_value};
use weir::wire::h1::parse::{Limits, Parsed, ResponseFrame, response};

const LIMITS: Limits = Limits { size: 4096, fields: 32 };

/// As an answer to several methods: what is read is valid, and does not depend on how many bytes came with it.
pub(crate) fn check(data: &[u8]) {
    for to in [Method::Get, Method::Head, Method::Connect] {
        answers(data, &to);
    }
}

fn answers(data: &[u8], to: &Method) {
    let mut head = ResponseHead::default();
    let Ok(Parsed::Complete(frame)) = response(data, LIMITS, to, &mut head) else { return };
    is_valid(&head, &frame, to);
    assert!(frame.consumed <= data.len());
    let own = &data[..frame.consumed];
    assert_eq!(response(own, LIMITS, to, &mut ResponseHead::default()), Ok(Parsed::Complete(frame)));
    for end in (0..own.len()).step_by(own.len() / 16 + 1).chain([own.len() - 1]) {
        assert_eq!(response(&own[..end], LIMITS, to, &mut ResponseHead::default()), Ok(Parsed::Partial), "{end}");
    }
}

fn is_valid(head: &ResponseHead, frame: &ResponseFrame, to: &Method) {
    assert!((100..600).contains(&head.status));
    assert!(head.fields.len() <= LIMITS.fields);
    assert!(head.fields.iter().all(|(_, name, value)| is_name(name) && is_value(value)));
    // RFC 9112 §6.3: these have no content, whatever their fields say.
    if *to == Method::Head || matches!(head.status, 204 | 304) || head.is_interim() {
        assert!(!matches!(frame.length, Length::Known(1..) | Length::Unknown), "{frame:?}");
    }
    // Content that only the connection's end delimits leaves no connection to reuse.
    if matches!(frame.length, Length::Unknown | Length::Tunnel) && !frame.chunked {
        assert!(!frame.persistent || frame.length == Length::Tunnel, "{frame:?}");
    }
}
