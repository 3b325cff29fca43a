//! What kinds of statistics cost beside the vector sums and histograms of the crate `prio`:
//! `cargo bench -p sotto-tests --bench statistics`.
//!
//! Every study asks one statistic. Its circuit, and `Prio3Histogram` and `Prio3SumVec` with as many
//! coordinates as the study has sums, go the same way through the same proof system, all parties in
//! one thread: nothing is sent, signed or stored. Without `--bench`, or with `--test`, everything
//! runs once.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark that cannot go on, stops")]

#[path = "../pipeline/cpu.rs"]
mod cpu;
mod prio3;
mod studies;
#[path = "../pipeline/table.rs"]
mod table;

use std::time::Duration;

use prio::{
    field::Field128,
    flp::{
        gadgets::{Mul, ParallelSum},
        types::{Histogram, SumVec},
    },
    vdaf::prio3::optimal_chunk_length,
};
use rand::RngExt as _;

use prio3::Figures;
use studies::Case;

/// Servers of every measurement.
const SERVERS: u8 = 3;
/// Processor time for each figure.
const FULL: Duration = Duration::from_millis(1500);

type Products = ParallelSum<Field128, Mul>;

fn main() {
    let given = |flag: &str| std::env::args().any(|argument| argument == flag);
    let budget = if given("--bench") && !given("--test") { FULL } else { Duration::ZERO };
    println!(
        "{SERVERS} servers, one thread, processor time. m: records under one proof, 1 or as many as \
         go by default.\nH, S: Prio3Histogram and Prio3SumVec of as many coordinates (SumVec with the \
         bits of the value column),\nwith the chunk length that `prio::vdaf::prio3::optimal_chunk_length` \
         gives, about the square root.\nRatios: Sotto's figure by theirs, for the provider, a server \
         (the mean of all) and the bytes to the first server."
    );
    let rows: Vec<_> = studies::all().iter().flat_map(|case| measure(case, budget)).collect();
    let header = [
        "",
        "m",
        "provider µs",
        "server µs",
        "bytes to S0",
        "to another",
        "between",
        "by H",
        "by S",
    ];
    table::print("a record costs", &header, &rows);
}

/// Measures one study and its two companions.
fn measure(case: &Case, budget: Duration) -> Vec<Vec<String>> {
    let cost = case.plan.cost();
    let histogram = histogram(cost.outputs, budget);
    let sums = sum_vec(cost.outputs, case.bits, budget);
    let most = usize::try_from(case.most()).unwrap();
    let mut rows = vec![vec![format!(
        "{}: {} sums, {} wires, {} multiplications",
        case.name, cost.outputs, cost.wires, cost.multiplications
    )]];
    rows[0].resize(9, String::new());
    let mut sizes = vec![1, most];
    sizes.dedup();
    for size in sizes {
        let ours = prio3::measure(
            case.validity(size),
            size,
            || case.records(size),
            |records| case.encode(records),
            budget,
        );
        let ratio = |theirs: &Figures| {
            format!(
                "{:.2} {:.2} {:.2}",
                ours.provider / theirs.provider,
                ours.server / theirs.server,
                ours.first_bytes / theirs.first_bytes
            )
        };
        rows.push(row("  Sotto", size, &ours, [ratio(&histogram), ratio(&sums)]));
    }
    let none = || [String::new(), String::new()];
    rows.push(row("  Prio3Histogram", 1, &histogram, none()));
    rows.push(row(&format!("  Prio3SumVec, {} bits", case.bits), 1, &sums, none()));
    rows
}

fn row(name: &str, size: usize, figures: &Figures, ratios: [String; 2]) -> Vec<String> {
    let times = [figures.provider, figures.server].map(|micros| format!("{micros:.1}"));
    let bytes = [figures.first_bytes, figures.other_bytes, figures.between_bytes];
    let bytes = bytes.map(|bytes| format!("{bytes:.1}"));
    let figures = [name.to_owned(), size.to_string()].into_iter().chain(times).chain(bytes);
    figures.chain(ratios).collect()
}

fn histogram(length: usize, budget: Duration) -> Figures {
    let chunk = optimal_chunk_length(length);
    let histogram = Histogram::<Field128, Products>::new(length, chunk).unwrap();
    let mut rng = rand::rng();
    prio3::measure(histogram, 1, || rng.random_range(0..length), |bucket| *bucket, budget)
}

fn sum_vec(length: usize, bits: usize, budget: Duration) -> Figures {
    let chunk = optimal_chunk_length(length * bits);
    let largest = (1u128 << bits) - 1;
    let sums = SumVec::<Field128, Products>::new(largest, length, chunk).unwrap();
    let mut rng = rand::rng();
    let values = || (0..length).map(|_| rng.random_range(0..=largest)).collect::<Vec<u128>>();
    prio3::measure(sums, 1, values, Vec::clone, budget)
}
