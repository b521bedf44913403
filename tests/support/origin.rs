use super::message::{Fields, Framing};
use super::{PATIENCE, Wire};
use std::collections::VecDeque;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

/// A backend that answers by script, on threads of its own, and remembers what it saw.
pub struct Origin {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    otherwise: Vec<Step>,
    script: Mutex<VecDeque<Vec<Step>>>,
    seen: Mutex<Vec<Seen>>,
    came: Condvar,
    connections: AtomicUsize,
}

/// A request as the origin got it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub line: String,
    pub fields: Fields,
    pub body: Vec<u8>,
    pub trailers: Fields,
    /// The number of its connection, from 0.
    pub connection: usize,
}

impl Seen {
    /// The value of a field that is there.
    pub fn value(&self, name: &str) -> String {
        self.fields.get(name).unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }

    /// The field has that value.
    pub fn field(&self, name: &str, value: &str) -> &Seen {
        assert_eq!(self.fields.get(name).as_deref(), Some(value), "{name} in {self:?}");
        self
    }

    /// There is no such field.
    pub fn lacks(&self, name: &str) -> &Seen {
        assert!(!self.fields.has(name), "{name} in {self:?}");
        self
    }
}

#[derive(Clone)]
enum Step {
    Send(Vec<u8>),
    Wait(Gate),
    Close,
    Reset,
}

/// Something that happens once, awaited by an origin.
#[derive(Clone, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub fn new() -> Gate {
        Gate::default()
    }

    pub fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    pub fn wait(&self) {
        let open = self.0.0.lock().unwrap();
        let _ = self.0.1.wait_timeout_while(open, PATIENCE, |open| !*open).unwrap();
    }
}

impl Origin {
    /// One that says 200 and `ok`, unless told otherwise.
    pub fn start() -> Origin {
        Origin::named("ok")
    }

    /// One that says 200 and its name, unless told otherwise.
    pub fn named(name: &str) -> Origin {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let otherwise = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{name}", name.len());
        let shared = Arc::new(Shared {
            otherwise: vec![Step::Send(otherwise.into_bytes())],
            script: Mutex::default(),
            seen: Mutex::default(),
            came: Condvar::new(),
            connections: AtomicUsize::new(0),
        });
        let theirs = shared.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(stream), shared) = (stream, theirs.clone()) else { break };
                let number = shared.connections.fetch_add(1, SeqCst);
                thread::spawn(move || serve(stream, number, &shared));
            }
        });
        Origin { address, shared }
    }

    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// What it says to the next request that is not spoken for yet.
    pub fn replies(&self, status: u16) -> Reply<'_> {
        Reply { origin: self, status: Some(status), fields: Vec::new(), steps: Vec::new() }
    }

    /// The same, byte by byte.
    pub fn says(&self, bytes: impl AsRef<[u8]>) -> Reply<'_> {
        Reply { origin: self, status: None, fields: Vec::new(), steps: vec![Step::Send(bytes.as_ref().to_vec())] }
    }

    /// It closes without a word on the next request.
    pub fn hangs_up(&self) {
        drop(Reply { origin: self, status: None, fields: Vec::new(), steps: vec![Step::Close] });
    }

    /// It has seen that many requests.
    pub fn saw(&self, count: usize) {
        let seen = self.shared.seen.lock().unwrap();
        assert_eq!(seen.len(), count, "{seen:#?}");
    }

    /// How many requests it has seen.
    pub fn count(&self) -> usize {
        self.shared.seen.lock().unwrap().len()
    }

    /// The request of that number, from 0; waits for it.
    pub fn request(&self, number: usize) -> Seen {
        let seen = self.shared.seen.lock().unwrap();
        let (seen, _) = self.shared.came.wait_timeout_while(seen, PATIENCE, |seen| seen.len() <= number).unwrap();
        seen.get(number).unwrap_or_else(|| panic!("no request {number}, but {} before", seen.len())).clone()
    }

    /// The last request.
    pub fn last(&self) -> Seen {
        self.shared.seen.lock().unwrap().last().expect("a request was seen").clone()
    }

    /// How many connections it has accepted.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(SeqCst)
    }
}

/// An entry of the script; it counts once it is whole, at the end of its statement.
pub struct Reply<'o> {
    origin: &'o Origin,
    status: Option<u16>,
    fields: Vec<(String, String)>,
    steps: Vec<Step>,
}

impl Reply<'_> {
    pub fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Head, Content-Length and content.
    pub fn body(mut self, body: &str) -> Self {
        self.fields.push(("Content-Length".to_owned(), body.len().to_string()));
        let head = self.head();
        self.steps.push(Step::Send([head.as_bytes(), body.as_bytes()].concat()));
        self
    }

    /// Waits before it goes on.
    pub fn after(mut self, gate: &Gate) -> Self {
        self.steps.push(Step::Wait(gate.clone()));
        self
    }

    pub fn then(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.steps.push(Step::Send(bytes.as_ref().to_vec()));
        self
    }

    pub fn closes(mut self) {
        self.steps.push(Step::Close);
    }

    pub fn resets(mut self) {
        self.steps.push(Step::Reset);
    }

    fn head(&mut self) -> String {
        let status = self.status.take().expect("a status");
        let lines: String = self.fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!("HTTP/1.1 {status} Said\r\n{lines}\r\n")
    }
}

impl Drop for Reply<'_> {
    fn drop(&mut self) {
        if self.status.is_some() {
            if !matches!(self.status, Some(204 | 304)) {
                self.fields.push(("Content-Length".to_owned(), "0".to_owned()));
            }
            let head = self.head();
            self.steps.push(Step::Send(head.into_bytes()));
        }
        self.origin.shared.script.lock().unwrap().push_back(std::mem::take(&mut self.steps));
    }
}

fn serve(stream: TcpStream, connection: usize, shared: &Shared) {
    let mut wire = Wire::new(stream);
    while let Ok((line, fields)) = wire.head() {
        let framing = Framing::of(&fields).expect("a request without doubt").unwrap_or(Framing::None);
        if fields.get("expect").as_deref() == Some("100-continue") {
            let _ = wire.try_send("HTTP/1.1 100 Continue\r\n\r\n");
        }
        let Ok((body, trailers)) = wire.content(framing) else { return };
        let steps = shared.script.lock().unwrap().pop_front().unwrap_or_else(|| shared.otherwise.clone());
        shared.seen.lock().unwrap().push(Seen { line, fields, body, trailers, connection });
        shared.came.notify_all();
        for step in steps {
            match step {
                Step::Send(bytes) => {
                    if wire.try_send(bytes).is_err() {
                        return;
                    }
                }
                Step::Wait(gate) => gate.wait(),
                Step::Close => return,
                Step::Reset => return wire.reset(),
            }
        }
    }
}
