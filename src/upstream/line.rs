use super::dial::{DialError, Dialer, Key, Speaks};
use crate::wire::Buffers;
use crate::wire::h1;
use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::time::Duration;

/// Unused connections to one backend that a worker keeps.
const IDLE_MAX: usize = 256;

/// One worker's connections to one backend.
#[derive(Debug)]
pub struct Line {
    dialer: Dialer,
    idle_for: Duration,
    idle: RefCell<Vec<Idle>>,
}

#[derive(Debug)]
struct Idle {
    connection: h1::BackendConnection,
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
    Http1(h1::BackendConnection),
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
        None
    }

    /// A new connection. The caller bounds the time.
    ///
    /// # Errors
    /// [`DialError`]
    pub async fn dial(&self, client: SocketAddr, local: SocketAddr) -> Result<Taken, DialError> {
        let (transport, speaks) = self.dialer.dial(client, local).await?;
        match speaks {
            Speaks::Http1 | Speaks::H2 => {
                Ok(Taken { connection: Connection::Http1(h1::BackendConnection::new(transport)), reused: false })
            }
        }
    }

    /// Takes a connection back after an exchange; `now` by the worker's clock.
    pub fn put_back(&self, mut connection: h1::BackendConnection, buffers: &Buffers, now: Duration) {
        if self.dialer.is_per_client() || !connection.reusable(buffers) {
            return;
        }
        let mut idle = self.idle.borrow_mut();
        if idle.len() < IDLE_MAX {
            idle.push(Idle { connection, since: now });
        }
    }

    fn sweep(&self, now: Duration) {
        self.idle
            .borrow_mut()
            .retain_mut(|idle| now.saturating_sub(idle.since) < self.idle_for && idle.connection.is_quiet());
    }
}

/// All lines of a worker, found again across a reload by what they lead to.
#[derive(Debug, Default)]
pub struct Lines(RefCell<HashMap<Key, Weak<Line>>>);

impl Lines {
    /// The line that `dialer` leads to, with the connections that stand.
    #[must_use]
    pub fn line(&self, dialer: &Dialer, idle_for: Duration) -> Rc<Line> {
        let mut lines = self.0.borrow_mut();
        let standing = lines.get(dialer.key()).and_then(Weak::upgrade);
        let same = standing.as_ref().is_some_and(|line| line.idle_for == idle_for);
        if let (Some(line), true) = (&standing, same) {
            return line.clone();
        }
        let idle = standing.map(|line| line.idle.take()).unwrap_or_default();
        let line = Rc::new(Line { dialer: dialer.clone(), idle_for, idle: RefCell::new(idle) });
        lines.insert(dialer.key().clone(), Rc::downgrade(&line));
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
