//! Broken words: a server signed a receipt for a submission, and signed a list or a set without it.
//!
//! A receipt says that the server holds the submission, durably. So what it signs at the close must
//! have it: its own list, if lists were shown, and the set, as counted or as rejected. Two of its
//! signatures that contradict each other convince everybody who knows its key. Of a set only the root
//! is signed: who has all of its submissions sees that one is not among them.

use std::collections::BTreeMap;

use super::{
    Rejections, SignedSet,
    agree::{List, rejections_hash},
};
use crate::{
    ids::{PublicHash, SubmissionId},
    merkle,
    receipt::Receipt,
    sign::PublicKey,
    transcript::{Message, Place, Step},
    wire::WireError,
};

/// A list that a server showed in the agreement, for looking submissions up.
pub struct ShownList(BTreeMap<SubmissionId, PublicHash>);

/// All that a set counts and rejects, and which of some submissions it counts.
pub struct WholeSet {
    tree: merkle::Tree,
    rejected: Rejections,
    sought: BTreeMap<(SubmissionId, PublicHash), bool>,
}

/// Two words of one server that contradict each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenWord {
    /// That it holds the submission.
    pub receipt: Receipt,
    /// Its list, which does not have it as the receipt says; or the set that it signed, which
    /// convinces together with all that it counts and rejects.
    pub message: Message,
}

/// Why two words do not contradict each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WordKept {
    /// The receipt is not signed by the server.
    #[error("the receipt is not signed by this server")]
    Receipt,
    /// The message is not signed by the server.
    #[error("the message is not signed by this server")]
    Message,
    /// The message is no list and no set.
    #[error("the message is no list of submissions")]
    Step,
    /// The list or the set has the submission.
    #[error("the list has the submission")]
    Listed,
    /// What a set counts and rejects is not at hand, or not looked through for the submission.
    #[error("it takes all submissions of the set to see that this one is not among them")]
    Unseen,
}

impl ShownList {
    /// Reads the body of a message of [`Step::Lists`].
    pub fn decode(place: Place, body: &[u8]) -> Result<Self, WireError> {
        let list = List::decode(place.study, body)?;
        Ok(Self(list.submissions.iter().map(|entry| (entry.submission, entry.public)).collect()))
    }

    /// The hash of the public part that the server says it holds; none: it holds no such
    /// submission.
    pub fn public(&self, submission: &SubmissionId) -> Option<PublicHash> {
        self.0.get(submission).copied()
    }
}

impl WholeSet {
    /// A set that rejects these, before its first submission is read; `sought` is what is looked for
    /// in it.
    pub fn new(
        rejected: Rejections,
        sought: impl IntoIterator<Item = (SubmissionId, PublicHash)>,
    ) -> Self {
        let sought = sought.into_iter().map(|one| (one, false)).collect();
        Self { tree: merkle::Tree::default(), rejected, sought }
    }

    /// The next submission that counts, in the order of the ids. Whether it is one that is looked
    /// for.
    pub fn push(&mut self, submission: SubmissionId, public: PublicHash, records: u32) -> bool {
        self.tree.push(merkle::leaf(&submission, &public, records));
        let sought = self.sought.get_mut(&(submission, public));
        sought.map(|counts| *counts = true).is_some()
    }

    /// The root over what was read.
    pub fn root(&self) -> [u8; 32] {
        self.tree.root()
    }

    fn is(&self, set: &SignedSet) -> bool {
        let counted = &set.counted;
        (counted.root, counted.submissions) == (self.tree.root(), self.tree.leaves())
            && counted.rejected == self.rejected.len() as u64
            && counted.rejected_hash == rejections_hash(&self.rejected)
    }

    /// Whether it counts or rejects what the receipt is for.
    fn has(&self, receipt: &Receipt) -> Result<bool, WordKept> {
        let counts = self.sought.get(&(receipt.submission, receipt.public));
        let counts = *counts.ok_or(WordKept::Unseen)?;
        Ok(counts || self.rejected.iter().any(|(id, _)| *id == receipt.submission))
    }
}

impl BrokenWord {
    /// Checks that `server` signed both words in that run, and that they contradict each other. A
    /// set takes all that it counts and rejects: `whole` must have its root.
    pub fn verify(
        &self,
        server: &PublicKey,
        place: Place,
        whole: Option<&WholeSet>,
    ) -> Result<(), WordKept> {
        if self.receipt.study != place.study || self.receipt.verify(server).is_err() {
            return Err(WordKept::Receipt);
        }
        let statement = &self.message.statement;
        if statement.body != crate::transcript::body_hash(&self.message.body)
            || !statement.is_signed_by(server, place)
        {
            return Err(WordKept::Message);
        }
        let has = match Step::from_code(statement.step) {
            Some(Step::Lists) => {
                let list = ShownList::decode(place, &self.message.body);
                let list = list.map_err(|_| WordKept::Step)?;
                list.public(&self.receipt.submission) == Some(self.receipt.public)
            }
            Some(Step::Set) => {
                let set = SignedSet::decode(&self.message.body).map_err(|_| WordKept::Step)?;
                let whole = whole.filter(|whole| whole.is(&set)).ok_or(WordKept::Unseen)?;
                whole.has(&self.receipt)?
            }
            _ => return Err(WordKept::Step),
        };
        if has { Err(WordKept::Listed) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        collect::Reason,
        ids::{Party, RunId, StudyId},
        publish::{Counted, Entry, Status},
        sign::Signer,
        transcript::Statement,
    };

    const PLACE: Place = Place { study: StudyId([1; 32]), run: RunId([2; 16]) };

    fn receipt(signer: &Signer, id: u8) -> Receipt {
        Receipt::sign(signer, PLACE.study, SubmissionId([id; 16]), PublicHash([id; 32]))
    }

    /// The list of a server that holds these submissions.
    fn list(signer: &Signer, step: Step, ids: &[u8]) -> Message {
        let entry = |id: &u8| Entry {
            submission: SubmissionId([*id; 16]),
            public: PublicHash([*id; 32]),
            records: 1,
            status: Status::Accepted,
            provider: signer.public(),
            amendment: None,
        };
        let entries: Vec<Entry> = ids.iter().map(entry).collect();
        let body = List::new(&entries, &[]).encode();
        let place = (step as u8, 1);
        let statement = Statement::sign(signer, PLACE, Party(0), place, [3; 32], &body);
        Message { statement, body: body.into() }
    }

    #[test]
    fn a_signed_list_without_a_submission_contradicts_the_receipt_and_nothing_else_does() {
        let (server, other) = (Signer::from_seed(&[7; 32]), Signer::from_seed(&[8; 32]));
        let broken = BrokenWord {
            receipt: receipt(&server, 5),
            message: list(&server, Step::Lists, &[4, 6]),
        };
        assert_eq!(broken.verify(&server.public(), PLACE, None), Ok(()));
        let kept = BrokenWord { message: list(&server, Step::Lists, &[4, 5, 6]), ..broken.clone() };
        assert_eq!(kept.verify(&server.public(), PLACE, None), Err(WordKept::Listed));
        let mut changed = kept.clone();
        changed.receipt =
            Receipt::sign(&server, PLACE.study, SubmissionId([5; 16]), PublicHash([9; 32]));
        assert_eq!(changed.verify(&server.public(), PLACE, None), Ok(()), "another public part");
        let foreign = BrokenWord { receipt: receipt(&other, 5), ..broken.clone() };
        assert_eq!(foreign.verify(&server.public(), PLACE, None), Err(WordKept::Receipt));
        let said = BrokenWord { message: list(&other, Step::Lists, &[4, 6]), ..broken.clone() };
        assert_eq!(said.verify(&server.public(), PLACE, None), Err(WordKept::Message));
        let mut swapped = broken.clone();
        swapped.message.body = kept.message.body.clone();
        assert_eq!(swapped.verify(&server.public(), PLACE, None), Err(WordKept::Message));
        let elsewhere = Place { run: RunId([9; 16]), ..PLACE };
        assert_eq!(broken.verify(&server.public(), elsewhere, None), Err(WordKept::Message));
        let roots = BrokenWord { message: list(&server, Step::Roots, &[4, 6]), ..broken };
        assert_eq!(roots.verify(&server.public(), PLACE, None), Err(WordKept::Step));
    }
    /// A set that counts these submissions and rejects those, and the message that signs it.
    fn set(signer: &Signer, ids: &[u8], rejected: &[u8]) -> (WholeSet, Message) {
        let rejected = rejected.iter().map(|id| (SubmissionId([*id; 16]), Reason::Incomplete));
        let sought = [(SubmissionId([5; 16]), PublicHash([5; 32]))];
        let mut whole = WholeSet::new(rejected.collect(), sought);
        ids.iter().for_each(|id| {
            whole.push(SubmissionId([*id; 16]), PublicHash([*id; 32]), 1);
        });
        let counted = Counted {
            root: whole.root(),
            submissions: ids.len() as u64,
            records: ids.len() as u64,
            rejected: whole.rejected.len() as u64,
            rejected_hash: rejections_hash(&whole.rejected),
        };
        let body = SignedSet { counted, amendments: 0, amendments_hash: [0; 32] }.encode();
        let statement =
            Statement::sign(signer, PLACE, Party(0), (Step::Set as u8, 1), [3; 32], &body);
        (whole, Message { statement, body: body.into() })
    }

    #[test]
    fn a_signed_set_contradicts_a_receipt_only_together_with_all_that_it_counts_and_rejects() {
        let server = Signer::from_seed(&[7; 32]);
        let check = |message: &Message, whole: Option<&WholeSet>, id| {
            let broken = BrokenWord { receipt: receipt(&server, id), message: message.clone() };
            broken.verify(&server.public(), PLACE, whole)
        };
        let (whole, message) = set(&server, &[4, 6], &[8]);
        assert_eq!(check(&message, Some(&whole), 5), Ok(()));
        assert_eq!(check(&message, None, 5), Err(WordKept::Unseen));
        assert_eq!(check(&message, Some(&whole), 9), Err(WordKept::Unseen), "not looked for");
        for (ids, rejected) in [(&[4, 5, 6][..], &[8][..]), (&[4, 6], &[5, 8])] {
            let (kept, signed) = set(&server, ids, rejected);
            assert_eq!(check(&signed, Some(&kept), 5), Err(WordKept::Listed));
            assert_eq!(check(&signed, Some(&whole), 5), Err(WordKept::Unseen), "another set");
        }
    }
}
