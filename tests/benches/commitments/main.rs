//! What the commitments to output shares cost a provider and a server:
//! `cargo bench -p sotto-tests --bench commitments`.
//!
//! Each study asks for a mean by groups, which is two coordinates a group. Submissions go through
//! provider and servers with their commitments and without them, everything else alike: encoding,
//! shares, proof, hashes, signatures and verification, all parties in one thread. Nothing is sent
//! or stored. Without `--bench`, or with `--test`, everything runs once.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark that cannot go on, stops")]

#[path = "../pipeline/cpu.rs"]
mod cpu;
#[path = "../pipeline/table.rs"]
mod table;
mod way;

use std::time::Duration;

use table::median;
use way::{Figures, Way};

/// Servers of every measurement.
const SERVERS: usize = 3;
/// Coordinates of the studies.
const COORDINATES: [usize; 3] = [8, 64, 512];
/// Uploads that arrive together at a busy server.
const TOGETHER: usize = 64;
/// Turns, and processor time for each figure in each of them.
const FULL: (usize, Duration) = (7, Duration::from_millis(200));
const ONCE: (usize, Duration) = (1, Duration::ZERO);

/// The columns of the table.
const HEADER: [&str; 10] = [
    "coordinates",
    "m",
    "provider",
    "with",
    "ratio",
    "server",
    "with, alone",
    "ratio",
    "with, 64",
    "ratio",
];

fn main() {
    let given = |flag: &str| std::env::args().any(|argument| argument == flag);
    let budget = if given("--bench") && !given("--test") { FULL } else { ONCE };
    println!(
        "{SERVERS} servers, one thread, processor time in µs for a submission; for a server the mean \
         of all.\nm: records under one proof, 1 or as many as go by default. Alone: an upload is \
         checked by itself;\n64: {TOGETHER} uploads share a check. Ratios: with commitments by without."
    );
    let mut rows = Vec::new();
    for coordinates in COORDINATES {
        let way = Way::new(coordinates);
        for records in [1, way.most()] {
            rows.push(row(coordinates, records, &measure(&way, records, budget)));
        }
    }
    table::print("Commitments", &HEADER, &rows);
}

/// Turn by turn, so that whatever else the machine does meets all figures alike.
fn measure(way: &Way, records: usize, (turns, budget): (usize, Duration)) -> Vec<Figures> {
    (0..turns).map(|_| way.measure(records, budget)).collect()
}

fn row(coordinates: usize, records: usize, turns: &[Figures]) -> Vec<String> {
    let time = |of: fn(&Figures) -> f64| format!("{:.0}", median(turns.iter().map(of)));
    let ratio = |with: fn(&Figures) -> f64, without: fn(&Figures) -> f64| {
        format!("{:.2}", median(turns.iter().map(|turn| with(turn) / without(turn))))
    };
    vec![
        coordinates.to_string(),
        records.to_string(),
        time(|turn| turn.provider),
        time(|turn| turn.provider_commits),
        ratio(|turn| turn.provider_commits, |turn| turn.provider),
        time(|turn| turn.server),
        time(|turn| turn.server_alone),
        ratio(|turn| turn.server_alone, |turn| turn.server),
        time(|turn| turn.server_together),
        ratio(|turn| turn.server_together, |turn| turn.server),
    ]
}
