//! Keys of tokens, fetched from a URL.

use super::dial::Speaks;
use super::names::{NameError, Question, Resolver};
use super::probe::{final_head, head};
use super::{DialError, Dialer, PoolDialer};
use crate::config::{KeyUrl, PoolProtocol, PoolTls};
use crate::exchange::{Broken, Piece, Request, Response, Sink, Upstream};
use crate::http::{FieldName, Length, Method, Scheme};
use crate::live::Endpoint;
use crate::wire::tls::{ClientTls, TlsError};
use crate::wire::{Buffers, Transport, h1};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;
use tokio::time::timeout;

/// Why keys could not be fetched.
#[derive(Debug)]
pub enum FetchError {
    /// The host's name stands for nothing.
    Name(NameError),
    /// The authorities that are to be trusted cannot be read.
    Tls(TlsError),
    /// There was no connection.
    Dial(DialError),
    /// The connection broke, or the response cannot be understood.
    Broken(Broken),
    /// Anything but 200; redirects are not followed.
    Status(u16),
    /// More than a set of keys has.
    TooLarge,
    /// It took too long.
    Timeout,
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FetchError::Name(error) => error.fmt(f),
            FetchError::Tls(error) => error.fmt(f),
            FetchError::Dial(error) => error.fmt(f),
            FetchError::Broken(Broken::Closed) => f.write_str("the connection was closed before the answer was whole"),
            FetchError::Broken(Broken::Malformed(rule)) => write!(f, "the answer breaks a rule: {rule}"),
            FetchError::Broken(Broken::Io(error)) => error.fmt(f),
            FetchError::Status(status) => write!(f, "the answer has status {status}"),
            FetchError::TooLarge => write!(f, "the answer is larger than {KEYS_BYTES_MAX} bytes"),
            FetchError::Timeout => f.write_str("there was no answer in time"),
        }
    }
}

/// What a thread needs to fetch keys.
#[derive(Clone, Debug, Default)]
pub struct KeyFetcher {
    buffers: Rc<Buffers>,
}

impl KeyFetcher {
    /// Fetches what is at `url`, within [`FETCH_MAX`]. Files of authorities are read each time, as they may be renewed.
    ///
    /// # Errors
    /// [`FetchError`]
    pub async fn fetch(&self, url: &KeyUrl) -> Result<Vec<u8>, FetchError> {
        timeout(FETCH_MAX, self.any_address(url)).await.unwrap_or(Err(FetchError::Timeout))
    }

    /// From the first address that gives it.
    async fn any_address(&self, url: &KeyUrl) -> Result<Vec<u8>, FetchError> {
        let pool = dialer(url)?;
        let mut last = FetchError::Name(NameError::NotFound);
        for address in addresses(url).await?.into_iter().take(ADDRESSES_MAX) {
            let dialer = Dialer::new(&pool, &Endpoint::Ip(address), Some(&url.host));
            match timeout(ADDRESS_MAX, self.one_address(url, &dialer)).await.unwrap_or(Err(FetchError::Timeout)) {
                Ok(text) => return Ok(text),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn one_address(&self, url: &KeyUrl, dialer: &Dialer) -> Result<Vec<u8>, FetchError> {
        let (transport, speaks) = dialer.dial(None).await.map_err(FetchError::Dial)?;
        debug_assert_eq!(speaks, Speaks::Http1, "no other is offered");
        self.ask(url, transport).await
    }

    async fn ask(&self, url: &KeyUrl, transport: Transport) -> Result<Vec<u8>, FetchError> {
        let scheme = if url.is_https { Scheme::Https } else { Scheme::Http };
        let mut question = head(Method::Get, &url.target, &url.authority(), scheme);
        question.fields.push_known(FieldName::UserAgent, b"weir");
        question.fields.push_known(FieldName::Accept, b"application/jwk-set+json, application/json");
        let mut connection = h1::BackendConnection::new(transport);
        let mut exchange = connection.exchange(&self.buffers, Method::Get, false);
        let (request, response) = exchange.halves();
        request.head(&question, Length::None).await.map_err(FetchError::Broken)?;
        request.end(None).await.map_err(FetchError::Broken)?;
        let answer = final_head(response).await.map_err(FetchError::Broken)?;
        match answer.status {
            200 => content(response).await,
            status => Err(FetchError::Status(status)),
        }
    }
}

async fn content<S: Response>(response: &mut S) -> Result<Vec<u8>, FetchError> {
    let mut content = Vec::new();
    loop {
        match response.next().await.map_err(FetchError::Broken)? {
            Piece::End(_) => return Ok(content),
            Piece::Data { chunk, .. } => {
                if content.len() + chunk.as_slice().len() > KEYS_BYTES_MAX {
                    return Err(FetchError::TooLarge);
                }
                content.extend_from_slice(chunk.as_slice());
            }
        }
    }
}

/// Where the host of `url` is now.
async fn addresses(url: &KeyUrl) -> Result<Vec<SocketAddr>, FetchError> {
    if let Ok(ip) = url.host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, url.port)]);
    }
    let question = Question::Host { name: url.host.clone(), port: url.port };
    let answer = Resolver::new(&[]).map_err(FetchError::Name)?.ask(&question).await.map_err(FetchError::Name)?;
    Ok(answer.found.into_iter().map(|found| found.address).collect())
}

fn dialer(url: &KeyUrl) -> Result<PoolDialer, FetchError> {
    let protocol = PoolProtocol::Http1;
    let tls = match url.is_https {
        false => None,
        true => {
            let tls = PoolTls { server_name: Some(url.host.clone()), ca: url.ca.clone(), certificate: None };
            let client = ClientTls::build(&tls, protocol).map_err(FetchError::Tls)?;
            Some((tls, client))
        }
    };
    Ok(PoolDialer { protocol, proxy_protocol: None, tls })
}

/// How long a fetch may take, the lookup of the name included.
pub const FETCH_MAX: Duration = Duration::from_secs(10);
/// How long one address may take.
const ADDRESS_MAX: Duration = Duration::from_secs(3);
/// Addresses that are tried.
const ADDRESSES_MAX: usize = 4;
/// Bytes of a set of keys.
const KEYS_BYTES_MAX: usize = 256 * 1024;
