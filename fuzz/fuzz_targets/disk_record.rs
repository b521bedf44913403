#![no_main]

#[path = "../checks/disk_record.rs"]
mod disk_record;

libfuzzer_sys::fuzz_target!(|data: &[u8]| disk_record::check(data));
