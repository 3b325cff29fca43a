//! What whole-system scenarios are made of: a world of servers, and providers that may cheat.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on, stops")]

pub mod liar;
pub mod provider;
pub mod recorded;
pub mod world;

pub use liar::{Falsehood, Lie};
pub use provider::Provider;
pub use world::World;
