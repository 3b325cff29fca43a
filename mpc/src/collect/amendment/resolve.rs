//! Which submissions count, given all amendments: the last valid word of each provider.
//!
//! Nothing is derived step by step: whoever has the same amendments and the same accepted
//! submissions has the same answer, in whatever order and however often they came.
//!
//! Each provider's amendments are taken from the last (by sequence, then id) to the first:
//!
//! 1. If one of its submissions, old or new, is gone, a later word has superseded it: its new ones
//!    are gone, too. So of two that replace the same submission one counts.
//! 2. Otherwise, if not all its new ones are accepted, it fails: its new ones are gone, and the
//!    old ones stay as if it had not been said.
//! 3. Otherwise its old ones are gone.
//!
//! A submission that is part of an amendment counts only with it. What a provider says of others'
//! submissions means nothing.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::Amendment;
use crate::{
    collect::{Origin, Reason},
    ids::{AmendmentId, SubmissionId},
    sign::PublicKey,
};

/// What the amendments make of the accepted submissions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resolution {
    /// Submissions that do not count, by provider, and why.
    gone: HashMap<(PublicKey, SubmissionId), Reason>,
    /// New submissions of amendments that hold.
    holds: HashSet<(PublicKey, SubmissionId)>,
}

/// Decides which amendments hold. `accepted` knows the submissions that all servers hold alike and
/// have accepted. All amendments are of one study and verified.
pub fn resolve<'a>(
    amendments: impl IntoIterator<Item = &'a Amendment>,
    accepted: impl Fn(&SubmissionId) -> Option<Origin>,
) -> Resolution {
    let mut by_provider: BTreeMap<PublicKey, Vec<&Amendment>> = BTreeMap::new();
    for amendment in amendments {
        by_provider.entry(amendment.provider).or_default().push(amendment);
    }
    let mut resolution = Resolution::default();
    for amendments in by_provider.values_mut() {
        // Two of one place differ in their ids, or are the same.
        amendments.sort_by_cached_key(|amendment| {
            (amendment.sequence, amendment.id, amendment.old.clone(), amendment.new.clone())
        });
        amendments.dedup();
        for amendment in amendments.iter().rev() {
            resolution.take(amendment, &accepted);
        }
    }
    resolution
}

impl Resolution {
    /// Why an accepted submission does not count; none: it does.
    pub fn refusal(&self, origin: &Origin) -> Option<Reason> {
        let key = (origin.provider, origin.submission);
        let incomplete = origin.amendment.is_some() && !self.holds.contains(&key);
        let gone = self.gone.get(&key).copied();
        gone.or_else(|| incomplete.then_some(Reason::NotAmended))
    }

    /// One step of the resolution: `amendment` is the last that was not taken yet.
    fn take(&mut self, amendment: &Amendment, accepted: impl Fn(&SubmissionId) -> Option<Origin>) {
        let Amendment { provider, old, new, .. } = amendment;
        let is_superseded =
            old.iter().chain(new).any(|id| self.gone.contains_key(&(*provider, *id)));
        let is_complete = || {
            new.iter().all(|id| {
                accepted(id).is_some_and(|origin| is_part(amendment.id, *provider, &origin))
            })
        };
        if is_superseded || !is_complete() {
            self.lose(*provider, new, Reason::NotAmended);
            return;
        }
        let reason = if new.is_empty() { Reason::Withdrawn } else { Reason::Replaced };
        self.lose(*provider, old, reason);
        self.holds.extend(new.iter().map(|id| (*provider, *id)));
    }

    /// The last word on a submission stays.
    fn lose(&mut self, provider: PublicKey, ids: &[SubmissionId], reason: Reason) {
        for id in ids {
            self.gone.entry((provider, *id)).or_insert(reason);
        }
    }
}

/// Whether a submission is of that amendment by its own word, too.
fn is_part(amendment: AmendmentId, provider: PublicKey, origin: &Origin) -> bool {
    (origin.provider, origin.amendment) == (provider, Some(amendment))
}

#[cfg(test)]
mod tests;
