//! What an audit costs beside the bare cost of its points: `cargo bench -p sotto-tests --bench audit`.
//!
//! A bundle of many submissions is audited from the file, all checks and all threads of the machine.
//! Beside it, in turns, the same commitments are decompressed and added with `curve25519-dalek`
//! alone, from memory, spread over as many threads. Processor time is compared, which other work on
//! the machine changes little. Without `--bench`, or with `--test`, everything runs once and small.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark that cannot go on, stops")]

#[path = "../pipeline/cpu.rs"]
mod cpu;

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use client::{
    audit::{Verdict, audit},
    progress::Silent,
};
use curve25519_dalek::{RistrettoPoint, ristretto::CompressedRistretto, traits::Identity as _};
use futures::executor::block_on;
use sotto_tests::recorded::{Recorded, Unpublished};
use study::Value;

/// Servers.
const SERVERS: u8 = 3;
/// Submissions that are made; the others add what one of them does.
const MADE: usize = 32;

const STUDY: &str = r#"
title = "Ages"
max_records = 1_000_000
[privacy]
min_records = 1
[[column]]
name = "age"
type = "integer"
min = 0
max = 100
[[statistic]]
name = "mean"
kind = "mean"
of = "age"
"#;

/// Wall and processor time for each submission, in microseconds.
#[derive(Clone, Copy)]
struct Cost {
    wall: f64,
    cpu: f64,
}

fn main() {
    let given = |flag: &str| std::env::args().any(|argument| argument == flag);
    let full = given("--bench") && !given("--test");
    let (sizes, turns): (&[usize], usize) =
        if full { (&[10_000, 100_000], 5) } else { (&[200], 1) };
    let dir = tempfile::tempdir().unwrap();
    println!("{SERVERS} servers, {} threads, medians of {turns} turns", threads());
    println!(
        "submissions | audit s/million, CPU s/million | points s/million, CPU s/million | CPU ratio"
    );
    for &size in sizes {
        let recorded = recorded(size);
        let file = dir.path().join(size.to_string());
        recorded.write(&file);
        let commitments: Vec<[u8; 32]> =
            recorded.submissions.iter().flat_map(|one| &one.commitments).map(|one| one.0).collect();
        let (mut audits, mut points) = (Vec::new(), Vec::new());
        for _ in 0..turns {
            points.push(measured(size, || bare(&commitments)));
            audits.push(measured(size, || checked(&file, size)));
        }
        let (audit, bare) = (median(&audits), median(&points));
        println!(
            "{size:>11} | {:>8.2} {:>8.2} | {:>8.2} {:>8.2} | {:.2}",
            audit.wall,
            audit.cpu,
            bare.wall,
            bare.cpu,
            audit.cpu / bare.cpu
        );
    }
}

fn recorded(size: usize) -> Recorded {
    let mut unpublished = Unpublished::new(STUDY, SERVERS, 1);
    let made: Vec<_> =
        (0..MADE).map(|age| unpublished.submit(&[vec![Value::Number(age as i128)]])).collect();
    (MADE..size).for_each(|number| unpublished.submit_again(made[number % MADE]));
    block_on(unpublished.publish())
}

fn checked(file: &Path, size: usize) {
    let report = audit(file, None, None, &Silent).unwrap();
    assert_eq!((report.verdict, report.submissions), (Verdict::Holds, size as u64), "{report:#?}");
}

/// Decompresses and adds the points, by party, and nothing else.
fn bare(commitments: &[[u8; 32]]) {
    let parties = usize::from(SERVERS);
    let page = commitments.len().div_ceil(threads() * parties) * parties;
    let sums = thread::scope(|scope| {
        let add = |some: &[[u8; 32]]| {
            let mut sums = vec![RistrettoPoint::identity(); parties];
            for (place, bytes) in some.iter().enumerate() {
                sums[place % parties] += CompressedRistretto(*bytes).decompress().unwrap();
            }
            sums
        };
        let adding: Vec<_> =
            commitments.chunks(page).map(|some| scope.spawn(move || add(some))).collect();
        adding.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    std::hint::black_box(sums);
}

fn threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

fn measured(size: usize, work: impl FnOnce()) -> Cost {
    let (wall, start) = (Instant::now(), cpu::now());
    work();
    let each = |time: Duration| time.as_secs_f64() * 1e6 / size as f64;
    Cost { wall: each(wall.elapsed()), cpu: cpu::micros_each(start, size) }
}

fn median(costs: &[Cost]) -> Cost {
    let middle = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    Cost {
        wall: middle(costs.iter().map(|cost| cost.wall).collect()),
        cpu: middle(costs.iter().map(|cost| cost.cpu).collect()),
    }
}
