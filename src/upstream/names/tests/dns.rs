//! A name server on the loopback that says what it was told to say, over UDP and TCP.

use super::wire::{NXDOMAIN, Rr, has_edns, question, reply};
use crate::upstream::names::{Answer, NameError, Question, Resolver, system::Files};
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinSet;

/// What is said to one query.
#[derive(Clone, Debug)]
pub(crate) enum Says {
    Records(Vec<Rr>),
    Code(u8),
    /// Only over TCP; over UDP, that it did not fit.
    TooMuch(Vec<Rr>),
    /// FORMERR to a query with EDNS.
    Old(Vec<Rr>),
    Nothing,
    /// These bytes alone.
    Bytes(Vec<u8>),
    /// First a reply with another id, then the true one.
    Forged(Vec<Rr>, Vec<Rr>),
}

/// A query as it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Saw {
    pub(crate) name: String,
    pub(crate) kind: u16,
    pub(crate) tcp: bool,
}

#[derive(Debug, Default)]
struct Script {
    says: HashMap<(String, u16), VecDeque<Says>>,
    saw: Vec<Saw>,
}

pub(crate) struct Dns {
    pub(crate) address: SocketAddr,
    script: Arc<Mutex<Script>>,
    folder: tempfile::TempDir,
    _tasks: JoinSet<()>,
}

impl Dns {
    pub(crate) async fn start() -> Dns {
        let (tcp, udp) = sockets().await;
        let address = tcp.local_addr().unwrap();
        let script = Arc::<Mutex<Script>>::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(serve_udp(udp, script.clone()));
        tasks.spawn(serve_tcp(tcp, script.clone()));
        Dns { address, script, folder: tempfile::tempdir().unwrap(), _tasks: tasks }
    }

    /// The next thing said to that query; the last one is said again and again. What was not told is denied.
    pub(crate) fn says(&self, name: &str, kind: u16, says: Says) -> &Dns {
        self.script.lock().unwrap().says.entry((name.to_owned(), kind)).or_default().push_back(says);
        self
    }

    pub(crate) fn saw(&self) -> Vec<Saw> {
        self.script.lock().unwrap().saw.clone()
    }

    /// How often it was asked that.
    pub(crate) fn count(&self, name: &str, kind: u16) -> usize {
        self.saw().iter().filter(|saw| saw.name == name && saw.kind == kind).count()
    }

    /// A file of the system, for [`Dns::resolver`].
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// One that asks this server, once and for a second, and sees no file of the machine it runs on.
    pub(crate) fn resolver(&self) -> Resolver {
        self.resolver_with("options timeout:1 attempts:1", "")
    }

    pub(crate) fn resolver_with(&self, resolv: &str, hosts: &str) -> Resolver {
        self.resolver_at(&[self.address], resolv, hosts)
    }

    pub(crate) fn resolver_at(&self, servers: &[SocketAddr], resolv: &str, hosts: &str) -> Resolver {
        let files = Files { resolv: self.file("resolv.conf", resolv), hosts: self.file("hosts", hosts) };
        Resolver::with_files(servers, files).unwrap()
    }
}

/// Asks for a host at port 80.
pub(crate) async fn host(resolver: &Resolver, name: &str) -> Result<Answer, NameError> {
    resolver.ask(&Question::Host { name: name.to_owned(), port: 80 }).await
}

/// The addresses of an answer.
pub(crate) fn addresses(answer: &Answer) -> Vec<String> {
    answer.found.iter().map(|found| found.address.to_string()).collect()
}

/// The same port for both.
async fn sockets() -> (TcpListener, UdpSocket) {
    loop {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()).await {
            return (tcp, udp);
        }
    }
}

async fn serve_udp(socket: UdpSocket, script: Arc<Mutex<Script>>) {
    let mut buffer = [0; 2048];
    while let Ok((len, from)) = socket.recv_from(&mut buffer).await {
        for reply in replies(&buffer[..len], false, &script) {
            let _ = socket.send_to(&reply, from).await;
        }
    }
}

async fn serve_tcp(listener: TcpListener, script: Arc<Mutex<Script>>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let Ok(len) = stream.read_u16().await else { continue };
        let mut query = vec![0; usize::from(len)];
        if stream.read_exact(&mut query).await.is_err() {
            continue;
        }
        for reply in replies(&query, true, &script) {
            let len = u16::try_from(reply.len()).unwrap().to_be_bytes();
            let _ = stream.write_all(&[&len, reply.as_slice()].concat()).await;
        }
    }
}

fn replies(query: &[u8], tcp: bool, script: &Mutex<Script>) -> Vec<Vec<u8>> {
    let (name, kind, _) = question(query);
    let mut script = script.lock().unwrap();
    script.saw.push(Saw { name: name.clone(), kind, tcp });
    let queue = script.says.entry((name, kind)).or_default();
    let says = if queue.len() > 1 { queue.pop_front() } else { queue.front().cloned() };
    match says.unwrap_or(Says::Code(NXDOMAIN)) {
        Says::Records(records) => vec![reply(query, 0, false, &records)],
        Says::Code(code) => vec![reply(query, code, false, &[])],
        Says::TooMuch(_) if !tcp => vec![reply(query, 0, true, &[])],
        Says::TooMuch(records) => vec![reply(query, 0, false, &records)],
        Says::Old(_) if has_edns(query) => vec![reply(query, super::wire::FORMERR, false, &[])],
        Says::Old(records) => vec![reply(query, 0, false, &records)],
        Says::Nothing => vec![],
        Says::Bytes(bytes) => vec![bytes],
        Says::Forged(forged, records) => {
            let mut wrong = reply(query, 0, false, &forged);
            wrong[1] ^= 1;
            vec![wrong, reply(query, 0, false, &records)]
        }
    }
}
