//! One batch, or one amendment, to all servers at once, each until it has answered with a good
//! receipt.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::future::{join_all, try_join_all};
use mpc::{
    collect::{PublicPart, SignedAmendment},
    ids::PublicHash,
    receipt::{AmendmentReceipt, Receipt},
};
use proto::{chance, trace::Trace, v1};
use rand::RngExt as _;
use tokio::time::Instant;
use tonic::{Response, Status};

use super::{
    pending::Batch,
    receipts::{Acknowledged, Entry},
};
use crate::{
    connection::Server,
    deadline::{self, request},
    error::ClientError,
    progress::{Event, Progress},
    refusal,
    status::printable,
};

/// The first pause after a failed call; each next one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest pause that we choose.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// The longest pause that a server may ask for.
const LONGEST_WISH: Duration = Duration::from_secs(60);

/// The way to one server, shared by all batches under way.
pub struct Lane {
    server: Server,
    /// When the server last acknowledged something.
    progressed: Mutex<Instant>,
    bytes: AtomicU64,
}

/// The ways to all servers of a study, in party order.
pub struct Lanes {
    lanes: Vec<Lane>,
    trace: Trace,
    /// Without any acknowledgement for this long, a server is given up.
    timeout: Duration,
}

/// An amendment that not all servers took.
#[derive(Debug)]
pub struct Partly {
    /// A refusal, if there is one; or else the first failure.
    pub failure: Box<ClientError>,
    /// Servers that took it all the same.
    pub took: Vec<String>,
    /// Servers that gave no answer: they may have taken it, now or in an earlier run.
    pub silent: Vec<String>,
}

/// The signatures of all servers, if all gave one.
fn all(
    answers: impl Iterator<Item = (String, Result<AmendmentReceipt, ClientError>)>,
) -> Result<BTreeMap<String, String>, Partly> {
    let mut acknowledged = BTreeMap::new();
    let (mut refusal, mut failure, mut silent) = (None, None, Vec::new());
    for (server, answer) in answers {
        match answer {
            Ok(receipt) => drop(acknowledged.insert(server, hex::encode(receipt.signature.0))),
            // Before any other reason a server answers that it has an amendment.
            Err(error @ ClientError::Refused { .. }) => drop(refusal.get_or_insert(error)),
            Err(error) => {
                silent.push(server);
                failure.get_or_insert(error);
            }
        }
    }
    match refusal.or(failure) {
        None => Ok(acknowledged),
        Some(failure) => Err(Partly {
            failure: Box::new(failure),
            took: acknowledged.into_keys().collect(),
            silent,
        }),
    }
}

impl Lanes {
    /// Lanes to `servers`, in party order. All of them log what comes as one `trace`.
    pub fn new(servers: Vec<Server>, timeout: Duration, trace: Trace) -> Self {
        let lane = |server| Lane {
            server,
            progressed: Mutex::new(Instant::now()),
            bytes: AtomicU64::new(0),
        };
        Self { lanes: servers.into_iter().map(lane).collect(), trace, timeout }
    }

    /// Sends a batch to all servers; returns their receipts, verified.
    pub async fn send(&self, batch: &Batch, progress: &dyn Progress) -> Result<Entry, ClientError> {
        let hash = PublicPart::hash_encoded(&batch.public_bytes);
        let trace = self.trace.step(&mut chance::rng());
        let sends = self.lanes.iter().zip(&batch.payloads).map(|(lane, payload)| async move {
            let message = v1::SubmitRequest {
                public_part: batch.public_bytes.clone(),
                payload: payload.clone(),
                credential: batch.credential.0.to_vec().into(),
            };
            let answer = lane.submit(message, trace, self.timeout, progress).await?;
            let receipt = lane.check(answer, &batch.public, hash)?;
            Ok::<_, ClientError>((lane.server.name().to_owned(), hex::encode(receipt.signature.0)))
        });
        let receipts: BTreeMap<_, _> = try_join_all(sends).await?.into_iter().collect();
        Ok(Entry {
            batch: batch.number,
            first_row: batch.first_row,
            records: batch.public.records,
            submission: batch.public.submission.to_string(),
            public_hash: hash.to_string(),
            receipts,
        })
    }

    /// Sends an amendment to all servers, each of which is asked whatever the others answer. Returns
    /// their receipts, verified, or what they are without those that failed.
    pub async fn amend(
        &self,
        signed: &SignedAmendment,
        progress: &dyn Progress,
    ) -> Result<Acknowledged, Partly> {
        let message = v1::AmendRequest {
            amendment: signed.amendment.encode().into(),
            credential: signed.signature.0.to_vec().into(),
        };
        let sends = self.lanes.iter().map(|lane| async {
            let answer = lane.amend(message.clone(), self.trace, self.timeout, progress).await?;
            lane.check_amendment(answer, signed)
        });
        let answers = join_all(sends).await;
        let names = self.lanes.iter().map(|lane| lane.server.name().to_owned());
        let acknowledged = all(names.zip(answers))?;
        Ok(Acknowledged {
            amendment: signed.amendment.id.to_string(),
            hash: signed.amendment.hash().to_string(),
            acknowledged,
        })
    }

    /// Bytes that each server acknowledged, by name.
    pub fn bytes(&self) -> Vec<(String, u64)> {
        let bytes =
            |lane: &Lane| (lane.server.name().to_owned(), lane.bytes.load(Ordering::Relaxed));
        self.lanes.iter().map(bytes).collect()
    }
}

impl Lane {
    async fn submit(
        &self,
        message: v1::SubmitRequest,
        trace: Trace,
        timeout: Duration,
        progress: &dyn Progress,
    ) -> Result<v1::Receipt, ClientError> {
        let len = message.public_part.len() + message.payload.len() + message.credential.len();
        let submit = || {
            let mut call = request(message.clone(), deadline::SUBMIT);
            trace.attach(&mut call);
            let mut server = self.server.submissions();
            async move { server.submit(call).await }
        };
        self.repeat(submit, len, timeout, progress).await
    }

    async fn amend(
        &self,
        message: v1::AmendRequest,
        trace: Trace,
        timeout: Duration,
        progress: &dyn Progress,
    ) -> Result<v1::AmendmentReceipt, ClientError> {
        let len = message.amendment.len() + message.credential.len();
        let amend = || {
            let mut call = request(message.clone(), deadline::SUBMIT);
            trace.attach(&mut call);
            let mut server = self.server.submissions();
            async move { server.amend(call).await }
        };
        self.repeat(amend, len, timeout, progress).await
    }

    /// Repeats the call until it is answered, refused, or without progress for too long. That is
    /// safe: a server answers the same bytes with the same receipt.
    async fn repeat<T, A: Future<Output = Result<Response<T>, Status>>>(
        &self,
        call: impl Fn() -> A,
        len: usize,
        timeout: Duration,
        progress: &dyn Progress,
    ) -> Result<T, ClientError> {
        let started = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let status = match call().await {
                Ok(answer) => {
                    self.bytes.fetch_add(len as u64, Ordering::Relaxed);
                    *self.progressed.lock().unwrap_or_else(PoisonError::into_inner) =
                        Instant::now();
                    return Ok(answer.into_inner());
                }
                Err(status) => status,
            };
            if !refusal::is_transient(&status) {
                return Err(self.server.failed(&status));
            }
            let reason = printable(&refusal::reason(&status));
            let progressed = *self.progressed.lock().unwrap_or_else(PoisonError::into_inner);
            let waited = progressed.max(started).elapsed();
            if waited > timeout {
                let (server, seconds) = (self.server.name().to_owned(), waited.as_secs());
                return Err(ClientError::NoProgress { server, seconds, reason });
            }
            let server = self.server.name().to_owned();
            progress.event(Event::Retrying { server, reason });
            let wish = refusal::retry_delay(&status).unwrap_or_default().min(LONGEST_WISH);
            // Spread, so that many clients do not come back at the same moment.
            let spread = chance::rng().random_range(0.75..1.25);
            let rest = timeout.saturating_sub(waited).max(FIRST_PAUSE);
            tokio::time::sleep(pause.max(wish).mul_f64(spread).min(rest)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn check(
        &self,
        answer: v1::Receipt,
        public: &PublicPart,
        hash: PublicHash,
    ) -> Result<Receipt, ClientError> {
        let broke = |what: &str| self.server.broke(what);
        let receipt = Receipt::try_from(answer).map_err(|_| broke("its receipt is malformed"))?;
        if (receipt.study, receipt.submission, receipt.public)
            != (public.study, public.submission, hash)
        {
            return Err(broke("its receipt is for another submission"));
        }
        receipt
            .verify(&self.server.identity())
            .map_err(|_| broke("its receipt is not signed with the key that the profile names"))?;
        Ok(receipt)
    }

    fn check_amendment(
        &self,
        answer: v1::AmendmentReceipt,
        signed: &SignedAmendment,
    ) -> Result<AmendmentReceipt, ClientError> {
        let broke = |what: &str| self.server.broke(what);
        let receipt =
            AmendmentReceipt::try_from(answer).map_err(|_| broke("its receipt is malformed"))?;
        let amendment = &signed.amendment;
        if (receipt.study, receipt.amendment, receipt.hash)
            != (amendment.study, amendment.id, amendment.hash())
        {
            return Err(broke("its receipt is for another change"));
        }
        receipt
            .verify(&self.server.identity())
            .map_err(|_| broke("its receipt is not signed with the key that the profile names"))?;
        Ok(receipt)
    }
}

#[cfg(test)]
mod tests {
    use mpc::{
        ids::{AmendmentHash, AmendmentId, StudyId},
        sign::Signer,
    };

    use super::*;

    #[test]
    fn a_server_that_is_silent_beside_one_that_refuses_may_have_taken_the_change() {
        let signer = Signer::from_seed(&[1; 32]);
        let receipt = || {
            let (study, id) = (StudyId([1; 32]), AmendmentId([2; 16]));
            Ok(AmendmentReceipt::sign(&signer, study, id, AmendmentHash([3; 32])))
        };
        let refused = || {
            let (server, reason) = ("alpha".into(), "closed".into());
            Err(ClientError::Refused { server, reason })
        };
        let silent = || {
            let (server, reason) = ("gamma".into(), "down".into());
            Err(ClientError::NoProgress { server, seconds: 1, reason })
        };
        for first in [true, false] {
            let mut answers = vec![("alpha".to_owned(), refused()), ("gamma".to_owned(), silent())];
            if !first {
                answers.reverse();
            }
            answers.push(("beta".to_owned(), receipt()));
            let partly = all(answers.into_iter()).unwrap_err();
            assert!(matches!(*partly.failure, ClientError::Refused { .. }));
            assert_eq!((partly.took, partly.silent), (vec!["beta".into()], vec!["gamma".into()]));
        }
        let none = all([("gamma".to_owned(), silent())].into_iter()).unwrap_err();
        assert!(matches!(*none.failure, ClientError::NoProgress { .. }));
        assert_eq!(all([("beta".to_owned(), receipt())].into_iter()).unwrap().len(), 1);
    }
}
