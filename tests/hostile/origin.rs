//! An origin that writes down what it hears, and answers honestly or by a script.

use super::strict::{self, Message, Wrong};
use super::support::PATIENCE;
use std::collections::HashMap;
use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// Something that the origin heard, and on which of its connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// A whole request.
    Request(usize, Message),
    /// Something that is none.
    Wrong(usize, Wrong),
    /// Bytes after a 101.
    Tunnel(usize, Vec<u8>),
}

/// One thing that a script does.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Says bytes.
    Say(Vec<u8>),
    /// Rests, so that what is said next comes separately.
    Rest(Duration),
    /// Closes.
    Close,
    /// Resets.
    Reset,
}

#[derive(Default)]
struct Shared {
    heard: Mutex<Vec<Heard>>,
    news: Condvar,
    scripts: Mutex<HashMap<String, Arc<Vec<Act>>>>,
}

/// The origin.
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

impl Origin {
    pub(crate) fn start() -> Origin {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        // A flood's connections wait here, they are not lost.
        socket.listen(4096).unwrap();
        let listener = TcpListener::from(socket);
        let address = listener.local_addr().unwrap();
        let shared = Arc::<Shared>::default();
        let own = shared.clone();
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let (Ok(stream), shared) = (stream, own.clone()) else { return };
                std::thread::spawn(move || serve(number, stream, &shared));
            }
        });
        Origin { address, shared }
    }

    /// From now on requests for `path` are answered like this.
    pub(crate) fn script(&self, path: &str, acts: Vec<Act>) {
        self.shared.scripts.lock().unwrap().insert(path.to_owned(), Arc::new(acts));
    }

    /// All that was heard since the last time, once `enough` of it is there.
    pub(crate) fn take(&self, enough: impl Fn(&[Heard]) -> bool) -> Vec<Heard> {
        let begun = Instant::now();
        let mut heard = self.shared.heard.lock().unwrap();
        while !enough(&heard) && begun.elapsed() < PATIENCE {
            heard = self.shared.news.wait_timeout(heard, Duration::from_millis(100)).unwrap().0;
        }
        std::mem::take(&mut *heard)
    }
}

fn serve(number: usize, mut stream: TcpStream, shared: &Shared) {
    stream.set_nodelay(true).unwrap();
    let mut input = BufReader::new(stream.try_clone().unwrap());
    let note = |heard| {
        shared.heard.lock().unwrap().push(heard);
        shared.news.notify_all();
    };
    loop {
        let mut message = match strict::head(&mut input) {
            Ok(message) => message,
            Err(Wrong::End) => return,
            Err(wrong) => return note(Heard::Wrong(number, wrong)),
        };
        let script = shared.scripts.lock().unwrap().get(&message.target).cloned();
        let early = message.target.starts_with("/early");
        if message.field("expect").is_some() && script.is_none() && !early {
            let _ = stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        if early {
            answer(&mut stream, &message);
        }
        if message.target != "/unread"
            && let Err(wrong) = strict::content(&mut input, &mut message)
        {
            return note(Heard::Wrong(number, wrong));
        }
        note(Heard::Request(number, message.clone()));
        if message.field("upgrade").is_some() && message.target == "/switch" {
            return tunnel(number, stream, input, note);
        }
        match script {
            Some(acts) if play(&mut stream, &acts) => {}
            Some(_) => return,
            None if early => {}
            None => answer(&mut stream, &message),
        }
    }
}

fn answer(stream: &mut TcpStream, message: &Message) {
    let body = if message.method == "HEAD" { "" } else { "honest words" };
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: 12\r\nX-Saw: {} {}\r\n\r\n", message.method, message.target);
    let _ = stream.write_all(format!("{head}{body}").as_bytes());
}

/// Whether the connection goes on.
fn play(stream: &mut TcpStream, acts: &[Act]) -> bool {
    for act in acts {
        match act {
            Act::Say(bytes) => drop(stream.write_all(bytes)),
            Act::Rest(time) => std::thread::sleep(*time),
            Act::Close => return false,
            Act::Reset => {
                // Without lingering, closing the last descriptor sends a reset.
                let _ = socket2::SockRef::from(&*stream).set_linger(Some(Duration::ZERO));
                return false;
            }
        }
    }
    true
}

fn tunnel(number: usize, mut stream: TcpStream, mut input: BufReader<TcpStream>, note: impl Fn(Heard)) {
    let _ = stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    let mut bytes = Vec::new();
    let mut room = [0; 1024];
    while let Ok(n @ 1..) = input.read(&mut room) {
        bytes.extend_from_slice(&room[..n]);
        let _ = stream.write_all(&room[..n]);
    }
    note(Heard::Tunnel(number, bytes));
}
