//! What `weir reload`, `weir status`, `weir purge` and others share: they ask the running process through its admin listener.

use super::reach::Reach;
use crate::config::{self, AdminListen, ConfigErrors};
use serde_json::{Map, Value};
use socket2::{Domain, SockAddr, Socket, Type};
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How to find the running process.
#[derive(Clone, Debug)]
pub struct Where {
    /// The configuration that it serves, which says where its admin listener is.
    pub config: PathBuf,
    /// The admin listener itself, if the file does not say it, or no longer.
    pub admin: Option<Reach>,
    /// A file that holds the secret of one of its tokens.
    pub token: Option<PathBuf>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum NoAnswer {
    /// The file cannot be read, or is so broken that nobody can say.
    Config(ConfigErrors),
    /// It has no admin listener.
    NoAdmin(PathBuf),
    /// The file of the token cannot be read, or holds none.
    NoToken(PathBuf, io::Error),
    /// Nobody is there, or it breaks off.
    Io(Reach, io::Error),
    /// Something else is there.
    Strange(Reach),
}

/// What is asked.
struct Question<'a> {
    method: &'a str,
    path: &'a str,
    content: &'a str,
    secret: Option<String>,
    /// How long the answer may take.
    limit: Duration,
}

/// What the process says.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) content: Value,
}

impl Where {
    /// Sends an empty POST for `path`.
    pub(super) fn ask(&self, path: &str) -> Result<Answer, NoAnswer> {
        self.ask_with(path, &Value::Object(Map::new()))
    }

    /// Sends a POST for `path`.
    pub(super) fn ask_with(&self, path: &str, content: &Value) -> Result<Answer, NoAnswer> {
        self.send("POST", path, &content.to_string(), ANSWER_MAX)
    }

    /// Sends a request that changes something.
    pub(super) fn send(&self, method: &str, path: &str, content: &str, limit: Duration) -> Result<Answer, NoAnswer> {
        let answer = self.exchange(method, path, content, limit)?;
        let is_ours = answer.1.content["applied"].is_boolean();
        if is_ours { Ok(answer.1) } else { Err(NoAnswer::Strange(answer.0)) }
    }

    /// Reads what is at `path`.
    pub(super) fn read(&self, path: &str) -> Result<Value, NoAnswer> {
        match self.exchange("GET", path, "{}", ANSWER_MAX)? {
            (_, Answer { status: 200, content }) => Ok(content),
            (listen, _) => Err(NoAnswer::Strange(listen)),
        }
    }

    /// As [`read`](Self::read), but where there may be nothing; then why.
    pub(super) fn look(&self, path: &str) -> Result<Result<Value, String>, NoAnswer> {
        match self.exchange("GET", path, "{}", ANSWER_MAX)? {
            (_, Answer { status: 200, content }) => Ok(Ok(content)),
            (listen, Answer { content, .. }) => match content["error"].as_str() {
                Some(why) => Ok(Err(why.to_owned())),
                None => Err(NoAnswer::Strange(listen)),
            },
        }
    }

    fn exchange(&self, method: &str, path: &str, content: &str, limit: Duration) -> Result<(Reach, Answer), NoAnswer> {
        let question = Question { method, path, content, secret: self.secret()?, limit };
        let listen = match &self.admin {
            Some(listen) => listen.clone(),
            None => Reach::At(found(&self.config)?),
        };
        let text = exchange(&listen, &question).map_err(|error| NoAnswer::Io(listen.clone(), error))?;
        match parse(&text) {
            Some(answer) => Ok((listen, answer)),
            None => Err(NoAnswer::Strange(listen)),
        }
    }
}

impl Where {
    /// The secret of the token, read anew each time: whoever deals them out may replace it.
    pub(super) fn secret(&self) -> Result<Option<String>, NoAnswer> {
        let Some(file) = &self.token else { return Ok(None) };
        let no = |error| NoAnswer::NoToken(file.clone(), error);
        let text = std::fs::read_to_string(file).map_err(no)?;
        let secret = text.trim();
        if secret.is_empty() || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(no(io::Error::new(io::ErrorKind::InvalidData, "it holds no secret that can be sent")));
        }
        Ok(Some(secret.to_owned()))
    }
}

/// Other things may well be wrong with the file: the running process is to say what.
fn found(config: &Path) -> Result<AdminListen, NoAnswer> {
    match config::admin_of(config) {
        Ok(Some(listen)) => Ok(listen),
        Ok(None) => match config::load(config) {
            Ok(_) => Err(NoAnswer::NoAdmin(config.to_owned())),
            Err(errors) => Err(NoAnswer::Config(errors)),
        },
        Err(errors) => Err(NoAnswer::Config(errors)),
    }
}

fn exchange(listen: &Reach, question: &Question<'_>) -> io::Result<Vec<u8>> {
    match listen {
        Reach::Named(name) => over_tcp(looked_up(name)?, question),
        Reach::At(AdminListen::Tcp(address)) => over_tcp([near(*address)], question),
        Reach::At(AdminListen::Unix(file)) => {
            let stream = connect_unix(file)?;
            stream.set_read_timeout(Some(question.limit))?;
            stream.set_write_timeout(Some(CONNECT_MAX))?;
            over(stream, question)
        }
    }
}

fn looked_up(name: &str) -> io::Result<impl Iterator<Item = SocketAddr>> {
    name.to_socket_addrs().map_err(|why| io::Error::new(io::ErrorKind::NotFound, why.to_string()))
}

/// With the first address that takes the connection.
fn over_tcp(addresses: impl IntoIterator<Item = SocketAddr>, question: &Question<'_>) -> io::Result<Vec<u8>> {
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "that name has no address");
    for address in addresses {
        match TcpStream::connect_timeout(&address, CONNECT_MAX.min(question.limit)) {
            Ok(stream) => {
                stream.set_read_timeout(Some(question.limit))?;
                stream.set_write_timeout(Some(CONNECT_MAX))?;
                return over(stream, question);
            }
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// A socket whose backlog is full would keep us for as long as it is: unix(7) knows no timeout for that.
fn connect_unix(file: &Path) -> io::Result<UnixStream> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.connect(&SockAddr::unix(file)?).map_err(|why| match why.kind() {
        io::ErrorKind::WouldBlock => io::Error::new(io::ErrorKind::ResourceBusy, "it takes no more connections"),
        _ => why,
    })?;
    socket.set_nonblocking(false)?;
    Ok(OwnedFd::from(socket).into())
}

/// Who listens everywhere listens on the loopback.
fn near(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn over(mut stream: impl Read + Write, question: &Question<'_>) -> io::Result<Vec<u8>> {
    let Question { method, path, content, secret, .. } = question;
    let authorization = secret.as_ref().map(|secret| format!("Authorization: Bearer {secret}\r\n"));
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: weir\r\nConnection: close\r\nContent-Type: application/json\r\n\
         {}Content-Length: {}\r\n\r\n{content}",
        authorization.unwrap_or_default(),
        content.len()
    )?;
    let mut text = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut text)?;
    Ok(text)
}

/// A response of our own admin listener, whose content is one JSON object.
fn parse(text: &[u8]) -> Option<Answer> {
    let end = text.windows(4).position(|four| four == b"\r\n\r\n")?;
    let status: u16 = std::str::from_utf8(text.get(9..12)?).ok()?.parse().ok()?;
    let content: Value = serde_json::from_slice(&text[end + 4..]).ok()?;
    content.is_object().then_some(Answer { status, content })
}

impl Answer {
    pub(super) fn is_done(&self) -> bool {
        matches!(self.status, 200 | 202) && self.content["applied"] == true
    }

    /// It was tried, and nothing has changed.
    pub(super) fn has_failed(&self) -> bool {
        self.status == 422
    }

    /// Why it is not done.
    pub(super) fn error(&self) -> &str {
        self.content["error"].as_str().unwrap_or("it does not say why")
    }
}

impl NoAnswer {
    /// Whether somebody may have heard what was asked.
    pub(super) fn may_be_heard(&self) -> bool {
        use io::ErrorKind::{ConnectionRefused, NotFound, ResourceBusy};
        match self {
            NoAnswer::Io(_, error) => !matches!(error.kind(), ConnectionRefused | NotFound | ResourceBusy),
            NoAnswer::Strange(_) => true,
            NoAnswer::Config(_) | NoAnswer::NoAdmin(_) | NoAnswer::NoToken(..) => false,
        }
    }
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoAnswer::Config(errors) => errors.fmt(f),
            NoAnswer::NoAdmin(file) => {
                writeln!(f, "error: {} has no [admin] listener to ask", file.display())?;
                write!(f, "  = send the process a signal: SIGHUP reloads, SIGUSR2 upgrades; its log says how it went")
            }
            NoAnswer::NoToken(file, error) => write!(f, "error: {}: {error}", file.display()),
            NoAnswer::Io(listen, error) => {
                writeln!(f, "error: no answer from the admin listener on {listen}: {error}")?;
                write!(f, "  = if it is elsewhere: --admin ADDRESS")
            }
            NoAnswer::Strange(listen) => {
                write!(f, "error: what listens on {listen} is no weir, or one of another version")
            }
        }
    }
}

/// How long the process may take to take the question.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// How long it may take to answer: more than it takes at most.
const ANSWER_MAX: Duration = Duration::from_secs(60);

const ANSWER_BYTES_MAX: u64 = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_our_admin_listener_would_say_is_an_answer() {
        let answer = |text: &str| parse(text.as_bytes());
        let done = answer("HTTP/1.1 200 OK\r\na: b\r\n\r\n{\"applied\":true,\"pid\":7}").unwrap();
        assert!(done.is_done() && done.content["pid"] == 7);
        let refused = answer("HTTP/1.1 422 X\r\n\r\n{\"applied\":false,\"error\":\"why\"}").unwrap();
        assert!(!refused.is_done() && refused.has_failed() && refused.error() == "why");
        for strange in ["", "HTTP/1.1 200 OK\r\n\r\nok\n", "HTTP/1.1 200 OK\r\n\r\n[]", "\r\n\r\n{\"applied\":true}"] {
            assert!(answer(strange).is_none(), "{strange}");
        }
    }

    #[test]
    fn whoever_listens_everywhere_is_asked_nearby() {
        let near = |text: &str| near(text.parse().unwrap()).to_string();
        assert_eq!(near("0.0.0.0:80"), "127.0.0.1:80");
        assert_eq!(near("[::]:80"), "[::1]:80");
        assert_eq!(near("10.0.0.1:80"), "10.0.0.1:80");
    }
}
