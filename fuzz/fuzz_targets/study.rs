//! Fuzzes `decoders::TARGETS`' `study`.
#![no_main]

use decoders::Target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| Target::named("study").run(data));
