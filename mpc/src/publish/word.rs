//! Broken words: a server signed a receipt for a submission, and signed a list or a set without it.
//!
//! A receipt says that the server holds the submission, durably. So what it signs at the close must
//! have it: its own list, if lists were shown, and the set, as counted or as rejected. Two of its
//! signatures that contradict each other convince everybody who knows its key.

use std::collections::BTreeMap;

use super::{SignedSet, agree::List};
use crate::{
    ids::{PublicHash, SubmissionId},
    receipt::Receipt,
    sign::PublicKey,
    transcript::{Message, Place, Step},
    wire::WireError,
};

/// A list that a server showed in the agreement, for looking submissions up.
pub struct ShownList(BTreeMap<SubmissionId, PublicHash>);

/// Two words of one server that contradict each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenWord {
    /// That it holds the submission.
    pub receipt: Receipt,
    /// Its list, which does not have it as the receipt says; or the set that it signed, which comes
    /// with all that it counts and rejects.
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
    /// The list has the submission.
    #[error("the list has the submission")]
    Listed,
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

impl BrokenWord {
    /// Checks that `server` signed both words in that run, and that they contradict each other. Of
    /// a set it checks the signatures: who has the submissions under its root and the rejected ones
    /// sees that this one is not among them.
    pub fn verify(&self, server: &PublicKey, place: Place) -> Result<(), WordKept> {
        if self.receipt.study != place.study || self.receipt.verify(server).is_err() {
            return Err(WordKept::Receipt);
        }
        let statement = &self.message.statement;
        if statement.body != crate::transcript::body_hash(&self.message.body)
            || !statement.is_signed_by(server, place)
        {
            return Err(WordKept::Message);
        }
        match Step::from_code(statement.step) {
            Some(Step::Lists) => {
                let list = ShownList::decode(place, &self.message.body);
                let list = list.map_err(|_| WordKept::Step)?;
                match list.public(&self.receipt.submission) == Some(self.receipt.public) {
                    true => Err(WordKept::Listed),
                    false => Ok(()),
                }
            }
            Some(Step::Set) => {
                SignedSet::decode(&self.message.body).map(drop).map_err(|_| WordKept::Step)
            }
            _ => Err(WordKept::Step),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ids::{Party, RunId, StudyId},
        publish::{Entry, Status},
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
        assert_eq!(broken.verify(&server.public(), PLACE), Ok(()));
        let kept = BrokenWord { message: list(&server, Step::Lists, &[4, 5, 6]), ..broken.clone() };
        assert_eq!(kept.verify(&server.public(), PLACE), Err(WordKept::Listed));
        let mut changed = kept.clone();
        changed.receipt =
            Receipt::sign(&server, PLACE.study, SubmissionId([5; 16]), PublicHash([9; 32]));
        assert_eq!(changed.verify(&server.public(), PLACE), Ok(()), "another public part");
        let foreign = BrokenWord { receipt: receipt(&other, 5), ..broken.clone() };
        assert_eq!(foreign.verify(&server.public(), PLACE), Err(WordKept::Receipt));
        let said = BrokenWord { message: list(&other, Step::Lists, &[4, 6]), ..broken.clone() };
        assert_eq!(said.verify(&server.public(), PLACE), Err(WordKept::Message));
        let mut swapped = broken.clone();
        swapped.message.body = kept.message.body.clone();
        assert_eq!(swapped.verify(&server.public(), PLACE), Err(WordKept::Message));
        let elsewhere = Place { run: RunId([9; 16]), ..PLACE };
        assert_eq!(broken.verify(&server.public(), elsewhere), Err(WordKept::Message));
        let roots = BrokenWord { message: list(&server, Step::Roots, &[4, 6]), ..broken };
        assert_eq!(roots.verify(&server.public(), PLACE), Err(WordKept::Step));
    }
}
