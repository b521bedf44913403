//! A backend that behaves, or misbehaves as it is told, and can die and come back.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How a backend answers whatever is no probe.
#[derive(Clone, Copy, Debug)]
pub enum Mood {
    /// 200, and its address as content.
    Fine,
    /// That status.
    Says(u16),
    /// That status to every other exchange.
    SaysToHalf(u16),
    /// Fine, after a while, and one exchange after the other, as a process with one thread is.
    Slow(Duration),
    /// Takes the request, and says nothing.
    Silent,
    /// Half of its content, then a reset.
    ResetsMidBody,
    /// A reset before any answer.
    Resets,
}

/// A backend on a port of its own.
pub struct Backend {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    mood: Mutex<Mood>,
    turn: Mutex<()>,
    /// The status that `/healthz` has.
    health: AtomicUsize,
    exchanges: AtomicUsize,
    probes: AtomicUsize,
    alive: AtomicBool,
    connections: Mutex<HashMap<usize, TcpStream>>,
    opened: AtomicUsize,
}

impl Default for Shared {
    fn default() -> Shared {
        Shared {
            mood: Mutex::new(Mood::Fine),
            turn: Mutex::default(),
            health: AtomicUsize::new(200),
            exchanges: AtomicUsize::new(0),
            probes: AtomicUsize::new(0),
            alive: AtomicBool::new(true),
            connections: Mutex::default(),
            opened: AtomicUsize::new(0),
        }
    }
}

impl Backend {
    pub fn start() -> Backend {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::<Shared>::default();
        accept(listener, shared.clone());
        Backend { address, shared }
    }

    /// Answers on one connection, and always well.
    pub fn serves(stream: TcpStream) {
        let _ = serve(&stream, &Shared::default());
    }

    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Answers like that from now on.
    pub fn is(&self, mood: Mood) {
        *self.shared.mood.lock().unwrap() = mood;
    }

    /// Answers probes with that status from now on.
    pub fn health(&self, status: u16) {
        self.shared.health.store(status.into(), SeqCst);
    }

    /// Requests that were no probes.
    pub fn exchanges(&self) -> usize {
        self.shared.exchanges.load(SeqCst)
    }

    pub fn probes(&self) -> usize {
        self.shared.probes.load(SeqCst)
    }

    /// Waits for that many more probes to have come.
    pub fn is_probed(&self, more: usize) {
        let wanted = self.probes() + more;
        super::eventually("it is probed", || self.probes() >= wanted);
    }

    /// Its process is killed: the port is closed, and all connections are reset.
    pub fn dies(&self) {
        self.shared.alive.store(false, SeqCst);
        // Wakes the accepting thread, which then drops its socket.
        let _ = TcpStream::connect(self.address);
        super::eventually("it is dead", || TcpStream::connect(self.address).is_err());
        for (_, connection) in self.shared.connections.lock().unwrap().drain() {
            let _ = socket2::SockRef::from(&connection).set_linger(Some(Duration::ZERO));
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    /// It is started anew on the same port.
    pub fn comes_back(&self) {
        let mut listener = TcpListener::bind(self.address);
        super::eventually("the port is free", || {
            if listener.is_err() {
                listener = TcpListener::bind(self.address);
            }
            listener.is_ok()
        });
        self.shared.alive.store(true, SeqCst);
        accept(listener.unwrap(), self.shared.clone());
    }
}

fn accept(listener: TcpListener, shared: Arc<Shared>) {
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            if !shared.alive.load(SeqCst) {
                break;
            }
            let number = shared.opened.fetch_add(1, SeqCst);
            shared.connections.lock().unwrap().insert(number, stream.try_clone().unwrap());
            let shared = shared.clone();
            thread::spawn(move || {
                let _ = serve(&stream, &shared);
                shared.connections.lock().unwrap().remove(&number);
            });
        }
    });
}

fn serve(stream: &TcpStream, shared: &Shared) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let me = stream.local_addr()?.to_string();
    let mut reader = BufReader::new(stream);
    loop {
        let Some((line, length)) = head(&mut reader)? else { return Ok(()) };
        std::io::copy(&mut (&mut reader).take(length), &mut std::io::sink())?;
        if !shared.alive.load(SeqCst) {
            return Ok(());
        }
        if line.contains(" /healthz ") {
            shared.probes.fetch_add(1, SeqCst);
            say(stream, shared.health.load(SeqCst), "")?;
            continue;
        }
        let number = shared.exchanges.fetch_add(1, SeqCst);
        let mood = *shared.mood.lock().unwrap();
        match mood {
            Mood::SaysToHalf(status) if number.is_multiple_of(2) => say(stream, status.into(), &me)?,
            Mood::Fine | Mood::SaysToHalf(_) => say(stream, 200, &me)?,
            Mood::Says(status) => say(stream, status.into(), &me)?,
            Mood::Slow(pause) => {
                let alone = shared.turn.lock().unwrap();
                thread::sleep(pause);
                drop(alone);
                say(stream, 200, &me)?;
            }
            Mood::Silent => std::io::copy(&mut reader, &mut std::io::sink()).map(drop)?,
            Mood::ResetsMidBody => {
                (&*stream).write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of it")?;
                return reset(stream);
            }
            Mood::Resets => return reset(stream),
        }
    }
}

/// The request line, and the length of the content.
fn head(reader: &mut BufReader<&TcpStream>) -> std::io::Result<Option<(String, u64)>> {
    let mut first = String::new();
    if reader.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim_end();
        if line.is_empty() {
            return Ok(Some((first, length)));
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap();
        }
    }
}

fn say(mut stream: &TcpStream, status: usize, content: &str) -> std::io::Result<()> {
    stream.write_all(format!("HTTP/1.1 {status} Said\r\nContent-Length: {}\r\n\r\n{content}", content.len()).as_bytes())
}

fn reset(stream: &TcpStream) -> std::io::Result<()> {
    socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO))?;
    stream.shutdown(Shutdown::Both)
}
