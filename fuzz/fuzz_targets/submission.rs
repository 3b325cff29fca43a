//! Fuzzes `decoders::TARGETS`' `submission`.
#![no_main]

use decoders::Target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| Target::named("submission").run(data));
