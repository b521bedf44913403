//! A client's HTTP/2 connection: each request on a task of its own.

use super::accept::Door;
use crate::exchange::{Client, Worker, serve as exchange};
use crate::telemetry::metrics::ProtocolError;
use crate::wire::Transport;
use crate::wire::h2::{ClientConnection, Limits, Served, Times, serve as connection};
use bytes::Bytes;
use std::rc::Rc;

/// What every client says first (RFC 9113 §3.4).
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Serves until either side has enough. `read` is what was received before.
pub(super) async fn serve(transport: Transport, read: Bytes, client: Rc<Client>, door: &Door, worker: &Rc<Worker>) {
    let config = &door.state.config;
    let limits = Limits { h2: config.h2, head: config.head };
    let shaken = ClientConnection::handshake(transport, read, client.scheme, limits, worker.clock.clone());
    let Ok(Ok(shaken)) = worker.clock.within(config.timeouts.handshake, shaken).await else {
        return worker.metrics.protocol_error(ProtocolError::H2Connection);
    };
    let times = Times { idle: config.timeouts.idle, stall: config.timeouts.body };
    let served = connection(shaken, &worker.clock, times, worker.drain_started(), |head, mut down| {
        worker.metrics.h2_stream();
        let (client, worker) = (client.clone(), worker.clone());
        tokio::task::spawn_local(async move {
            let mut scratch = worker.scratch();
            scratch.request = head;
            exchange(&worker, &client, &mut scratch, &mut down).await;
            worker.reuse(scratch);
        });
    })
    .await;
    match served {
        Served::Closed => {}
        Served::Flood(flood) => {
            worker.metrics.protocol_error(ProtocolError::H2Flood);
            worker.metrics.h2_goaway();
            tracing::debug!(client = %client.peer, flood = flood.as_str(), "too much");
        }
        Served::Stalled => tracing::debug!(client = %client.peer, "takes nothing"),
        Served::Broken(_) => worker.metrics.protocol_error(ProtocolError::H2Connection),
    }
}
