//! Fuzzes `decoders::TARGETS`' `ring`.
#![no_main]

use decoders::Target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| Target::named("ring").run(data));
