//! Secrets: what a whole run leaves behind at the most talkative log level, and what `Debug` shows
//! of the types that hold them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on, stops")]

mod redacted;
mod run;
mod spelled;
