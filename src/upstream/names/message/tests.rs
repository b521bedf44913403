use super::super::tests::wire;
use super::*;
use proptest::prelude::*;

fn name(text: &str) -> WireName {
    WireName::parse(text).unwrap()
}

fn query(name: &WireName, kind: Kind) -> Query<'_> {
    Query { id: 0x1234, name, kind, edns: true }
}

fn records(addresses: &[&str], ttl: u64) -> Option<Reply> {
    let data = addresses.iter().map(|address| Data::Address(address.parse().unwrap())).collect();
    Some(Reply::Records(data, Duration::from_secs(ttl)))
}

#[test]
fn a_query_is_written_as_the_standard_says() {
    let app = name("app.test");
    let plain = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03app\x04test\x00\x00\x1c\x00\x01";
    assert_eq!(Query { edns: false, ..query(&app, Kind::Aaaa) }.to_bytes(), plain);
    let with = query(&app, Kind::Aaaa).to_bytes();
    assert_eq!((with[11], &with[plain.len()..]), (1, &b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00"[..]));
}

#[test]
fn a_compressed_name_is_read() {
    let app = name("app.test");
    let query = query(&app, Kind::A);
    let mut bytes = wire::reply(&query.to_bytes(), 0, false, &[]);
    bytes[7] = 1;
    bytes.extend(b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x0a\x00\x00\x01");
    assert_eq!(query.read(&bytes), records(&["10.0.0.1"], 60));
}

#[test]
fn a_ttl_with_its_highest_bit_set_is_nothing() {
    let app = name("app.test");
    let query = query(&app, Kind::A);
    let answers = [wire::address("app.test", 0x8000_0001, "10.0.0.1")];
    assert_eq!(query.read(&wire::reply(&query.to_bytes(), 0, false, &answers)), records(&["10.0.0.1"], 0));
}

#[test]
fn what_is_not_our_reply_is_none() {
    let app = name("app.test");
    let query = query(&app, Kind::A);
    let good = wire::reply(&query.to_bytes(), 0, false, &[wire::address("APP.Test", 60, "10.0.0.1")]);
    assert_eq!(query.read(&good), records(&["10.0.0.1"], 60));
    // The id; not a response; another opcode; no question; two questions; another name, type, class.
    for (at, bits) in [(1, 1), (2, 0x80), (2, 0x10), (5, 1), (5, 3), (14, 1), (23, 2), (25, 2)] {
        let mut bytes = good.clone();
        bytes[at] ^= bits;
        assert_eq!(query.read(&bytes), None, "byte {at}");
    }
}

#[test]
fn a_server_that_neither_recurses_nor_knows_has_not_denied() {
    let app = name("app.test");
    let query = query(&app, Kind::A);
    let mut bytes = wire::reply(&query.to_bytes(), 0, false, &[]);
    assert_eq!(query.read(&bytes), Some(Reply::Nothing));
    bytes[3] &= 0x7f;
    assert!(matches!(query.read(&bytes), Some(Reply::Failed(_))));
    bytes[2] |= 0x04;
    assert_eq!(query.read(&bytes), Some(Reply::Nothing), "with authority");
}

#[test]
fn codes_are_told_apart() {
    let app = name("app.test");
    let query = query(&app, Kind::A);
    let read = |code| query.read(&wire::reply(&query.to_bytes(), code, false, &[])).unwrap();
    assert_eq!(read(1), Reply::NotUnderstood);
    assert_eq!(read(2), Reply::Failed("SERVFAIL".to_owned()));
    assert_eq!(read(3), Reply::Nothing);
    assert_eq!(read(5), Reply::Refused);
    assert_eq!(query.read(&wire::reply(&query.to_bytes(), 0, true, &[])), Some(Reply::Truncated));
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let app = name("app.test");
        for kind in [Kind::A, Kind::Aaaa, Kind::Srv] {
            let _ = query(&app, kind).read(&bytes);
        }
    }

    /// A reply in which some bytes were changed: never a panic, and never more records than it holds.
    #[test]
    fn a_damaged_reply_is_read_without_a_panic(changes in proptest::collection::vec((12usize..200, any::<u8>()), 0..6), cut in 0usize..200) {
        let service = name("_x.test");
        let query = query(&service, Kind::Srv);
        let answers = [
            wire::alias("_x.test", 9, "_y.test"),
            wire::srv("_y.test", 9, [1, 2, 3], "a.test"),
            wire::srv("_y.test", 9, [1, 2, 4], "b.test"),
        ];
        let mut bytes = wire::reply(&query.to_bytes(), 0, false, &answers);
        for (at, byte) in changes {
            if let Some(old) = bytes.get_mut(at) {
                *old = byte;
            }
        }
        bytes.truncate(bytes.len().saturating_sub(cut / 4));
        if let Some(Reply::Records(data, _)) = query.read(&bytes) {
            prop_assert!(data.len() <= 2);
        }
    }
}
