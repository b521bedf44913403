#![no_main]

#[path = "../checks/cache_rules.rs"]
mod cache_rules;

libfuzzer_sys::fuzz_target!(|data: &[u8]| cache_rules::check(data));
