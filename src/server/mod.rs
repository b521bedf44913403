//! The process: listeners, workers, signals, reload, upgrade.
//!
//! One worker a core: a thread with a single-threaded runtime, its own sockets (SO_REUSEPORT), its own connections to
//! backends. The main thread builds generations, hands them out, and waits for signals.

mod accept;
mod agenda;
mod away;
mod build;
mod caches;
mod connection;
mod desk;
mod drain;
mod error;
mod handover;
mod http1;
mod http2;
mod keeper;
mod listener;
mod process;
mod reload;
mod rooms;
mod run;
mod signals;
mod sockets;
mod source;
mod systemd;
mod tls;
mod upgrade;
mod verify;
mod warden;
mod worker;

pub use build::LoadError;
pub use error::RunError;
pub use run::{run, run_then};
pub use source::Source;
pub use verify::verify;
