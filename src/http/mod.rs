//! Pure HTTP semantics: plain values, no I/O, no clock.

mod fields;
mod head;
mod method;
pub mod path;

pub use fields::{FieldName, Fields, is_name, is_value};
pub use head::{Length, RequestHead, ResponseHead, Scheme, Target, Version, split_port};
pub use method::{Method, is_token};
