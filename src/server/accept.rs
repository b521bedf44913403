use super::connection;
use super::listener::{Entered, ListenerState, Open};
use crate::exchange::{Gate, Worker};
use crate::wire::h1::parse::Limits;
use socket2::SockRef;
use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// What one worker serves of a listener now.
pub(super) struct Door {
    pub(super) state: Arc<ListenerState>,
    pub(super) gate: Rc<Gate>,
    pub(super) limits: Limits,
}

impl Door {
    pub(super) fn new(state: Arc<ListenerState>) -> Rc<Door> {
        let gate = Rc::new(Gate {
            name: state.config.address.to_string(),
            timeouts: state.config.timeouts,
            trust_forwarded: state.config.trust_forwarded.clone(),
        });
        let limits = Limits { size: state.config.head.size, fields: state.config.head.fields };
        Rc::new(Door { state, gate, limits })
    }
}

/// How long accepting rests when the process or the system has no more descriptors or memory.
const REST: Duration = Duration::from_millis(100);

/// Accepts until it is dropped.
pub(super) async fn accept(
    listener: Rc<TcpListener>,
    door: Rc<RefCell<Rc<Door>>>,
    open: Arc<Open>,
    worker: Rc<Worker>,
) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let door = door.borrow().clone();
                let Some(entered) = enter(&open, &door, &worker) else {
                    worker.metrics.connection_refused(&door.state.metrics);
                    continue;
                };
                connection::spawn(stream, peer, door, entered, worker.clone());
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept");
                let _ = worker.clock.within(REST, std::future::pending::<()>()).await;
            }
        }
    }
}

/// Accepts what the kernel has ready, so that closing the socket resets nobody.
pub(super) fn accept_rest(listener: &TcpListener, door: &Rc<Door>, open: &Arc<Open>, worker: &Rc<Worker>) {
    /// More than that would be a flood.
    const REST_MAX: usize = 4096;
    // The kernel itself is asked: the runtime knows only what was ready when it last looked.
    let socket = SockRef::from(listener);
    for _ in 0..REST_MAX {
        let Ok((stream, peer)) = socket.accept() else { break };
        let Some(peer) = peer.as_socket() else { continue };
        let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream.into()));
        if let (Ok(stream), Some(entered)) = (stream, enter(open, door, worker)) {
            connection::spawn(stream, peer, door.clone(), entered, worker.clone());
        }
    }
}

/// Lets a connection in, if there are not too many, and there is memory for it.
fn enter(open: &Arc<Open>, door: &Door, worker: &Worker) -> Option<Entered> {
    let max = door.state.config.max_connections;
    // A few are always let in: somebody has to see that we live.
    open.enter(if worker.pressure.is_full() { max.min(ALWAYS_OPEN) } else { max })
}

/// Connections to a listener that are let in however little memory there is.
const ALWAYS_OPEN: usize = 64;

/// The client was gone before we took it.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}
