//! Fuzzes `decoders::TARGETS`' `bundle`.
#![no_main]

use decoders::Target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| Target::named("bundle").run(data));
