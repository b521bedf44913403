//! Many backends that hold what they are asked until they are told to answer it.

use super::{Client, Registrar, Weir, eventually};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// Backends at addresses of their own.
pub struct Held {
    port: u16,
    /// `None` once they answer.
    streams: Arc<Mutex<Option<Vec<TcpStream>>>>,
}

impl Held {
    pub fn start() -> Held {
        let listener = TcpListener::bind("0.0.0.0:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let streams = Arc::new(Mutex::new(Some(Vec::new())));
        let held = Arc::clone(&streams);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                match held.lock().unwrap().as_mut() {
                    Some(streams) => streams.push(stream),
                    None => answer(&stream),
                }
            }
        });
        Held { port, streams }
    }

    /// That of one of them.
    pub fn address(&self, n: u8) -> String {
        format!("127.0.1.{n}:{}", self.port)
    }

    /// All of them up to that number are registered in a pool whose backends get one exchange at once, and have one. Who asked.
    pub fn are_busy(&self, weir: &Weir, workers: &Registrar<'_>, pool: &str, up_to: u8) -> Vec<Client> {
        for n in 1..=up_to {
            workers.registers(pool, &self.address(n), "");
        }
        let all = (0..up_to).map(|_| {
            let mut client = weir.client();
            client.get("/").sent();
            client
        });
        let all = all.collect();
        eventually("each has one", || {
            self.streams.lock().unwrap().as_ref().is_some_and(|it| it.len() == usize::from(up_to))
        });
        all
    }

    /// They answer what they hold, and all else from now on.
    pub fn answer(&self) {
        self.streams.lock().unwrap().take().iter().flatten().for_each(answer);
    }
}

fn answer(mut stream: &TcpStream) {
    let mut some = [0; 4096];
    let _ = stream.read(&mut some);
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}
