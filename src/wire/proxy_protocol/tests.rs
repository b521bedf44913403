use super::*;
use proptest::prelude::*;

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn header(consumed: usize, ends: Option<(&str, &str)>) -> Result<Parsed, Bad> {
    let (source, destination) = ends.map(|(from, to)| (address(from), address(to))).unzip();
    Ok(Parsed::Header { consumed, source, destination })
}

/// A header of version 2 with these bytes after the signature and a right length.
fn v2(version_command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = V2_SIGNATURE.to_vec();
    bytes.extend_from_slice(&[version_command, family]);
    bytes.extend_from_slice(&(body.len() as u16).to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}

const INET_BODY: [u8; 12] = [192, 0, 2, 1, 192, 0, 2, 2, 0xdc, 0x04, 0x01, 0xbb];

#[test]
fn version_1_gives_both_ends_and_leaves_what_follows() {
    let bytes = b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\nGET / HTTP/1.1\r\n";
    assert_eq!(parse(bytes), header(42, Some(("192.0.2.1:56324", "192.0.2.2:443"))));
    let bytes = b"PROXY TCP6 2001:db8::1 ::1 1 0\r\n";
    assert_eq!(parse(bytes), header(32, Some(("[2001:db8::1]:1", "[::1]:0"))));
}

#[test]
fn version_1_unknown_gives_no_ends_whatever_it_says() {
    assert_eq!(parse(b"PROXY UNKNOWN\r\n"), header(15, None));
    assert_eq!(parse(b"PROXY UNKNOWN ffff::1 nonsense\r\n"), header(32, None));
    assert_eq!(parse(b"PROXY UNKNOWNS\r\n"), Err(Bad::Family));
}

#[test]
fn the_longest_line_of_version_1_is_accepted_and_one_byte_more_is_not() {
    let line = |fill: usize| format!("PROXY UNKNOWN {}\r\n", "x".repeat(fill)).into_bytes();
    assert_eq!(line(91).len(), V1_BYTES_MAX);
    assert_eq!(parse(&line(91)), header(V1_BYTES_MAX, None));
    assert_eq!(parse(&line(92)), Err(Bad::TooLong));
    assert_eq!(parse(&line(93)), Err(Bad::TooLong));
    assert_eq!(parse(&line(91)[..106]), Ok(Parsed::Incomplete));
}

#[test]
fn version_1_is_taken_by_the_letter() {
    let cases: &[(&str, Bad)] = &[
        ("proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n", Bad::Signature),
        ("PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n", Bad::Family),
        ("PROXY tcp4 192.0.2.1 192.0.2.2 1 2\r\n", Bad::Family),
        ("PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n", Bad::Family),
        ("PROXY \r\n", Bad::Family),
        ("PROXY TCP4\r\n", Bad::Address),
        ("PROXY TCP4 192.0.2.1\r\n", Bad::Address),
        ("PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n", Bad::Address),
        ("PROXY TCP4 192.0.2.1\t192.0.2.2 1 2\r\n", Bad::Address),
        ("PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n", Bad::Address),
        ("PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n", Bad::Address),
        ("PROXY TCP4 192.0.2 192.0.2.2 1 2\r\n", Bad::Address),
        ("PROXY TCP4 ::1 ::1 1 2\r\n", Bad::Address),
        ("PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n", Bad::Address),
        ("PROXY TCP6 [::1] ::1 1 2\r\n", Bad::Address),
        ("PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", Bad::Address),
        ("PROXY TCP4 192.0.2.1 192.0.2.2\r\n", Bad::Port),
        ("PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n", Bad::Port),
        ("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n", Bad::Port),
        ("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n", Bad::Port),
        ("PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n", Bad::Port),
        ("PROXY TCP4 192.0.2.1 192.0.2.2 00 2\r\n", Bad::Port),
        ("PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n", Bad::Port),
        ("PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n", Bad::Port),
        ("PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n", Bad::Port),
        ("PROXY TCP4 192.0.2.1 192.0.2.2  1 2\r\n", Bad::Port),
        ("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n", Bad::LineEnd),
        ("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\rx\n", Bad::LineEnd),
        ("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\r\n", Bad::LineEnd),
        ("GET / HTTP/1.1\r\n", Bad::Signature),
        ("PROXX", Bad::Signature),
    ];
    for (text, bad) in cases {
        assert_eq!(parse(text.as_bytes()), Err(*bad), "{text:?}");
    }
}

#[test]
fn version_2_gives_both_ends_and_leaves_what_follows() {
    let mut bytes = v2(0x21, 0x11, &INET_BODY);
    bytes.extend_from_slice(b"GET");
    assert_eq!(parse(&bytes), header(28, Some(("192.0.2.1:56324", "192.0.2.2:443"))));
}

#[test]
fn version_2_local_gives_no_ends_whatever_it_says() {
    assert_eq!(parse(&v2(0x20, 0x00, &[])), header(16, None));
    assert_eq!(parse(&v2(0x20, 0x11, &INET_BODY)), header(28, None));
    assert_eq!(parse(&v2(0x20, 0xff, &[1, 2, 3])), header(19, None));
}

#[test]
fn version_2_without_an_internet_address_gives_no_ends() {
    assert_eq!(parse(&v2(0x21, 0x31, &[0; 216])), header(232, None));
    assert_eq!(parse(&v2(0x21, 0x00, &[9; 5])), header(21, None));
}

#[test]
fn version_2_skips_tlvs_that_fit_and_refuses_those_that_do_not() {
    let with = |tlvs: &[u8]| parse(&v2(0x21, 0x11, &[&INET_BODY, tlvs].concat()));
    let ends = Some(("192.0.2.1:56324", "192.0.2.2:443"));
    assert_eq!(with(&[4, 0, 0]), header(31, ends));
    assert_eq!(with(&[4, 0, 2, 1, 1, 0xea, 0, 0]), header(36, ends));
    assert_eq!(with(&[4, 0, 3, 1, 1]), Err(Bad::Tlv));
    assert_eq!(with(&[4, 0]), Err(Bad::Tlv));
}

#[test]
fn version_2_is_taken_by_the_letter() {
    assert_eq!(parse(&v2(0x11, 0x11, &INET_BODY)), Err(Bad::Command));
    assert_eq!(parse(&v2(0x22, 0x11, &INET_BODY)), Err(Bad::Command));
    assert_eq!(parse(&v2(0x22, 0x11, &INET_BODY)[..13]), Err(Bad::Command));
    assert_eq!(parse(&v2(0x21, 0x41, &INET_BODY)), Err(Bad::Family));
    assert_eq!(parse(&v2(0x21, 0x12, &INET_BODY)), Err(Bad::Family));
    assert_eq!(parse(&v2(0x21, 0x13, &INET_BODY)), Err(Bad::Family));
    assert_eq!(parse(&v2(0x21, 0x11, &INET_BODY[..11])), Err(Bad::Address));
    assert_eq!(parse(&v2(0x21, 0x21, &INET_BODY)), Err(Bad::Address));
    assert_eq!(parse(&v2(0x21, 0x31, &[0; 215])), Err(Bad::Address));
    assert_eq!(parse(b"\r\n\r\nx"), Err(Bad::Signature));
}

#[test]
fn version_2_is_bounded_before_its_body_has_come() {
    let longest = v2(0x20, 0, &[0; V2_BODY_BYTES_MAX]);
    assert_eq!(parse(&longest), header(HEADER_BYTES_MAX, None));
    assert_eq!(parse(&longest[..HEADER_BYTES_MAX - 1]), Ok(Parsed::Incomplete));
    let longer = v2(0x20, 0, &[0; V2_BODY_BYTES_MAX + 1]);
    assert_eq!(parse(&longer[..16]), Err(Bad::TooLong));
}

#[test]
fn an_ipv4_client_in_ipv6_notation_is_given_as_ipv4() {
    let bytes = b"PROXY TCP6 ::ffff:192.0.2.1 2001:db8::1 1 2\r\n";
    assert_eq!(parse(bytes), header(bytes.len(), Some(("192.0.2.1:1", "[2001:db8::1]:2"))));
}

#[test]
fn the_widest_addresses_fit_into_a_line_of_version_1() {
    let widest = address("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
    let mut out = Vec::new();
    write_v1(widest, widest, &mut out);
    assert!(out.len() <= V1_BYTES_MAX, "{}", out.len());
}

fn any_address() -> impl Strategy<Value = SocketAddr> {
    let ip = prop_oneof![
        any::<[u8; 4]>().prop_map(IpAddr::from),
        any::<[u8; 16]>().prop_map(IpAddr::from),
        any::<[u8; 4]>().prop_map(|v4| IpAddr::V6(Ipv4Addr::from(v4).to_ipv6_mapped())),
    ];
    (ip, any::<u16>()).prop_map(|(ip, port)| SocketAddr::new(ip, port))
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

proptest! {
    #[test]
    fn what_is_written_is_read_and_every_prefix_is_incomplete(source in any_address(), destination in any_address()) {
        for write in [write_v1, write_v2] {
            let mut bytes = Vec::new();
            write(source, destination, &mut bytes);
            let whole = bytes.len();
            prop_assert!(whole <= HEADER_BYTES_MAX);
            for end in 0..whole {
                prop_assert_eq!(parse(&bytes[..end]), Ok(Parsed::Incomplete));
            }
            bytes.extend_from_slice(b"\r\nPROXY");
            let (source, destination) = (Some(canonical(source)), Some(canonical(destination)));
            prop_assert_eq!(parse(&bytes), Ok(Parsed::Header { consumed: whole, source, destination }));
        }
    }

    #[test]
    fn arbitrary_bytes_after_a_signature_are_judged_and_bounded(
        version in 0..3usize, rest in prop::collection::vec(any::<u8>(), 0..300)
    ) {
        let signature: &[u8] = [b"".as_slice(), V1_SIGNATURE, V2_SIGNATURE][version];
        let bytes = [signature, &rest].concat();
        if let Ok(Parsed::Header { consumed, .. }) = parse(&bytes) {
            prop_assert!(consumed <= bytes.len());
            prop_assert_eq!(parse(&bytes[..consumed]), parse(&bytes));
            prop_assert_eq!(parse(&bytes[..consumed - 1]), Ok(Parsed::Incomplete));
        }
    }

    #[test]
    fn a_header_of_version_2_with_any_fixed_part_never_panics(
        command in any::<u8>(), family in any::<u8>(), body in prop::collection::vec(any::<u8>(), 0..260)
    ) {
        let _ = parse(&v2(command, family, &body));
        let _ = parse(&v2(0x21, family & 0x31, &body));
    }
}
