//! A room in which visitors wait while a pool is full: first come, first served, by signed tickets.
//!
//! A visitor who finds the [`Room`] full gets a number, in a [`Ticket`] that only his client can use. Numbers are called in
//! their order, as fast as those who are inside leave room for more; who is called comes in with his next request, and then
//! has a pass. The number is the session: whatever is copied or used again, there is never a second one.
//!
//! Decisions are pure: time is an argument, counted from the start of the process, and so is how the pool is
//! ([`Headroom`]). What a room must remember over a restart is [`Saved`] ahead of its use, so that no request waits for a
//! disk.

mod binding;
mod calls;
mod inside;
mod line;
mod pace;
mod page;
mod room;
mod rules;
mod saved;
mod shared;
mod ticket;

#[cfg(test)]
mod room_tests;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod simulation_tests;

pub use binding::Binding;
pub use pace::Headroom;
pub use page::{Page, Template};
pub use room::{Counts, Entry, Room, Standing, Verdict, Waiting};
pub use rules::{ACTIVE_MAX, Rules};
pub use saved::Saved;
pub use shared::{Call, Claim, Heard, Pace as SharedPace, Past, Said, SharedRoom, Told};
pub use ticket::{Bad, Keys, Kind, SECRET_BYTES, Ticket};
