//! What providers changed: every amendment is signed by its provider, and what they make of the
//! submissions is what the result says of them.

use std::collections::{HashMap, HashSet};

use mpc::{
    collect::{Origin, PublicPart, Reason, Resolution, SignedAmendment, resolve, resolve_full},
    ids::SubmissionId,
    publish::SignedSet,
};

use super::{finding::Finding, front::Front};

/// The check that fails here.
const CHECK: &str = "amendments";

/// The amendments, and the submissions that they are about.
pub(super) struct Amended {
    signed: Vec<SignedAmendment>,
    named: HashSet<SubmissionId>,
    /// Whose they are, why they do not count, and how many records they hold.
    seen: HashMap<SubmissionId, (Origin, Option<Reason>, u32)>,
    /// Accepted records that no amendment is about.
    others: u64,
    max_records: u64,
}

impl Amended {
    /// Decodes the amendments of a record and checks that their providers signed them, and that
    /// they are those that the servers signed the set with.
    pub(super) fn read(front: &Front, set: Option<&SignedSet>) -> Result<Self, Finding> {
        let mut signed: Vec<SignedAmendment> = Vec::with_capacity(front.amendments.len());
        for (number, bytes) in (1..).zip(&front.amendments) {
            let finding = |what: &str| Finding::of(CHECK, format!("amendment {number}: {what}"));
            let next = SignedAmendment::decode_unverified(bytes)
                .map_err(|error| finding(&error.to_string()))?;
            if next.amendment.study != front.id {
                return Err(finding("it is of another study"));
            }
            next.verify().map_err(|_| finding("its provider did not sign it"))?;
            signed.push(next);
        }
        if set.is_some_and(|set| !set.is_made_with(&signed)) {
            let text = "they are not those that the servers signed the set with";
            return Err(Finding::of(CHECK, text.into()));
        }
        let named = |signed: &SignedAmendment| {
            signed.amendment.old.iter().chain(&signed.amendment.new).copied().collect::<Vec<_>>()
        };
        let named = signed.iter().flat_map(named).collect();
        let max_records = front.study.max_records();
        Ok(Self { signed, named, seen: HashMap::new(), others: 0, max_records })
    }

    /// Takes note of a submission, and of why it does not count.
    pub(super) fn see(
        &mut self,
        public: &PublicPart,
        reason: Option<Reason>,
    ) -> Result<(), String> {
        let PublicPart { submission, provider, amendment, .. } = *public;
        if amendment.is_some() || self.named.contains(&submission) {
            let origin = Origin { submission, provider, amendment };
            self.seen.insert(submission, (origin, reason, public.records));
        } else if reason.is_some_and(is_of_an_amendment) {
            return Err(format!("no amendment is about submission {submission}"));
        } else if is_accepted(reason) {
            self.others = self.others.saturating_add(public.records.into());
        }
        Ok(())
    }

    /// Every submission that an amendment is about counts as the amendments together say.
    pub(super) fn finish(self) -> Result<(), Finding> {
        let resolution = self.resolution();
        for (origin, reason, _) in self.seen.values().filter(|(_, reason, _)| is_accepted(*reason))
        {
            let expected = resolution.refusal(origin);
            if expected != reason.filter(|reason| is_of_an_amendment(*reason)) {
                let says = |reason: Option<Reason>| reason.map_or("it counts", Reason::describe);
                let text = format!(
                    "submission {}: by the amendments {}, by the result {}",
                    origin.submission,
                    says(expected),
                    says(*reason)
                );
                return Err(Finding::of(CHECK, text));
            }
        }
        Ok(())
    }

    /// What the amendments make of the submissions, as the servers decide it.
    fn resolution(&self) -> Resolution {
        let amendments = || self.signed.iter().map(|signed| &signed.amendment);
        let accepted = |id: &SubmissionId| {
            let (origin, reason, _) = self.seen.get(id)?;
            is_accepted(*reason).then_some(*origin)
        };
        let records =
            |id: &SubmissionId| self.seen.get(id).map_or(0, |(_, _, records)| u64::from(*records));
        let resolution = resolve(amendments(), accepted);
        let counted = self
            .seen
            .values()
            .filter(|(origin, reason, _)| {
                is_accepted(*reason) && resolution.refusal(origin).is_none()
            })
            .fold(self.others, |sum, (_, _, records)| sum.saturating_add((*records).into()));
        match counted > self.max_records {
            true => resolve_full(amendments(), accepted, records),
            false => resolution,
        }
    }
}

/// Whether this is what an amendment makes of a submission.
fn is_of_an_amendment(reason: Reason) -> bool {
    matches!(reason, Reason::Withdrawn | Reason::Replaced | Reason::NotAmended)
}

/// Whether the servers accepted a submission, whatever became of it then.
fn is_accepted(reason: Option<Reason>) -> bool {
    match reason {
        None | Some(Reason::RecordsExhausted | Reason::SecondOfProvider) => true,
        Some(reason) => is_of_an_amendment(reason),
    }
}
