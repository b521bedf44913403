//! Requests that come when they come, whatever becomes of those before them: an open loop.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Requests of one kind.
#[derive(Clone, Copy)]
pub(crate) struct Stream {
    pub(crate) path: &'static str,
    pub(crate) per_second: f64,
}

/// What was seen of them while it was measured.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Those that were due then.
    pub(crate) sent: usize,
    /// How long those took that were answered then, in order.
    took: Vec<Duration>,
    /// 503 with Retry-After.
    pub(crate) refused: usize,
    /// Anything else.
    pub(crate) broken: usize,
}

impl Seen {
    pub(crate) fn served(&self) -> usize {
        self.took.len()
    }

    /// Of how long they took; `None`: none was answered.
    pub(crate) fn percentile(&self, share: f64) -> Option<Duration> {
        self.took.get(((self.took.len() as f64 * share) as usize).min(self.took.len().saturating_sub(1))).copied()
    }
}

pub(crate) struct Surge;

impl Surge {
    /// Sends `streams`, first to warm up and then for the time that is measured; latencies count from when a request was
    /// due. What has no answer by then is left.
    pub(crate) fn run<const N: usize>(
        address: SocketAddr,
        streams: [Stream; N],
        warm: Duration,
        time: Duration,
    ) -> [Seen; N] {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let from = Instant::now() + warm;
        let seen = streams.map(|stream| {
            let seen = Arc::default();
            runtime.spawn(send(address, stream, (from, from + time), Arc::clone(&seen)));
            seen
        });
        runtime.block_on(async { tokio::time::sleep_until((from + time).into()).await });
        runtime.shutdown_background();
        seen.map(|seen: Arc<Mutex<Seen>>| {
            let mut seen = std::mem::take(&mut *seen.lock().unwrap());
            seen.took.sort();
            seen
        })
    }
}

type Idle = Arc<Mutex<Vec<TcpStream>>>;

async fn send(address: SocketAddr, stream: Stream, (from, to): (Instant, Instant), seen: Arc<Mutex<Seen>>) {
    let idle = Idle::default();
    let begun = Instant::now();
    for number in 0.. {
        // Not quite even, so that nothing is in step with anything.
        let jitter = f64::from(number * 7_919 % 101) / 101.0;
        let due = begun + Duration::from_secs_f64((f64::from(number) + jitter) / stream.per_second);
        tokio::time::sleep_until(due.into()).await;
        seen.lock().unwrap().sent += usize::from(due >= from && due < to);
        let (idle, seen) = (Arc::clone(&idle), Arc::clone(&seen));
        tokio::spawn(async move {
            let outcome = one(address, stream.path, due, idle).await;
            if Instant::now() >= from {
                let mut seen = seen.lock().unwrap();
                match outcome {
                    Some((200, took)) => seen.took.push(took),
                    Some((503, _)) => seen.refused += 1,
                    _ => seen.broken += 1,
                }
            }
        });
    }
}

/// Status, and how long it took; `None`: there was no answer, or no Retry-After in a refusal.
async fn one(address: SocketAddr, path: &str, due: Instant, idle: Idle) -> Option<(u16, Duration)> {
    let known = idle.lock().unwrap().pop();
    let mut stream = match known {
        Some(stream) => stream,
        None => TcpStream::connect(address).await.ok()?,
    };
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).await.ok()?;
    let mut read = Vec::new();
    let (status, end) = loop {
        stream.read_buf(&mut read).await.ok().filter(|n| *n > 0)?;
        let Some(head) = read.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { continue };
        let text = std::str::from_utf8(&read[..head]).unwrap().to_ascii_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let status: u16 = text[9..12].parse().unwrap();
        if status == 503 && !text.contains("\r\nretry-after: ") {
            return None;
        }
        break (status, head + 4 + length.parse::<usize>().unwrap());
    };
    while read.len() < end {
        stream.read_buf(&mut read).await.ok().filter(|n| *n > 0)?;
    }
    let took = due.elapsed();
    idle.lock().unwrap().push(stream);
    Some((status, took))
}
