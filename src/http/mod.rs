//! Pure HTTP semantics: plain values, no I/O, no clock.

mod accept;
mod authority;
mod cookie;
mod date;
mod field_name;
mod fields;
mod forwarded;
mod head;
mod hop;
mod method;
mod page;
pub mod path;
mod status;

pub use accept::{PageKind, preferred};
pub use authority::{Authority, parse_authority, same_authority};
pub use cookie::{cookie, cookie_pairs};
pub use date::{DATE_LEN, imf_fixdate};
pub use field_name::FieldName;
pub use fields::{Fields, is_name, is_value, is_value_byte};
pub use forwarded::{Hop, client_address, push_via, request_id, set_forwarded, set_request_id, times_in_via};
pub use head::{Length, RequestHead, ResponseHead, Scheme, Target, Version, split_port};
pub use hop::{OPTIONS_MAX, TooManyOptions, is_hop_by_hop, strip_hop_by_hop};
pub use method::{Method, is_token, is_token_byte};
pub use page::page;
pub use status::reason;
