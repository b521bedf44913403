//! Which route a request meets, and what the route does to it. All pure: time and chance are arguments.

mod conditions;
mod edit;
mod paths;
mod redirect;
mod rewrite;
mod select;
mod table;
mod wrote;

pub use crate::config::{Rank, order};
pub use edit::{edit, host_override};
pub use redirect::redirect_location;
pub use rewrite::rewrite;
pub use select::{Choice, select_pool};
pub use table::Table;
pub use wrote::{strip_wrote_cookie, wrote_cookie, wrote_recently};
