//! The process: listeners, workers, signals.
//!
//! One worker a core: a thread with a single-threaded runtime, its own sockets (SO_REUSEPORT), its own connections to
//! backends. The main thread builds generations, hands them out, and waits for signals.

mod accept;
mod build;
mod connection;
mod http1;
mod http2;
mod keeper;
mod listener;
mod run;
mod signals;
mod tls;
mod worker;

pub use build::LoadError;
pub use run::{RunError, Source, run, run_then};
