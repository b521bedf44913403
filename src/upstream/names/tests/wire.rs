//! Replies written by hand, so that what is tested is not what writes them.

/// A record: its owner, type, seconds to live and data.
#[derive(Clone, Debug)]
pub(crate) struct Rr {
    owner: String,
    kind: u16,
    ttl: u32,
    data: Vec<u8>,
}

pub(crate) const A: u16 = 1;
pub(crate) const CNAME: u16 = 5;
pub(crate) const AAAA: u16 = 28;
pub(crate) const SRV: u16 = 33;

pub(crate) const SERVFAIL: u8 = 2;
pub(crate) const FORMERR: u8 = 1;
pub(crate) const NXDOMAIN: u8 = 3;
pub(crate) const REFUSED: u8 = 5;

/// A or AAAA, as the address is.
pub(crate) fn address(owner: &str, ttl: u32, address: &str) -> Rr {
    let (kind, data) = match address.parse().unwrap() {
        std::net::IpAddr::V4(v4) => (A, v4.octets().to_vec()),
        std::net::IpAddr::V6(v6) => (AAAA, v6.octets().to_vec()),
    };
    Rr { owner: owner.to_owned(), kind, ttl, data }
}

pub(crate) fn alias(owner: &str, ttl: u32, target: &str) -> Rr {
    Rr { owner: owner.to_owned(), kind: CNAME, ttl, data: name(target) }
}

pub(crate) fn srv(owner: &str, ttl: u32, [priority, weight, port]: [u16; 3], target: &str) -> Rr {
    let mut data: Vec<u8> = [priority, weight, port].iter().flat_map(|number| number.to_be_bytes()).collect();
    data.extend(name(target));
    Rr { owner: owner.to_owned(), kind: SRV, ttl, data }
}

/// The question of a query: its name in lower case, its type, and where it ends.
pub(crate) fn question(query: &[u8]) -> (String, u16, usize) {
    let mut labels = Vec::new();
    let mut at = 12;
    while query[at] > 0 {
        let len = usize::from(query[at]);
        labels.push(String::from_utf8_lossy(&query[at + 1..=at + len]).to_lowercase());
        at += 1 + len;
    }
    (labels.join("."), u16::from_be_bytes([query[at + 1], query[at + 2]]), at + 5)
}

/// Whether a query has an OPT record.
pub(crate) fn has_edns(query: &[u8]) -> bool {
    query[11] == 1
}

/// A recursive server's reply to a query.
pub(crate) fn reply(query: &[u8], rcode: u8, truncated: bool, answers: &[Rr]) -> Vec<u8> {
    let (_, _, end) = question(query);
    let mut bytes = query[..2].to_vec();
    bytes.extend([0x81 | if truncated { 0x02 } else { 0 }, 0x80 | rcode, 0, 1]);
    bytes.extend(u16::try_from(answers.len()).unwrap().to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend(&query[12..end]);
    for rr in answers {
        bytes.extend(name(&rr.owner));
        bytes.extend(rr.kind.to_be_bytes());
        bytes.extend([0, 1]);
        bytes.extend(rr.ttl.to_be_bytes());
        bytes.extend(u16::try_from(rr.data.len()).unwrap().to_be_bytes());
        bytes.extend(&rr.data);
    }
    bytes
}

fn name(dotted: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in dotted.split('.').filter(|label| !label.is_empty()) {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend(label.bytes());
    }
    bytes.push(0);
    bytes
}
