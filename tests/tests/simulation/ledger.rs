//! Ledger: what providers sent, and what servers signed for, as a referee sees it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};

use mpc::{
    collect::SignedAmendment,
    ids::{AmendmentId, PublicHash, RunId, SubmissionId},
};
use tokio_util::sync::CancellationToken;

/// Everything that was submitted.
#[derive(Clone, Default)]
pub struct Ledger {
    books: Arc<Mutex<Books>>,
    /// Something is wrong: nobody needs to go on.
    found: CancellationToken,
}

#[derive(Default)]
pub struct Books {
    pub submissions: BTreeMap<SubmissionId, Submission>,
    pub amendments: BTreeMap<AmendmentId, Amendment>,
    /// Studies that somebody asked to cancel.
    pub cancelled: BTreeSet<usize>,
    /// Publication runs that servers have begun.
    begun: BTreeSet<(usize, RunId)>,
    /// What is wrong so far.
    wrong: Vec<String>,
}

pub struct Submission {
    pub study: usize,
    pub cells: Vec<u32>,
    pub hash: PublicHash,
    pub amendment: Option<AmendmentId>,
    /// Whether any byte of it left its provider.
    pub sent: bool,
    /// The servers whose receipts its provider has.
    pub receipts: BTreeSet<usize>,
}

pub struct Amendment {
    pub study: usize,
    pub signed: SignedAmendment,
    pub sent: bool,
    pub receipts: BTreeSet<usize>,
}

impl Ledger {
    pub fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap()
    }

    /// Notes that something is wrong.
    pub fn wrong(&self, what: String) {
        self.books().wrong.push(what);
        self.found.cancel();
    }

    /// What is wrong so far.
    pub fn all_wrong(&self) -> Vec<String> {
        self.books().wrong.clone()
    }

    /// Waits until something is wrong.
    pub async fn found(&self) {
        self.found.cancelled().await;
    }

    /// Notes that a server begins a run, which it does once, whatever its lives.
    pub fn begins(&self, server: usize, run: RunId) {
        let is_first = self.books().begun.insert((server, run));
        if !is_first {
            self.wrong(format!("{server} begins the run {run} twice"));
        }
    }
}
