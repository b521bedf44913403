//! Pure HTTP semantics: plain values, no I/O, no clock.

mod accept;
mod authority;
mod cache_control;
mod cache_status;
pub mod coding;
mod conditional;
mod cookie;
mod date;
mod decimal;
mod disguise;
mod field_name;
mod fields;
mod forwarded;
mod freshen;
mod freshness;
mod head;
mod hop;
mod invalidate;
mod language;
mod method;
mod no_vary_search;
mod page;
pub mod path;
mod priority;
pub mod query;
mod quoted;
mod range;
mod renewal;
mod rest;
mod status;
mod storable;
pub mod structured;
mod tags;
mod vary;

pub use accept::{PageKind, preferred};
pub use authority::{Authority, parse_authority, same_authority};
pub use cache_control::{Qualified, RequestDirectives, ResponseDirectives, delta_seconds};
pub use cache_status::{CacheStatus, Forward};
pub use conditional::{
    Condition, Validators, conditions, has_conditions, is_strong, range_may, strip_conditions, strong_eq, weak_eq,
    weakened,
};
pub use cookie::{cookie, cookie_pairs};
pub use date::{DATE_LEN, imf_fixdate, parse_date};
pub use decimal::push_decimal;
pub use disguise::{begins_alike, is_alike};
pub use field_name::FieldName;
pub(crate) use fields::name_set;
pub use fields::{Fields, is_name, is_value, is_value_byte};
pub use forwarded::{Hop, client_address, push_via, push_way, request_id, set_forwarded, set_request_id, times_in_via};
pub use freshen::{freshened, is_left_out, leaves_out, strip_content_digests, strip_freshness, strip_unstored};
pub use freshness::{Defaults, IfFailed, Life, Reuse, Times, is_heuristic, may_reuse};
pub use head::{Length, RequestHead, ResponseHead, Scheme, Target, Version, split_port};
pub use hop::{OPTIONS_MAX, TooManyOptions, is_hop_by_hop, strip_hop_by_hop};
pub use invalidate::{group_invalidations, same_origin_target};
pub use language::{likes_best, normalise_language};
pub use method::{Method, is_token, is_token_byte};
pub use no_vary_search::{NO_VARY_SEARCH, NoVarySearch};
pub use page::{page, page_that_says};
pub use priority::{URGENCY_DEFAULT, urgency};
pub use range::{
    ContentRange, Multipart, RANGES_MAX, RangeSpec, Ranges, content_range, parse_content_range, parse_range, ranges,
    unsatisfied,
};
pub use renewal::{Overheard, is_renewed_by, overheard};
pub use rest::{Known, Rest, rest};
pub use status::reason;
pub use storable::{Allowed, Asked, Unstorable, storable};
pub use tags::{TAG_BYTES_MAX, TAGS_MAX, Tag, tags};
pub use vary::{Normal, codings, is_selecting, matches, push_selecting, selected};
