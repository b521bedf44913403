#![no_main]

#[path = "../checks/access.rs"]
mod access;

libfuzzer_sys::fuzz_target!(|data: &[u8]| access::check(data));
