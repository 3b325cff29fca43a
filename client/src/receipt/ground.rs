//! What is known of an ended study, and what follows from it for each submission of a provider.

use std::collections::BTreeMap;

use mpc::{
    collect::Reason,
    ids::{StudyId, SubmissionId},
    publish::{BrokenWord, Published, WholeSet},
    transcript::{Message, Step},
};
use study::Study;

use super::{Evidence, Fate, Held, ReceiptReport, Standing};
use crate::audit::Front;

/// What is known of how a study ended.
pub(super) struct Ground {
    pub study: Study,
    /// The result that all servers signed; none: the study ended without one.
    pub published: Option<Published>,
    /// Submissions that count.
    pub proven: BTreeMap<SubmissionId, Proven>,
    /// Why servers proved less than they were asked for.
    pub silent: Vec<String>,
    /// The messages, if they are at hand.
    pub front: Option<Front>,
    /// All that the result counts, if it was read to the end.
    pub whole: Option<Whole>,
}

/// A submission that counts.
#[derive(Debug, Default)]
pub(super) struct Proven {
    /// Servers that proved it.
    pub by: Vec<String>,
    /// Its records, by the leaf under the signed root.
    pub records: u32,
}

/// All submissions of a record, under the root that all servers signed.
pub(super) struct Whole {
    pub set: WholeSet,
    /// SHA-256 of the bundle that has them.
    pub bundle: String,
}

impl Ground {
    /// Nothing but the result is known.
    pub fn of(study: Study, published: Option<Published>) -> Self {
        let (proven, silent) = (BTreeMap::new(), Vec::new());
        Self { study, published, proven, silent, front: None, whole: None }
    }

    /// Whether the servers' messages may tell more about a submission.
    pub fn is_doubtful(&self, held: &Held) -> bool {
        match self.reason(held) {
            Some(reason) => !reason.is_of_all_servers(),
            None => !self.proven.contains_key(&held.id),
        }
    }

    /// Whether only the whole list of what counts tells what became of a submission.
    pub fn is_unknown(&self, held: &Held) -> bool {
        self.reason(held).is_none() && !self.proven.contains_key(&held.id)
    }

    pub fn report(&self, id: StudyId, held: &[Held]) -> ReceiptReport {
        let mut evidence = Vec::new();
        let submissions: Vec<Standing> =
            held.iter().map(|held| self.standing(held, &mut evidence)).collect();
        let number = |fate| submissions.iter().filter(|one| one.fate == fate).count() as u64;
        ReceiptReport {
            study: id.to_string(),
            title: crate::status::printable(self.study.title()),
            counted: number(Fate::Counted),
            rejected: number(Fate::Rejected),
            broken: number(Fate::Broken),
            unproven: number(Fate::Unproven),
            submissions,
            silent: self.silent.clone(),
            evidence,
        }
    }

    fn reason(&self, held: &Held) -> Option<Reason> {
        self.published.as_ref().and_then(|published| published.reason(&held.id))
    }

    fn standing(&self, held: &Held, evidence: &mut Vec<Evidence>) -> Standing {
        let names = self.study.servers().iter().map(|server| server.name.clone());
        let without = names.zip(&held.receipts).filter(|(_, receipt)| receipt.is_none());
        let mut standing = Standing {
            batch: held.batch,
            submission: held.id.to_string(),
            records: held.records,
            counted_records: None,
            fate: Fate::Counted,
            what: "stands in the set that all servers signed".into(),
            proven_by: Vec::new(),
            without_receipt: without.map(|(name, _)| name).collect(),
        };
        if let Some(proven) = self.proven.get(&held.id) {
            standing.proven_by = proven.by.clone();
            standing.counted_records = (proven.records != held.records).then_some(proven.records);
            return standing;
        }
        let reason = self.reason(held);
        if let Some(reason) = reason.filter(|reason| reason.is_of_all_servers()) {
            (standing.fate, standing.what) = (Fate::Rejected, reason.describe().into());
            return standing;
        }
        let broken = self.broken(held);
        (standing.fate, standing.what) = match (&broken[..], reason) {
            ([], Some(reason)) => (Fate::Rejected, reason.describe().into()),
            ([], None) => self.untold(),
            (broken, _) => (Fate::Broken, words(broken)),
        };
        evidence.extend(broken);
        standing
    }

    /// What is said where there is no proof, no reason and no broken word.
    fn untold(&self) -> (Fate, String) {
        match (&self.published, &self.whole) {
            (None, _) => {
                (Fate::Rejected, "nothing counts: the study ended without a result".into())
            }
            (Some(_), None) => {
                (Fate::Unproven, "no server proves that it counts, or gives out the record".into())
            }
            (Some(_), Some(_)) => (
                Fate::Unproven,
                "it does not count, and no server whose receipt is in the file says why".into(),
            ),
        }
    }

    /// Servers whose receipt and later word contradict each other.
    fn broken(&self, held: &Held) -> Vec<Evidence> {
        let Some(front) = &self.front else { return Vec::new() };
        let place = front.recording.place(front.id);
        let receipts = held.receipts.iter().zip(self.study.servers()).zip(0u8..);
        let broken = receipts.filter_map(|((receipt, server), party)| {
            let receipt = (*receipt)?;
            let contradicts = |step| {
                let message = last(front, step, party)?.clone();
                let broken = BrokenWord { receipt, message };
                let whole = self.whole.as_ref();
                broken.verify(&server.identity, place, whole.map(|whole| &whole.set)).ok()?;
                let bundle = whole.filter(|_| step == Step::Set);
                Some(Evidence::of(&broken, server, place, bundle.map(|whole| &*whole.bundle)))
            };
            // A list convinces by itself.
            contradicts(Step::Lists).or_else(|| contradicts(Step::Set))
        });
        broken.collect()
    }
}

/// What servers did that broke their word, in words.
fn words(broken: &[Evidence]) -> String {
    let names: Vec<&str> = broken.iter().map(|one| one.server.as_str()).collect();
    let what = match broken.iter().any(|one| one.bundle.is_some()) {
        true => "a set that neither counts nor rejects it",
        false => "a list without it",
    };
    format!("{} signed a receipt for it, and then {what}", names.join(", "))
}

/// The last message of a step by a party.
fn last(front: &Front, step: Step, party: u8) -> Option<&Message> {
    let messages = front.recording.rounds.iter().rev().flatten();
    let mut of_step = messages.filter(|message| {
        let statement = &message.statement;
        (statement.step, statement.party.0) == (step as u8, party)
    });
    of_step.next()
}
