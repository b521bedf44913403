#![no_main]

#[path = "../checks/http_semantics.rs"]
mod http_semantics;

libfuzzer_sys::fuzz_target!(|data: &[u8]| http_semantics::check(data));
