//! Metrics: what a server counts about itself, for its operator's Prometheus.
//!
//! Every label is a word of this program or a name of the operator's own roster, so that no stranger
//! makes a series. A metric is a number of things, bytes, seconds or days; nothing here ever sees a
//! study's id, a submission, an address, a value or a share.

use std::{sync::Arc, time::Duration};

use mpc::collect::Reason;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

mod backlog;
mod connections;
mod listener;
mod scrape;
#[cfg(test)]
mod tests;

pub use backlog::Backlog;
pub use connections::{ConnectionMetrics, Traffic};
pub use listener::serve;
pub use scrape::text;

use scrape::Gauges;

/// A label's value: written in this program, so that there are as many as are written there.
pub type Word = &'static str;

/// Labels of which every name and every value is a [`Word`].
type Words<const N: usize> = [(Word, Word); N];

/// Rounds that are told apart; later ones are those of long publications.
const ROUNDS: [Word; 12] = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"];

/// What became of a submission, at the door or later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Submission {
    /// It is stored, and its receipt signed.
    Received {
        /// Its records.
        records: u32,
    },
    /// The same one was received before, and got the same receipt.
    Duplicate,
    /// It was not taken in.
    Refused(Word),
    /// It was verified, and is valid.
    Accepted {
        /// Its records.
        records: u32,
    },
    /// It does not count, for a reason that all servers found.
    LeftOut(Reason),
}

/// How a run came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunEnd {
    /// It did what it is for.
    Done,
    /// A server was silent, or not ready: it is repeated.
    Incomplete,
    /// A server broke the protocol.
    Aborted,
    /// This server could not go on.
    Failed,
}

/// What a server counts.
pub struct Metrics {
    registry: Registry,
    submissions: Family<Words<2>, Counter>,
    records: Family<Words<1>, Counter>,
    amendments: Family<Words<2>, Counter>,
    limits: Family<Words<1>, Counter>,
    runs: Family<Words<2>, Histogram, fn() -> Histogram>,
    rounds: Family<Words<2>, Histogram, fn() -> Histogram>,
    /// Connections, and the bytes on them.
    pub connections: ConnectionMetrics,
    /// Since when submissions wait for their verification.
    pub backlog: Backlog,
    gauges: Gauges,
}

/// The name of another server of the roster.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PeerLabel {
    peer: Arc<str>,
}

impl Metrics {
    /// Nothing has been counted.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("sotto");
        let submissions = Family::default();
        let help = "Submissions by what became of them: received, duplicate or refused at the door; \
                    accepted, rejected or incomplete later";
        registry.register("submissions", help, submissions.clone());
        let records = Family::default();
        let help = "Records of the submissions received and accepted";
        registry.register("records", help, records.clone());
        let amendments = Family::default();
        let help = "Withdrawals and replacements by what became of them";
        registry.register("amendments", help, amendments.clone());
        let limits = Family::default();
        registry.register("limits", "Calls that a limit refused", limits.clone());
        let runs = Family::new_with_constructor(durations as fn() -> Histogram);
        let help = "Duration of protocol runs";
        registry.register_with_unit("run_duration", help, Unit::Seconds, runs.clone());
        let rounds = Family::new_with_constructor(durations as fn() -> Histogram);
        let help = "Duration of the rounds of protocol runs";
        registry.register_with_unit("round_duration", help, Unit::Seconds, rounds.clone());
        let connections = ConnectionMetrics::register(&mut registry);
        let gauges = Gauges::register(&mut registry);
        let backlog = Backlog::default();
        Self {
            registry,
            submissions,
            records,
            amendments,
            limits,
            runs,
            rounds,
            connections,
            backlog,
            gauges,
        }
    }

    /// Counts what became of a submission.
    pub fn submission(&self, submission: Submission) {
        let (outcome, reason) = match submission {
            Submission::Received { .. } => ("received", ""),
            Submission::Duplicate => ("duplicate", ""),
            Submission::Refused(reason) => ("refused", reason),
            Submission::Accepted { .. } => ("accepted", ""),
            Submission::LeftOut(Reason::Incomplete) => ("incomplete", ""),
            Submission::LeftOut(reason) => ("rejected", word(reason)),
        };
        self.submissions.get_or_create(&[("outcome", outcome), ("reason", reason)]).inc();
        if let Submission::Received { records } | Submission::Accepted { records } = submission {
            self.records.get_or_create(&[("outcome", outcome)]).inc_by(records.into());
        }
    }

    /// Counts what became of an amendment at the door.
    pub fn amendment(&self, answer: Result<(), Word>) {
        let (outcome, reason) = match answer {
            Ok(()) => ("received", ""),
            Err(reason) => ("refused", reason),
        };
        self.amendments.get_or_create(&[("outcome", outcome), ("reason", reason)]).inc();
    }

    /// Counts a call that a limit refused.
    pub fn limit(&self, limit: Word) {
        self.limits.get_or_create(&[("limit", limit)]).inc();
    }

    /// Counts a run of a protocol.
    pub fn run(&self, protocol: Word, end: RunEnd, took: Duration) {
        let outcome = match end {
            RunEnd::Done => "done",
            RunEnd::Incomplete => "incomplete",
            RunEnd::Aborted => "aborted",
            RunEnd::Failed => "failed",
        };
        let labels = [("protocol", protocol), ("outcome", outcome)];
        self.runs.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// Counts a round, from 0, of a run of a protocol.
    pub fn round(&self, protocol: Word, round: u32, took: Duration) {
        let place = usize::try_from(round).unwrap_or(usize::MAX);
        let round = ROUNDS.get(place).copied().unwrap_or("later");
        let labels = [("protocol", protocol), ("round", round)];
        self.rounds.get_or_create(&labels).observe(took.as_secs_f64());
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// From a millisecond to four minutes.
fn durations() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 4.0, 10))
}

fn word(reason: Reason) -> Word {
    match reason {
        Reason::InvalidProof => "invalid_proof",
        Reason::PublicPartsDiffer => "public_parts_differ",
        Reason::Incomplete => "incomplete",
        Reason::RecordsExhausted => "records_exhausted",
        Reason::SecondOfProvider => "one_per_provider",
        Reason::Withdrawn => "withdrawn",
        Reason::Replaced => "replaced",
        Reason::NotAmended => "not_amended",
    }
}
