//! What whole-system scenarios are made of: a world of servers, and providers that may cheat.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on, stops")]

pub mod liar;
pub mod provider;
pub mod recorded;
pub mod world;

pub use liar::{Falsehood, Lie};
pub use provider::Provider;
pub use world::World;

/// A study of the smallest kind: the sum of ages.
pub const AGES: &str = r#"
title = "Ages"
[privacy]
min_records = 1
[[column]]
name = "age"
type = "integer"
min = 0
max = 100
[[statistic]]
name = "sum"
kind = "sum"
of = "age"
"#;
