//! Probes: one execution of a health check each.

use super::dial::{DialError, Speaks};
use super::{Dialer, PoolDialer, grpc};
use crate::clock::Clock;
use crate::config::{Check, Health};
use crate::exchange::{Broken, Request, Response, Sink, Upstream};
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
                grpc::check(&connection, &authority(member), scheme, service).await
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

pub(super) async fn final_head<S: Response>(response: &mut S) -> Result<ResponseHead, Broken> {
    let mut head = ResponseHead::default();
    loop {
        response.head(&mut head).await?;
        if !head.is_interim() {
            return Ok(head);
        }
    }
}

pub(super) fn head(method: Method, path: &str, authority: &str, scheme: Scheme) -> RequestHead {
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
pub(super) const AGENT: &[u8] = b"weir-probe";

/// The probe's own time is shorter.
const STALL: std::time::Duration = std::time::Duration::from_secs(60);

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
