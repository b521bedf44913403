use super::wire_name::WireName;
use domain::base::iana::{Class, Opcode, Rcode, Rtype};
use domain::base::{Message, ParsedRecord};
use domain::rdata::{A, Aaaa, Cname, Srv};
use std::net::IpAddr;
use std::time::Duration;

/// Which records are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    A,
    Aaaa,
    Srv,
}

/// One question to one server.
#[derive(Clone, Debug)]
pub(super) struct Query<'a> {
    /// Random: whoever forges a reply has to guess it, and the port (RFC 5452 §4.3).
    pub(super) id: u16,
    pub(super) name: &'a WireName,
    pub(super) kind: Kind,
    /// Whether larger datagrams than 512 bytes are offered; servers of old cannot read that (RFC 6891 §7).
    pub(super) edns: bool,
}

/// What a server says to a query.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// The records, at the end of the aliases that the reply gave.
    Records(Vec<Data>, Duration),
    /// The name is another's alias, whose records have to be asked for.
    Alias(WireName, Duration),
    /// There is no such name, or none of these records.
    Nothing,
    /// It did not fit: ask over TCP.
    Truncated,
    /// REFUSED
    Refused,
    /// FORMERR or NOTIMP: perhaps it reads no EDNS.
    NotUnderstood,
    /// SERVFAIL and the like; its name.
    Failed(String),
}

/// What a record holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Data {
    Address(IpAddr),
    Srv { priority: u16, weight: u16, port: u16, target: WireName },
}

/// Bytes of a datagram that are asked for: what passes everywhere in one piece (DNS flag day 2020).
const DATAGRAM_BYTES: u16 = 1232;

/// Aliases that are followed, one after the other.
pub(super) const ALIASES_MAX: usize = 16;

/// RFC 2181 §8: a TTL is at most 2^31 - 1 seconds.
pub(super) const TTL_LIMIT: Duration = Duration::from_secs(i32::MAX as u64);

impl Query<'_> {
    /// RFC 1035 §4.1, recursion desired; RFC 6891 §6.1.2 for the OPT record.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.id.to_be_bytes().to_vec();
        bytes.extend([0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, u8::from(self.edns)]);
        bytes.extend(self.name.as_wire());
        bytes.extend(self.kind.rtype().to_int().to_be_bytes());
        bytes.extend(Class::IN.to_int().to_be_bytes());
        if self.edns {
            bytes.push(0);
            bytes.extend(Rtype::OPT.to_int().to_be_bytes());
            bytes.extend(DATAGRAM_BYTES.to_be_bytes());
            bytes.extend([0; 6]);
        }
        bytes
    }

    /// `None` if it is no reply to this query, or cannot be read.
    pub(super) fn read(&self, bytes: &[u8]) -> Option<Reply> {
        let message = Message::from_slice(bytes).ok()?;
        let header = message.header();
        let replies = header.qr() && header.opcode() == Opcode::QUERY && header.id() == self.id;
        if !replies || !self.is_repeated_in(message) {
            return None;
        }
        match header.rcode() {
            _ if header.tc() => Some(Reply::Truncated),
            Rcode::NOERROR => self.follow(message),
            Rcode::NXDOMAIN => Some(Reply::Nothing),
            Rcode::REFUSED => Some(Reply::Refused),
            Rcode::FORMERR | Rcode::NOTIMP => Some(Reply::NotUnderstood),
            other => Some(Reply::Failed(other.to_string())),
        }
    }

    /// Whether the message repeats the question (RFC 5452 §9.1); a server that failed may leave it out.
    fn is_repeated_in(&self, message: &Message<[u8]>) -> bool {
        match message.header_counts().qdcount() {
            0 => message.header().rcode() != Rcode::NOERROR,
            1 => message.first_question().is_some_and(|question| {
                let kind = question.qtype() == self.kind.rtype() && question.qclass() == Class::IN;
                kind && self.name.is(question.qname())
            }),
            _ => false,
        }
    }

    /// From alias to alias, to the records; only what that chain leads to is looked at.
    fn follow(&self, message: &Message<[u8]>) -> Option<Reply> {
        let mut name = self.name.clone();
        let mut ttl = TTL_LIMIT;
        for _ in 0..ALIASES_MAX {
            let step = self.step(message, &name)?;
            ttl = ttl.min(step.ttl);
            match step.alias {
                _ if !step.data.is_empty() => return Some(Reply::Records(step.data, ttl)),
                Some(alias) => name = alias,
                None if name == *self.name => return Some(nothing(message)),
                None => return Some(Reply::Alias(name, ttl)),
            }
        }
        Some(Reply::Failed("the name's aliases go round in a circle".to_owned()))
    }

    fn step(&self, message: &Message<[u8]>, name: &WireName) -> Option<Step> {
        let mut step = Step { data: Vec::new(), alias: None, ttl: TTL_LIMIT };
        for record in message.answer().ok()? {
            let record = record.ok()?;
            if record.class() != Class::IN || !name.is(&record.owner()) {
                continue;
            }
            if record.rtype() == self.kind.rtype() {
                step.data.push(self.kind.data(&record)?);
            } else if record.rtype() == Rtype::CNAME {
                let alias = record.to_record::<Cname<_>>().ok()??;
                step.alias = Some(WireName::of(alias.data().cname()));
            } else {
                continue;
            }
            step.ttl = step.ttl.min(seconds(record.ttl().as_secs()));
        }
        Some(step)
    }
}

/// A server that neither recurses nor knows the name itself has not denied it.
fn nothing(message: &Message<[u8]>) -> Reply {
    let header = message.header();
    if header.ra() || header.aa() { Reply::Nothing } else { Reply::Failed("it does not recurse".to_owned()) }
}

/// What a message says about one name.
struct Step {
    data: Vec<Data>,
    alias: Option<WireName>,
    ttl: Duration,
}

impl Kind {
    fn rtype(self) -> Rtype {
        match self {
            Kind::A => Rtype::A,
            Kind::Aaaa => Rtype::AAAA,
            Kind::Srv => Rtype::SRV,
        }
    }

    fn data(self, record: &ParsedRecord<'_, [u8]>) -> Option<Data> {
        match self {
            Kind::A => Some(Data::Address(record.to_record::<A>().ok()??.data().addr().into())),
            Kind::Aaaa => Some(Data::Address(record.to_record::<Aaaa>().ok()??.data().addr().into())),
            Kind::Srv => {
                let record = record.to_record::<Srv<_>>().ok()??;
                let (srv, target) = (record.data(), WireName::of(record.data().target()));
                Some(Data::Srv { priority: srv.priority(), weight: srv.weight(), port: srv.port(), target })
            }
        }
    }
}

/// RFC 2181 §8: with the highest bit set, a TTL is 0.
fn seconds(ttl: u32) -> Duration {
    Duration::from_secs(i32::try_from(ttl).map_or(0, |ttl| ttl.unsigned_abs().into()))
}

#[cfg(test)]
mod tests;
