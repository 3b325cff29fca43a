//! Plan: what a seed does, as data: operations of people and providers, and faults, each after a
//! pause.

use std::fmt;

use rand::{Rng as _, RngExt as _, SeedableRng as _, rngs::StdRng};

use crate::network::{ANALYST, Host, PROVIDERS};

/// Everything that happens in a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub seed: u64,
    pub servers: usize,
    pub studies: usize,
    pub providers: usize,
    /// The longest time on the way between two hosts.
    pub latency_ms: u64,
    pub steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub after_ms: u64,
    pub what: What,
}

/// An operation, or a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    Propose {
        study: usize,
    },
    Approve {
        study: usize,
        server: usize,
    },
    Close {
        study: usize,
    },
    Cancel {
        study: usize,
        server: usize,
    },
    /// With `dies` the provider is gone between its write and its send, and comes back with its
    /// next operation.
    Submit {
        provider: usize,
        study: usize,
        records: usize,
        dies: bool,
    },
    Retry {
        provider: usize,
    },
    Replace {
        provider: usize,
        study: usize,
        dies: bool,
    },
    Withdraw {
        provider: usize,
        study: usize,
        dies: bool,
    },
    /// The provider's process is gone at once.
    KillProvider {
        provider: usize,
    },
    Crash {
        server: usize,
        down_ms: u64,
    },
    /// The server crashes around one of its next writes.
    CrashAtWrite {
        server: usize,
        writes: u32,
        how: AtWrite,
        down_ms: u64,
    },
    /// One of the server's next writes fails, and may have been done all the same.
    FailWrite {
        server: usize,
        writes: u32,
        is_done: bool,
    },
    SlowDisk {
        server: usize,
        ms: u64,
        for_ms: u64,
    },
    Clock {
        server: usize,
        by_s: i64,
    },
    Block {
        from: Host,
        to: Host,
        for_ms: u64,
    },
    Part {
        one: Host,
        other: Host,
        for_ms: u64,
    },
    /// Nobody hears the server; with `deaf` it hears nobody either.
    Isolate {
        server: usize,
        deaf: bool,
        for_ms: u64,
    },
    Slow {
        ms: u64,
        for_ms: u64,
    },
    Cut {
        from: Host,
        to: Host,
        bytes: usize,
    },
    /// Of the server's next calls of this kind, one meets a fault.
    Call {
        server: usize,
        kind: Kind,
        skip: u32,
        fault: CallFault,
    },
    /// All faults end, and all servers run.
    Heal,
}

/// Around a write: before it, in the middle of it, or behind it but before anybody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtWrite {
    Before,
    /// So many thousandths of what it adds to the log are there.
    Torn(u16),
    After,
}

/// Calls that a fault may be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Submit,
    Amend,
    Command,
    Hello,
    Meet,
    State,
    Start,
    /// The frames of one server to another.
    Link,
    Outcome,
}

impl Kind {
    const ALL: [Self; 9] = [
        Self::Submit,
        Self::Amend,
        Self::Command,
        Self::Hello,
        Self::Meet,
        Self::State,
        Self::Start,
        Self::Link,
        Self::Outcome,
    ];

    /// The kind of a call.
    pub fn of(path: &str) -> Option<Self> {
        Some(match path.rsplit('/').next()? {
            "Submit" => Self::Submit,
            "Amend" => Self::Amend,
            "Propose" | "Approve" | "Close" | "Cancel" => Self::Command,
            "Hello" => Self::Hello,
            "Meet" => Self::Meet,
            "Link" => Self::Link,
            "StudyState" => Self::State,
            "Start" => Self::Start,
            "Outcome" => Self::Outcome,
            _ => return None,
        })
    }
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallFault {
    /// It is never handled; the caller hears nothing, or that it failed.
    DropBefore { says: bool },
    /// It is handled, and the answer is lost.
    DropAfter { says: bool },
    /// It is handled later.
    Delay { ms: u64 },
    /// It is handled twice, the second time later.
    Duplicate { later_ms: u64 },
}

impl Plan {
    /// The plan of a seed.
    pub fn of(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let servers = rng.random_range(2..=4);
        let studies = if rng.random_ratio(1, 4) { 2 } else { 1 };
        let providers = rng.random_range(1..=3);
        let latency_ms = [1, 5, 20, 80][rng.random_range(0..4)];
        let mut plan = Self { seed, servers, studies, providers, latency_ms, steps: Vec::new() };
        plan.opening(&mut rng);
        let faults = rng.random_range(1..=6);
        for _ in 0..rng.random_range(4..=14) {
            plan.operation(&mut rng);
            while rng.random_ratio(faults, 10) {
                plan.fault(&mut rng);
            }
        }
        plan.closing(&mut rng);
        plan
    }

    /// A server crashes at one of its writes while a result is published, and what asked it for that
    /// run comes again in its next life.
    pub fn of_a_run_asked_for_again(writes: u32) -> Self {
        let (servers, study, server) = (2, 0, 1);
        let again = CallFault::Duplicate { later_ms: 2_000 };
        let unheard = CallFault::DropBefore { says: false };
        let crash = What::CrashAtWrite { server, writes, how: AtWrite::After, down_ms: 500 };
        let steps = [
            (0, What::Propose { study }),
            (0, What::Approve { study, server: 0 }),
            (0, What::Approve { study, server: 1 }),
            (4_000, What::Submit { provider: 0, study, records: 2, dies: false }),
            (4_000, What::Call { server, kind: Kind::Start, skip: 0, fault: again }),
            (0, What::Close { study }),
            (0, crash),
            // Nobody asks for another run in the meantime.
            (200, What::Call { server, kind: Kind::State, skip: 0, fault: unheard }),
            (20_000, What::Heal),
        ];
        Self::of_steps(0, servers, steps)
    }

    /// A provider of the library is killed when all servers have its submission, and it has not heard
    /// so of one of them.
    pub fn of_a_death_before_the_last_receipt() -> Self {
        let (servers, study, provider) = (2, 0, 0);
        let unheard = CallFault::DropAfter { says: false };
        let steps = [
            (0, What::Propose { study }),
            (0, What::Approve { study, server: 0 }),
            (0, What::Approve { study, server: 1 }),
            (4_000, What::Call { server: 1, kind: Kind::Submit, skip: 0, fault: unheard }),
            (0, What::Submit { provider, study, records: 2, dies: false }),
            (10_000, What::KillProvider { provider }),
            (0, What::Retry { provider }),
            (10_000, What::Close { study }),
        ];
        // Its first provider uses the library.
        Self::of_steps(1, servers, steps)
    }

    /// One study and one provider, and these steps.
    fn of_steps<const N: usize>(seed: u64, servers: usize, steps: [(u64, What); N]) -> Self {
        let step = |(after_ms, what)| Step { after_ms, what };
        let steps = steps.into_iter().map(step).collect();
        Self { seed, servers, studies: 1, providers: 1, latency_ms: 20, steps }
    }

    fn push(&mut self, after_ms: u64, what: What) {
        self.steps.push(Step { after_ms, what });
    }

    /// Proposals and approvals, mostly undisturbed, so that most runs have something to lose.
    fn opening(&mut self, rng: &mut StdRng) {
        let disturbed = rng.random_ratio(1, 3);
        for study in 0..self.studies {
            self.push(rng.random_range(0..300), What::Propose { study });
            for server in 0..self.servers {
                if disturbed && rng.random_ratio(1, 3) {
                    self.fault(rng);
                }
                self.push(rng.random_range(0..200), What::Approve { study, server });
            }
            if disturbed && rng.random_ratio(1, 2) {
                self.fault(rng);
            }
        }
        self.push(if disturbed { rng.random_range(0..4_000) } else { 2_500 }, What::Heal);
    }

    fn operation(&mut self, rng: &mut StdRng) {
        let provider = rng.random_range(0..self.providers);
        let study = rng.random_range(0..self.studies);
        let dies = rng.random_ratio(1, 10);
        let what = match rng.random_range(0..20) {
            0..10 => What::Submit { provider, study, records: rng.random_range(1..=2), dies },
            10..12 => What::Retry { provider },
            12..15 => What::Replace { provider, study, dies },
            15..18 => What::Withdraw { provider, study, dies },
            18 => What::KillProvider { provider },
            _ if rng.random_ratio(1, 8) => {
                What::Cancel { study, server: rng.random_range(0..self.servers) }
            }
            _ => What::Heal,
        };
        self.push(pause(rng), what);
    }

    fn closing(&mut self, rng: &mut StdRng) {
        if rng.random_ratio(1, 2) {
            self.push(0, What::Heal);
        }
        for study in 0..self.studies {
            if rng.random_ratio(1, 2) {
                self.fault(rng);
            }
            self.push(pause(rng), What::Close { study });
            for _ in 0..rng.random_range(0..8) {
                self.fault(rng);
            }
            if rng.random_ratio(1, 2) {
                self.operation(rng);
            }
        }
        let most = [500, 5_000, 60_000][rng.random_range(0..3)];
        self.push(rng.random_range(0..most), What::Heal);
    }

    fn host(&self, rng: &mut StdRng) -> Host {
        match rng.random_range(0..4) {
            0 => PROVIDERS + rng.random_range(0..self.providers),
            1 if rng.random_ratio(1, 3) => ANALYST,
            _ => rng.random_range(0..self.servers),
        }
    }

    fn fault(&mut self, rng: &mut StdRng) {
        let server = rng.random_range(0..self.servers);
        let (one, other) =
            (self.host(rng), (server + rng.random_range(1..self.servers)) % self.servers);
        let for_ms = rng.random_range(50..40_000);
        let down_ms = [10, 300, 2_000, 20_000][rng.random_range(0..4)];
        let what = match rng.random_range(0..20) {
            0..2 => What::Crash { server, down_ms },
            2..7 => {
                let how = match rng.random_range(0..3) {
                    0 => AtWrite::Before,
                    1 => AtWrite::Torn(rng.random_range(0..=1_000)),
                    _ => AtWrite::After,
                };
                What::CrashAtWrite { server, writes: rng.random_range(0..8), how, down_ms }
            }
            7 => {
                let is_done = rng.random_ratio(1, 2);
                What::FailWrite { server, writes: rng.random_range(0..8), is_done }
            }
            8 => What::SlowDisk { server, ms: rng.random_range(1..3_000), for_ms },
            9 => What::Clock { server, by_s: rng.random_range(-600..=600) },
            10 => What::Block { from: one, to: server, for_ms },
            11 => What::Part { one, other: server, for_ms },
            12 => What::Isolate { server, deaf: rng.random_ratio(1, 2), for_ms },
            13 => What::Slow { ms: rng.random_range(10..2_000), for_ms },
            14..16 => {
                let bytes = 1 << rng.random_range(4..15);
                let (from, to) = match rng.random_range(0..3) {
                    0 => (server, other),
                    1 => (one, server),
                    _ => (server, one),
                };
                What::Cut { from, to, bytes: bytes + rng.random_range(0..bytes) }
            }
            _ => {
                let kind = Kind::ALL[rng.random_range(0..Kind::ALL.len())];
                let says = rng.random_ratio(1, 2);
                let ms = rng.random_range(1..30_000);
                let fault = match rng.next_u32() % 4 {
                    0 => CallFault::DropBefore { says },
                    1 => CallFault::DropAfter { says },
                    2 => CallFault::Delay { ms },
                    _ => CallFault::Duplicate { later_ms: ms },
                };
                What::Call { server, kind, skip: rng.random_range(0..3), fault }
            }
        };
        self.push(pause(rng), what);
    }
}

/// Mostly short, so that things happen at once; sometimes long, so that they have ended.
fn pause(rng: &mut StdRng) -> u64 {
    match rng.random_range(0..10) {
        0..4 => rng.random_range(0..20),
        4..8 => rng.random_range(0..500),
        8 => rng.random_range(0..4_000),
        _ => rng.random_range(0..20_000),
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, servers, studies, providers, latency_ms, steps } = self;
        writeln!(
            f,
            "seed {seed}: {servers} servers, {studies} studies, {providers} providers, up to \
             {latency_ms} ms on the way"
        )?;
        for Step { after_ms, what } in steps {
            writeln!(f, "  +{after_ms:>6} ms  {what:?}")?;
        }
        Ok(())
    }
}
