use super::disguise::begins_alike;
use super::fields::name_set;
use super::quoted::{is_balanced, pieces};
use super::{FieldName, Fields, Scheme, Version};
use ipnet::IpNet;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// What we know of a request's last hop, to be told to the backend.
#[derive(Clone, Copy, Debug)]
pub struct Hop<'a> {
    /// The other end of the connection (or what its PROXY header says).
    pub peer: IpAddr,
    /// How it reached us.
    pub scheme: Scheme,
    /// What it asked for: host and optional port, valid.
    pub authority: &'a [u8],
    /// Whether the peer is in a network whose word on earlier hops is believed.
    pub trusted: bool,
}

/// Sets X-Forwarded-For, -Proto and -Host, and continues Forwarded (RFC 7239) where it is in use.
///
/// A trusted peer's values are kept and our hop is appended; anyone else's are replaced, Forwarded, all that begins with
/// X-Forwarded- and spellings with `_` (which CGI-like backends cannot tell from `-`) among them. To be called after
/// [`strip_hop_by_hop`](super::strip_hop_by_hop).
pub fn set_forwarded(fields: &mut Fields, hop: &Hop<'_>) {
    if !hop.trusted && fields.may_have(FORWARDED) {
        let is_other = |name, text: &[u8]| name == FieldName::Other && begins_alike(b"x-forwarded-", text);
        fields.retain(|name, text, _| !(is_forwarded(name) || is_other(name, text)));
    }
    let mut room = [0; ADDRESS_LEN];
    let peer = write_address(hop.peer, &mut room);
    if fields.has(FieldName::Forwarded) {
        push_forwarded(fields, hop, peer);
    }
    fields.push_member(FieldName::XForwardedFor, &[peer]);
    if !fields.has(FieldName::XForwardedProto) {
        fields.push_known(FieldName::XForwardedProto, hop.scheme.as_str().as_bytes());
    }
    if !fields.has(FieldName::XForwardedHost) && !hop.authority.is_empty() {
        fields.push_known(FieldName::XForwardedHost, hop.authority);
    }
}

/// Appends Weir to Via; `received` is the version in which the message came (RFC 9110 §7.6.3).
pub fn push_via(fields: &mut Fields, received: Version) {
    fields.push_member(FieldName::Via, &[received.as_str().as_bytes(), b" ", PSEUDONYM]);
}

/// How often Via names Weir: so often a request came through one before (RFC 9110 §7.6.3).
#[must_use]
pub fn times_in_via(fields: &Fields) -> usize {
    let is_ours = |member: &&[u8]| {
        let mut words = member.split(|&b| matches!(b, b' ' | b'\t')).filter(|word| !word.is_empty());
        words.nth(1).is_some_and(|by| by.eq_ignore_ascii_case(PSEUDONYM))
    };
    fields.members(FieldName::Via).filter(is_ours).count()
}

/// Sets X-Request-ID to `id` in hex, unless a trusted peer sent a sound one (1 to 128 visible bytes, one line).
pub fn set_request_id(fields: &mut Fields, id: u128, trusted: bool) {
    let mut sent = fields.all(FieldName::XRequestId);
    let is_sound = |value: &[u8]| (1..=REQUEST_ID_MAX).contains(&value.len()) && value.iter().all(u8::is_ascii_graphic);
    let keep = trusted && sent.next().is_some_and(is_sound) && sent.next().is_none();
    drop(sent);
    if !keep {
        fields.set(FieldName::XRequestId, &request_id(id));
    }
}

/// A request id as it is shown everywhere: 32 hexadecimal digits.
#[must_use]
pub fn request_id(id: u128) -> [u8; 32] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    std::array::from_fn(|at| DIGITS[(id >> (124 - 4 * at)) as usize & 15])
}

/// Who asks: the nearest address that is not in `trusted`, walking from `peer` through X-Forwarded-For from the right.
/// A member that is no address ends the walk at the hop that reported it; if all are trusted, it is the farthest.
#[must_use]
pub fn client_address(fields: &Fields, peer: IpAddr, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut client = peer.to_canonical();
    let mut reported = fields.members(FieldName::XForwardedFor).rev().take(HOPS_MAX);
    while is_trusted(&client) {
        match reported.next().and_then(parse_address) {
            Some(address) => client = address,
            None => break,
        }
    }
    client
}

fn is_forwarded(name: FieldName) -> bool {
    name_set(&[name]) & FORWARDED & !name_set(&[FieldName::Other]) != 0
}

/// Names that say where a request came from, and those that may do so in disguise.
const FORWARDED: u64 = name_set(&[
    FieldName::Other,
    FieldName::Forwarded,
    FieldName::XForwardedFor,
    FieldName::XForwardedHost,
    FieldName::XForwardedPort,
    FieldName::XForwardedProto,
]);

/// Writes what Forwarded says of how a client came, and not who it is: that makes no difference to what it gets (RFC 7239 §5).
pub fn push_way(forwarded: &[u8], out: &mut Vec<u8>) {
    if !is_balanced(forwarded) {
        return out.extend_from_slice(forwarded);
    }
    let is_node = |pair: &[u8]| {
        let name = pair.split(|&b| b == b'=').next().unwrap_or_default().trim_ascii();
        name.is_empty() || name.eq_ignore_ascii_case(b"for") || name.eq_ignore_ascii_case(b"by")
    };
    for element in pieces(forwarded, b',') {
        let before = out.len();
        for pair in pieces(element, b';').filter(|pair| !is_node(pair)) {
            out.extend_from_slice(pair.trim_ascii());
            out.push(b';');
        }
        if out.len() > before {
            out.push(b',');
        }
    }
}

/// RFC 7239 §4: one more element, IPv6 addresses and hosts in quotes.
fn push_forwarded(fields: &mut Fields, hop: &Hop<'_>, peer: &[u8]) {
    let (open, close): (&[u8], &[u8]) =
        if hop.peer.to_canonical().is_ipv6() { (b"for=\"[", b"]\"") } else { (b"for=", b"") };
    let scheme = hop.scheme.as_str().as_bytes();
    // A host that would need escapes inside the quotes is not a valid one; it is left out.
    let quotable = !hop.authority.is_empty() && !hop.authority.iter().any(|b| matches!(b, b'"' | b'\\'));
    let host: [&[u8]; 3] = if quotable { [b";host=\"", hop.authority, b"\""] } else { [b"", b"", b""] };
    fields.push_member(FieldName::Forwarded, &[open, peer, close, host[0], host[1], host[2], b";proto=", scheme]);
}

/// `1.2.3.4`, `::1`, either with a port as some proxies add it, `[::1]`.
fn parse_address(member: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(member).ok()?;
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let with_port = || text.parse::<SocketAddr>().map(|address| address.ip());
    bare.parse::<IpAddr>().or_else(|_| with_port()).ok().map(|address| address.to_canonical())
}

/// Writes `address`, IPv4-mapped ones as IPv4.
fn write_address(address: IpAddr, room: &mut [u8; ADDRESS_LEN]) -> &[u8] {
    if let IpAddr::V4(address) = address.to_canonical() {
        return write_ipv4(address, room);
    }
    let mut rest = &mut room[..];
    write!(rest, "{}", address.to_canonical()).expect("no address is longer");
    let left = rest.len();
    &room[..ADDRESS_LEN - left]
}

/// Most clients have one, and the general formatter takes its time.
fn write_ipv4(address: Ipv4Addr, room: &mut [u8; ADDRESS_LEN]) -> &[u8] {
    let mut at = 0;
    for (index, octet) in address.octets().into_iter().enumerate() {
        if index > 0 {
            room[at] = b'.';
            at += 1;
        }
        for (place, from) in [(100, 100), (10, 10), (1, 0)] {
            if octet >= from {
                room[at] = b'0' + octet / place % 10;
                at += 1;
            }
        }
    }
    &room[..at]
}

/// As which Weir signs in Via.
const PSEUDONYM: &[u8] = b"weir";
/// Members of X-Forwarded-For that are looked at.
const HOPS_MAX: usize = 64;
const REQUEST_ID_MAX: usize = 128;
/// Bytes of the longest IPv6 address in text.
const ADDRESS_LEN: usize = 45;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_octet_of_an_ipv4_address_is_written_as_the_library_writes_it() {
        for octet in 0..=255 {
            let address = Ipv4Addr::new(octet, 0, 255 - octet, octet / 3);
            let mut room = [0; ADDRESS_LEN];
            assert_eq!(write_ipv4(address, &mut room), address.to_string().as_bytes());
        }
    }

    fn fields(lines: &[(&str, &str)]) -> Fields {
        let mut fields = Fields::default();
        lines.iter().for_each(|(name, value)| fields.push(name.as_bytes(), value.as_bytes()));
        fields
    }

    fn text(fields: &Fields, name: FieldName) -> &str {
        std::str::from_utf8(fields.get(name).unwrap_or(b"")).unwrap()
    }

    fn hop(peer: &str, trusted: bool) -> Hop<'static> {
        Hop { peer: peer.parse().unwrap(), scheme: Scheme::Https, authority: b"a.b:8443", trusted }
    }

    const SPOOF: [(&str, &str); 6] = [
        ("X-Forwarded-For", "6.6.6.6"),
        ("x-forwarded-proto", "http"),
        ("X-Forwarded-Host", "evil"),
        ("X-Forwarded-Port", "1"),
        ("Forwarded", "for=6.6.6.6"),
        ("X_Forwarded_For", "6.6.6.6"),
    ];

    #[test]
    fn via_counts_us_and_nobody_else() {
        let mut fields =
            fields(&[("Via", "1.1 weir, HTTP/2.0  Weir (edge)"), ("via", "1.0 weir2, 1.1 a (weir), weir,")]);
        assert_eq!(times_in_via(&fields), 2);
        push_via(&mut fields, Version::Http2);
        assert_eq!(times_in_via(&fields), 3);
    }

    #[test]
    fn a_stranger_cannot_say_who_he_is() {
        let mut fields = fields(&SPOOF);
        set_forwarded(&mut fields, &hop("::ffff:1.2.3.4", false));
        let seen: Vec<_> = fields.iter().map(|(_, name, value)| (name, value)).collect();
        let expected =
            [("x-forwarded-for", "1.2.3.4"), ("x-forwarded-proto", "https"), ("x-forwarded-host", "a.b:8443")];
        assert_eq!(seen, expected.map(|(name, value)| (name.as_bytes(), value.as_bytes())));
    }

    #[test]
    fn a_trusted_peer_is_believed_and_our_hop_is_appended() {
        let mut fields = fields(&SPOOF[..5]);
        set_forwarded(&mut fields, &hop("2001:db8::1", true));
        assert_eq!(text(&fields, FieldName::XForwardedFor), "6.6.6.6, 2001:db8::1");
        assert_eq!(text(&fields, FieldName::XForwardedProto), "http");
        assert_eq!(text(&fields, FieldName::XForwardedHost), "evil");
        let forwarded = "for=6.6.6.6, for=\"[2001:db8::1]\";host=\"a.b:8443\";proto=https";
        assert_eq!(text(&fields, FieldName::Forwarded), forwarded);
    }

    #[test]
    fn the_client_is_the_nearest_address_that_is_not_ours() {
        let trusted = ["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
        for (peer, lines, expected) in [
            ("9.9.9.9", vec!["1.1.1.1"], "9.9.9.9"),
            ("10.0.0.1", vec!["6.6.6.6, 1.1.1.1, 10.0.0.2"], "1.1.1.1"),
            ("10.0.0.1", vec!["6.6.6.6", "1.1.1.1:99", "[::1]:8, ::ffff:10.1.1.1"], "1.1.1.1"),
            ("10.0.0.1", vec!["1.1.1.1, unknown, 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", vec!["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            ("::ffff:10.0.0.1", vec!["[2001:db8::1]"], "2001:db8::1"),
            ("10.0.0.1", vec![], "10.0.0.1"),
        ] {
            let lines: Vec<_> = lines.iter().map(|value| ("x-forwarded-for", *value)).collect();
            let client = client_address(&fields(&lines), peer.parse().unwrap(), &trusted);
            assert_eq!(client.to_string(), expected, "{lines:?}");
        }
    }

    #[test]
    fn via_grows_and_a_request_id_is_kept_only_from_a_trusted_peer() {
        let mut fields = fields(&[("Via", "1.0 fred"), ("X-Request-Id", "abc")]);
        push_via(&mut fields, Version::Http11);
        assert_eq!(text(&fields, FieldName::Via), "1.0 fred, 1.1 weir");
        set_request_id(&mut fields, 0xab, true);
        assert_eq!(text(&fields, FieldName::XRequestId), "abc");
        set_request_id(&mut fields, 0xab, false);
        assert_eq!(text(&fields, FieldName::XRequestId), "000000000000000000000000000000ab");
        fields.push(b"x-request-id", b"two");
        set_request_id(&mut fields, 0xcd, true);
        assert_eq!(fields.all(FieldName::XRequestId).count(), 1);
    }
}
