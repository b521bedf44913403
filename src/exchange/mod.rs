//! The engine: one request with its response. It knows no socket and no protocol version.

mod port;

pub use port::{Body, Broken, Chunk, Downstream, Piece, Reply, Request, Response, Sink, Source, Upstream};
