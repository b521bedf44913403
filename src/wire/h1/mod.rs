//! HTTP/1.1 (RFC 9112), both sides, strict: what parsers disagree on is refused.

pub mod chunked;
mod content;
mod downstream;
mod field_line;
pub mod parse;
mod upstream;
mod write;

pub use downstream::{ClientConnection, ClientExchange, HeadEnd, Next};
pub use upstream::{BackendConnection, BackendExchange};
