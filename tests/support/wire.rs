use super::{Broken, PATIENCE};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// A connection, read through a buffer and written byte by byte as told.
pub struct Wire {
    stream: Box<dyn Stream>,
    socket: TcpStream,
    buffer: Vec<u8>,
}

/// Bytes both ways.
pub trait Stream: Read + Write + Send {}
impl<S: Read + Write + Send> Stream for S {}

impl Wire {
    /// In clear text.
    pub fn new(socket: TcpStream) -> Wire {
        let stream = socket.try_clone().unwrap();
        Wire::over(socket, stream)
    }

    /// Over `stream`, which stands on `socket`.
    pub fn over(socket: TcpStream, stream: impl Stream + 'static) -> Wire {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        socket.set_nodelay(true).unwrap();
        Wire { stream: Box::new(stream), socket, buffer: Vec::new() }
    }

    /// Sends exactly these bytes.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).unwrap();
    }

    /// Sends, if the other side takes it.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())?;
        self.stream.flush()
    }

    /// Whether the other side says nothing for so long.
    pub fn nothing_for(&self, time: Duration) -> bool {
        self.socket.set_read_timeout(Some(time)).unwrap();
        let nothing = self.socket.peek(&mut [0]).is_err_and(|why| why.kind() == ErrorKind::WouldBlock);
        self.socket.set_read_timeout(Some(PATIENCE)).unwrap();
        nothing
    }

    /// Says that nothing more will be sent.
    pub fn finish(&mut self) {
        self.socket.shutdown(Shutdown::Write).unwrap();
    }

    /// Ends the connection with a reset.
    pub fn reset(self) {
        socket2::SockRef::from(&self.socket).set_linger(Some(Duration::ZERO)).unwrap();
    }

    /// The address of this end.
    pub fn local(&self) -> std::net::SocketAddr {
        self.socket.local_addr().unwrap()
    }

    /// One line, without its CRLF; a line that ends otherwise is broken.
    pub fn line(&mut self) -> Result<String, Broken> {
        loop {
            if let Some(at) = self.buffer.iter().position(|&b| b == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=at).collect();
                let Some(line) = line.strip_suffix(b"\r\n").filter(|line| !line.contains(&b'\r')) else {
                    return Err(Broken::Malformed(format!("line end in {:?}", latin1(&line))));
                };
                return Ok(latin1(line));
            }
            self.more()?;
        }
    }

    /// That many bytes.
    pub fn exactly(&mut self, count: usize) -> Result<Vec<u8>, Broken> {
        while self.buffer.len() < count {
            self.more().map_err(|broken| if broken == Broken::Closed { Broken::Short } else { broken })?;
        }
        Ok(self.buffer.drain(..count).collect())
    }

    /// All until the other side ends in order.
    pub fn rest(&mut self) -> Result<Vec<u8>, Broken> {
        loop {
            match self.more() {
                Ok(()) => {}
                Err(Broken::Closed | Broken::Short) => return Ok(std::mem::take(&mut self.buffer)),
                Err(broken) => return Err(broken),
            }
        }
    }

    /// The other side says nothing more, and ends, with or without a reset.
    pub fn ends(&mut self) {
        match self.more() {
            Err(Broken::Closed | Broken::Reset) if self.buffer.is_empty() => {}
            other => panic!("no end, but {other:?} and {:?}", latin1(&self.buffer)),
        }
    }

    fn more(&mut self) -> Result<(), Broken> {
        let mut piece = [0; 16 * 1024];
        loop {
            let n = match self.stream.read(&mut piece) {
                Ok(n) => n,
                Err(why) if why.kind() == ErrorKind::Interrupted => continue,
                Err(why) => return Err(self.broken(&why)),
            };
            if n == 0 {
                return Err(if self.buffer.is_empty() { Broken::Closed } else { Broken::Short });
            }
            self.buffer.extend_from_slice(&piece[..n]);
            return Ok(());
        }
    }

    fn broken(&self, why: &io::Error) -> Broken {
        match why.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Broken::Silent,
            ErrorKind::UnexpectedEof => Broken::Short,
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Broken::Reset,
            _ => Broken::Malformed(why.to_string()),
        }
    }
}

/// Each byte a character.
fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&b| char::from(b)).collect()
}
