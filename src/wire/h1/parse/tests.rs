use super::*;
use proptest::prelude::*;

const LIMITS: Limits = Limits { size: 1024, fields: 8 };

fn ask(text: impl AsRef<[u8]>) -> Result<(RequestFrame, RequestHead), Option<Bad>> {
    let mut head = RequestHead::default();
    match request(text.as_ref(), LIMITS, &mut head).map_err(Some)? {
        Parsed::Complete(frame) => Ok((frame, head)),
        Parsed::Partial => Err(None),
    }
}

fn answer(text: impl AsRef<[u8]>, to: Method) -> Result<(ResponseFrame, ResponseHead), Option<Bad>> {
    let mut head = ResponseHead::default();
    match response(text.as_ref(), LIMITS, &to, &mut head).map_err(Some)? {
        Parsed::Complete(frame) => Ok((frame, head)),
        Parsed::Partial => Err(None),
    }
}

/// A GET with further lines; what is wrong with it.
fn wrong(lines: &str) -> Option<Bad> {
    ask(format!("GET /x HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n")).unwrap_err()
}

fn right(lines: &str) -> (RequestFrame, RequestHead) {
    ask(format!("GET /x HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n")).unwrap()
}

#[test]
fn rfc_9112_2_2_lines_end_in_crlf_and_a_bare_lf_is_known_before_the_head_is_whole() {
    assert_eq!(ask("GET /x HTTP/1.1\n").unwrap_err(), Some(Bad::LineEnd));
    assert_eq!(ask("GET /x HTTP/1.1\nHost: a\n\n").unwrap_err(), Some(Bad::LineEnd));
    assert_eq!(wrong("X: y\rz"), Some(Bad::LineEnd));
    assert_eq!(wrong("X: y\nz: w"), Some(Bad::LineEnd));
    assert_eq!(ask("\rGET /").unwrap_err(), Some(Bad::LineEnd));
}

#[test]
fn rfc_9112_2_2_two_empty_lines_may_come_first() {
    let text = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(ask(format!("\r\n\r\n{text}")).unwrap().0.consumed, text.len() + 4);
    assert_eq!(ask(format!("\r\n\r\n\r\n{text}")).unwrap_err(), Some(Bad::EmptyLines));
}

#[test]
fn rfc_9112_3_a_request_line_has_three_parts() {
    for line in ["GET  /x HTTP/1.1", "GET /x  HTTP/1.1", "GET /x HTTP/1.1 ", "GET /x", "GET", "GET\t/x HTTP/1.1"] {
        let why = ask(format!("{line}\r\nHost: a\r\n\r\n")).unwrap_err();
        let known = matches!(why, Some(Bad::RequestLine | Bad::Version | Bad::Method));
        assert!(known, "{line}: {why:?}");
    }
}

#[test]
fn rfc_9112_2_3_versions_are_exact() {
    let of = |version: &str| ask(format!("GET /x {version}\r\nHost: a\r\n\r\n")).map(|(_, head)| head.version);
    assert_eq!(of("HTTP/1.1"), Ok(Version::Http11));
    assert_eq!(of("HTTP/1.0"), Ok(Version::Http10));
    assert_eq!(of("HTTP/1.7"), Ok(Version::Http11));
    assert_eq!(of("HTTP/2.0"), Err(Some(Bad::VersionUnsupported)));
    for text in ["http/1.1", "HTTP/1.10", "HTTP/1", "HTTP/01.1", "HTTP/1.1x", "HTTP/x.1"] {
        assert_eq!(of(text), Err(Some(Bad::Version)), "{text}");
    }
}

#[test]
fn rfc_9112_3_2_each_form_has_its_methods() {
    let of = |method: &str, target: &str| {
        ask(format!("{method} {target} HTTP/1.1\r\nHost: a:80\r\n\r\n")).map(|(_, head)| (head.form, head.target))
    };
    assert_eq!(of("GET", "/x?y"), Ok((Target::Origin, b"/x?y".to_vec())));
    assert_eq!(of("GET", "http://a/x"), Ok((Target::Origin, b"/x".to_vec())));
    assert_eq!(of("GET", "HTTP://a:80?x"), Ok((Target::Origin, b"/?x".to_vec())));
    assert_eq!(of("OPTIONS", "*"), Ok((Target::Asterisk, b"*".to_vec())));
    assert_eq!(of("OPTIONS", "http://a"), Ok((Target::Asterisk, b"*".to_vec())));
    assert_eq!(of("CONNECT", "a:80"), Ok((Target::Authority, Vec::new())));
    for (method, target) in [
        ("GET", "*"),
        ("GET", "a:80"),
        ("CONNECT", "/"),
        ("CONNECT", "a"),
        ("CONNECT", "a:80/"),
        ("GET", "http:///x"),
        ("GET", "http://u@a/x"),
        ("GET", "ftp://a/x"),
        ("GET", "/x#y"),
        ("GET", "/x\\y"),
        ("GET", "x"),
    ] {
        assert_eq!(of(method, target), Err(Some(Bad::Target)), "{method} {target}");
    }
}

#[test]
fn rfc_9112_3_2_there_is_one_host() {
    let of = |lines: &str| ask(format!("GET /x HTTP/1.1\r\n{lines}X: y\r\n\r\n")).map(|(_, head)| head.authority);
    assert_eq!(of("Host: a.b:8080\r\n"), Ok(b"a.b:8080".to_vec()));
    for lines in ["", "Host: a\r\nHost: a\r\n", "Host:\r\n", "Host: a,b\r\n", "Host: u@a\r\n", "Host: a b\r\n"] {
        assert_eq!(of(lines), Err(Some(Bad::Host)), "{lines}");
    }
    assert_eq!(ask("GET / HTTP/1.0\r\n\r\n").unwrap().1.authority, b"");
    assert_eq!(ask("GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n").unwrap_err(), Some(Bad::HostMismatch));
}

#[test]
fn rfc_9112_5_1_a_name_is_a_token_and_its_colon_is_next() {
    assert_eq!(wrong("X : y"), Some(Bad::SpaceBeforeColon));
    assert_eq!(wrong("X\t: y"), Some(Bad::SpaceBeforeColon));
    assert_eq!(wrong(": y"), Some(Bad::FieldName));
    assert_eq!(wrong("X\0: y"), Some(Bad::FieldName));
    assert_eq!(wrong("X"), Some(Bad::FieldName));
}

#[test]
fn rfc_9112_5_2_no_line_is_folded() {
    assert_eq!(wrong("X: y\r\n z"), Some(Bad::Fold));
    assert_eq!(wrong("X: y\r\n\tz"), Some(Bad::Fold));
    assert_eq!(ask("GET /x HTTP/1.1\r\n Host: a\r\n\r\n").unwrap_err(), Some(Bad::Fold));
}

#[test]
fn rfc_9110_5_5_values_hold_no_control_and_lose_the_space_around_them() {
    for byte in (0..=31u8).chain([127]).filter(|byte| !b"\t\r\n".contains(byte)) {
        for pad in 0..9 {
            let lines = format!("X: {}{}z", "y".repeat(pad), char::from(byte));
            assert_eq!(wrong(&lines), Some(Bad::FieldValue), "{byte} after {pad}");
        }
    }
    let (_, head) = right("X: \t y\tz \t ");
    assert_eq!(head.fields.named(b"x").next(), Some(&b"y\tz"[..]));
}

#[test]
fn rfc_9112_6_3_a_length_is_said_once_in_digits() {
    assert_eq!(right("Content-Length: 5").0.length, Length::Known(5));
    assert_eq!(right("X: y").0.length, Length::None);
    for value in ["", "+5", "-5", "5,5", "5 5", "0x5", "5\r\nContent-Length: 5", "99999999999999999999"] {
        assert_eq!(wrong(&format!("Content-Length: {value}")), Some(Bad::ContentLength), "{value}");
    }
}

#[test]
fn rfc_9112_6_1_a_transfer_coding_is_chunked_alone_in_1_1_without_a_length() {
    assert_eq!(right("Transfer-Encoding: Chunked").0.length, Length::Unknown);
    for value in ["x", "", "chunked,", "chunked, x", "chunked, chunked", "chunked\r\nTransfer-Encoding: chunked"] {
        assert_eq!(wrong(&format!("Transfer-Encoding: {value}")), Some(Bad::TransferEncoding), "{value}");
    }
    assert_eq!(wrong("Transfer-Encoding: gzip, chunked"), Some(Bad::TransferCodingUnknown));
    assert_eq!(wrong("Transfer-Encoding: chunked\r\nContent-Length: 5"), Some(Bad::LengthConflict));
    assert_eq!(wrong("Content-Length: 0\r\nTransfer-Encoding: x"), Some(Bad::LengthConflict));
    let old = "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(ask(old).unwrap_err(), Some(Bad::TransferEncoding));
}

#[test]
fn rfc_9112_9_3_who_persists() {
    let old = |lines: &str| ask(format!("GET / HTTP/1.0\r\n{lines}\r\n\r\n")).unwrap().0.persistent;
    assert!(right("X: y").0.persistent && right("Connection: keep-alive").0.persistent);
    assert!(!right("Connection: a, CLOSE").0.persistent);
    assert!(!old("X: y") && old("Connection: Keep-Alive") && !old("Connection: keep-alive, close"));
}

#[test]
fn rfc_9110_7_8_only_a_get_without_content_switches_to_websocket() {
    let of = |lines: &str| !right(lines).1.protocol.is_empty();
    assert!(of("Connection: upgrade\r\nUpgrade: WebSocket"));
    assert!(!of("Upgrade: websocket") && !of("Connection: upgrade") && !of("Connection: upgrade\r\nUpgrade: h2c"));
    assert!(!of("Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 5"));
    assert!(!of("Connection: upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked"));
}

#[test]
fn heads_end_at_their_limits() {
    assert_eq!(wrong(&["X: y"; 8].join("\r\n")), Some(Bad::TooManyFields));
    assert_eq!(right(&["X: y"; 7].join("\r\n")).1.fields.len(), 7);
    assert_eq!(wrong(&format!("X: {}", "y".repeat(1024))), Some(Bad::TooLarge));
    assert_eq!(ask("GET /".to_owned() + &"x".repeat(1024)).unwrap_err(), Some(Bad::TooLarge));
    assert_eq!(ask(b"\x16\x03\x01").unwrap_err(), Some(Bad::Tls));
}

#[test]
fn rfc_9112_4_a_status_line_is_exact() {
    let of = |line: &str| answer(format!("{line}\r\n\r\n"), Method::Get).map(|(_, head)| head.status);
    assert_eq!(of("HTTP/1.1 200 OK"), Ok(200));
    assert_eq!(of("HTTP/1.0 404"), Ok(404));
    assert_eq!(of("HTTP/1.1 599 "), Ok(599));
    for line in
        ["HTTP/1.1 20", "HTTP/1.1 2000", "HTTP/1.1  200 OK", "HTTP/1.1 099 X", "HTTP/1.1 600 X", "HTTP/1.1 +20 X", "x"]
    {
        assert_eq!(of(line), Err(Some(Bad::StatusLine)), "{line}");
    }
    assert_eq!(of("HTTP/2.0 200 OK"), Err(Some(Bad::VersionUnsupported)));
}

#[test]
fn rfc_9112_6_3_how_a_response_ends() {
    let of = |status: u16, lines: &str, to| {
        let frame = answer(format!("HTTP/1.1 {status} X\r\n{lines}\r\n"), to).unwrap().0;
        (frame.length, frame.chunked, frame.persistent)
    };
    assert_eq!(of(200, "Content-Length: 5\r\n", Method::Get), (Length::Known(5), false, true));
    assert_eq!(of(200, "Transfer-Encoding: chunked\r\n", Method::Get), (Length::Unknown, true, true));
    assert_eq!(of(200, "", Method::Get), (Length::Unknown, false, false));
    for (status, to) in [(204, Method::Get), (304, Method::Get), (103, Method::Get), (200, Method::Head)] {
        assert_eq!(of(status, "Content-Length: 5\r\n", to).0, Length::None, "{status}");
    }
    assert_eq!(of(101, "", Method::Get).0, Length::Tunnel);
    assert_eq!(of(200, "", Method::Connect).0, Length::Tunnel);
}

#[test]
fn rfc_9110_6_5_1_trailers_frame_and_route_nothing() {
    let mut fields = Fields::default();
    let lines = b"X: y\r\nContent-Length: 5\r\nhost: b\r\nTRANSFER-ENCODING: chunked\r\nAuthorization: z\r\n";
    trailers(lines, LIMITS, &mut fields).unwrap();
    assert_eq!(fields.iter().map(|(_, name, _)| name).collect::<Vec<_>>(), [b"X"]);
}

/// What a naive reader makes of a head that was accepted: its lines, cut at the first colon.
fn naive(text: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let text = String::from_utf8_lossy(text).into_owned();
    let lines = text.trim_start_matches("\r\n").split("\r\n").skip(1).take_while(|line| !line.is_empty());
    let pairs = lines.map(|line| line.split_once(':').unwrap());
    let pairs = pairs.filter(|(name, _)| !name.eq_ignore_ascii_case("host"));
    pairs.map(|(name, value)| (name.into(), value.trim_matches([' ', '\t']).into())).collect()
}

/// Heads that are nearly right, so that many are accepted.
fn nearly() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        5 => Just("GET /x HTTP/1.1\r\n"), 1 => Just("POST http://a/x HTTP/1.1\r\n"), 1 => Just("OPTIONS * HTTP/1.0\r\n"),
    ];
    let line = prop_oneof![
        4 => "[a-zA-Z!#-]{1,8}:[ \t]{0,2}[ -~]{0,12}[ \t]{0,2}\r\n", 1 => "Content-Length: [0-9]{1,3}\r\n",
        1 => "Transfer-Encoding: (chunked|gzip|x)\r\n", 1 => "Connection: (close|upgrade|x)\r\n", 1 => "[ -~\r\n\t]{0,6}\r\n",
    ];
    let lines = proptest::collection::vec(line, 0..6);
    (first, lines).prop_map(|(first, lines)| format!("{first}Host: a\r\n{}\r\n", lines.concat()).into_bytes())
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = ask(&bytes);
        let _ = answer(&bytes, Method::Get);
        let _ = trailers(&bytes, LIMITS, &mut Fields::default());
    }

    #[test]
    fn what_is_accepted_is_what_a_naive_reader_reads(text in nearly()) {
        if let Ok((frame, head)) = ask(&text) {
            let own: Vec<_> = head.fields.iter().map(|(_, name, value)| (name.to_vec(), value.to_vec())).collect();
            prop_assert_eq!(own, naive(&text[..frame.consumed]));
        }
    }

    #[test]
    fn a_head_that_is_counted_first_is_read_as_one_that_is_not(text in nearly(), rest in "[ -~\r\n]{0,40}") {
        let mut text = text;
        let read = |bytes: &[u8]| ask(bytes).map(|(frame, head)| (frame, format!("{head:?}")));
        let counted = |bytes: &[u8]| {
            let mut head = RequestHead::default();
            let lines = whole_head(bytes, LIMITS).map_err(Some)?.ok_or(None)?;
            read_request(lines, LIMITS, &mut head).map(|frame| (frame, format!("{head:?}"))).map_err(Some)
        };
        prop_assert_eq!(read(&text), counted(&text));
        text.extend_from_slice(rest.as_bytes());
        prop_assert_eq!(read(&text), counted(&text));
    }

    #[test]
    fn a_response_too(first in "HTTP/1.[012] [1-5][0-9]{2} ?[a-z]{0,3}\r?\n", lines in nearly(), rest in "[ -~\r\n]{0,40}") {
        let lines = &lines[lines.iter().position(|&b| b == b'\n').unwrap() + 1..];
        let text = [first.as_bytes(), lines, rest.as_bytes()].concat();
        let counted = || {
            let mut head = ResponseHead::default();
            let lines = whole_head(&text, LIMITS).map_err(Some)?.ok_or(None)?;
            read_response(lines, LIMITS, &Method::Get, &mut head).map(|frame| (frame, format!("{head:?}"))).map_err(Some)
        };
        prop_assert_eq!(answer(&text, Method::Get).map(|(frame, head)| (frame, format!("{head:?}"))), counted());
    }

    #[test]
    fn a_prefix_that_was_tried_before_changes_nothing(text in nearly(), cut in 0usize..200, junk in "[ -~\r\n]{0,40}") {
        let mut used = RequestHead::default();
        let _ = request(junk.as_bytes(), LIMITS, &mut used);
        let early = request(&text[..cut.min(text.len())], LIMITS, &mut used);
        let late = request(&text, LIMITS, &mut used);
        let mut fresh = RequestHead::default();
        prop_assert_eq!(late, request(&text, LIMITS, &mut fresh));
        // What is sure early stays so; a whole head is not changed by what follows it.
        if early.is_err() {
            prop_assert!(late.is_err());
        }
        if let Ok(Parsed::Complete(_)) = early {
            prop_assert_eq!(early, late);
        }
        if late.is_ok() {
            prop_assert_eq!(format!("{used:?}"), format!("{fresh:?}"));
        }
    }
}
