//! Bad neighbours: strangers that do to real servers what strangers on an open network do, while
//! honest people go on beside them.
//!
//! `SOTTO_NEIGHBOURS=5000 cargo test -p sotto-cli --test neighbours` opens that many connections, to
//! servers with their usual limits. What the neighbours do to honest people's waiting times is
//! measured, not tested: `cargo bench -p sotto-cli --bench neighbours`.

// What processes use is asked of Linux.
#![cfg(target_os = "linux")]
// Clippy knows the functions marked as tests, and not those that they call.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod attack;
#[allow(dead_code, reason = "other tests use all of it")]
#[path = "../processes/client.rs"]
mod client;
mod health;
mod honest;
#[path = "../processes/one_hot.rs"]
mod one_hot;
#[allow(dead_code, reason = "other tests use all of it")]
#[path = "../processes/process.rs"]
mod process;
mod scenario;
#[allow(dead_code, reason = "other tests use all of it")]
#[path = "../processes/serve_cluster.rs"]
mod serve_cluster;
