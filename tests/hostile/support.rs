//! Weir's own process, and clients that say exactly the bytes they are given.

use super::origin::{Act, Origin};
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Longer than anything takes that is not stuck.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A running Weir on a port of its own.
pub(crate) struct Weir {
    child: Child,
    pub(crate) address: SocketAddr,
    folder: tempfile::TempDir,
    _port: socket2::Socket,
    /// Of what is held, where there is a ceiling.
    watch: Option<(u64, Watch)>,
}

/// Failures of other tests are explained by it.
const LOG: &str = "warn";

/// What a debug build on a busy machine may be above its ceiling for a moment: what comes in uncounted until it is looked
/// again.
pub(crate) const SLACK: u64 = 1 << 20;

impl Weir {
    /// Starts one in front of `origin`; `listener`, `pool` and `route` are further lines of configuration. A second route
    /// depends on the path, so that it matters how a path is read.
    pub(crate) fn start(origin: SocketAddr, listener: &str, pool: &str, route: &str) -> Weir {
        let ceiling = std::env::var("WEIR_HOSTILE_MEMORY");
        let ceiling = ceiling.as_deref().unwrap_or("64GiB");
        match std::env::var_os("WEIR_HOSTILE_CACHE") {
            None => Weir::below(ceiling, origin, listener, pool, route),
            Some(_) => Weir::filled(ceiling, origin, listener, pool, route),
        }
    }

    /// With a ceiling of memory, and a cache that has filled it as far as it may.
    pub(crate) fn filled(memory: &str, origin: SocketAddr, listener: &str, pool: &str, route: &str) -> Weir {
        let filler = Origin::start();
        let object =
            [&b"HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: 65536\r\n\r\n"[..], &[b'x'; 1 << 16]];
        let count = bytes(memory).unwrap_or_default() / (1 << 16);
        (0..count).for_each(|n| filler.script(&format!("/fill/{n}"), vec![Act::Say(object.concat())]));
        let route = format!(
            "{route}\n[cache.filled]\nmemory = \"1GiB\"\n[pool.filler]\nbackends = [\"{}\"]\n[[route]]\npath = \"/fill/*\"\n\
             pool = \"filler\"\ncache = \"filled\"\n",
            filler.address
        );
        let weir = Weir::below(memory, origin, listener, pool, &route);
        let stream = weir.connect();
        let mut reader = Reader::new(&stream);
        for n in 0..count {
            say(&mut &stream, format!("GET /fill/{n} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes(), Cut::Whole);
            assert_eq!(reader.reply("GET").unwrap().status, 200);
        }
        weir
    }

    /// The same, with a ceiling of memory.
    pub(crate) fn below(memory: &str, origin: SocketAddr, listener: &str, pool: &str, route: &str) -> Weir {
        let (port, address) = reserve();
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "version = 1\n[server]\nworkers = 1\ndrain = \"1s\"\nmemory = \"{memory}\"\n[log]\nlevel = \"{LOG}\"\naccess = {{ to = \"off\" }}\n\
             [[listener]]\naddress = \"{address}\"\n{listener}\n[pool.app]\nbackends = [\"{origin}\"]\n{pool}\n\
             [[route]]\npool = \"app\"\n{route}\n\
             [[route]]\npath = \"/never-asked-for/*\"\nrespond = {{}}\n"
        );
        fs::write(folder.path().join("weir.toml"), text).unwrap();
        let stderr = fs::File::create(folder.path().join("stderr")).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_weir"))
            .args(["run", "-c", "weir.toml"])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::from(stderr.try_clone().unwrap()))
            .stderr(Stdio::from(stderr))
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            let ended = child.try_wait().unwrap().is_some();
            let said = || fs::read_to_string(folder.path().join("stderr")).unwrap();
            assert!(!ended && begun.elapsed() < PATIENCE, "weir does not listen: {}", said());
            std::thread::sleep(Duration::from_millis(5));
        }
        let watch = bytes(memory).map(|ceiling| (ceiling, Watch::start(child.id())));
        Weir { child, address, folder, _port: port, watch }
    }

    /// Says `bytes` on a connection of its own, and hears all that comes back until Weir closes or is silent.
    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Whether there is a ceiling of memory that matters, at which anybody may be turned away.
    pub(crate) fn has_ceiling(&self) -> bool {
        self.watch.is_some()
    }

    /// Bytes of memory that the process holds, without the pages of its program: those come as its code is first run.
    pub(crate) fn resident(&self) -> u64 {
        resident(self.child.id())
    }
}

/// Looks at how much memory a process holds, a thousand times a second, as long as it is there.
struct Watch {
    most: Arc<AtomicU64>,
}

impl Watch {
    fn start(pid: u32) -> Watch {
        let most = Arc::<AtomicU64>::default();
        let seen = Arc::downgrade(&most);
        std::thread::spawn(move || {
            while let (Some(most), Some(now)) = (seen.upgrade(), of_process(pid, "RssAnon:")) {
                most.fetch_max(now, Relaxed);
                drop(most);
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        Watch { most }
    }

    fn most(&self) -> u64 {
        self.most.load(Relaxed)
    }
}

fn resident(pid: u32) -> u64 {
    of_process(pid, "RssAnon:").unwrap()
}

/// In bytes; `None`: it is gone.
fn of_process(pid: u32, name: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with(name))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}

/// A ceiling that matters; none where it is said in GiB.
fn bytes(memory: &str) -> Option<u64> {
    let mebibytes = memory.strip_suffix("MiB").map(|n| n.parse::<u64>().unwrap() << 20);
    mebibytes.or_else(|| memory.strip_suffix('B')?.parse().ok())
}

impl Drop for Weir {
    fn drop(&mut self) {
        let alive = matches!(self.child.try_wait(), Ok(None));
        let _ = self.child.kill();
        let _ = self.child.wait();
        let said = fs::read_to_string(self.folder.path().join("stderr")).unwrap();
        if std::thread::panicking() {
            eprintln!("--- weir said:\n{said}");
            return;
        }
        assert!(alive && !said.contains("panicked"), "weir died or panicked: {said}");
        if let Some((ceiling, watch)) = &self.watch {
            let (most, test) = (watch.most(), std::thread::current());
            let name = test.name().unwrap_or_default();
            println!("{name}: {} KiB held at most, of {} KiB", most / 1024, ceiling / 1024);
            assert!(most < ceiling + SLACK, "{most} bytes held, of {ceiling}");
        }
    }
}

/// A free port, kept from everybody else for as long as the socket lives: bound but not listening. Counted up, as the
/// system itself may give one port to several who allow sharing it.
fn reserve() -> (socket2::Socket, SocketAddr) {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    const FIRST: u16 = 10_000;
    const COUNT: u16 = 22_000;
    let start = (std::process::id().wrapping_mul(97) % u32::from(COUNT)) as u16;
    loop {
        let port = FIRST + (start + NEXT.fetch_add(1, Relaxed)) % COUNT;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if std::net::TcpListener::bind(address).is_err() {
            continue; // Somebody's, and they do not share it with us.
        }
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.set_reuse_port(true).unwrap();
        socket.set_reuse_address(true).unwrap();
        if socket.bind(&address.into()).is_ok() {
            return (socket, address);
        }
    }
}

/// How a client cuts what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// One write.
    Whole,
    /// So many bytes a write.
    Pieces(usize),
}

/// Says `bytes`; a peer that hears no more is no error.
pub(crate) fn say(stream: &mut impl Write, bytes: &[u8], cut: Cut) {
    let pieces = match cut {
        Cut::Whole => bytes.len().max(1),
        Cut::Pieces(n) => n,
    };
    for piece in bytes.chunks(pieces) {
        if stream.write_all(piece).is_err() {
            return;
        }
    }
}

/// A response as a naive, strict reader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// Why a reader has no (further) response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoReply {
    /// Closed between responses.
    Closed,
    /// Closed or reset within one: what came of it.
    Broken(Vec<u8>),
    /// Nothing for too long.
    Silent(Vec<u8>),
    /// Not a response.
    Nonsense(String),
}

/// Reads responses off a connection.
pub(crate) struct Reader<'s> {
    stream: &'s TcpStream,
    bytes: Vec<u8>,
    end: Option<NoReply>,
}

impl<'s> Reader<'s> {
    pub(crate) fn new(stream: &'s TcpStream) -> Self {
        Reader { stream, bytes: Vec::new(), end: None }
    }

    /// What was read and not taken as a response.
    pub(crate) fn rest(&self) -> &[u8] {
        &self.bytes
    }

    /// The next final response, to a request with `method`.
    pub(crate) fn reply(&mut self, method: &str) -> Result<Reply, NoReply> {
        loop {
            let reply = self.any(method)?;
            if reply.status >= 200 || reply.status == 101 {
                return Ok(reply);
            }
        }
    }

    fn any(&mut self, method: &str) -> Result<Reply, NoReply> {
        let end = match self.until(|bytes| bytes.windows(4).position(|w| w == b"\r\n\r\n").map(|at| at + 4)) {
            Err(NoReply::Broken(some)) if some.is_empty() && self.end == Some(NoReply::Closed) => {
                return Err(NoReply::Closed);
            }
            other => other?,
        };
        let head =
            String::from_utf8(self.bytes.drain(..end).collect()).map_err(|_| NoReply::Nonsense("not text".into()))?;
        let (status, fields) = read_head(&head).ok_or_else(|| NoReply::Nonsense(head.clone()))?;
        let mut reply = Reply { status, fields, body: Vec::new() };
        if status < 200 || status == 204 || status == 304 || method == "HEAD" {
            return Ok(reply);
        }
        let length = reply.field("content-length").map(|n| n.parse::<usize>().unwrap());
        reply.body = match (reply.field("transfer-encoding"), length) {
            (Some("chunked"), None) => self.chunks()?,
            (None, Some(n)) => {
                self.until(|bytes| (bytes.len() >= n).then_some(n))?;
                self.bytes.drain(..n).collect()
            }
            (None, None) => loop {
                match self.until(|_| None::<usize>) {
                    Err(NoReply::Broken(_) | NoReply::Closed) if self.end == Some(NoReply::Closed) => {
                        break std::mem::take(&mut self.bytes);
                    }
                    Err(other) => return Err(other),
                    Ok(_) => {}
                }
            },
            _ => return Err(NoReply::Nonsense(head)),
        };
        Ok(reply)
    }

    fn chunks(&mut self) -> Result<Vec<u8>, NoReply> {
        let mut body = Vec::new();
        loop {
            let line = self.until(|bytes| bytes.windows(2).position(|w| w == b"\r\n"))?;
            let text: Vec<u8> = self.bytes.drain(..line + 2).collect();
            let size = usize::from_str_radix(std::str::from_utf8(&text[..line]).unwrap_or("?"), 16)
                .map_err(|_| NoReply::Nonsense(String::from_utf8_lossy(&text).into()))?;
            if size == 0 {
                loop {
                    let line = self.until(|bytes| bytes.windows(2).position(|w| w == b"\r\n"))?;
                    self.bytes.drain(..line + 2);
                    if line == 0 {
                        return Ok(body);
                    }
                }
            }
            self.until(|bytes| (bytes.len() >= size + 2).then_some(0))?;
            body.extend(self.bytes.drain(..size));
            if self.bytes.drain(..2).collect::<Vec<_>>() != b"\r\n" {
                return Err(NoReply::Nonsense("a chunk does not end in CRLF".into()));
            }
        }
    }

    /// Reads until `found` finds something.
    fn until<T>(&mut self, found: impl Fn(&[u8]) -> Option<T>) -> Result<T, NoReply> {
        loop {
            if let Some(it) = found(&self.bytes) {
                return Ok(it);
            }
            let mut room = [0; 64 * 1024];
            match self.stream.read(&mut room) {
                Ok(0) => self.end = Some(NoReply::Closed),
                Ok(n) => {
                    self.bytes.extend_from_slice(&room[..n]);
                    continue;
                }
                Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock) => {
                    return Err(NoReply::Silent(self.bytes.clone()));
                }
                Err(_) => self.end = Some(NoReply::Broken(Vec::new())),
            }
            return Err(NoReply::Broken(self.bytes.clone()));
        }
    }
}

fn read_head(head: &str) -> Option<(u16, Vec<(String, String)>)> {
    let mut lines = head.strip_suffix("\r\n\r\n")?.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let fields = lines
        .map(|line| {
            let (name, value) = line.split_once(": ")?;
            (!line.contains(['\r', '\n', '\0'])).then(|| (name.to_owned(), value.to_owned()))
        })
        .collect::<Option<Vec<_>>>()?;
    let lengths = fields.iter().filter(|(name, _)| {
        name.eq_ignore_ascii_case("content-length") || name.eq_ignore_ascii_case("transfer-encoding")
    });
    (lengths.count() <= 1).then_some((status, fields))
}

/// One GET on a connection of its own, which must be answered 200 with the words of the origin.
pub(crate) fn honest(weir: &Weir, path: &str) -> Reply {
    let mut stream = weir.connect();
    let request = format!("GET {path} HTTP/1.1\r\nHost: honest\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut reader = Reader::new(&stream);
    let reply = reader.reply("GET").unwrap_or_else(|why| panic!("the honest client is not served: {why:?}"));
    assert_eq!((reply.status, reply.field("x-saw")), (200, Some(format!("GET {path}").as_str())));
    assert_eq!(reader.reply("GET"), Err(NoReply::Closed));
    reply
}

/// Ends our direction.
pub(crate) fn half_close(stream: &TcpStream) {
    let _ = stream.shutdown(Shutdown::Write);
}
