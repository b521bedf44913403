//! What an attacker sends, what a broken backend answers, and what floods do: each beside an honest client.

#![allow(clippy::unwrap_used, reason = "a test that meets what it did not expect ends there")]

mod downgrade;
mod floods;
mod floods_h2;
mod frames;
mod judge;
mod memory;
mod origin;
mod requests;
mod responses;
mod strict;
mod support;
