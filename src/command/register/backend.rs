use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How a backend is found to be healthy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Check {
    address: SocketAddr,
    path: Option<String>,
}

impl Check {
    /// By a GET of that path, or by a connection.
    pub(super) fn new(address: SocketAddr, path: Option<&str>) -> Result<Check, &'static str> {
        match path {
            Some(path) if !path.starts_with('/') => Err("--check: a path begins with `/`"),
            Some(path) if !path.bytes().all(|byte| byte.is_ascii_graphic()) => {
                Err("--check: a path is of printable ASCII without spaces")
            }
            path => Ok(Check { address, path: path.map(str::to_owned) }),
        }
    }

    /// Asks it now.
    ///
    /// # Errors
    /// It is not healthy, and why.
    pub(super) fn ask(&self) -> Result<(), String> {
        let status = self.status().map_err(|error| error.to_string())?;
        match status {
            None | Some(200..=399) => Ok(()),
            Some(status) => Err(format!("status {status}")),
        }
    }

    fn status(&self) -> io::Result<Option<u16>> {
        let mut stream = TcpStream::connect_timeout(&self.address, WAIT_MAX)?;
        let Some(path) = &self.path else { return Ok(None) };
        stream.set_read_timeout(Some(WAIT_MAX))?;
        stream.set_write_timeout(Some(WAIT_MAX))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address)?;
        let mut line = [0; LINE_BYTES];
        stream.read_exact(&mut line)?;
        status_of(&line).map(Some).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no answer in HTTP/1.1"))
    }
}

/// Of `HTTP/1.1 200`.
fn status_of(line: &[u8; LINE_BYTES]) -> Option<u16> {
    let status = line.strip_prefix(b"HTTP/1.")?.get(2..)?;
    std::str::from_utf8(status).ok()?.parse().ok()
}

const LINE_BYTES: usize = "HTTP/1.1 200".len();

/// For each step of it.
const WAIT_MAX: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_of_the_first_bytes() {
        assert_eq!(status_of(b"HTTP/1.1 204"), Some(204));
        assert_eq!(status_of(b"HTTP/1.0 503"), Some(503));
        assert_eq!((status_of(b"HTTP/2 200 O"), status_of(b"220 mail.exa")), (None, None));
        for path in ["healthz", "/a b", "/a\r\nb"] {
            assert!(Check::new(SocketAddr::from(([127, 0, 0, 1], 1)), Some(path)).is_err());
        }
    }
}
