//! What bad neighbours do to honest people's waiting times: `cargo bench -p sotto-cli --bench neighbours`.
//!
//! Prints p50 and p99 of a submission and of a question, alone and beside each neighbour, and ratios,
//! and fails when a p99 is more than twice what it is alone.
//! People are alone and beside the neighbour in turn, several times. The neighbours are a process of their
//! own that runs when nobody else does (SCHED_IDLE), as they would be on machines of their own. Everybody
//! has to be counted once. Without `--bench` everything runs once at tiny sizes, and times do not matter;
//! names of neighbours choose which ones come.

// Clippy knows the functions marked as tests, and not those that they call.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[allow(dead_code, reason = "the tests use all of it")]
#[path = "../../tests/neighbours/attack.rs"]
mod attack;
#[allow(dead_code, reason = "other tests use all of it")]
#[path = "../../tests/processes/client.rs"]
mod client;
#[path = "../../tests/neighbours/honest.rs"]
mod honest;
#[path = "../../tests/processes/one_hot.rs"]
mod one_hot;
#[allow(dead_code, reason = "other tests use all of it")]
#[path = "../../tests/processes/process.rs"]
mod process;
#[allow(dead_code, reason = "other tests use all of it")]
#[path = "../../tests/processes/serve_cluster.rs"]
mod serve_cluster;

use std::{
    path::Path,
    process::{Command, ExitCode},
    time::Duration,
};

use attack::{Neighbour, Stage, Uploads};
use honest::{People, Waited};
use process::{Process, wait_until};
use serve_cluster::Servers;

/// The argument that makes this program a neighbour.
const ATTACK: &str = "attack";
/// Between two lines of a neighbour on what it has done.
const REPORT: Duration = Duration::from_millis(200);

/// How much longer honest people may wait beside a neighbour: the 99th percentile.
const MOST: f64 = 2.0;

/// How much is measured: how often people are alone and then beside each neighbour, how many they are,
/// and connections of those who make many.
struct Sizes {
    turns: usize,
    people: usize,
    connections: usize,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if let [command, name, profile, roots, closed, connections] = arguments.as_slice()
        && command == ATTACK
    {
        let connections = connections.parse().unwrap();
        runtime.block_on(attack(name, profile, roots, closed, connections));
        return ExitCode::SUCCESS;
    }
    let is_measured = arguments.iter().any(|argument| argument == "--bench");
    let sizes = match is_measured {
        true => Sizes { turns: 4, people: 150, connections: 5_000 },
        false => Sizes { turns: 1, people: 2, connections: 60 },
    };
    let chosen = |neighbour: &Neighbour| {
        let named = Neighbour::ALL.iter().any(|any| arguments.contains(&format!("{any:?}")));
        !named || arguments.contains(&format!("{neighbour:?}"))
    };
    let neighbours: Vec<_> = Neighbour::ALL.into_iter().filter(chosen).collect();
    let above = runtime.block_on(measure(&sizes, &neighbours));
    if !is_measured {
        return ExitCode::SUCCESS;
    }
    if above.is_empty() {
        println!("passed: no p99 is more than {MOST} times what it is alone");
        return ExitCode::SUCCESS;
    }
    println!("FAILED: p99 is more than {MOST} times what it is alone: {}", above.join(", "));
    println!("(repeat it for these alone, on a machine that does nothing else)");
    ExitCode::FAILURE
}

/// Is a neighbour until it is killed.
async fn attack(name: &str, profile: &str, roots: &str, closed: &str, connections: usize) {
    let find = |neighbour: &Neighbour| format!("{neighbour:?}") == name;
    let neighbour = Neighbour::ALL.into_iter().find(find).unwrap();
    let profile = Path::new(profile);
    let uploads = Uploads::new(profile, closed.parse().unwrap()).await;
    let stage = Stage::new(profile, Path::new(roots), connections, uploads);
    let report = async {
        loop {
            tokio::time::sleep(REPORT).await;
            println!("{}", stage.done());
        }
    };
    tokio::select! {
        () = neighbour.run(&stage) => {}
        () = report => {}
    }
}

/// Which waits were too long, and beside whom.
async fn measure(sizes: &Sizes, neighbours: &[Neighbour]) -> Vec<String> {
    let servers = Servers::new();
    let client = servers.client.clone();
    let closed = client.create(&one_hot::study(1));
    servers.approve(&closed);
    client.write("one.csv", one_hot::people(0..1));
    client.run(&["submit", &closed, "one.csv"]).ok();
    client.close(&closed);
    client.result(&closed);
    let mut above = Vec::new();
    // One study each, because a study has as many categories as people.
    println!(
        "{:<20} {:>34} {:>34} {:>10}",
        "", "submitting p50, p99 (ms), ratio", "asking p50, p99 (ms), ratio", "steps"
    );
    for neighbour in neighbours {
        let (mut alone, mut beside, mut steps) = (Waited::default(), Waited::default(), 0);
        for _ in 0..sizes.turns {
            let study = client.create(&one_hot::study(2 * sizes.people + 2));
            servers.approve(&study);
            let mut people = People::new(&client.profile, &client.dir, &study);
            people.come(2).await;
            alone.extend(people.come(sizes.people).await);
            let (mut process, before) = start(&servers, *neighbour, &closed, sizes.connections);
            beside.extend(people.come(sizes.people).await);
            assert!(process.is_running(), "{}", process.stderr());
            steps += last_line(&process).saturating_sub(before);
            process.kill();
            client.close(&study);
            one_hot::assert_everybody_counts_once(&client.result(&study), people.count());
        }
        print("alone", &alone, None, 0);
        print(&format!("{neighbour:?}"), &beside, Some(&alone), steps);
        for (what, beside, alone) in [
            ("submitting", &beside.submitting, &alone.submitting),
            ("asking", &beside.asking, &alone.asking),
        ] {
            let ratio = percentile(beside, 99) / percentile(alone, 99);
            if ratio > MOST {
                above.push(format!("{what} beside {neighbour:?} ({ratio:.2})"));
            }
        }
    }
    above
}

/// A neighbour that is at work.
fn start(
    servers: &Servers,
    neighbour: Neighbour,
    closed: &str,
    connections: usize,
) -> (Process, u64) {
    let client = &servers.client;
    // A command of util-linux; elsewhere the lowest of the usual priorities has to do.
    let (lowest, arguments) = match cfg!(target_os = "linux") {
        true => ("chrt", ["--idle", "0"]),
        false => ("nice", ["-n", "19"]),
    };
    let mut command = Command::new(lowest);
    command.args(arguments).arg(std::env::current_exe().unwrap());
    command.arg(ATTACK).arg(format!("{neighbour:?}"));
    command.arg(&client.profile).arg(servers.dir.path().join("roots.pem"));
    command.arg(closed).arg(connections.to_string());
    let mut process = Process::start(&mut command);
    wait_until("a neighbour to begin", || {
        assert!(process.is_running(), "{}", process.stderr());
        last_line(&process) > 0
    });
    if matches!(neighbour, Neighbour::Slow | Neighbour::SlowFromEverywhere) {
        // Until all of them have come.
        std::thread::sleep(Duration::from_millis(connections as u64 / 2));
    }
    let before = last_line(&process);
    (process, before)
}

fn last_line(process: &Process) -> u64 {
    let said = process.stdout();
    let whole = said.rfind('\n').map_or("", |end| &said[..end]);
    whole.lines().last().map_or(0, |line| line.parse().unwrap())
}

fn print(name: &str, waited: &Waited, alone: Option<&Waited>, steps: u64) {
    let column = |waited: &[Duration], alone: Option<&[Duration]>| {
        let (p50, p99) = (percentile(waited, 50), percentile(waited, 99));
        let ratio = alone.map_or(1.0, |alone| p99 / percentile(alone, 99));
        format!("{p50:>10.1} {p99:>10.1} {ratio:>10.2}")
    };
    let submitting = column(&waited.submitting, alone.map(|alone| &alone.submitting[..]));
    let asking = column(&waited.asking, alone.map(|alone| &alone.asking[..]));
    println!("{name:<20} {submitting:>34} {asking:>34} {steps:>10}");
}

/// In milliseconds.
fn percentile(waited: &[Duration], percent: usize) -> f64 {
    let mut sorted = waited.to_vec();
    sorted.sort();
    let place = (sorted.len() * percent).div_ceil(100).max(1) - 1;
    sorted[place].as_secs_f64() * 1_000.0
}
