//! Fuzzes `decoders::TARGETS`' `roster`.
#![no_main]

use decoders::Target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| Target::named("roster").run(data));
