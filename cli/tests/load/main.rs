//! Load: very many providers, very many records, and a long time, through real processes.
//!
//! `cargo test -p sotto-cli --test load` is short; `SOTTO_PROVIDERS=10000`, `SOTTO_RECORDS=1000000` and
//! `SOTTO_SOAK=600` (seconds) make it what a server has to stand.

// What processes use is asked of Linux.
#![cfg(target_os = "linux")]
// Clippy knows the functions marked as tests, and not those that they call.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[allow(dead_code, reason = "other tests use all of it")]
#[path = "../processes/client.rs"]
mod client;
#[allow(dead_code, reason = "other tests use all of it")]
#[path = "../neighbours/health.rs"]
mod health;
#[allow(dead_code, reason = "other tests use all of it")]
#[path = "../processes/one_hot.rs"]
mod one_hot;
#[allow(dead_code, reason = "other tests use all of it")]
#[path = "../processes/process.rs"]
mod process;
mod providers;
mod records;
#[allow(dead_code, reason = "other tests use all of it")]
#[path = "../processes/serve_cluster.rs"]
mod serve_cluster;
mod soak;

use health::{descriptors, memory};
use serve_cluster::{NAMES, Servers};

/// A size from the environment, or a short one.
fn size(name: &str, short: usize) -> usize {
    std::env::var(name).map_or(short, |number| number.parse().unwrap())
}

/// Prints what the servers use.
fn print_use(servers: &Servers, what: &str) {
    for (server, name) in NAMES.into_iter().enumerate() {
        let pid = servers.process(server).id();
        let (memory, descriptors) = (memory(pid) >> 10, descriptors(pid));
        println!("{what}: {name} {memory} KiB, {descriptors:?} descriptors");
    }
}

/// Ends the servers in order, and requires that nothing in them panicked.
fn end(mut servers: Servers) {
    for server in 0..NAMES.len() {
        let process = servers.take(server);
        process.signal(process::Signal::TERM);
        let stderr = process.wait().ok().stderr;
        assert!(!stderr.contains("panicked"), "{stderr}");
    }
}
