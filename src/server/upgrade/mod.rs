//! Another process, of the same or a newer binary, takes the sockets over; no connection that waits in one is lost.
//!
//! 1. The old process starts the binary again and sends it, over the new one's standard input, a descriptor of each
//!    socket and which it is ([`Slot`]).
//! 2. The new process does all that can fail: reads its configuration, binds what is missing, starts its threads. Then
//!    it says `ready`, or `failed: ` and why. It accepts nothing yet.
//! 3. The old process says what changed in its caches since it left their directories, then `go`, and drains. From there on
//!    the new one serves. If the old one is gone, that says `go`. Until it is, each tells the other what changes.
//!
//! Whatever goes wrong before step 3 ends the new process, and the old one serves on.

mod kin;
mod message;
mod new;
mod news;
mod old;
mod pass;
mod program;

pub(super) use kin::start as tell_each_other;
pub(super) use message::Slot;
pub(super) use new::{Go, Handed, Predecessor};
pub(super) use old::{Successor, UpgradeError, start};
pub(super) use program::Program;

/// Set for the new process: its standard input is a socket to the old one.
const VARIABLE: &str = "WEIR_UPGRADE";

/// What the new process says when nothing can fail any more.
const READY: &str = "ready\n";

/// What it says otherwise, before the reason.
const FAILED: &str = "failed: ";

/// What the old process says to that: serve.
const GO: &str = "go";

/// The same, and that it was asked to reload meanwhile.
const GO_RELOAD: &str = "go reload";
