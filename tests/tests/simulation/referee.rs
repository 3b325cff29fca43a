//! Referee: holds what the servers published against what the providers have in their hands.

use std::collections::{BTreeMap, BTreeSet};

use mpc::{collect::Reason, ids::SubmissionId, merkle, publish::Published, sign::PublicKey};
use server::storage::StudyState;
use study::Totals;

use crate::{
    amended,
    ledger::{Books, Submission},
    studies::Prepared,
};

/// What a study came to at one server.
pub struct Ending {
    pub state: StudyState,
    pub detail: String,
    pub servers: Vec<String>,
    pub published: Vec<u8>,
}

/// What a run found, added up.
#[derive(Debug, Default, Clone, Copy)]
pub struct Tally {
    pub published: u64,
    pub refused: u64,
    pub cancelled: u64,
    pub records: u64,
    pub left_out: u64,
}

/// Everything that is wrong with the ends of a study at all its servers.
pub fn judge(
    study: usize,
    prepared: &Prepared,
    keys: &[PublicKey],
    books: &Books,
    endings: &[Ending],
    tally: &mut Tally,
) -> Vec<String> {
    let mut wrong = Vec::new();
    let may_be_cancelled = books.cancelled.contains(&study);
    let mut results: Vec<Published> = Vec::new();
    for (server, ending) in endings.iter().enumerate() {
        match ending.state {
            StudyState::Published => {
                let decoded = Published::decode(&ending.published);
                match decoded.map(|published| {
                    let signed = published.verify(prepared.study.id(), keys);
                    (published, signed)
                }) {
                    Ok((published, Ok(()))) => results.push(published),
                    _ => wrong.push(format!("{server} publishes what not all have signed")),
                }
            }
            StudyState::Refused => {}
            StudyState::Cancelled if may_be_cancelled => {}
            state => wrong.push(format!(
                "study {study} ends at {server} as {state}: {} {:?}",
                ending.detail, ending.servers
            )),
        }
        if ending.state != StudyState::Published && ending.detail.is_empty() {
            wrong.push(format!("study {study} ends at {server} without a reason"));
        }
    }
    let states: Vec<_> = endings.iter().map(|ending| ending.state).collect();
    if !may_be_cancelled && states.iter().any(|state| *state != states[0]) {
        wrong.push(format!("study {study} ends differently: {states:?}"));
    }
    for result in &mut results {
        result.signatures.clear();
    }
    if results.windows(2).any(|pair| pair[0] != pair[1]) {
        wrong.push(format!("study {study} has different results"));
    }
    match results.first() {
        Some(published) => {
            tally.published += 1;
            tally.records += published.records;
            tally.left_out += published.rejected.len() as u64;
            wrong.extend(judge_result(study, prepared, books, published, endings.len()));
        }
        None if states.contains(&StudyState::Refused) => {
            tally.refused += 1;
            wrong.extend(judge_refusal(study, books, endings.len()));
        }
        None => tally.cancelled += 1,
    }
    wrong
}

/// Nothing counts: so nothing that must.
fn judge_refusal(study: usize, books: &Books, servers: usize) -> Vec<String> {
    let lost = amended::judge(study, books, &BTreeSet::new(), servers);
    lost.into_iter().map(|lost| format!("study {study} is refused: {lost}")).collect()
}

fn judge_result(
    study: usize,
    prepared: &Prepared,
    books: &Books,
    published: &Published,
    servers: usize,
) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut cells = counts(prepared, published);
    let mut tree = merkle::Tree::default();
    let (mut submissions, mut records) = (0, 0);
    let mut counted = BTreeSet::new();
    for (id, submission) in books.submissions.iter().filter(|(_, s)| s.study == study) {
        let totals: Vec<u64> =
            submission.cells.iter().map(|cell| cells.remove(cell).unwrap_or(0)).collect();
        match totals.iter().all(|total| *total == 1) {
            true => drop(counted.insert(*id)),
            false if totals.iter().any(|total| *total != 0) => {
                wrong.push(format!("{id} counts {totals:?} times"));
            }
            false => {}
        }
    }
    for (id, submission) in books.submissions.iter().filter(|(_, s)| s.study == study) {
        let listed = published.reason(id);
        wrong.extend(judge_submission(books, id, submission, &counted, listed));
        if counted.contains(id) {
            let length = u32::try_from(submission.cells.len()).unwrap();
            tree.push(merkle::leaf(id, &submission.hash, length));
            submissions += 1;
            records += u64::from(length);
        }
    }
    wrong.extend(amended::judge(study, books, &counted, servers));
    for (cell, total) in cells.into_iter().filter(|(_, total)| *total != 0) {
        wrong.push(format!("cell {cell} counts {total} times, and nobody submitted it"));
    }
    for (id, reason) in &published.rejected {
        if !books.submissions.contains_key(id) {
            wrong.push(format!("{id} is listed as {reason:?}, and nobody made it"));
        }
    }
    if (published.submissions, published.records) != (submissions, records) {
        wrong.push(format!(
            "the result is of {} submissions and {} records, and {submissions} and {records} count",
            published.submissions, published.records
        ));
    }
    if published.root != tree.root() {
        wrong.push("the result is not that of the submissions that count".into());
    }
    wrong
}

fn judge_submission(
    books: &Books,
    id: &SubmissionId,
    submission: &Submission,
    counted: &BTreeSet<SubmissionId>,
    listed: Option<Reason>,
) -> Option<String> {
    let receipts = submission.receipts.len();
    let is_counted = counted.contains(id);
    if is_counted && listed.is_some() {
        return Some(format!("{id} counts, and is listed as {listed:?}"));
    }
    if !submission.sent && (is_counted || listed.is_some()) {
        return Some(format!("{id} was never sent, and is known"));
    }
    if !is_counted && listed.is_none() && receipts > 0 {
        return Some(format!("{id} is lost, with {receipts} receipts"));
    }
    let is_strange = match listed {
        None | Some(Reason::Incomplete) => false,
        Some(Reason::Withdrawn) => !amended::may_be_withdrawn(books, id),
        Some(Reason::Replaced) => !amended::is_replaced(books, id, counted),
        Some(Reason::NotAmended) => submission.amendment.is_none(),
        Some(_) => true,
    };
    is_strange.then(|| format!("{id} is listed as {listed:?}"))
}

/// What was published, by cell.
fn counts(prepared: &Prepared, published: &Published) -> BTreeMap<u32, u64> {
    let totals = Totals { records: published.records, values: published.totals.clone() };
    let result = prepared.plan.decode(&totals);
    let count = |cell: &study::result::Cell| {
        let who = cell.by.get("who")?.strip_prefix('r')?.parse().ok()?;
        Some((who, cell.number()? as u64))
    };
    result.statistics[0].cells.iter().filter_map(count).collect()
}
