//! Ledger: what providers sent, and what servers signed for, as a referee sees it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};

use mpc::{
    collect::SignedAmendment,
    ids::{AmendmentId, PublicHash, SubmissionId},
};

/// Everything that was submitted.
#[derive(Clone, Default)]
pub struct Ledger(Arc<Mutex<Books>>);

#[derive(Default)]
pub struct Books {
    pub submissions: BTreeMap<SubmissionId, Submission>,
    pub amendments: BTreeMap<AmendmentId, Amendment>,
    /// Studies that somebody asked to cancel.
    pub cancelled: BTreeSet<usize>,
    /// What is wrong so far.
    pub wrong: Vec<String>,
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
        self.0.lock().unwrap()
    }

    /// Notes that something is wrong.
    pub fn wrong(&self, what: String) {
        self.books().wrong.push(what);
    }
}
