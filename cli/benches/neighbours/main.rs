//! What bad neighbours do to honest people's waiting times: `cargo bench -p sotto-cli --bench neighbours`.
//!
//! Prints p50 and p99 of a submission and of a question, alone and beside each neighbour, and ratios,
//! and fails when a p99 is more than twice what it is alone. Steps are what a neighbour did meanwhile.
//! People are alone and beside the neighbour in turn, several times. Everybody has to be counted once.
//!
//! On one machine a neighbour takes CPU time that strangers on machines of their own do not take. So servers
//! and people have a real-time priority in both halves, and a neighbour, which is a process of its own, runs
//! when none of them does; there is a pause between two people, so that there is time for it. (The lowest
//! priority, SCHED_IDLE, is not enough: Linux leaves a core to whoever has it while servers and people queue
//! for the other.) It needs root, or a limit of real-time priorities (`ulimit -r 1`).
//!
//! Without `--bench` everything runs once at tiny sizes, without priorities, and times do not matter. Names
//! of neighbours choose which ones come.

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
/// The argument that says that this program has a real-time priority.
const REAL_TIME: &str = "real-time";
/// Between two lines of a neighbour on what it has done.
const REPORT: Duration = Duration::from_millis(200);

/// Between two people, so that there is time left for neighbours.
const PAUSE: Duration = Duration::from_millis(50);

/// How much longer honest people may wait beside a neighbour: the 99th percentile.
const MOST: f64 = 2.0;

/// Whether times matter, and how much is done: how often people are alone and then beside each
/// neighbour, how many they are and how long after each other, and connections of those who make many.
struct Sizes {
    is_measured: bool,
    turns: usize,
    people: usize,
    pause: Duration,
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
    if is_measured && !arguments.iter().any(|argument| argument == REAL_TIME) {
        return in_real_time(&arguments);
    }
    let sizes = match is_measured {
        true => Sizes { is_measured, turns: 4, people: 150, pause: PAUSE, connections: 5_000 },
        false => Sizes { is_measured, turns: 1, people: 2, pause: Duration::ZERO, connections: 60 },
    };
    let chosen = |neighbour: &Neighbour| {
        let named = Neighbour::ALL.iter().any(|any| arguments.contains(&format!("{any:?}")));
        !named || arguments.contains(&format!("{neighbour:?}"))
    };
    let neighbours: Vec<_> = Neighbour::ALL.into_iter().filter(chosen).collect();
    let wrong = runtime.block_on(measure(&sizes, &neighbours));
    if !is_measured {
        return ExitCode::SUCCESS;
    }
    if wrong.is_empty() {
        println!("passed: no p99 is more than {MOST} times what it is alone");
        return ExitCode::SUCCESS;
    }
    println!("FAILED (p99, {MOST} times is the most): {}", wrong.join(", "));
    println!("(repeat it for these alone, on a machine that does nothing else)");
    ExitCode::FAILURE
}

/// Runs this program once more, with a real-time priority, which its servers inherit.
fn in_real_time(arguments: &[String]) -> ExitCode {
    println!("servers and people in real time (chrt; needs root, or ulimit -r 1)");
    match this_with(&["--rr", "1"]).args(arguments).arg(REAL_TIME).status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            println!("chrt, which gives a real-time priority: {error}; install util-linux");
            ExitCode::FAILURE
        }
    }
}

/// This program by way of a command of util-linux, which gives it its priority.
fn this_with(priority: &[&str]) -> Command {
    let mut command = Command::new("chrt");
    command.args(priority).arg(std::env::current_exe().unwrap());
    command
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

/// Which waits were too long and beside whom, and which neighbours were none.
async fn measure(sizes: &Sizes, neighbours: &[Neighbour]) -> Vec<String> {
    let servers = Servers::new();
    let client = servers.client.clone();
    let closed = client.create(&one_hot::study(1));
    servers.approve(&closed);
    client.write("one.csv", one_hot::people(0..1));
    client.run(&["submit", &closed, "one.csv"]).ok();
    client.close(&closed);
    client.result(&closed);
    let mut wrong = Vec::new();
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
            people.pause = sizes.pause;
            alone.extend(people.come(sizes.people).await);
            let (mut process, before) = start(&servers, *neighbour, &closed, sizes);
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
                wrong.push(format!("{what} takes {ratio:.2} times as long beside {neighbour:?}"));
            }
        }
        if steps == 0 {
            wrong.push(format!("{neighbour:?} did nothing"));
        }
    }
    wrong
}

/// A neighbour that is at work.
fn start(servers: &Servers, neighbour: Neighbour, closed: &str, sizes: &Sizes) -> (Process, u64) {
    let (client, connections) = (&servers.client, sizes.connections);
    let mut command = match sizes.is_measured {
        true => this_with(&["--idle", "0"]),
        false => Command::new(std::env::current_exe().unwrap()),
    };
    command.arg(ATTACK).arg(format!("{neighbour:?}"));
    command.arg(&client.profile).arg(servers.dir.path().join("roots.pem"));
    command.arg(closed).arg(connections.to_string());
    let mut process = Process::start(&mut command);
    wait_until("a neighbour to begin", || {
        assert!(process.is_running(), "{}", process.stderr());
        last_line(&process) > 0
    });
    if matches!(neighbour, Neighbour::Slow | Neighbour::SlowFromEverywhere) {
        wait_until("all to come", || last_line(&process) >= connections as u64);
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
