//! Clients that ask without pause, and count what they see.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A load of GETs on keep-alive connections, which ends with [`Crowd::ends`] or after [`LONGEST`].
pub struct Crowd {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<Seen>>,
}

/// What the clients saw together.
#[derive(Debug, Default)]
pub struct Seen {
    /// Responses with status 200.
    pub fine: usize,
    /// Other statuses, broken responses and refused connections, in words.
    pub failures: Vec<String>,
    /// From the first byte of a request to the last of its response.
    pub times: Vec<Duration>,
}

/// No load goes on for longer.
const LONGEST: Duration = Duration::from_secs(60);

impl Crowd {
    /// `clients` connections, each with a request every `pause` at most.
    pub fn on(address: SocketAddr, clients: usize, pause: Duration) -> Crowd {
        let stop = Arc::new(AtomicBool::new(false));
        let answered = Arc::<AtomicUsize>::default();
        let client = |_| {
            let (stop, answered) = (stop.clone(), answered.clone());
            thread::spawn(move || ask(address, pause, &stop, &answered))
        };
        Crowd { clients: (0..clients).map(client).collect(), answered, stop }
    }

    /// So many were answered so far, well or not.
    pub fn seen(&self) -> usize {
        self.answered.load(SeqCst)
    }

    /// Stops, and says what was seen.
    pub fn ends(self) -> Seen {
        self.stop.store(true, SeqCst);
        let mut all = Seen::default();
        for client in self.clients {
            let seen = client.join().unwrap();
            all.fine += seen.fine;
            all.failures.extend(seen.failures);
            all.times.extend(seen.times);
        }
        all
    }
}

impl Seen {
    /// All that were asked.
    pub fn all(&self) -> usize {
        self.fine + self.failures.len()
    }

    /// The time within which 99 of 100 were answered.
    pub fn p99(&mut self) -> Duration {
        self.times.sort_unstable();
        self.times[self.times.len() * 99 / 100]
    }
}

fn ask(address: SocketAddr, pause: Duration, stop: &AtomicBool, answered: &AtomicUsize) -> Seen {
    let (mut seen, end) = (Seen::default(), Instant::now() + LONGEST);
    let mut connection = None;
    while !stop.load(SeqCst) && Instant::now() < end {
        let began = Instant::now();
        match one(address, &mut connection) {
            Ok((200, _)) => {
                seen.fine += 1;
                seen.times.push(began.elapsed());
            }
            Ok((status, content)) => {
                seen.failures.push(format!("status {status}: {}", String::from_utf8_lossy(&content)));
            }
            Err(error) => {
                seen.failures.push(error.to_string());
                connection = None;
            }
        }
        answered.fetch_add(1, SeqCst);
        thread::sleep(pause.saturating_sub(began.elapsed()));
    }
    seen
}

/// One exchange: status and content; the connection stays unless the response says otherwise.
fn one(address: SocketAddr, connection: &mut Option<BufReader<TcpStream>>) -> std::io::Result<(u16, Vec<u8>)> {
    if connection.is_none() {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(super::PATIENCE))?;
        *connection = Some(BufReader::new(stream));
    }
    let reader = connection.as_mut().unwrap();
    reader.get_mut().write_all(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")?;
    let (mut line, mut status, mut length, mut closes) = (String::new(), 0, 0, false);
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let field = line.trim_end().to_ascii_lowercase();
        match field.split_once(": ") {
            _ if status == 0 => status = field.split(' ').nth(1).unwrap().parse().unwrap(),
            Some(("content-length", value)) => length = value.parse().unwrap(),
            Some(("connection", value)) => closes = value == "close",
            _ if field.is_empty() => break,
            _ => {}
        }
    }
    let mut content = Vec::new();
    if (reader.take(length).read_to_end(&mut content)? as u64) < length {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    if closes {
        *connection = None;
    }
    Ok((status, content))
}
