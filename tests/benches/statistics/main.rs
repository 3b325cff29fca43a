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
use table::median;

/// Servers of every measurement.
const SERVERS: u8 = 3;
/// Turns, and processor time for each figure in each of them.
const FULL: (usize, Duration) = (7, Duration::from_millis(300));
const ONCE: (usize, Duration) = (1, Duration::ZERO);

/// The columns of every table: what a record costs.
const HEADER: [&str; 9] = [
    "",
    "m",
    "provider µs",
    "server µs",
    "bytes to S0",
    "to another",
    "between",
    "ratios to H",
    "ratios to S",
];

type Products = ParallelSum<Field128, Mul>;

fn main() {
    let given = |flag: &str| std::env::args().any(|argument| argument == flag);
    let budget = if given("--bench") && !given("--test") { FULL } else { ONCE };
    println!(
        "{SERVERS} servers, one thread, processor time. m: records under one proof, 1 or as many as \
         go by default.\nH, S: Prio3Histogram and Prio3SumVec of as many coordinates (SumVec with the \
         bits of the value column),\nwith the chunk length that `prio::vdaf::prio3::optimal_chunk_length` \
         gives, about the square root.\nRatios: Sotto's figure by theirs, for the provider, a server \
         (the mean of all) and the bytes to the first server."
    );
    for case in studies::all() {
        let cost = case.plan.cost();
        let title = format!(
            "{}: {} sums, {} wires, {} multiplications a record",
            case.name, cost.outputs, cost.wires, cost.multiplications
        );
        table::print(&title, &HEADER, &measure(&case, budget));
    }
}

/// Measures one study and its two companions, turn by turn, so that whatever else the machine does
/// meets all of them alike.
fn measure(case: &Case, (turns, budget): (usize, Duration)) -> Vec<Vec<String>> {
    let length = case.plan.cost().outputs;
    let mut sizes = vec![1, usize::try_from(case.most()).unwrap()];
    sizes.dedup();
    let mut ours = vec![Vec::new(); sizes.len()];
    let (mut histograms, mut sums) = (Vec::new(), Vec::new());
    for _ in 0..turns {
        for (figures, &size) in ours.iter_mut().zip(&sizes) {
            figures.push(sotto(case, size, budget));
        }
        histograms.push(histogram(length, budget));
        sums.push(sum_vec(length, case.bits, budget));
    }
    let mut rows = Vec::new();
    for (figures, &size) in ours.iter().zip(&sizes) {
        rows.push(row("Sotto", size, figures, [&histograms, &sums].map(|of| ratios(figures, of))));
    }
    let none = || [String::new(), String::new()];
    rows.push(row("Prio3Histogram", 1, &histograms, none()));
    rows.push(row(&format!("Prio3SumVec, {} bits", case.bits), 1, &sums, none()));
    rows
}

/// Our figures by theirs of the same turn: provider, server, bytes to the first server.
fn ratios(ours: &[Figures], theirs: &[Figures]) -> String {
    let ratio = |of: fn(&Figures) -> f64| {
        let turns = ours.iter().zip(theirs);
        format!("{:.2}", median(turns.map(|(ours, theirs)| of(ours) / of(theirs))))
    };
    [ratio(|own| own.provider), ratio(|own| own.server), ratio(|own| own.first_bytes)].join(" ")
}

fn row(name: &str, size: usize, turns: &[Figures], ratios: [String; 2]) -> Vec<String> {
    let middle = |of: fn(&Figures) -> f64| format!("{:.1}", median(turns.iter().map(of)));
    let figures = [
        middle(|own| own.provider),
        middle(|own| own.server),
        middle(|own| own.first_bytes),
        middle(|own| own.other_bytes),
        middle(|own| own.between_bytes),
    ];
    [name.to_owned(), size.to_string()].into_iter().chain(figures).chain(ratios).collect()
}

fn sotto(case: &Case, size: usize, budget: Duration) -> Figures {
    let records = || case.records(size);
    prio3::measure(case.validity(size), size, records, |records| case.encode(records), budget)
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
