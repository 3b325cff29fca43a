//! Plan: every study that can be written is encoded, summed and decoded to exactly what a plain
//! reading of its records gives, and the circuit accepts those encodings alone.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod oracle;
mod random;
mod world;

#[path = "../vectors/compare.rs"]
mod compare;

mod cheating;
mod cost;
mod demo;
mod disclosure;
mod noise;
mod opening;
mod properties;
