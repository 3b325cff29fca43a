//! Amended: which versions of a record may count, by what its provider said and has in its hands.
//!
//! Written from the promise, not from the servers' rule (`mpc::collect::resolve`): one version
//! counts, never two; a word that one server took holds, as every server shows what it took.

use std::collections::BTreeSet;

use mpc::ids::SubmissionId;

use crate::ledger::{Amendment, Books, Submission};

/// What is wrong with the versions of a study's records, `counted` being those that count.
pub fn judge(
    study: usize,
    books: &Books,
    counted: &BTreeSet<SubmissionId>,
    servers: usize,
) -> Vec<String> {
    let mut wrong = Vec::new();
    for said in sent(books, study) {
        wrong.extend(judge_word(books, said, counted));
    }
    let submissions = books.submissions.iter().filter(|(_, noted)| noted.study == study);
    for (id, submission) in submissions {
        if !is_accepted(books, submission, servers) {
            continue;
        }
        let versions: BTreeSet<_> = std::iter::once(id).chain(replacements(books, id)).collect();
        let counting = versions.iter().filter(|version| counted.contains(**version)).count();
        let is_good = match (is_withdrawn(books, id), may_be_withdrawn(books, id)) {
            (true, _) => counting == 0,
            (false, true) => counting <= 1,
            (false, false) => counting == 1,
        };
        if !is_good {
            wrong.push(format!(
                "all servers signed for {id}, and {counting} of its {} versions count",
                versions.len()
            ));
        }
    }
    wrong
}

/// Whether a version that is listed as replaced was: something counts in its place.
pub fn is_replaced(books: &Books, id: &SubmissionId, counted: &BTreeSet<SubmissionId>) -> bool {
    naming(books, id).any(|said| {
        let new = &said.signed.amendment.new;
        !new.is_empty() && new.iter().all(|new| counted.contains(new))
    })
}

/// Whether somebody sent the word that withdraws it.
pub fn may_be_withdrawn(books: &Books, id: &SubmissionId) -> bool {
    naming(books, id).any(|said| said.signed.amendment.new.is_empty())
}

/// The new ones of a word count together, and never beside the old ones.
fn judge_word(books: &Books, said: &Amendment, counted: &BTreeSet<SubmissionId>) -> Option<String> {
    let amendment = &said.signed.amendment;
    let new = amendment.new.iter().filter(|id| counted.contains(id)).count();
    let old = amendment.old.iter().filter(|id| counted.contains(id)).count();
    if new > 0 && (new < amendment.new.len() || old > 0) {
        return Some(format!("{} counts with {new} new ones and {old} old ones", amendment.id));
    }
    let is_said = !said.receipts.is_empty();
    let is_last = amendment.old.iter().all(|id| {
        naming(books, id).all(|other| other.signed.amendment.sequence <= amendment.sequence)
    });
    (amendment.new.is_empty() && is_said && is_last && old > 0)
        .then(|| format!("{old} count that {} withdraws", amendment.id))
}

/// Whether all servers hold a submission, and one at least the word that it is part of.
fn is_accepted(books: &Books, submission: &Submission, servers: usize) -> bool {
    let is_said = submission.amendment.is_none_or(|amendment| {
        books.amendments.get(&amendment).is_some_and(|said| !said.receipts.is_empty())
    });
    submission.receipts.len() == servers && is_said
}

fn is_withdrawn(books: &Books, id: &SubmissionId) -> bool {
    naming(books, id).any(|said| said.signed.amendment.new.is_empty() && !said.receipts.is_empty())
}

/// Everything that takes the place of a submission.
fn replacements<'a>(
    books: &'a Books,
    id: &'a SubmissionId,
) -> impl Iterator<Item = &'a SubmissionId> {
    naming(books, id).flat_map(|said| &said.signed.amendment.new)
}

/// Words that were sent and take a submission away.
fn naming<'a>(books: &'a Books, id: &'a SubmissionId) -> impl Iterator<Item = &'a Amendment> {
    books.amendments.values().filter(|said| said.sent && said.signed.amendment.old.contains(id))
}

fn sent(books: &Books, study: usize) -> impl Iterator<Item = &Amendment> {
    books.amendments.values().filter(move |said| said.sent && said.study == study)
}
