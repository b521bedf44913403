//! HTTP/2 (RFC 9113) on both sides, on the `h2` crate, and WebSocket over it (RFC 8441).
//!
//! What bounds the work and memory that a client can ask for without doing any itself:
//!
//! | what | bounded by |
//! |---|---|
//! | streams at once | h2, `SETTINGS_MAX_CONCURRENT_STREAMS`; beyond it `REFUSED_STREAM`, 1024 of these and the connection ends |
//! | header list, HPACK bombs | h2, `SETTINGS_MAX_HEADER_LIST_SIZE`: 431, and at four times that size the connection ends |
//! | fields | `head`: 431 |
//! | CONTINUATION | h2: as many as the header list needs and a quarter more |
//! | RST_STREAM, PING, SETTINGS, PRIORITY, empty DATA, WINDOW_UPDATE | `census`: so many a second |
//! | resets of streams not yet accepted | h2, `max_pending_accept_reset_streams`; they are accepted at once here |
//! | malformed requests | h2, `max_local_error_reset_streams` for a connection |
//! | small DATA frames in memory | h2, `data_frame_budget` |
//! | received content | the windows: given back only as the engine takes the content |
//! | content to send | `max_send_buffer_size` for a stream, and the windows that the client gives |
//! | a client that does not read | `serve`: the connection ends when the socket takes nothing for a while |
//! | acknowledgements of PING and SETTINGS | h2: it reads no further while one cannot be sent |

mod census;
mod downstream;
mod fields;
mod guard;
mod head;
mod receive;
mod reply;
mod request;
mod response;
mod send;
mod serve;
mod upstream;

pub use census::Flood;
pub use downstream::{ClientBody, ClientConnection, ClientExchange, Limits};
pub use reply::ClientReply;
pub use request::BackendRequest;
pub use response::BackendResponse;
pub use serve::{Served, Times, serve};
pub use upstream::{BackendConnection, BackendExchange};

use crate::exchange::Broken;

/// What an error of h2 means for an exchange.
fn broken(error: ::h2::Error) -> Broken {
    if error.is_library() {
        return Broken::Malformed("h2");
    }
    error.into_io().map_or(Broken::Closed, Broken::from)
}
