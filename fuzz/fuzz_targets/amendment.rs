//! Fuzzes `decoders::TARGETS`' `amendment`.
#![no_main]

use decoders::Target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| Target::named("amendment").run(data));
