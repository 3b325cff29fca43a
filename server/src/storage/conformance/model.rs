//! Random runs of operations, held against a model that is a few maps.

use std::collections::BTreeMap;

use mpc::ids::{PublicHash, SubmissionId};
use proptest::{prelude::*, test_runner::TestRunner};

use super::{Place, accepted, finish, opened, rejected, submission};
use crate::storage::{
    Counts, Detail, Entry, EntryStatus, PutLimits, PutOutcome, Storage, StudyState,
};

/// Runs; each with a place of its own.
const CASES: u32 = 12;
const LIMITS: PutLimits =
    PutLimits { max_submissions: 9, max_records: 40, max_unverified: 6, one_per_provider: false };

#[derive(Debug, Clone)]
enum Step {
    /// A submission of this id; a hash that differs makes it another one.
    Put {
        tag: u8,
        variant: bool,
    },
    /// Verdicts for these ids: a reason, or accepted.
    Judge(Vec<(u8, Option<u8>)>),
    Close,
    Finish {
        scrub: bool,
    },
    Reopen,
}

#[derive(Default)]
struct Model {
    closed: bool,
    ended: bool,
    scrubbed: bool,
    arrivals: Vec<u8>,
    rows: BTreeMap<u8, (PublicHash, EntryStatus)>,
}

/// Random runs of puts, verdicts, ends and reopenings leave what a plain model says.
///
/// `make` gives a fresh place per run.
pub fn check_agrees_with_a_plain_model<P: Place>(make: impl Fn() -> P) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let config =
        ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() };
    TestRunner::new(config)
        .run(&prop::collection::vec(step(), 1..40), |steps| {
            runtime.block_on(run(make(), steps));
            Ok(())
        })
        .unwrap();
}

fn step() -> impl Strategy<Value = Step> {
    let verdict = (1..12u8, prop::option::weighted(0.3, any::<u8>()));
    prop_oneof![
        12 => (1..12u8, prop::bool::weighted(0.2)).prop_map(|(tag, variant)| Step::Put { tag, variant }),
        6 => prop::collection::vec(verdict, 0..5).prop_map(Step::Judge),
        1 => Just(Step::Close),
        1 => any::<bool>().prop_map(|scrub| Step::Finish { scrub }),
        2 => Just(Step::Reopen),
    ]
}

async fn run<P: Place>(place: P, steps: Vec<Step>) {
    let mut storage = place.open().await;
    let id = opened(&storage, 1).await;
    let mut model = Model::default();
    for step in steps {
        match step {
            Step::Put { tag, variant } => {
                let mut new = submission(tag);
                new.public_hash = hash(tag, variant);
                let outcome = storage.put_submission(id, new, LIMITS).await.unwrap();
                assert_eq!(outcome, model.put(tag, variant));
            }
            Step::Judge(verdicts) => {
                let list = verdicts.iter().map(|(tag, reason)| {
                    let verdict = reason.map_or_else(|| accepted(*tag), rejected);
                    (SubmissionId([*tag; 16]), verdict)
                });
                storage.record_verdicts(id, list.collect()).await.unwrap();
                model.judge(&verdicts);
            }
            Step::Close => {
                let (from, to) = ([StudyState::Open], StudyState::Closing);
                let moved = storage.transition(id, &from, to, Detail::default(), 5).await.unwrap();
                assert_eq!(moved, !model.closed && !model.ended);
                model.closed = true;
            }
            Step::Finish { scrub } => {
                // The number of rejected submissions stays what it is, so that one rule counts.
                let end = finish(StudyState::Published, model.counts().rejected, scrub);
                assert_eq!(storage.finish(id, end).await.unwrap(), !model.ended);
                model.scrubbed |= scrub && !model.ended;
                model.ended = true;
            }
            Step::Reopen => {
                storage.close().await;
                drop(storage);
                storage = place.open().await;
            }
        }
        model.compare(&storage, id).await;
    }
}

fn hash(tag: u8, variant: bool) -> PublicHash {
    PublicHash([if variant { tag ^ 0x80 } else { tag }; 32])
}

impl Model {
    fn put(&mut self, tag: u8, variant: bool) -> PutOutcome {
        let counts = self.counts();
        if let Some((stored, _)) = self.rows.get(&tag) {
            let same = *stored == hash(tag, variant);
            return if same { PutOutcome::Same } else { PutOutcome::Conflict };
        }
        if self.ended {
            return PutOutcome::NotOpen(StudyState::Published);
        }
        if self.closed {
            return PutOutcome::NotOpen(StudyState::Closing);
        }
        if counts.submissions >= LIMITS.max_submissions {
            return PutOutcome::SubmissionsExhausted;
        }
        if counts.accepted_records + u64::from(tag) > LIMITS.max_records {
            return PutOutcome::RecordsExhausted;
        }
        if counts.unverified() >= LIMITS.max_unverified {
            return PutOutcome::Backlog;
        }
        self.rows.insert(tag, (hash(tag, variant), EntryStatus::Unverified));
        self.arrivals.push(tag);
        PutOutcome::Stored
    }

    fn judge(&mut self, verdicts: &[(u8, Option<u8>)]) {
        if self.ended {
            return;
        }
        for (tag, reason) in verdicts {
            if let Some((_, status @ EntryStatus::Unverified)) = self.rows.get_mut(tag) {
                *status = reason.map_or(EntryStatus::Accepted, EntryStatus::Rejected);
            }
        }
    }

    fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for (tag, (_, status)) in &self.rows {
            counts.submissions += 1;
            counts.records += u64::from(*tag);
            counts.share_bytes += 5_000;
            counts.verified += u64::from(*status != EntryStatus::Unverified);
            match status {
                EntryStatus::Rejected(_) => counts.rejected += 1,
                EntryStatus::Accepted => counts.accepted_records += u64::from(*tag),
                EntryStatus::Unverified => {}
            }
        }
        counts
    }

    async fn compare(&self, storage: &impl Storage, id: mpc::ids::StudyId) {
        assert_eq!(storage.counts(id).await.unwrap(), self.counts());
        let entries: Vec<_> = self
            .rows
            .iter()
            .map(|(tag, (public_hash, status))| Entry {
                id: SubmissionId([*tag; 16]),
                public_hash: *public_hash,
                records: u32::from(*tag),
                provider: submission(*tag).provider,
                amendment: None,
                status: *status,
            })
            .collect();
        assert_eq!(storage.entries(id, None, 100).await.unwrap(), entries);
        let waiting = storage.unverified(id, None, 100).await.unwrap();
        let waiting: Vec<_> = waiting.iter().map(|row| row.id.0[0]).collect();
        let unverified = |tag: &&u8| self.rows[*tag].1 == EntryStatus::Unverified;
        assert_eq!(waiting, self.arrivals.iter().filter(unverified).copied().collect::<Vec<_>>());
        let shares = storage.output_shares(id, None, 100).await.unwrap();
        let shares: Vec<_> = shares.iter().map(|(id, share)| (id.0[0], share.to_vec())).collect();
        let accepted = self.rows.iter().filter(|(_, (_, status))| *status == EntryStatus::Accepted);
        let accepted = accepted.map(|(tag, _)| (*tag, vec![*tag; 64]));
        let expected: Vec<_> = accepted.filter(|_| !self.scrubbed).collect();
        assert_eq!(shares, expected);
    }
}
