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
//!
//! Where more would count than the study may hold ([`resolve_full`]), nobody may lose a place that
//! it has, nor take one that it has not: an amendment whose new submissions hold more records than
//! its old ones fails in step 2, and the new ones that keep the place of old ones count first.

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
    /// Those of them that keep the place of old ones where the study is full.
    first: HashSet<(PublicKey, SubmissionId)>,
}

/// Decides which amendments hold. `accepted` knows the submissions that all servers hold alike and
/// have accepted. All amendments are of one study and verified.
pub fn resolve<'a>(
    amendments: impl IntoIterator<Item = &'a Amendment>,
    accepted: impl Fn(&SubmissionId) -> Option<Origin>,
) -> Resolution {
    resolve_with(amendments, &accepted, None)
}

/// Decides as [`resolve`] does, where by that more records would count than the study may hold.
/// `records` knows how many an accepted submission holds.
pub fn resolve_full<'a>(
    amendments: impl IntoIterator<Item = &'a Amendment>,
    accepted: impl Fn(&SubmissionId) -> Option<Origin>,
    records: impl Fn(&SubmissionId) -> u64,
) -> Resolution {
    resolve_with(amendments, &accepted, Some(&records))
}

fn resolve_with<'a>(
    amendments: impl IntoIterator<Item = &'a Amendment>,
    accepted: &dyn Fn(&SubmissionId) -> Option<Origin>,
    records: Option<&dyn Fn(&SubmissionId) -> u64>,
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
            resolution.take(amendment, accepted, records);
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

    /// Whether an accepted submission keeps the place of old ones, so that it counts before others
    /// where the study is full.
    pub fn is_first(&self, origin: &Origin) -> bool {
        self.first.contains(&(origin.provider, origin.submission))
    }

    /// One step of the resolution: `amendment` is the last that was not taken yet.
    fn take(
        &mut self,
        amendment: &Amendment,
        accepted: &dyn Fn(&SubmissionId) -> Option<Origin>,
        records: Option<&dyn Fn(&SubmissionId) -> u64>,
    ) {
        let Amendment { provider, old, new, .. } = amendment;
        let is_superseded =
            old.iter().chain(new).any(|id| self.gone.contains_key(&(*provider, *id)));
        let is_complete = || {
            new.iter().all(|id| {
                accepted(id).is_some_and(|origin| is_part(amendment.id, *provider, &origin))
            })
        };
        let place = records.map(|records| Place::of(amendment, accepted, records));
        if is_superseded || !is_complete() || place == Some(Place::TooSmall) {
            self.lose(*provider, new, Reason::NotAmended);
            return;
        }
        if place == Some(Place::Kept) {
            self.first.extend(new.iter().map(|id| (*provider, *id)));
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

/// What the old submissions of an amendment leave to its new ones where the study is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Room for all of them.
    Kept,
    /// Less than they need.
    TooSmall,
    /// The old ones had no place by themselves: nothing is lost, and nobody has to make room.
    None,
}

impl Place {
    fn of(
        amendment: &Amendment,
        accepted: &dyn Fn(&SubmissionId) -> Option<Origin>,
        records: &dyn Fn(&SubmissionId) -> u64,
    ) -> Self {
        let sum = |ids: &[SubmissionId], counts: &dyn Fn(&Origin) -> bool| -> u64 {
            let is_mine = |id: &&SubmissionId| {
                accepted(id)
                    .is_some_and(|origin| origin.provider == amendment.provider && counts(&origin))
            };
            ids.iter().filter(is_mine).fold(0, |sum, id| sum.saturating_add(records(id)))
        };
        let needed = sum(&amendment.new, &|_| true);
        // Versions in between took the place of the first ones: they are not places of their own.
        let first = sum(&amendment.old, &|origin| origin.amendment.is_none());
        let held = if first > 0 { first } else { sum(&amendment.old, &|_| true) };
        match held {
            0 => Self::None,
            _ if needed > held => Self::TooSmall,
            _ if first > 0 => Self::Kept,
            _ => Self::None,
        }
    }
}

/// Whether a submission is of that amendment by its own word, too.
fn is_part(amendment: AmendmentId, provider: PublicKey, origin: &Origin) -> bool {
    (origin.provider, origin.amendment) == (provider, Some(amendment))
}

#[cfg(test)]
mod tests;
