//! Clients that borrow from a [`Library`] without pause, and hold each answer against it.

use super::library::{Loan, next};
use super::{Broken, Client, Library, PATIENCE, Response, Wire};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Instant;

/// Readers, until they are stopped.
pub struct Readers {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    right: AtomicU64,
    hits: AtomicU64,
    broken: Mutex<Vec<String>>,
    wrong: Mutex<Vec<String>>,
}

/// What readers met with.
#[derive(Debug, Default)]
pub struct Met {
    /// Answers that are right.
    pub right: u64,
    /// Those of them that were stored.
    pub hits: u64,
    /// Exchanges without a complete answer.
    pub broken: Vec<String>,
    /// Answers that are not right.
    pub wrong: Vec<String>,
}

impl Readers {
    /// So many clients, each of which asks for any of `books`, one after the other.
    pub fn start(address: SocketAddr, clients: u64, library: &Library, books: u64, seed: u64) -> Readers {
        let shared = Arc::<Shared>::default();
        let client = |number: u64| {
            let (shared, library) = (Arc::clone(&shared), library.clone());
            let mut random = seed ^ (number + 1) << 32 | 1;
            thread::spawn(move || {
                let mut reader = Reader::new(address);
                while !shared.stop.load(SeqCst) {
                    let loan = library.any(&mut random, books);
                    shared.note(reader.borrows(&library, &loan));
                }
            })
        };
        Readers { threads: (0..clients).map(client).collect(), shared }
    }

    /// Waits for so many right answers more.
    pub fn goes_on(&self, more: u64) {
        let deadline = Instant::now() + PATIENCE * 6;
        let wanted = self.shared.right.load(SeqCst) + more;
        while self.shared.right.load(SeqCst) < wanted {
            assert!(Instant::now() < deadline, "it does not go on: {:?}", self.shared.broken.lock().unwrap().last());
            thread::yield_now();
        }
    }

    /// Ends after what is under way.
    pub fn stop(self) -> Met {
        self.shared.stop.store(true, SeqCst);
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
        self.shared.met()
    }

    /// Borrows each of these once, by so many clients at a time.
    pub fn borrow_all(address: SocketAddr, clients: usize, library: &Library, loans: &[Loan]) -> Met {
        let shared = Shared::default();
        thread::scope(|scope| {
            for part in loans.chunks(loans.len().div_ceil(clients).max(1)) {
                scope.spawn(|| {
                    let mut reader = Reader::new(address);
                    part.iter().for_each(|loan| shared.note(reader.borrows(library, loan)));
                });
            }
        });
        shared.met()
    }
}

impl Shared {
    fn note(&self, outcome: Result<bool, Failed>) {
        match outcome {
            Ok(is_hit) => {
                self.right.fetch_add(1, SeqCst);
                self.hits.fetch_add(u64::from(is_hit), SeqCst);
            }
            Err(Failed::Broken(why)) => self.broken.lock().unwrap().push(why),
            Err(Failed::Wrong(why)) => self.wrong.lock().unwrap().push(why),
        }
    }

    fn met(&self) -> Met {
        let take = |list: &Mutex<Vec<String>>| std::mem::take(&mut *list.lock().unwrap());
        let (right, hits) = (self.right.load(SeqCst), self.hits.load(SeqCst));
        Met { right, hits, broken: take(&self.broken), wrong: take(&self.wrong) }
    }
}

/// Why a loan came to nothing.
#[derive(Debug)]
pub enum Failed {
    Broken(String),
    Wrong(String),
}

/// One client, whose connection is made anew when it is gone.
pub struct Reader {
    address: SocketAddr,
    connection: Option<Client>,
}

impl Reader {
    pub fn new(address: SocketAddr) -> Reader {
        Reader { address, connection: None }
    }

    /// Asks for it; whether the right answer was stored.
    pub fn borrows(&mut self, library: &Library, loan: &Loan) -> Result<bool, Failed> {
        let least = library.least(loan.book);
        let answer = self.asks(loan).map_err(|broken| Failed::Broken(format!("{loan:?}: {broken:?}")))?;
        let hit = answer.fields.get("cache-status").is_some_and(|status| status.starts_with("weir; hit"));
        library.is_right(loan, least, &answer).map(|()| hit).map_err(Failed::Wrong)
    }

    /// As RFC 9112 §9.3.1 allows, once more if a connection that had served is closed without a byte of an answer.
    fn asks(&mut self, loan: &Loan) -> Result<Response, Broken> {
        if let Some(mut client) = self.connection.take() {
            match client.try_send(loan.request()).map_err(|_| Broken::Closed).and_then(|()| client.response("GET")) {
                Err(Broken::Closed | Broken::Reset) => {}
                Err(broken) => return Err(broken),
                Ok(answer) => return Ok(self.keep(client, answer)),
            }
        }
        let stream = TcpStream::connect_timeout(&self.address, PATIENCE);
        let mut client = Client::over(Wire::new(stream.map_err(|why| Broken::Malformed(why.to_string()))?));
        client.try_send(loan.request()).map_err(|_| Broken::Reset)?;
        let answer = client.response("GET")?;
        Ok(self.keep(client, answer))
    }

    fn keep(&mut self, client: Client, answer: Response) -> Response {
        let closes = answer.fields.get("connection").is_some_and(|value| value == "close");
        self.connection = (!closes).then_some(client);
        answer
    }
}

/// Edits shelves and purges them, one after the other, until it is stopped; how often that was acknowledged.
pub struct Editor {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl Editor {
    pub fn start(admin: SocketAddr, library: &Library, seed: u64) -> Editor {
        let stop = Arc::<AtomicBool>::default();
        let (stopped, library, mut random) = (Arc::clone(&stop), library.clone(), seed | 1);
        let thread = thread::spawn(move || {
            let mut acknowledged = 0;
            while !stopped.load(SeqCst) {
                let shelf = (next(&mut random) >> 30) as usize % super::library::SHELVES;
                let edition = library.edits(shelf);
                if purge(admin, shelf).is_ok_and(|answer| answer.status == 200) {
                    library.made_known(shelf, edition);
                    acknowledged += 1;
                }
                thread::sleep(EDIT_PAUSE);
            }
            acknowledged
        });
        Editor { stop, thread }
    }

    pub fn stop(self) -> u64 {
        self.stop.store(true, SeqCst);
        self.thread.join().unwrap()
    }
}

fn purge(admin: SocketAddr, shelf: usize) -> Result<Response, Broken> {
    let stream = TcpStream::connect_timeout(&admin, PATIENCE).map_err(|why| Broken::Malformed(why.to_string()))?;
    let mut client = Client::over(Wire::new(stream));
    let content = format!("{{\"tag\": \"shelf-{shelf}\"}}");
    let request = format!(
        "POST /v1/purge HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{content}",
        content.len()
    );
    client.try_send(request).map_err(|_| Broken::Reset)?;
    client.response("POST")
}

/// Between two editions, so that something is stored of each.
const EDIT_PAUSE: std::time::Duration = std::time::Duration::from_millis(15);
