//! Simulation: clients, servers, network and storage in one thread and in virtual time, with
//! faults that follow from a seed.
//!
//! One seed alone, with everything that happened: `SOTTO_SEED=123 cargo test -p sotto-tests --test
//! simulation whatever -- --nocapture`. The long form: `SOTTO_SEEDS=10000` before the same command.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on, stops")]

mod amended;
mod broken;
mod callers;
mod calls;
mod cluster;
mod disk;
mod ledger;
mod library;
mod machine;
mod network;
mod panics;
mod people;
mod plan;
mod provider;
mod referee;
mod run;
mod shrink;
mod studies;
mod trace;

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use broken::Broken;
use plan::Plan;
use run::{Report, run};
use shrink::shrink;

/// Seeds of a run of all tests.
const SEEDS: u64 = 1_000;

/// A number from the environment.
fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}

/// What every run needs: panics are noted, and the clusters are there for as long as somebody has them.
fn prepare() -> Vec<std::sync::Arc<cluster::Cluster>> {
    panics::watch();
    cluster::all()
}

/// Does something with each seed, on all cores, until that is enough.
fn each(seeds: &[u64], goes_on: impl Fn(u64) -> bool + Sync) {
    let _clusters = prepare();
    let (next, is_enough) = (AtomicUsize::new(0), AtomicBool::new(false));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let work = || {
        while !is_enough.load(Ordering::Relaxed) {
            let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) else { return };
            if !goes_on(*seed) {
                is_enough.store(true, Ordering::Relaxed);
            }
        }
    };
    std::thread::scope(|scope| (0..cores).for_each(|_| drop(scope.spawn(work))));
}

/// Runs seeds; with `until_first` no further than until one fails.
fn run_all(seeds: &[u64], broken: Option<Broken>, until_first: bool) -> (Vec<(u64, Report)>, Sums) {
    let (failed, sums) = (Mutex::new(Vec::new()), Mutex::new(Sums::default()));
    each(seeds, |seed| {
        let report = run(&Plan::of(seed), broken, false);
        let is_good = report.wrong.is_empty();
        sums.lock().unwrap().add(&report);
        if !is_good {
            failed.lock().unwrap().push((seed, report));
        }
        is_good || !until_first
    });
    let mut failed = failed.into_inner().unwrap();
    failed.sort_by_key(|(seed, _)| *seed);
    (failed, sums.into_inner().unwrap())
}

/// What all runs came to.
#[derive(Debug, Default)]
struct Sums {
    seeds: u64,
    operations: u64,
    faults: u64,
    crashes: u64,
    writes: u64,
    receipts: u64,
    published: u64,
    refused: u64,
    cancelled: u64,
    records: u64,
    left_out: u64,
    virtual_time: Duration,
    fired: trace::Fired,
}

/// What is planned and may find nothing to do: all of it comes true in some run.
const KINDS: [&str; 21] = [
    "a crash",
    "a crash before a write",
    "a torn write",
    "a crash behind a write",
    "a write fails",
    "a write fails and is done",
    "a slow disk",
    "a clock is put back",
    "a clock is put forward",
    "a blocked way",
    "a slow way",
    "a connection is cut",
    "a call is lost",
    "an answer is lost",
    "a call is late",
    "a call comes twice",
    "a provider is gone before it sends",
    "a provider of the library dies",
    "the library submits",
    "the library replaces",
    "the library withdraws",
];

impl Sums {
    fn add(&mut self, report: &Report) {
        self.seeds += 1;
        self.operations += report.operations;
        self.faults += report.faults;
        self.crashes += report.crashes;
        self.writes += report.writes;
        self.receipts += report.receipts;
        self.published += report.tally.published;
        self.refused += report.tally.refused;
        self.cancelled += report.tally.cancelled;
        self.records += report.tally.records;
        self.left_out += report.tally.left_out;
        self.virtual_time += report.virtual_time;
        for (kind, times) in &report.fired {
            *self.fired.entry(kind).or_default() += times;
        }
    }

    /// Requires that so many seeds had something to lose, and lost it nowhere.
    fn assert_eventful(&self) {
        for kind in KINDS {
            assert!(self.fired.contains_key(kind), "never happened: {kind}");
        }
        assert_eq!(self.fired.len(), KINDS.len(), "a kind that is not in the list: {self:#?}");
        assert!(2 * self.published > self.seeds, "most studies come to a result: {self:#?}");
        assert!(self.records > self.seeds, "records count: {self:#?}");
        assert!(self.left_out > 0 && self.refused > 0 && self.cancelled > 0, "{self:#?}");
    }
}

/// The command that runs a seed alone, and prints everything that happens.
fn replay(seed: u64) -> String {
    format!("SOTTO_SEED={seed} cargo test -p sotto-tests --test simulation whatever -- --nocapture")
}

/// The smallest plan that fails, in words.
fn smallest(seed: u64, broken: Option<Broken>) -> String {
    let least = shrink(&Plan::of(seed), |plan| !run(plan, broken, false).wrong.is_empty());
    let wrong = run(&least, broken, false).wrong.join("\n  ");
    format!("{least}fails:\n  {wrong}\nreplay: {}", replay(seed))
}

#[test]
fn whatever_happens_the_right_number_is_published_or_it_is_said_why_not() {
    let _clusters = prepare();
    if let Some(seed) = number("SOTTO_SEED") {
        let plan = Plan::of(seed);
        println!("{plan}");
        let report = run(&plan, None, true);
        report.lines.iter().for_each(|line| println!("{line}"));
        println!("hash {:016x}, {:?}", report.hash, report.tally);
        assert!(report.wrong.is_empty(), "{}", smallest(seed, None));
        return;
    }
    let seeds: Vec<_> = (0..number("SOTTO_SEEDS").unwrap_or(SEEDS)).collect();
    let (failed, sums) = run_all(&seeds, None, false);
    println!("{sums:#?}");
    let seeds: Vec<_> = failed.iter().map(|(seed, report)| (seed, &report.wrong)).collect();
    if let Some((seed, _)) = failed.first() {
        panic!("{} seeds fail: {seeds:#?}\n{}", failed.len(), smallest(*seed, None));
    }
    if sums.seeds >= SEEDS {
        sums.assert_eventful();
    }
}

#[test]
fn a_seed_always_does_the_same() {
    const SEEDS: u64 = 50;
    let (once, again) = (histories(SEEDS), histories(SEEDS));
    for (seed, (once, again)) in once.iter().zip(&again).enumerate() {
        let same = once.iter().zip(again).take_while(|(one, other)| one == other).count();
        let around = |lines: &[String]| {
            lines.iter().skip(same.saturating_sub(20)).take(30).cloned().collect::<Vec<_>>()
        };
        let is_same = same == once.len() && same == again.len();
        let differs = || (around(once), around(again));
        assert!(is_same, "seed {seed} differs from line {same}:\n{:#?}", differs());
    }
}

/// Another process has other addresses, other orders of maps, and other randomness of the system.
#[test]
fn a_seed_does_the_same_in_another_process() {
    let play = || {
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        command.args(["whatever", "--nocapture"]).env("SOTTO_SEED", "3");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().find(|line| line.starts_with("hash ")).unwrap().to_owned()
    };
    assert_eq!(play(), play());
}

/// Everything that each of the first seeds does.
fn histories(seeds: u64) -> Vec<Vec<String>> {
    let histories = Mutex::new(vec![Vec::new(); seeds as usize]);
    each(&(0..seeds).collect::<Vec<_>>(), |seed| {
        let lines = run(&Plan::of(seed), None, true).lines;
        histories.lock().unwrap()[seed as usize] = lines;
        true
    });
    histories.into_inner().unwrap()
}

/// The simulation finds a fault of the servers in a few seeds; returns the first one.
fn finds(broken: Broken, word: &str) -> u64 {
    // Small plans first: they are soon run, and soon shrunk.
    let mut seeds: Vec<_> = (0..300).collect();
    seeds.sort_by_key(|seed| Plan::of(*seed).steps.len());
    let (failed, sums) = run_all(&seeds, Some(broken), true);
    let (seed, report) = failed.first().unwrap_or_else(|| panic!("{broken:?}: not found"));
    println!("{broken:?}: found in {} seeds, as {:?}", sums.seeds, report.wrong);
    assert!(report.wrong.iter().any(|wrong| wrong.contains(word)), "{:?}", report.wrong);
    *seed
}

#[test]
fn a_server_that_signs_before_it_has_stored_is_found() {
    finds(Broken::LosesWhatItSignedFor, "has it no more");
}

#[test]
fn a_server_that_begins_a_run_again_is_found() {
    let _clusters = prepare();
    let plan = |writes| Plan::of_a_run_asked_for_again(writes);
    let wrong = |broken| (0..12).flat_map(move |writes| run(&plan(writes), broken, false).wrong);
    let found: Vec<_> = wrong(Some(Broken::BeginsARunAgain)).collect();
    assert!(found.iter().any(|wrong| wrong.contains("twice")), "{found:?}");
    assert_eq!(wrong(None).collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn a_library_that_makes_anew_what_was_under_way_is_found() {
    let _clusters = prepare();
    let plan = Plan::of_a_death_before_the_last_receipt();
    let found = run(&plan, Some(Broken::ForgetsWhatLiesReady), false).wrong;
    assert!(found.iter().any(|wrong| wrong.contains("counts")), "{found:?}");
    let report = run(&plan, None, false);
    assert_eq!((report.wrong, report.tally.records), (Vec::new(), 2));
}

#[test]
fn a_server_that_signs_after_the_close_is_found() {
    let _clusters = prepare();
    let broken = Some(Broken::SignsAfterTheClose);
    let seed = finds(Broken::SignsAfterTheClose, "all servers signed for");
    let least = shrink(&Plan::of(seed), |plan| !run(plan, broken, false).wrong.is_empty());
    println!("{least}");
    assert!(least.steps.len() <= 9, "a few steps are enough: {least}");
}

#[test]
fn servers_that_forget_amendments_are_found() {
    finds(Broken::ForgetsAmendments, "all servers signed for");
}

#[test]
fn servers_that_overlook_a_submission_are_found() {
    // The servers see it themselves, and do not publish.
    finds(Broken::OverlooksASubmission, "no end after");
}

#[test]
fn a_plan_is_shrunk_to_the_steps_that_fail() {
    use plan::What;
    let is_crash = |what: &What| matches!(what, What::Crash { .. });
    let is_cut = |what: &What| matches!(what, What::Cut { .. });
    let count = |plan: &Plan, is: &dyn Fn(&What) -> bool| {
        plan.steps.iter().filter(|step| is(&step.what)).count()
    };
    let fails = |plan: &Plan| count(plan, &is_crash) > 0 && count(plan, &is_cut) > 0;
    let plan = (0..).map(Plan::of).find(fails).unwrap();
    let least = shrink(&plan, fails);
    assert!(plan.steps.len() > 4, "{plan}");
    assert_eq!((least.steps.len(), fails(&least)), (2, true), "{least}");
    let end = |plan: &Plan, is: &dyn Fn(&What) -> bool| {
        let last = plan.steps.iter().rposition(|step| is(&step.what)).unwrap();
        plan.steps[..=last].iter().map(|step| step.after_ms).sum::<u64>()
    };
    let last = |what: &What| is_crash(what) || is_cut(what);
    assert!(end(&least, &last) <= end(&plan, &last), "nothing happens later than it did");
}
