//! Fuzzes `decoders::TARGETS`' `requests`.
#![no_main]

use decoders::Target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| Target::named("requests").run(data));
