//! `kill -9` of a random server at many moments, while people submit to studies and wait for results.
//!
//! `SOTTO_KILLS` says how many times, `SOTTO_SEED` whom, when and in which phase.

use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant, SystemTime},
};

use rand::{Rng as _, RngExt as _, SeedableRng as _, rngs::StdRng};

use super::{
    phase::Phase,
    process::wait_until,
    serve_cluster::{NAMES, Servers},
    traffic::Traffic,
};

/// What a round takes longer on this network, so that each can be met.
const SLOWNESS_MS: u64 = 15;
/// How often a log is looked at.
const LOOK: Duration = Duration::from_millis(2);
/// How long a phase is waited for; then the server is killed in whatever it does.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often a phase is aimed at that was over when the server was killed, each time on a network
/// that is twice as slow as before, up to the slowest: on a busy machine the first aim often fails.
const TRIES: u32 = 20;
const SLOWEST_MS: u64 = 16 * SLOWNESS_MS;
/// What no restart takes, in a long run; in a short one a server that hangs meets the deadline.
const LONGEST_RESTART: Duration = Duration::from_secs(10);

/// The moments that are aimed at in turn, in the order in which a study comes to them; a short run
/// has the first ones only.
const PHASES: [Phase; 12] = [
    round("setup", 0),
    round("verify", 0),
    round("publish", 0),
    round("publish", 1),
    round("publish", 2),
    round("publish", 3),
    round("publish", 4),
    round("publish", 5),
    Phase::Between,
    round("setup", 1),
    round("verify", 1),
    round("setup", 2),
];
const SHORT: usize = 8;

const fn round(protocol: &'static str, round: u64) -> Phase {
    Phase::Round { protocol, round }
}

#[test]
fn a_server_killed_at_any_moment_loses_nobody_and_counts_nobody_twice() {
    let long = number("SOTTO_KILLS");
    let kills = long.map_or(SHORT, |kills| usize::try_from(kills).unwrap());
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let seed = number("SOTTO_SEED").unwrap_or(now.as_secs());
    eprintln!("SOTTO_KILLS={kills} SOTTO_SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let limits = "[limits]\nopen_studies = 10000\ncalls_per_second = 100000\n";
    let (mut servers, network) = Servers::apart(limits, "sotto_server=debug");
    network.slow(SLOWNESS_MS);
    let traffic = Traffic::start(&servers.client, 2);
    let (mut met, mut restarts) = (BTreeMap::<Phase, [usize; 2]>::new(), Vec::new());
    let mut aims = PHASES.iter().cycle().enumerate();
    let (mut number, mut aim) = aims.next().unwrap();
    let mut tries = 0;
    // All that a short run aims at, and at least so many kills.
    while restarts.len() < kills || number < SHORT {
        let server = rng.random_range(0..NAMES.len());
        wait_for(&servers, server, aim, &traffic);
        // Somewhere in the phase.
        thread::sleep(Duration::from_millis(rng.next_u64() % SLOWNESS_MS));
        assert!(!traffic.has_failed(), "somebody has found something wrong");
        let submitting = traffic.tally.submitting.load(std::sync::atomic::Ordering::Relaxed) > 0;
        let killed = servers.take(server).kill();
        let phase = Phase::after(&killed.stderr);
        tries += 1;
        if phase == *aim || tries == TRIES {
            ((number, aim), tries) = (aims.next().unwrap(), 0);
        }
        network.slow(SLOWEST_MS.min(SLOWNESS_MS << tries));
        met.entry(phase).or_default()[usize::from(submitting)] += 1;
        let started = Instant::now();
        servers.start(server);
        wait_until("a server to serve", || {
            servers.process(server).stderr().contains("\"serving\"")
        });
        restarts.push(started.elapsed());
    }
    let tally = traffic.end();
    eprintln!("{:<20} {:>6} {:>18}", "killed in", "times", "while submitting");
    for (phase, [idle, submitting]) in &met {
        eprintln!("{phase:<20} {:>6} {submitting:>18}", idle + submitting);
    }
    restarts.sort();
    let (median, most) = (restarts[restarts.len() / 2], restarts.last().unwrap());
    eprintln!("restart: median {median:?}, longest {most:?}");
    eprintln!("lost 0, counted twice 0: {tally:?}");
    for aim in &PHASES[..SHORT] {
        assert!(met.contains_key(aim), "no kill in {aim}: {met:?}");
    }
    assert!(long.is_none() || *most < LONGEST_RESTART, "a restart took {most:?}");
}

/// Waits until a server is in a phase.
fn wait_for(servers: &Servers, server: usize, aim: &Phase, traffic: &Traffic) {
    let started = Instant::now();
    while started.elapsed() < PATIENCE && !traffic.has_failed() {
        if Phase::now(servers.process(server)) == *aim {
            return;
        }
        thread::sleep(LOOK);
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}
