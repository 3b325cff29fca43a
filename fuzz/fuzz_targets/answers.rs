//! Fuzzes `decoders::TARGETS`' `answers`.
#![no_main]

use decoders::Target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| Target::named("answers").run(data));
