//! What the whole pipeline costs, beside the proof system alone: `cargo bench -p sotto-tests`.
//!
//! Prints CPU, bytes and memory of the demonstration's study over its real records, and ratios. It
//! asserts that every record is counted, and nothing about time. Without `--bench`, or with
//! `--test`, everything runs once at tiny sizes. Names of sections (`compare`, `memory`, `parts`)
//! choose what runs; `serve CONFIG` makes it one server, for the measurement of memory.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark that cannot go on, stops")]

mod bare;
mod compare;
mod cpu;
mod data;
mod memory;
mod parts;
mod table;

use std::path::Path;

use data::Data;

/// What can be chosen by name.
const SECTIONS: [&str; 3] = ["compare", "memory", "parts"];

/// How much is measured.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    /// Pairs of a run of the pipeline and one of the proof system.
    pairs: usize,
    /// Records at 1 a submission.
    single: usize,
    /// Records at 64 a submission.
    middle: usize,
    /// Records at the most that fit a submission.
    full: usize,
    /// Records in a server's memory.
    memory: [usize; 2],
    /// Submissions whose way is taken apart.
    parts: usize,
}

const FULL: Sizes = Sizes {
    pairs: 5,
    single: 5_000,
    middle: 40_000,
    full: 122_790,
    memory: [10_000, 1_000_000],
    parts: 2_000,
};
const TINY: Sizes =
    Sizes { pairs: 1, single: 20, middle: 100, full: 200, memory: [100, 200], parts: 20 };

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if let [command, config] = arguments.as_slice()
        && command == memory::SERVE
    {
        return runtime.block_on(memory::serve(Path::new(config)));
    }
    let given = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let sizes = if given("--bench") && !given("--test") { FULL } else { TINY };
    let all = !SECTIONS.iter().any(|section| given(section));
    runtime.block_on(measure(sizes, |section| all || given(section)));
}

async fn measure(sizes: Sizes, wanted: impl Fn(&str) -> bool) {
    let data = Data::shipped();
    data.introduce();
    let [compare, memory, parts] = SECTIONS;
    if wanted(compare) {
        compare::print(&data, sizes).await;
    }
    if wanted(memory) {
        memory::print(&data, sizes.memory).await;
    }
    if wanted(parts) {
        parts::print(&data, sizes.parts).await;
    }
}
