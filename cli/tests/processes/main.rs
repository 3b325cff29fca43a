//! Whole processes of `sotto` as people and scripts start them: real servers on ports of this
//! machine, real signals, real files, and everything that is said about it.

// Clippy knows the functions marked as tests, and not those that they call.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod absence;
mod amendments;
mod audit;
mod bad_input;
mod client;
mod collector;
mod cost;
mod demo;
mod dev;
mod dev_cluster;
mod disk;
mod doctor;
mod kills;
mod late;
mod memory;
mod one_hot;
mod operations;
mod phase;
mod process;
mod ring;
mod serve;
mod serve_cluster;
mod traffic;
