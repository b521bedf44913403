//! An origin of very many small things, and lean clients for it: what they cost is little beside what the process costs.

use super::PATIENCE;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;

/// Things by number. Every fifth is on sale, and has the tag `sale`; all have the current price.
#[derive(Clone)]
pub struct Shop {
    address: SocketAddr,
    price: Arc<AtomicU64>,
    asked: Arc<AtomicU64>,
}

pub fn is_on_sale(number: u64) -> bool {
    number.is_multiple_of(SALE_EVERY)
}

/// One in so many things is on sale.
pub const SALE_EVERY: u64 = 5;

impl Shop {
    pub fn open() -> Shop {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shop = Shop { address, price: Arc::default(), asked: Arc::default() };
        let own = shop.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(stream), own) = (stream, own.clone()) else { break };
                thread::spawn(move || own.serve(stream));
            }
        });
        shop
    }

    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Requests that came.
    pub fn asked(&self) -> u64 {
        self.asked.load(SeqCst)
    }

    /// All prices rise; the new one.
    pub fn raises(&self) -> u64 {
        self.price.fetch_add(1, SeqCst) + 1
    }

    fn serve(&self, stream: TcpStream) -> Option<()> {
        let mut wire = Lean::over(stream);
        loop {
            let end = wire.until(b"\r\n\r\n").ok()?;
            let head = std::str::from_utf8(&wire.buffer[..end]).ok()?;
            let number: u64 = head.split(' ').nth(1)?.strip_prefix("/things/")?.parse().ok()?;
            self.asked.fetch_add(1, SeqCst);
            let content = format!("{number} costs {}", self.price.load(SeqCst));
            let sale = if is_on_sale(number) { " sale" } else { "" };
            let answer = format!(
                "HTTP/1.1 200 OK\r\nCache-Control: max-age=86400\r\nSurrogate-Key: kind-{}{sale}\r\nContent-Length: {}\r\n\r\n{content}",
                number % 1000,
                content.len()
            );
            wire.consume(end);
            wire.stream.write_all(answer.as_bytes()).ok()?;
        }
    }
}

/// What a client got: the price, and whether it was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bought {
    pub price: u64,
    pub is_hit: bool,
}

/// Asks for each of these, by so many clients at a time; what each got, in the order of `numbers`.
pub fn buy_all(address: SocketAddr, clients: usize, numbers: &[u64]) -> Vec<Bought> {
    thread::scope(|scope| {
        let parts = numbers.chunks(numbers.len().div_ceil(clients).max(1));
        let buy = |part: &'_ [u64]| {
            let part = part.to_vec();
            scope.spawn(move || {
                let mut client = Lean::connect(address);
                part.into_iter().map(|number| client.buys(number)).collect::<Vec<_>>()
            })
        };
        let clients: Vec<_> = parts.map(buy).collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    })
}

/// A connection with one buffer.
pub struct Lean {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Lean {
    pub fn connect(address: SocketAddr) -> Lean {
        Lean::over(TcpStream::connect_timeout(&address, PATIENCE).unwrap())
    }

    fn over(stream: TcpStream) -> Lean {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Lean { stream, buffer: Vec::new() }
    }

    /// Asks for a thing; the answer is one to that, or the test ends.
    pub fn buys(&mut self, number: u64) -> Bought {
        let (head, content) = self.asks(&format!("GET /things/{number} HTTP/1.1\r\nHost: shop\r\n\r\n"));
        assert!(head.starts_with("HTTP/1.1 200 "), "{number}: {head}");
        let price = content.strip_prefix(&format!("{number} costs ")).and_then(|price| price.parse().ok());
        Bought { price: price.unwrap_or_else(|| panic!("{number}: {content}")), is_hit: head.contains("weir; hit") }
    }

    /// Sends a request, and reads an answer that has a Content-Length.
    pub fn asks(&mut self, request: &str) -> (String, String) {
        self.stream.write_all(request.as_bytes()).unwrap();
        let end = self.until(b"\r\n\r\n").unwrap();
        let head = String::from_utf8(self.buffer[..end].to_vec()).unwrap();
        let length =
            head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let length: usize = length.unwrap_or_else(|| panic!("no length: {head}"));
        while self.buffer.len() < end + length {
            self.more().unwrap();
        }
        let content = String::from_utf8(self.buffer[end..end + length].to_vec()).unwrap();
        self.consume(end + length);
        (head, content)
    }

    /// Where the first `mark` in the buffer ends.
    fn until(&mut self, mark: &[u8]) -> io::Result<usize> {
        loop {
            if let Some(at) = self.buffer.windows(mark.len()).position(|window| window == mark) {
                return Ok(at + mark.len());
            }
            self.more()?;
        }
    }

    fn consume(&mut self, count: usize) {
        self.buffer.drain(..count);
    }

    fn more(&mut self) -> io::Result<()> {
        let mut piece = [0; 4096];
        match self.stream.read(&mut piece)? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            n => {
                self.buffer.extend_from_slice(&piece[..n]);
                Ok(())
            }
        }
    }
}
