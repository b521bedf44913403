use super::dial::{DialError, Dialer, Key, Speaks};
use crate::clock::Clock;
use crate::http::Scheme;
use crate::wire::{Buffers, h1, h2};
use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::time::Duration;
use tokio::sync::Mutex;

/// Unused connections to one backend that a worker keeps.
const IDLE_MAX: usize = 256;

/// One worker's connections to one backend.
#[derive(Debug)]
pub struct Line {
    /// Replaced by a reload: certificates may be others by then.
    dialer: RefCell<Rc<Dialer>>,
    idle_for: Duration,
    idle: RefCell<Vec<Idle>>,
    shared: RefCell<Vec<Shared>>,
    /// One at a time makes a connection that others can then share.
    dialing: Mutex<()>,
}

/// An HTTP/2 connection, and when it last had something to do.
#[derive(Debug)]
struct Shared {
    connection: Rc<h2::BackendConnection>,
    used: Duration,
}

#[derive(Debug)]
struct Idle {
    connection: Box<h1::BackendConnection>,
    since: Duration,
}

/// A connection that an attempt may use.
#[derive(Debug)]
pub struct Taken {
    /// The connection.
    pub connection: Connection,
    /// It served before: a failure may only mean that the backend closed it meanwhile.
    pub reused: bool,
}

/// A connection by what it speaks.
#[derive(Debug)]
pub enum Connection {
    /// HTTP/1.1: one exchange at a time.
    Http1(Box<h1::BackendConnection>),
    /// HTTP/2: many exchanges at once.
    Http2(Rc<h2::BackendConnection>),
}

impl Line {
    /// A connection that waits to be used; the last one used, as its path is warm.
    #[must_use]
    pub fn take(&self) -> Option<Taken> {
        let mut idle = self.idle.borrow_mut();
        while let Some(mut candidate) = idle.pop() {
            if candidate.connection.is_quiet() {
                return Some(Taken { connection: Connection::Http1(candidate.connection), reused: true });
            }
        }
        drop(idle);
        self.take_shared()
    }

    fn take_shared(&self) -> Option<Taken> {
        let shared = self.shared.borrow();
        let ready = shared.iter().find(|it| it.connection.ready())?;
        Some(Taken { connection: Connection::Http2(ready.connection.clone()), reused: true })
    }

    /// A new connection; or, with HTTP/2, one that another exchange made meanwhile. The caller bounds the time.
    ///
    /// # Errors
    /// [`DialError`]
    pub async fn dial(&self, client: SocketAddr, local: SocketAddr, clock: &Rc<Clock>) -> Result<Taken, DialError> {
        if !self.dialer().is_h2() {
            return self.dial_one(client, local, clock).await;
        }
        let _alone = self.dialing.lock().await;
        match self.take_shared() {
            Some(taken) => Ok(taken),
            None => self.dial_one(client, local, clock).await,
        }
    }

    async fn dial_one(&self, client: SocketAddr, local: SocketAddr, clock: &Rc<Clock>) -> Result<Taken, DialError> {
        let dialer = self.dialer();
        let (transport, speaks) = dialer.dial(Some((client, local))).await?;
        let connection = match speaks {
            Speaks::Http1 => Connection::Http1(Box::new(h1::BackendConnection::new(transport))),
            Speaks::H2 => {
                let scheme = if dialer.is_tls() { Scheme::Https } else { Scheme::Http };
                let made = h2::BackendConnection::connect(transport, scheme, clock.clone(), self.idle_for).await;
                let connection = Rc::new(made.map_err(|_| DialError::Connect(io::ErrorKind::ConnectionReset.into()))?);
                if !dialer.is_per_client() {
                    self.shared.borrow_mut().push(Shared { connection: connection.clone(), used: clock.coarse() });
                }
                Connection::Http2(connection)
            }
        };
        Ok(Taken { connection, reused: false })
    }

    /// Takes a connection back after an exchange; `now` by the worker's clock.
    pub fn put_back(&self, mut connection: Box<h1::BackendConnection>, buffers: &Buffers, now: Duration) {
        if self.dialer().is_per_client() || !connection.reusable(buffers) {
            return;
        }
        let mut idle = self.idle.borrow_mut();
        if idle.len() < IDLE_MAX {
            idle.push(Idle { connection, since: now });
        }
    }

    fn dialer(&self) -> Rc<Dialer> {
        self.dialer.borrow().clone()
    }

    fn sweep(&self, now: Duration) {
        let is_fresh = |used: Duration| now.saturating_sub(used) < self.idle_for;
        self.idle.borrow_mut().retain_mut(|it| is_fresh(it.since) && it.connection.is_quiet());
        self.shared.borrow_mut().retain_mut(|it| {
            if it.connection.active() > 0 {
                it.used = now;
            }
            is_fresh(it.used) && !it.connection.finished()
        });
    }
}

/// All lines of a worker, found again across a reload by what they lead to.
#[derive(Debug, Default)]
pub struct Lines(RefCell<HashMap<Key, Weak<Line>>>);

impl Lines {
    /// The line that `dialer` leads to, with the connections that stand.
    #[must_use]
    pub fn line(&self, dialer: Dialer, idle_for: Duration) -> Rc<Line> {
        let mut lines = self.0.borrow_mut();
        let standing = lines.get(dialer.key()).and_then(Weak::upgrade);
        let same = standing.as_ref().is_some_and(|line| line.idle_for == idle_for);
        if let (Some(line), true) = (&standing, same) {
            line.dialer.replace(Rc::new(dialer));
            return line.clone();
        }
        let (idle, shared) = standing.map(|line| (line.idle.take(), line.shared.take())).unwrap_or_default();
        let key = dialer.key().clone();
        let line = Rc::new(Line {
            dialer: RefCell::new(Rc::new(dialer)),
            idle_for,
            idle: RefCell::new(idle),
            shared: RefCell::new(shared),
            dialing: Mutex::default(),
        });
        lines.insert(key, Rc::downgrade(&line));
        line
    }

    /// Closes what was unused for too long or was closed by its backend; forgets lines that no snapshot knows.
    pub fn sweep(&self, now: Duration) {
        self.0.borrow_mut().retain(|_, line| match line.upgrade() {
            Some(line) => {
                line.sweep(now);
                true
            }
            None => false,
        });
    }
}
