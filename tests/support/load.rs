use super::{Broken, Client, PATIENCE, Wire};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Clients at an even pace, until they are stopped.
pub struct Load {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    answered: AtomicU64,
    repeated: AtomicU64,
    failed: Mutex<Vec<String>>,
}

/// What became of the requests of a [`Load`].
#[derive(Debug)]
pub struct Tally {
    /// With the expected content.
    pub answered: u64,
    /// Sent again as RFC 9112 §9.3.1 allows: the connection was closed, without a byte in answer, after it had served.
    pub repeated: u64,
    /// Everything else.
    pub failed: Vec<String>,
}

impl Load {
    /// So many clients, that send so many requests a second together, on connections that they keep.
    pub fn start(address: SocketAddr, clients: u32, per_second: u32) -> Load {
        Load::run(address, clients, per_second, true)
    }

    /// The same, each request on a new connection.
    pub fn start_fresh(address: SocketAddr, clients: u32, per_second: u32) -> Load {
        Load::run(address, clients, per_second, false)
    }

    fn run(address: SocketAddr, clients: u32, per_second: u32, keeps: bool) -> Load {
        let shared = Arc::<Shared>::default();
        let every = Duration::from_secs(1) * clients / per_second;
        let clients = (0..clients).map(|number| {
            let shared = shared.clone();
            std::thread::spawn(move || client(address, number, every, keeps, &shared))
        });
        Load { clients: clients.collect(), shared }
    }

    /// Waits for so many answers more.
    pub fn goes_on(&self, more: u64) {
        let deadline = Instant::now() + PATIENCE * 6;
        let wanted = self.shared.answered.load(Relaxed) + more;
        while self.shared.answered.load(Relaxed) < wanted {
            let failed = self.shared.failed.lock().unwrap();
            assert!(Instant::now() < deadline, "it does not go on: {failed:?}");
            drop(failed);
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Ends after the requests that are under way.
    pub fn stop(self) -> Tally {
        self.shared.stop.store(true, Relaxed);
        for client in self.clients {
            client.join().unwrap();
        }
        let shared = &self.shared;
        let failed = std::mem::take(&mut *shared.failed.lock().unwrap());
        Tally { answered: shared.answered.load(Relaxed), repeated: shared.repeated.load(Relaxed), failed }
    }
}

fn client(address: SocketAddr, number: u32, every: Duration, keeps: bool, shared: &Shared) {
    let mut connection: Option<Client> = None;
    let start = Instant::now();
    for round in 0u32.. {
        if shared.stop.load(Relaxed) {
            return;
        }
        // The pace does not depend on the answers.
        std::thread::sleep((start + every * round).saturating_duration_since(Instant::now()));
        let path = format!("/{number}/{round}");
        let outcome = match ask(&mut connection, address, &path) {
            Err(Broken::Closed | Broken::Reset) if connection.take().is_some() => {
                shared.repeated.fetch_add(1, Relaxed);
                ask(&mut connection, address, &path)
            }
            outcome => outcome,
        };
        match outcome {
            Ok(()) => {
                shared.answered.fetch_add(1, Relaxed);
                connection = connection.filter(|_| keeps);
            }
            Err(broken) => {
                shared.failed.lock().unwrap().push(format!("{path}: {broken:?}"));
                connection = None;
            }
        }
    }
}

/// One request. `connection` still holds it after a failure only if it had served before.
fn ask(connection: &mut Option<Client>, address: SocketAddr, path: &str) -> Result<(), Broken> {
    let mut used = connection.take();
    let is_new = used.is_none();
    let mut client = match used.take() {
        Some(client) => client,
        None => {
            let stream = TcpStream::connect_timeout(&address, PATIENCE);
            Client::over(Wire::new(stream.map_err(|why| Broken::Malformed(why.to_string()))?))
        }
    };
    let sent = client.try_send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
    let response = match sent {
        Ok(()) => client.response("GET"),
        Err(_) => Err(Broken::Reset),
    };
    match response {
        Ok(response) if response.status == 200 && response.body == path.as_bytes() => {
            if response.fields.get("connection").as_deref() != Some("close") {
                *connection = Some(client);
            }
            Ok(())
        }
        Ok(other) => Err(Broken::Malformed(format!("{} {}", other.status, other.text()))),
        Err(broken) => {
            if !is_new {
                *connection = Some(client);
            }
            Err(broken)
        }
    }
}

/// A backend that answers each request with its path, and remembers nothing.
pub fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            std::thread::spawn(move || {
                let mut wire = Wire::new(stream);
                while let Ok((line, _)) = wire.head() {
                    let path = line.split(' ').nth(1).unwrap_or_default();
                    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{path}", path.len());
                    if wire.try_send(answer).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}
