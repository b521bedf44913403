#![no_main]

#[path = "../checks/cache_entry.rs"]
mod cache_entry;

libfuzzer_sys::fuzz_target!(|data: &[u8]| cache_entry::check(data));
