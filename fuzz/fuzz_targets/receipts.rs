//! Fuzzes `decoders::TARGETS`' `receipts`.
#![no_main]

use decoders::Target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| Target::named("receipts").run(data));
