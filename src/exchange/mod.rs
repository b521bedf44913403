//! The engine: one request with its response. It knows no socket and no protocol version.
//!
//! One direction: [`serve()`] admits, attempts, responds, finishes.

mod access;
mod admit;
mod answer;
mod ask;
mod attempt;
mod attempts;
mod chances;
mod client;
mod compress;
mod count;
mod crew;
mod finish;
mod kept;
mod limit;
mod max_forwards;
mod mirror;
mod nobody;
mod paced;
mod parting;
mod port;
mod prepare;
mod priority;
mod refusal;
mod relay;
mod reuse;
mod serve;
mod slot;
mod waiting;
mod want;
mod worker;

pub use client::{Client, Gate, TlsFacts};
pub use count::protocol_error;
pub use limit::Exceeded;
pub use port::{Body, Broken, Chunk, Downstream, Piece, Prepared, Reply, Request, Response, Sink, Source, Upstream};
pub use refusal::{Refusal, refuse_head};
pub use serve::{Scratch, serve};
pub use worker::{Generation, Worker};
