//! Fuzzes `decoders::TARGETS`' `texts`.
#![no_main]

use decoders::Target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| Target::named("texts").run(data));
