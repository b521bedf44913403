//! The PROXY protocol, versions 1 and 2, read and written: who the client behind a load balancer is.
//!
//! Pure functions after the specification (haproxy, `doc/proxy-protocol.txt`), strict where it leaves a choice.

use std::fmt;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Bytes of a header of version 1, CR LF included (§2.1).
pub const V1_BYTES_MAX: usize = 107;

/// Bytes that may follow the fixed part of a header of version 2: addresses and TLVs.
pub const V2_BODY_BYTES_MAX: usize = 4096;

/// Bytes of the longest header accepted; no reader needs a larger buffer.
pub const HEADER_BYTES_MAX: usize = V2_FIXED_BYTES + V2_BODY_BYTES_MAX;

/// What the first bytes of a connection are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// The beginning of a header; more bytes are needed, at most [`HEADER_BYTES_MAX`] in all.
    Incomplete,
    /// A whole header.
    Header {
        /// Its length in bytes; what follows belongs to the connection.
        consumed: usize,
        /// The client; None where the sender speaks for itself or knows no address (LOCAL, UNKNOWN, a Unix socket).
        source: Option<SocketAddr>,
        /// What the client connected to; None as with `source`.
        destination: Option<SocketAddr>,
    },
}

/// Why a connection does not begin with a valid header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bad {
    /// Neither of the two signatures.
    Signature,
    /// Longer than a header may be.
    TooLong,
    /// Version 1: the line does not end in CR LF, or has another CR or LF in it.
    LineEnd,
    /// Version 2: another version, or a command that does not exist.
    Command,
    /// An address family or transport that does not exist or cannot be on a stream.
    Family,
    /// An address that is malformed, of the wrong family or missing.
    Address,
    /// A port that is malformed, out of range or missing.
    Port,
    /// Version 2: a TLV that goes beyond the header.
    Tlv,
}

/// Reads a header from the first bytes of a connection.
///
/// An IPv4 address that is written as IPv6 (`::ffff:192.0.2.1`) is given as IPv4, so that it meets the rules for it.
///
/// # Errors
/// The bytes are not, and whatever follows cannot become, a header.
pub fn parse(bytes: &[u8]) -> Result<Parsed, Bad> {
    if begins(bytes, V1_SIGNATURE) {
        return if bytes.len() < V1_SIGNATURE.len() { Ok(Parsed::Incomplete) } else { parse_v1(bytes) };
    }
    if begins(bytes, V2_SIGNATURE) {
        return if bytes.len() < V2_FIXED_BYTES { begun_v2(bytes) } else { parse_v2(bytes) };
    }
    Err(Bad::Signature)
}

/// Appends a header of version 1.
pub fn write_v1(source: SocketAddr, destination: SocketAddr, out: &mut Vec<u8>) {
    let (ports, family) = ((source.port(), destination.port()), unite(source.ip(), destination.ip()));
    let written = match family {
        United::V4(from, to) => write!(out, "PROXY TCP4 {from} {to} {} {}\r\n", ports.0, ports.1),
        United::V6(from, to) => write!(out, "PROXY TCP6 {from} {to} {} {}\r\n", ports.0, ports.1),
    };
    written.expect("a Vec takes any bytes");
}

/// Appends a header of version 2.
pub fn write_v2(source: SocketAddr, destination: SocketAddr, out: &mut Vec<u8>) {
    out.extend_from_slice(V2_SIGNATURE);
    out.push(V2_VERSION << 4 | COMMAND_PROXY);
    match unite(source.ip(), destination.ip()) {
        United::V4(from, to) => {
            out.extend_from_slice(&[FAMILY_INET << 4 | STREAM, 0, INET_BYTES as u8]);
            out.extend_from_slice(&from.octets());
            out.extend_from_slice(&to.octets());
        }
        United::V6(from, to) => {
            out.extend_from_slice(&[FAMILY_INET6 << 4 | STREAM, 0, INET6_BYTES as u8]);
            out.extend_from_slice(&from.octets());
            out.extend_from_slice(&to.octets());
        }
    }
    out.extend_from_slice(&source.port().to_be_bytes());
    out.extend_from_slice(&destination.port().to_be_bytes());
}

/// Appends the header of version 1 for a connection that has no client behind it, such as a probe's (§2.1).
pub fn write_unknown_v1(out: &mut Vec<u8>) {
    out.extend_from_slice(b"PROXY UNKNOWN\r\n");
}

/// The same in version 2: the command LOCAL (§2.2).
pub fn write_local_v2(out: &mut Vec<u8>) {
    out.extend_from_slice(V2_SIGNATURE);
    out.extend_from_slice(&[V2_VERSION << 4 | COMMAND_LOCAL, 0, 0, 0]);
}

/// Both are equal as far as both go.
fn begins(bytes: &[u8], signature: &[u8]) -> bool {
    let both = bytes.len().min(signature.len());
    bytes[..both] == signature[..both]
}

// §2.1
fn parse_v1(bytes: &[u8]) -> Result<Parsed, Bad> {
    let window = &bytes[..bytes.len().min(V1_BYTES_MAX)];
    let Some(end) = window.iter().position(|&b| b == b'\r' || b == b'\n') else {
        return if bytes.len() < V1_BYTES_MAX { Ok(Parsed::Incomplete) } else { Err(Bad::TooLong) };
    };
    match (window[end], window.get(end + 1)) {
        (b'\r', Some(b'\n')) => {}
        (b'\r', None) if bytes.len() < V1_BYTES_MAX => return Ok(Parsed::Incomplete),
        (b'\r', None) => return Err(Bad::TooLong),
        _ => return Err(Bad::LineEnd),
    }
    let (source, destination) = match parse_v1_line(&window[V1_SIGNATURE.len()..end])? {
        Some((source, destination)) => (Some(source), Some(destination)),
        None => (None, None),
    };
    Ok(Parsed::Header { consumed: end + 2, source, destination })
}

/// Source and destination.
type Ends = (SocketAddr, SocketAddr);

fn parse_v1_line(line: &[u8]) -> Result<Option<Ends>, Bad> {
    let mut words = line.split(|&b| b == b' ');
    let v6 = match words.next() {
        Some(b"TCP4") => false,
        Some(b"TCP6") => true,
        // "The receiver must ignore anything presented before the CRLF."
        Some(b"UNKNOWN") => return Ok(None),
        _ => return Err(Bad::Family),
    };
    let (from, to) = (v1_address(words.next(), v6)?, v1_address(words.next(), v6)?);
    let (from_port, to_port) = (v1_port(words.next())?, v1_port(words.next())?);
    match words.next() {
        None => Ok(Some((SocketAddr::new(from, from_port), SocketAddr::new(to, to_port)))),
        Some(_) => Err(Bad::Port),
    }
}

fn v1_address(word: Option<&[u8]>, v6: bool) -> Result<IpAddr, Bad> {
    let text = word.and_then(|word| std::str::from_utf8(word).ok()).ok_or(Bad::Address)?;
    let address = if v6 { text.parse().map(IpAddr::V6) } else { text.parse().map(IpAddr::V4) };
    address.map(|address| address.to_canonical()).map_err(|_| Bad::Address)
}

/// Decimal, no sign, no leading zeros.
fn v1_port(word: Option<&[u8]>) -> Result<u16, Bad> {
    let word = word.ok_or(Bad::Port)?;
    let plain = word.iter().all(u8::is_ascii_digit) && (word.len() == 1 || !word.starts_with(b"0"));
    let text = std::str::from_utf8(word).ok().filter(|_| plain).ok_or(Bad::Port)?;
    text.parse().map_err(|_| Bad::Port)
}

/// Refuses as soon as the bytes at hand can be refused.
fn begun_v2(bytes: &[u8]) -> Result<Parsed, Bad> {
    if let Some(&version_command) = bytes.get(V2_SIGNATURE.len()) {
        command(version_command)?;
    }
    Ok(Parsed::Incomplete)
}

enum Command {
    Local,
    Proxy,
}

fn command(version_command: u8) -> Result<Command, Bad> {
    match (version_command >> 4, version_command & 0xf) {
        (V2_VERSION, COMMAND_LOCAL) => Ok(Command::Local),
        (V2_VERSION, COMMAND_PROXY) => Ok(Command::Proxy),
        _ => Err(Bad::Command),
    }
}

// §2.2
fn parse_v2(bytes: &[u8]) -> Result<Parsed, Bad> {
    let command = command(bytes[12])?;
    let length = usize::from(u16::from_be_bytes([bytes[14], bytes[15]]));
    if length > V2_BODY_BYTES_MAX {
        return Err(Bad::TooLong);
    }
    let consumed = V2_FIXED_BYTES + length;
    let Some(body) = bytes.get(V2_FIXED_BYTES..consumed) else { return Ok(Parsed::Incomplete) };
    let ends = match command {
        // "The receiver must ... discard the protocol block including the family which is ignored."
        Command::Local => None,
        Command::Proxy => parse_v2_body(bytes[13], body)?,
    };
    let (source, destination) = ends.unzip();
    Ok(Parsed::Header { consumed, source, destination })
}

fn parse_v2_body(family_transport: u8, body: &[u8]) -> Result<Option<Ends>, Bad> {
    let (family, transport) = (family_transport >> 4, family_transport & 0xf);
    match (family, transport) {
        (FAMILY_INET, STREAM) => {
            let (addresses, tlvs) = body.split_first_chunk::<INET_BYTES>().ok_or(Bad::Address)?;
            check_tlvs(tlvs)?;
            Ok(Some(inet(addresses)))
        }
        (FAMILY_INET6, STREAM) => {
            let (addresses, tlvs) = body.split_first_chunk::<INET6_BYTES>().ok_or(Bad::Address)?;
            check_tlvs(tlvs)?;
            Ok(Some(inet6(addresses)))
        }
        (FAMILY_UNIX, STREAM) => {
            check_tlvs(body.get(UNIX_BYTES..).ok_or(Bad::Address)?)?;
            Ok(None)
        }
        // "The receiver is free to accept the connection anyway and use the real endpoint addresses."
        (FAMILY_UNSPEC, TRANSPORT_UNSPEC) => Ok(None),
        _ => Err(Bad::Family),
    }
}

fn inet(addresses: &[u8; INET_BYTES]) -> Ends {
    let [a, b, c, d, e, f, g, h, ports @ ..] = *addresses;
    let (from, to) = (Ipv4Addr::new(a, b, c, d), Ipv4Addr::new(e, f, g, h));
    with_ports(from.into(), to.into(), ports)
}

fn inet6(addresses: &[u8; INET6_BYTES]) -> Ends {
    let address = |at: usize| -> IpAddr {
        let octets: [u8; 16] = std::array::from_fn(|i| addresses[at + i]);
        Ipv6Addr::from(octets).to_canonical()
    };
    with_ports(address(0), address(16), std::array::from_fn(|i| addresses[32 + i]))
}

fn with_ports(from: IpAddr, to: IpAddr, [a, b, c, d]: [u8; 4]) -> Ends {
    (SocketAddr::new(from, u16::from_be_bytes([a, b])), SocketAddr::new(to, u16::from_be_bytes([c, d])))
}

/// They must fill the rest exactly: type, length in two bytes, value.
fn check_tlvs(mut rest: &[u8]) -> Result<(), Bad> {
    while let [_, high, low, value @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        rest = value.get(length..).ok_or(Bad::Tlv)?;
    }
    if rest.is_empty() { Ok(()) } else { Err(Bad::Tlv) }
}

/// Two addresses of one family, as both versions want them.
enum United {
    V4(Ipv4Addr, Ipv4Addr),
    V6(Ipv6Addr, Ipv6Addr),
}

fn unite(from: IpAddr, to: IpAddr) -> United {
    match (from.to_canonical(), to.to_canonical()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => United::V4(from, to),
        (from, to) => United::V6(as_v6(from), as_v6(to)),
    }
}

fn as_v6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

impl std::error::Error for Bad {}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Bad::Signature => "no PROXY header",
            Bad::TooLong => "PROXY header too long",
            Bad::LineEnd => "PROXY header does not end in CR LF",
            Bad::Command => "PROXY header of unknown version or command",
            Bad::Family => "PROXY header with an unknown address family or transport",
            Bad::Address => "PROXY header with a bad address",
            Bad::Port => "PROXY header with a bad port",
            Bad::Tlv => "PROXY header with a bad TLV",
        })
    }
}

const V1_SIGNATURE: &[u8] = b"PROXY ";
const V2_SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
const V2_FIXED_BYTES: usize = 16;
const V2_VERSION: u8 = 2;
const COMMAND_LOCAL: u8 = 0;
const COMMAND_PROXY: u8 = 1;
const FAMILY_UNSPEC: u8 = 0;
const FAMILY_INET: u8 = 1;
const FAMILY_INET6: u8 = 2;
const FAMILY_UNIX: u8 = 3;
const TRANSPORT_UNSPEC: u8 = 0;
const STREAM: u8 = 1;
const INET_BYTES: usize = 12;
const INET6_BYTES: usize = 36;
const UNIX_BYTES: usize = 216;

#[cfg(test)]
mod tests;
