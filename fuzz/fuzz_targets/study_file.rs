//! Fuzzes `decoders::TARGETS`' `study_file`.
#![no_main]

use decoders::Target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| Target::named("study_file").run(data));
