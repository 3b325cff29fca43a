//! Fuzzes `decoders::TARGETS`' `transcript`.
#![no_main]

use decoders::Target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| Target::named("transcript").run(data));
