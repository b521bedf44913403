use super::message::Framing;
use super::{Broken, Fields, PATIENCE, Seen, Wire};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// A backend that moves only when the test moves it: for dialogues in which the order of events matters.
pub struct Puppet {
    address: SocketAddr,
    accepted: Receiver<TcpStream>,
}

impl Puppet {
    pub fn start() -> Puppet {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, accepted) = channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                if !stream.is_ok_and(|stream| sender.send(stream).is_ok()) {
                    break;
                }
            }
        });
        Puppet { address, accepted }
    }

    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// The next connection.
    pub fn accepts(&self) -> Peer {
        Peer(Wire::new(self.accepted.recv_timeout(PATIENCE).expect("a connection")))
    }

    /// The next connection, which is to speak TLS.
    pub fn accepts_tls(&self, config: &Arc<ServerConfig>) -> Peer {
        let socket = self.accepted.recv_timeout(PATIENCE).expect("a connection");
        let session = ServerConnection::new(config.clone()).unwrap();
        let stream = StreamOwned::new(session, socket.try_clone().unwrap());
        Peer(Wire::over(socket, stream))
    }

    /// Nobody has connected since.
    pub fn is_left_alone(&self) {
        assert!(self.accepted.recv_timeout(Duration::ZERO).is_err(), "a connection that nobody asked for");
    }
}

/// A connection of a [`Puppet`].
pub struct Peer(Wire);

impl Deref for Peer {
    type Target = Wire;
    fn deref(&self) -> &Wire {
        &self.0
    }
}

impl DerefMut for Peer {
    fn deref_mut(&mut self) -> &mut Wire {
        &mut self.0
    }
}

impl Peer {
    /// The next request's head.
    pub fn gets_head(&mut self) -> Seen {
        let (line, fields) = self.head().unwrap();
        Seen { line, fields, body: Vec::new(), trailers: Fields::default(), connection: 0 }
    }

    /// The next request, whole.
    pub fn gets(&mut self) -> Seen {
        let mut seen = self.gets_head();
        let framing = Framing::of(&seen.fields).unwrap().unwrap_or(Framing::None);
        (seen.body, seen.trailers) = self.content(framing).unwrap();
        seen
    }

    /// The next request, which may break off.
    pub fn try_gets(&mut self) -> Result<Seen, Broken> {
        let (line, fields) = self.head()?;
        let framing = Framing::of(&fields)?.unwrap_or(Framing::None);
        let (body, trailers) = self.content(framing)?;
        Ok(Seen { line, fields, body, trailers, connection: 0 })
    }

    pub fn resets(self) {
        self.0.reset();
    }
}
