//! Codecs: bytes to heads and content, and back. Each speaks one version of HTTP and knows nothing of routes.

mod buffer;
pub mod h1;
pub mod h2;
pub mod proxy_protocol;
mod rewind;
mod socket;
pub mod tls;
mod transport;
mod websocket;

pub use buffer::{BUFFER, Buffers, Inbox};
pub use rewind::Rewind;
pub use transport::Transport;
