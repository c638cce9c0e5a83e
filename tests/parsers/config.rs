//! config: libFuzzer's entry; what is fuzzed stands in targets.rs.
#![no_main]

mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::config(bytes));
