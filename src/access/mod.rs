//! Who may use a route: networks, passwords, tokens, and what an authorising backend's answer means. All pure: time is
//! an argument, and nothing here asks anybody.

mod answer;
mod basic;
pub mod jwt;
mod list;
mod own;
mod password;
mod recent;
mod subrequest;

pub use answer::Answer;
pub use basic::{Credentials, Given, given};
pub use list::List;
pub use own::Own;
pub use password::Passwords;
pub use recent::{Recent, Tag};
pub use subrequest::{forwarded_for, subrequest};
