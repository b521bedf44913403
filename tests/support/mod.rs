//! What the dialogues are written with: the real binary, scripted origins, and a byte-exact client, over real sockets.
//!
//! Nobody sleeps: whoever waits, waits for an event and at most for [`PATIENCE`].

#![allow(dead_code, unused_imports, unreachable_pub, reason = "each test takes what it needs")]
#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod backend;
mod client;
mod crowd;
mod dns;
mod held;
pub mod installed;
pub mod library;
pub mod load;
mod log;
mod message;
pub mod mount;
mod origin;
pub mod pages;
mod puppet;
mod python;
pub mod readers;
mod redis;
mod registered;
mod registrar;
pub mod shop;
mod skipped;
mod strait;
mod terminal;
pub mod tls;
mod weir;
mod wire;

pub use self::weir::{Weir, free_port, kill};
pub use backend::{Backend, Mood};
pub use client::{Client, Response};
pub use crowd::Crowd;
pub use dns::{Dns, Record};
pub use held::Held;
pub use library::Library;
pub use message::{Broken, Fields, Framing};
pub use origin::{Gate, Origin, Seen};
pub use puppet::{Peer, Puppet};
pub use python::Python;
pub use readers::Readers;
pub use redis::Redis;
pub use registered::Registered;
pub use registrar::{Registrar, json_of};
pub use skipped::skipped;
pub use strait::{Strait, Weather};
pub use terminal::Terminal;
pub use tls::Authority;
pub use wire::Wire;

use std::time::{Duration, Instant};

/// Waits until it `holds`.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        std::thread::yield_now();
    }
}

/// How long anything that is sure to come may take.
pub const PATIENCE: Duration = Duration::from_secs(10);
