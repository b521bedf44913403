use crate::http::{Fields, Scheme, Version};
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

/// What a line can say about an exchange. The engine fills it, of slices that it holds anyway.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// When the exchange ended.
    pub time: SystemTime,
    /// The client, as believed (PROXY header and trusted forwarding applied).
    pub client: IpAddr,
    /// The listener's address.
    pub listener: &'a str,
    /// How the client reached us.
    pub scheme: Scheme,
    /// The authority asked for.
    pub host: &'a [u8],
    /// The method.
    pub method: &'a str,
    /// The target as received.
    pub target: &'a [u8],
    /// The version that the client spoke.
    pub version: Version,
    /// The status that the client saw.
    pub status: u16,
    /// Bytes of request content.
    pub request_bytes: u64,
    /// Bytes of response content.
    pub response_bytes: u64,
    /// From the first byte of the request to the last of the response.
    pub duration: Duration,
    /// To the first byte of the backend's response.
    pub first_byte: Option<Duration>,
    /// The route met.
    pub route: Option<&'a str>,
    /// The pool used.
    pub pool: Option<&'a str>,
    /// The backend of the last attempt.
    pub backend: Option<&'a str>,
    /// Attempts made.
    pub attempts: u32,
    /// The cache's outcome.
    pub cache: Option<&'a str>,
    /// The limit that refused it.
    pub limit: Option<&'a str>,
    /// The first limit that would have, if it did more than observe.
    pub limit_observed: Option<&'a str>,
    /// The id of the request.
    pub request_id: &'a [u8],
    /// TLS with the client.
    pub tls: Option<Tls<'a>>,
    /// Who asked, where an access found that out.
    pub user: Option<&'a [u8]>,
    /// How it ended.
    pub end: End,
    /// The fields of the request, for `{request.FIELD}`.
    pub request: &'a Fields,
    /// The fields of the response, for `{response.FIELD}`.
    pub response: &'a Fields,
}

/// TLS with the client.
#[derive(Clone, Copy, Debug)]
pub struct Tls<'a> {
    /// `1.3`
    pub version: &'a str,
    /// The cipher suite's registered name.
    pub cipher: &'a str,
    /// The subject of the client's certificate.
    pub client_subject: Option<&'a [u8]>,
}

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The whole response was sent.
    Complete,
    /// Weir answered instead of a backend.
    Refused,
    /// The client was told to wait for its turn.
    Waiting,
    /// The client went away.
    ClientAborted,
    /// The backend closed before its response was complete.
    BackendAborted,
    /// A bound on waiting was reached.
    TimedOut,
}

impl End {
    /// The value of `{end}`; it never changes.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            End::Complete => "complete",
            End::Refused => "refused",
            End::Waiting => "waiting",
            End::ClientAborted => "client_aborted",
            End::BackendAborted => "backend_aborted",
            End::TimedOut => "timed_out",
        }
    }
}

#[cfg(test)]
impl Record<'static> {
    /// A plain exchange, for tests.
    pub(crate) fn example() -> Record<'static> {
        static NONE: std::sync::LazyLock<Fields> = std::sync::LazyLock::new(Fields::default);
        Record {
            time: SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_042),
            client: IpAddr::from([192, 0, 2, 7]),
            listener: "127.0.0.1:8080",
            scheme: Scheme::Http,
            host: b"shop.example",
            method: "GET",
            target: b"/a?b=1",
            version: Version::Http11,
            status: 200,
            request_bytes: 0,
            response_bytes: 12,
            duration: Duration::from_micros(1_234),
            first_byte: Some(Duration::from_micros(1_001)),
            route: Some("shop"),
            pool: Some("app"),
            backend: Some("127.0.0.1:9000"),
            attempts: 1,
            cache: None,
            limit: None,
            limit_observed: None,
            request_id: b"r1",
            tls: None,
            user: None,
            end: End::Complete,
            request: &NONE,
            response: &NONE,
        }
    }
}
