//! Fuzzes `decoders::TARGETS`' `messages`.
#![no_main]

use decoders::Target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| Target::named("messages").run(data));
