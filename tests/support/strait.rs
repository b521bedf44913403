use super::free_port;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A network between two, as bad as the test wants it.
pub struct Strait {
    pub port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    weather: AtomicU8,
    ended: AtomicBool,
    streams: Mutex<Vec<TcpStream>>,
}

/// What becomes of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// They pass.
    Calm,
    /// They vanish; connections stand.
    Fog,
    /// They pass after [`DELAY`].
    Swell,
    /// Connections break, and new ones are closed.
    Storm,
}

/// How long bytes take in [`Weather::Swell`].
pub const DELAY: Duration = Duration::from_millis(200);

impl Strait {
    /// To a port of this machine.
    pub fn to(port: u16) -> Strait {
        let listener = TcpListener::bind(("127.0.0.1", free_port())).unwrap();
        let own = listener.local_addr().unwrap().port();
        let shared =
            Arc::new(Shared { weather: AtomicU8::new(0), ended: AtomicBool::new(false), streams: Mutex::default() });
        let cares = Arc::clone(&shared);
        std::thread::spawn(move || {
            for near in listener.incoming() {
                if cares.ended.load(Relaxed) {
                    return;
                }
                let (Ok(near), false) = (near, cares.weather() == Weather::Storm) else { continue };
                let Ok(far) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                cares.streams.lock().unwrap().extend([near.try_clone().unwrap(), far.try_clone().unwrap()]);
                for (from, to) in [(near.try_clone().unwrap(), far.try_clone().unwrap()), (far, near)] {
                    let cares = Arc::clone(&cares);
                    std::thread::spawn(move || cares.pass(from, to));
                }
            }
        });
        Strait { port: own, shared }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// From now on.
    pub fn turns(&self, weather: Weather) {
        self.shared.weather.store(weather as u8, Relaxed);
        if weather == Weather::Storm {
            self.shared.cut();
        }
    }
}

impl Shared {
    fn weather(&self) -> Weather {
        match self.weather.load(Relaxed) {
            0 => Weather::Calm,
            1 => Weather::Fog,
            2 => Weather::Swell,
            _ => Weather::Storm,
        }
    }

    fn cut(&self) {
        for stream in self.streams.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn pass(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut room = [0; 16 << 10];
        while let Ok(len @ 1..) = from.read(&mut room) {
            match self.weather() {
                Weather::Fog => continue,
                Weather::Swell => std::thread::sleep(DELAY),
                Weather::Calm | Weather::Storm => {}
            }
            if to.write_all(&room[..len]).is_err() {
                break;
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    }
}

impl Drop for Strait {
    fn drop(&mut self) {
        self.shared.ended.store(true, Relaxed);
        self.shared.cut();
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}
