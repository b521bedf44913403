//! How much of something one key may have: rates (GCRA), exchanges at once, bandwidth. Pure decisions over tables that all
//! workers share; the time is an argument.
//!
//! `docs/decisions/0008-limits.md` says why the tables are ours.

mod bandwidth;
mod concurrency;
mod fields;
mod hash;
mod key;
mod limiter;
mod pace;
mod rates;
mod sets;
mod several;
mod share;
mod shared;

pub use bandwidth::{Bandwidth, Flow};
pub use concurrency::{Concurrency, Room};
pub use fields::{Policy, whole_seconds};
pub use key::{Asked, Keys, Secret};
pub use limiter::{Charge, Limiter};
pub use pace::{Pace, Verdict};
pub use rates::{Admitted, Cursor, Rates};
pub use sets::{Key, Place};
pub use several::{Admit, Ask, Each, admit};
pub use share::Share;
pub use shared::{Advance, Shared};
