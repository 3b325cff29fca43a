//! Provider: submits, replaces and withdraws as the client library does, and shows the referee each
//! receipt as it comes.
//!
//! What it is about to send is on its disk before a server hears of it; after a crash it sends the
//! same bytes, to all servers, until each has answered with a good receipt or refused.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::future::join_all;
use mpc::{
    collect::{Amendment, Origin, SignedAmendment, credential},
    ids::{AmendmentId, SubmissionId},
    receipt::{AmendmentReceipt, Receipt},
    sign::Signer,
};
use proto::v1;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use study::{Record, Value};
use tonic::Code;

use crate::{
    callers::{Caller, is_transient, request},
    cluster::Cluster,
    ledger::{self, Ledger},
    studies::{Cells, Prepared},
    trace::Trace,
};

/// How long it repeats a call before it leaves the rest to a later run.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a provider is asked to do.
#[derive(Debug, Clone, Copy)]
pub enum Order {
    Submit { study: usize, records: usize },
    Retry,
    Replace { study: usize },
    Withdraw { study: usize },
}

/// What a provider's disk holds.
#[derive(Default)]
pub struct Memory {
    /// Messages that not all servers have answered, in order.
    pending: Vec<Message>,
    /// Groups of submissions that all servers have signed for and that may be changed, each with
    /// everything that it has replaced, and its next sequence number.
    held: Vec<Held>,
}

struct Held {
    study: usize,
    current: SubmissionId,
    before: BTreeSet<SubmissionId>,
    sequence: u64,
}

#[derive(Clone)]
enum Message {
    Submission { study: usize, id: SubmissionId, requests: Vec<v1::SubmitRequest>, counts: bool },
    Amendment { study: usize, signed: SignedAmendment },
}

/// What providers have around them.
#[derive(Clone)]
pub struct Around {
    pub cluster: Arc<Cluster>,
    pub studies: Arc<Vec<Prepared>>,
    pub cells: Arc<Cells>,
    pub ledger: Ledger,
    pub trace: Trace,
}

/// A provider, its disk included.
pub struct Provider {
    pub index: usize,
    pub caller: Caller,
    pub cluster: Arc<Cluster>,
    pub studies: Arc<Vec<Prepared>>,
    pub ledger: Ledger,
    pub trace: Trace,
    pub cells: Arc<Cells>,
    signer: Signer,
    rng: Mutex<StdRng>,
    memory: Mutex<Memory>,
}

impl Provider {
    pub fn new(index: usize, seed: u64, caller: Caller, around: Around) -> Self {
        let Around { cluster, studies, cells, ledger, trace } = around;
        let mut rng = StdRng::seed_from_u64(seed ^ (0x7072_6f76 + index as u64));
        let signer = Signer::generate(&mut rng);
        let (rng, memory) = (Mutex::new(rng), Mutex::default());
        Self { index, caller, cluster, studies, ledger, trace, cells, signer, rng, memory }
    }

    /// Does what it is asked to, after what it had begun before. With `dies` it is gone before it
    /// sends anything of it.
    pub async fn follow(&self, order: Order, dies: bool) {
        self.finish().await;
        let is_prepared = match order {
            Order::Retry => return,
            Order::Submit { study, records } => {
                self.waits_for(study).await && self.prepare_submission(study, records)
            }
            Order::Replace { study } => {
                self.waits_for(study).await && self.prepare_change(study, true)
            }
            Order::Withdraw { study } => {
                self.waits_for(study).await && self.prepare_change(study, false)
            }
        };
        match (is_prepared, dies) {
            (true, false) => self.finish().await,
            (true, true) => self.trace.fired("a provider is gone before it sends"),
            (false, _) => {}
        }
    }

    async fn waits_for(&self, study: usize) -> bool {
        self.caller.is_open_soon(self.studies[study].study.id()).await
    }

    fn prepare_submission(&self, study: usize, records: usize) -> bool {
        let Some((_, message)) = self.shard(study, records, None) else { return false };
        self.memory.lock().unwrap().pending.push(message);
        true
    }

    /// Prepares to withdraw the oldest submission of a study, or to replace it.
    fn prepare_change(&self, study: usize, replaces: bool) -> bool {
        let mut memory = self.memory.lock().unwrap();
        let Some(place) = memory.held.iter().position(|held| held.study == study) else {
            return false;
        };
        let id = AmendmentId(self.rng.lock().unwrap().random());
        let replacement = match replaces {
            true => match self.shard(study, 1, Some(id)) {
                None => return false,
                replacement => replacement,
            },
            false => None,
        };
        // Nothing else changes it before this has come to an end.
        let mut held = memory.held.remove(place);
        held.before.insert(held.current);
        let new = replacement.as_ref().map(|(id, _)| *id);
        let amendment = Amendment {
            study: self.studies[study].study.id(),
            id,
            sequence: held.sequence,
            provider: self.signer.public(),
            old: held.before.iter().copied().collect(),
            new: new.into_iter().collect(),
        };
        let signed = amendment.sign(&self.signer);
        let noted = ledger::Amendment {
            study,
            signed: signed.clone(),
            sent: false,
            receipts: BTreeSet::new(),
        };
        self.ledger.books().amendments.insert(id, noted);
        memory.pending.extend(replacement.map(|(_, message)| message));
        memory.pending.push(Message::Amendment { study, signed });
        if let Some(current) = new {
            let sequence = held.sequence + 1;
            memory.held.push(Held { current, sequence, ..held });
        }
        true
    }

    /// A submission of new records, noted and ready to be sent; none if there are no more cells.
    fn shard(
        &self,
        study: usize,
        records: usize,
        amendment: Option<AmendmentId>,
    ) -> Option<(SubmissionId, Message)> {
        let prepared = &self.studies[study];
        let cells = self.cells.take(study, records);
        if cells.is_empty() {
            return None;
        }
        let mut wires = Vec::new();
        for cell in &cells {
            let record = Record { values: vec![Value::Category(*cell)] };
            prepared.plan.encode(&record, &mut wires).unwrap();
        }
        let mut rng = self.rng.lock().unwrap();
        let id = SubmissionId(rng.random());
        let origin = Origin { submission: id, provider: self.signer.public(), amendment };
        let sharded = prepared.collect.shard(origin, wires, &mut *rng).unwrap();
        let (bytes, hash) = (sharded.public.encode(), sharded.public.hash());
        let signature = credential(&self.signer, hash);
        let requests = sharded.payloads.iter().map(|payload| v1::SubmitRequest {
            public_part: bytes.clone().into(),
            payload: payload.to_vec().into(),
            credential: signature.0.to_vec().into(),
        });
        let requests = requests.collect();
        self.trace.say(|| format!("provider {} prepares {id} for {cells:?}", self.index));
        let noted = ledger::Submission {
            study,
            cells,
            hash,
            amendment,
            sent: false,
            receipts: BTreeSet::new(),
        };
        self.ledger.books().submissions.insert(id, noted);
        let counts = amendment.is_none();
        Some((id, Message::Submission { study, id, requests, counts }))
    }

    /// Sends what is pending, until it is answered, refused, or patience is over.
    async fn finish(&self) {
        loop {
            let Some(message) = self.memory.lock().unwrap().pending.first().cloned() else {
                return;
            };
            let ends = match &message {
                Message::Submission { id, requests, .. } => self.send(*id, requests).await,
                Message::Amendment { signed, .. } => self.amend(signed).await,
            };
            let mut memory = self.memory.lock().unwrap();
            match (ends, message) {
                (End::Later, _) => return,
                (End::Signed, Message::Submission { study, id, counts, .. }) => {
                    memory.pending.remove(0);
                    if counts {
                        let before = BTreeSet::new();
                        memory.held.push(Held { study, current: id, before, sequence: 1 });
                    }
                }
                (End::Signed, Message::Amendment { .. }) => drop(memory.pending.remove(0)),
                // What belongs to it makes no sense any more, and the study is over.
                (
                    End::Refused,
                    Message::Submission { study, .. } | Message::Amendment { study, .. },
                ) => {
                    memory.pending.clear();
                    memory.held.retain(|held| held.study != study);
                }
            }
        }
    }

    async fn send(&self, id: SubmissionId, requests: &[v1::SubmitRequest]) -> End {
        if let Some(noted) = self.ledger.books().submissions.get_mut(&id) {
            noted.sent = true;
        }
        let sends = requests.iter().enumerate().map(|(server, message)| async move {
            let call =
                || async { self.caller.submissions(server).submit(request(message.clone())).await };
            let answered = self.caller.until_answered("receipt", server, PATIENCE, call).await;
            let answer = answered.inspect_err(|status| self.judge("receipt", server, status))?;
            let receipt = Receipt::try_from(answer).expect("a receipt");
            let mut books = self.ledger.books();
            let noted = books.submissions.get_mut(&id).expect("a submission that was noted");
            let is_good = receipt.verify(&self.cluster.servers()[server].identity).is_ok()
                && (receipt.submission, receipt.public) == (id, noted.hash);
            assert!(is_good, "a false receipt");
            noted.receipts.insert(server);
            Ok(())
        });
        End::of(join_all(sends).await)
    }

    /// A server may say that a study is not open any more, or not known, or nothing. Anything else
    /// would be about the provider, which makes no mistake.
    fn judge(&self, what: &str, server: usize, status: &tonic::Status) {
        let may_be = matches!(status.code(), Code::FailedPrecondition | Code::NotFound);
        if !may_be && !is_transient(status) {
            self.ledger.wrong(format!("{server} refuses a good {what}: {status}"));
        }
    }

    async fn amend(&self, signed: &SignedAmendment) -> End {
        let id = signed.amendment.id;
        if let Some(noted) = self.ledger.books().amendments.get_mut(&id) {
            noted.sent = true;
        }
        let message = v1::AmendRequest {
            amendment: signed.amendment.encode().into(),
            credential: signed.signature.0.to_vec().into(),
        };
        let message = &message;
        let sends = (0..self.caller.servers()).map(|server| async move {
            let call =
                || async { self.caller.submissions(server).amend(request(message.clone())).await };
            let answered = self.caller.until_answered("word", server, PATIENCE, call).await;
            let answer = answered.inspect_err(|status| self.judge("word", server, status))?;
            let receipt = AmendmentReceipt::try_from(answer).expect("a receipt");
            let is_good = receipt.verify(&self.cluster.servers()[server].identity).is_ok()
                && receipt.hash == signed.amendment.hash();
            assert!(is_good, "a false receipt");
            let mut books = self.ledger.books();
            let noted = books.amendments.get_mut(&id).expect("an amendment that was noted");
            noted.receipts.insert(server);
            Ok(())
        });
        End::of(join_all(sends).await)
    }
}

/// What became of a message.
enum End {
    Signed,
    Refused,
    /// Some server has not answered.
    Later,
}

impl End {
    fn of(answers: Vec<Result<(), tonic::Status>>) -> Self {
        let refused = |answer: &Result<(), tonic::Status>| {
            answer.as_ref().is_err_and(|status| {
                matches!(status.code(), Code::FailedPrecondition | Code::NotFound)
            })
        };
        match () {
            () if answers.iter().all(Result::is_ok) => Self::Signed,
            () if answers.iter().any(refused) => Self::Refused,
            () => Self::Later,
        }
    }
}
