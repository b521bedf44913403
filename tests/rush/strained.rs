//! A backend of some strength: what it does is a model, which takes no processor.

use super::support::Wire;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

/// Serves up to its strength at once, each in the time that work takes. With more, they share its strength, and a part of
/// that is lost: so much at twice as many.
pub(crate) struct Strained {
    pub(crate) address: SocketAddr,
}

#[derive(Clone, Copy)]
struct Model {
    strength: f64,
    work: Duration,
    lost: f64,
}

impl Model {
    /// How long one takes with so many inside.
    fn takes(self, inside: usize) -> Duration {
        let crowd = (inside as f64 / self.strength).max(1.0);
        self.work.mul_f64(crowd * (1.0 + (crowd - 1.0) * self.lost / (1.0 - self.lost)))
    }
}

impl Strained {
    pub(crate) fn start(strength: usize, work: Duration, lost: f64) -> Strained {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let model = Model { strength: strength as f64, work, lost };
        let inside = Arc::new(AtomicUsize::new(0));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(stream), inside) = (stream, Arc::clone(&inside)) else { return };
                thread::spawn(move || {
                    let mut wire = Wire::new(stream);
                    while wire.head().is_ok() {
                        let count = inside.fetch_add(1, SeqCst) + 1;
                        thread::sleep(model.takes(count));
                        inside.fetch_sub(1, SeqCst);
                        if wire.try_send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Strained { address }
    }
}
