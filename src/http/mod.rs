//! Pure HTTP semantics: plain values, no I/O, no clock.

mod authority;
mod fields;
mod head;
mod method;
mod status;

pub use authority::{is_authority, same_authority};
pub use fields::{FieldName, Fields, is_name, is_value, is_value_byte};
pub use head::{Length, RequestHead, ResponseHead, Scheme, Target, Version, split_port};
pub use method::{Method, is_token, is_token_byte};
pub use status::reason;
