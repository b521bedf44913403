//! Probes: one execution of a health check each.

use super::dial::{DialError, Speaks};
use super::{Dialer, PoolDialer};
use crate::clock::Clock;
use crate::config::{Check, Health};
use crate::exchange::{Broken, Chunk, Piece, Request, Response, Sink, Source, Upstream};
use crate::http::{FieldName, Length, Method, RequestHead, ResponseHead, Scheme, Version};
use crate::live::Member;
use crate::wire::{Buffers, Transport, h1, h2};
use std::rc::Rc;
use std::{fmt, io};

/// Why a probe failed; what the operator is told.
#[derive(Debug)]
pub enum ProbeError {
    /// There was no connection.
    Dial(DialError),
    /// The connection broke, or the response cannot be understood.
    Broken(Broken),
    /// A status that does not pass.
    Status(u16),
    /// gRPC: not SERVING; the number that it said, of `ServingStatus`.
    NotServing(u64),
    /// gRPC: an error; its code.
    Grpc(u32),
    /// An answer to the gRPC question that is none.
    NoAnswer,
    /// It took too long.
    Timeout,
}

impl fmt::Display for ProbeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProbeError::Dial(error) => error.fmt(f),
            ProbeError::Broken(Broken::Closed) => f.write_str("it closed the connection before it answered"),
            ProbeError::Broken(Broken::Malformed(rule)) => write!(f, "its response breaks a rule: {rule}"),
            ProbeError::Broken(Broken::Io(error)) => error.fmt(f),
            ProbeError::Status(status) => write!(f, "it answered with status {status}"),
            ProbeError::NotServing(status) => write!(f, "gRPC health says status {status}, not 1 (SERVING)"),
            ProbeError::Grpc(code) => write!(f, "gRPC health answered with error {code}"),
            ProbeError::NoAnswer => f.write_str("its answer is none of gRPC health"),
            ProbeError::Timeout => f.write_str("it did not answer in time"),
        }
    }
}

/// What a thread needs for probes.
#[derive(Clone, Debug)]
pub struct Prober {
    clock: Rc<Clock>,
    buffers: Rc<Buffers>,
}

impl Prober {
    /// A prober whose times are those of `clock`.
    #[must_use]
    pub fn new(clock: Rc<Clock>) -> Prober {
        Prober { clock, buffers: Rc::default() }
    }

    /// Asks `member` how it is, within the time that the check gives it.
    ///
    /// # Errors
    /// [`ProbeError`]: the probe failed.
    pub async fn probe(&self, pool: &PoolDialer, member: &Member, health: &Health) -> Result<(), ProbeError> {
        let endpoint = member.endpoint.with_port(health.port);
        let dialer = Dialer::new(pool, &endpoint, member.host.as_deref());
        let asked = self.ask(&dialer, member, &health.check);
        // tokio's timer: probes are rare, and their time is exact.
        tokio::time::timeout(health.timeout, asked).await.unwrap_or(Err(ProbeError::Timeout))
    }

    async fn ask(&self, dialer: &Dialer, member: &Member, check: &Check) -> Result<(), ProbeError> {
        let (transport, speaks) = dialer.dial(None).await.map_err(ProbeError::Dial)?;
        let scheme = if dialer.is_tls() { Scheme::Https } else { Scheme::Http };
        match check {
            Check::Tcp => Ok(()),
            Check::Http { path, host, expect } => {
                let host = host.clone().unwrap_or_else(|| authority(member));
                let mut head = head(Method::Get, path, &host, scheme);
                head.fields.push_known(FieldName::UserAgent, AGENT);
                let status = self.status(transport, speaks, scheme, &head).await.map_err(ProbeError::Broken)?;
                match expect.iter().any(|range| range.contains(&status)) {
                    true => Ok(()),
                    false => Err(ProbeError::Status(status)),
                }
            }
            Check::Grpc(service) => {
                let connection = self.h2(transport, scheme).await.map_err(ProbeError::Broken)?;
                grpc(&connection, &authority(member), scheme, service).await
            }
        }
    }

    async fn h2(&self, transport: Transport, scheme: Scheme) -> Result<h2::BackendConnection, Broken> {
        h2::BackendConnection::connect(transport, scheme, self.clock.clone(), STALL).await
    }

    /// The status of the final response.
    async fn status(
        &self,
        transport: Transport,
        speaks: Speaks,
        scheme: Scheme,
        head: &RequestHead,
    ) -> Result<u16, Broken> {
        match speaks {
            Speaks::Http1 => {
                let mut connection = h1::BackendConnection::new(transport);
                ask(&mut connection.exchange(&self.buffers, Method::Get, false), head).await
            }
            Speaks::H2 => {
                let connection = self.h2(transport, scheme).await?;
                ask(&mut connection.exchange(Method::Get), head).await
            }
        }
    }
}

async fn ask<U: Upstream>(up: &mut U, head: &RequestHead) -> Result<u16, Broken> {
    let (request, response) = up.halves();
    request.head(head, Length::None).await?;
    request.end(None).await?;
    final_head(response).await.map(|head| head.status)
}

async fn final_head<S: Response>(response: &mut S) -> Result<ResponseHead, Broken> {
    let mut head = ResponseHead::default();
    loop {
        response.head(&mut head).await?;
        if !head.is_interim() {
            return Ok(head);
        }
    }
}

/// `grpc.health.v1.Health/Check` (github.com/grpc/grpc/blob/master/doc/health-checking.md).
async fn grpc(
    connection: &h2::BackendConnection,
    authority: &str,
    scheme: Scheme,
    service: &str,
) -> Result<(), ProbeError> {
    let mut head = head(Method::Post, "/grpc.health.v1.Health/Check", authority, scheme);
    head.fields.push_known(FieldName::ContentType, b"application/grpc");
    head.fields.push_known(FieldName::Te, b"trailers");
    head.fields.push_known(FieldName::UserAgent, AGENT);
    let message = question(service);
    let mut up = connection.exchange(Method::Post);
    let (request, response) = up.halves();
    let sent = async {
        request.head(&head, Length::Known(message.len() as u64)).await?;
        request.data(Chunk::Lent(&message), true).await?;
        request.end(None).await
    };
    sent.await.map_err(ProbeError::Broken)?;
    let head = final_head(response).await.map_err(ProbeError::Broken)?;
    if head.status != 200 {
        return Err(ProbeError::Status(head.status));
    }
    let mut code = code_of(&head.fields);
    let mut answer = Vec::new();
    loop {
        match response.next().await.map_err(ProbeError::Broken)? {
            Piece::Data { chunk, .. } if answer.len() + chunk.as_slice().len() <= ANSWER_BYTES_MAX => {
                answer.extend_from_slice(chunk.as_slice());
            }
            Piece::Data { .. } => return Err(ProbeError::NoAnswer),
            Piece::End(trailers) => {
                code = trailers.and_then(code_of).or(code);
                break;
            }
        }
    }
    match (code, serving_status(&answer)) {
        (Some(0), Some(SERVING)) => Ok(()),
        (Some(0), Some(status)) => Err(ProbeError::NotServing(status)),
        (Some(0) | None, _) => Err(ProbeError::NoAnswer),
        (Some(code), _) => Err(ProbeError::Grpc(code)),
    }
}

fn code_of(fields: &crate::http::Fields) -> Option<u32> {
    std::str::from_utf8(fields.named(b"grpc-status").next()?).ok()?.parse().ok()
}

/// `HealthCheckRequest { service }` with the prefix of a gRPC message; the configuration bounds the name's length.
fn question(service: &str) -> Vec<u8> {
    let mut message = Vec::with_capacity(service.len() + 3);
    if !service.is_empty() {
        message.push(0x0a); // field 1, a string
        let mut len = service.len();
        while len >= 0x80 {
            message.push(len as u8 | 0x80);
            len >>= 7;
        }
        message.push(len as u8);
        message.extend_from_slice(service.as_bytes());
    }
    let mut framed = vec![0]; // not compressed
    framed.extend_from_slice(&u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes());
    framed.extend_from_slice(&message);
    framed
}

/// `HealthCheckResponse { status }`: 0, the default, is not written. `None`: it is no such message.
fn serving_status(framed: &[u8]) -> Option<u64> {
    let (prefix, mut message) = framed.split_at_checked(5)?;
    let len = u32::from_be_bytes(prefix[1..].try_into().ok()?);
    if prefix[0] != 0 || len as usize != message.len() {
        return None;
    }
    let mut status = 0;
    while !message.is_empty() {
        let tag = varint(&mut message)?;
        match (tag >> 3, tag & 7) {
            (1, 0) => status = varint(&mut message)?,
            (_, 0) => _ = varint(&mut message)?,
            (_, 1) => message = message.get(8..)?,
            (_, 2) => {
                let len = usize::try_from(varint(&mut message)?).ok()?;
                message = message.get(len..)?;
            }
            (_, 5) => message = message.get(4..)?,
            _ => return None,
        }
    }
    Some(status)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn head(method: Method, path: &str, authority: &str, scheme: Scheme) -> RequestHead {
    RequestHead {
        method,
        target: path.into(),
        authority: authority.into(),
        scheme,
        version: Version::Http11,
        ..Default::default()
    }
}

/// The Host of a backend that was asked for no other: its name, or its address; a socket has none.
fn authority(member: &Member) -> String {
    use crate::live::Endpoint;
    match (&member.host, &member.endpoint) {
        (Some(host), Endpoint::Ip(address)) => format!("{}:{}", host.trim_end_matches('.'), address.port()),
        (None, Endpoint::Ip(address)) => address.to_string(),
        (_, Endpoint::Unix(_)) => "localhost".to_owned(),
    }
}

/// How backends' logs see probes.
const AGENT: &[u8] = b"weir-probe";

/// The probe's own time is shorter.
const STALL: std::time::Duration = std::time::Duration::from_secs(60);

/// An answer is a few bytes.
const ANSWER_BYTES_MAX: usize = 4096;

/// `ServingStatus`
const SERVING: u64 = 1;

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, error): (&str, &io::Error) = match self {
            DialError::Nameless => return f.write_str("there is no name to verify its certificate against"),
            DialError::Connect(error) => ("cannot connect", error),
            DialError::Tls(error) => ("TLS failed", error),
        };
        write!(f, "{what}: {error}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_a_framed_message() {
        assert_eq!(question(""), [0, 0, 0, 0, 0]);
        assert_eq!(question("ab"), [0, 0, 0, 0, 4, 0x0a, 2, b'a', b'b']);
        let long = question(&"x".repeat(300));
        assert_eq!(long[..8], [0, 0, 0, 1, 0x2f, 0x0a, 0xac, 0x02]);
    }

    #[test]
    fn an_answer_says_its_status_and_garbage_says_none() {
        assert_eq!(serving_status(&[0, 0, 0, 0, 2, 8, 1]), Some(SERVING));
        assert_eq!(serving_status(&[0, 0, 0, 0, 0]), Some(0));
        assert_eq!(serving_status(&[0, 0, 0, 0, 6, 0x12, 2, b'h', b'i', 8, 2]), Some(2));
        for garbage in [
            &[][..],
            &[0, 0, 0],
            &[1, 0, 0, 0, 2, 8, 1],
            &[0, 0, 0, 0, 3, 8, 1],
            &[0, 0, 0, 0, 1, 8],
            &[0, 0, 0, 0, 2, 0x0a, 9],
            &[0, 0, 0, 0, 1, 0x0b],
            &[0, 0, 0, 0, 11, 8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255],
        ] {
            assert_eq!(serving_status(garbage), None, "{garbage:?}");
        }
    }
}
