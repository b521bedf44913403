//! What systemd is told (sd_notify(3)), what it asks for (sd_watchdog_enabled(3)), and what it passes (sd_listen_fds(3),
//! systemd.exec(5)).
//!
//! Without it, or something that speaks as it does, nothing of this happens.

mod notify;
mod passed;
mod state;
mod watchdog;

pub(super) use notify::{Manager, State};
pub(super) use passed::{Passed, passed};
pub(super) use state::state_directory;
pub(super) use watchdog::{interval, watch};
