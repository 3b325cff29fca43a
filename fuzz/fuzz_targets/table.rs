//! Fuzzes `decoders::TARGETS`' `table`.
#![no_main]

use decoders::Target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| Target::named("table").run(data));
