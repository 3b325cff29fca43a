//! Verification run: the servers decide on a batch of submissions and store their verdicts.

use std::sync::Arc;

use mpc::{
    collect::{Item, PublicPart, Verdict, verify},
    ids::SubmissionId,
    mesh::Mesh,
    transcript::{About, Recording, Session, Transcript},
};
use tracing::{Instrument as _, Span};
use zeroize::Zeroizing;

use super::JobError;
use crate::{
    catalog::StudyContext,
    metrics::Submission,
    node::Node,
    storage::{self, Stage, StoredSubmission, StudyState},
    work,
};

/// The most submissions in one run.
pub const MAX_BATCH: usize = 256;
/// Bytes of shares and of verifier shares after which a batch takes no further submission.
pub const BATCH_BYTES: u64 = 4 << 20;

/// Verifies `submissions`; returns those that some server does not hold yet.
pub async fn run<M: Mesh + 'static>(
    node: &Node,
    context: &Arc<StudyContext>,
    nonce: [u8; 16],
    mesh: M,
    submissions: Vec<SubmissionId>,
) -> Result<Vec<SubmissionId>, JobError> {
    run_on(node, context, nonce, mesh, submissions).await.map(|(_, deferred)| deferred)
}

/// [`run`] that gives the mesh back, for a protocol that verifies on its way.
pub async fn run_on<M: Mesh + 'static>(
    node: &Node,
    context: &Arc<StudyContext>,
    nonce: [u8; 16],
    mut mesh: M,
    submissions: Vec<SubmissionId>,
) -> Result<(M, Vec<SubmissionId>), JobError> {
    let row = node.storage.study(context.id).await?.ok_or(JobError::State(StudyState::Proposed))?;
    let key = match (row.state, row.secrets.and_then(|secrets| secrets.verify_key)) {
        (StudyState::Open | StudyState::Closing, Some(key)) => key,
        (state, _) => return Err(JobError::State(state)),
    };
    let stored = node.storage.submissions(context.id, &submissions).await?;
    let session = Session { nonce, about: About::Verify(submissions.clone()) };
    let records: Vec<_> =
        stored.iter().map(|stored| stored.as_ref().map_or(0, |s| s.records)).collect();
    let items = prepare(context.clone(), key, stored).await?;
    let (in_thread, signer) = (context.clone(), node.signer().clone());
    let verifying = async move {
        let mut transcript = Transcript::new(session.place(in_thread.id), &in_thread.keys, &signer);
        let verdicts = verify(&mut transcript, &mut mesh, &in_thread.collect, items).await;
        (mesh, verdicts, Recording::of(&transcript, session))
    };
    // Proofs are checked on a thread of their own: the async threads keep answering.
    let verified = work::drive(verifying.instrument(Span::current())).await;
    let (mesh, verdicts, heard) = verified.map_err(|_| JobError::Stopping)?;
    let verdicts = verdicts.map_err(|error| JobError::from_transcript(context, &error, &heard))?;
    let mut deferred = Vec::new();
    let mut decided = Vec::with_capacity(verdicts.len());
    let mut counted = Vec::with_capacity(verdicts.len());
    for ((submission, records), verdict) in submissions.into_iter().zip(records).zip(verdicts) {
        match verdict {
            Verdict::Deferred => deferred.push(submission),
            Verdict::Known => {}
            Verdict::Accepted { output_share, verifier_share } => {
                let verdict = storage::Verdict::Accepted { output_share, verifier_share };
                counted.push(Submission::Accepted { records });
                decided.push((submission, verdict));
            }
            Verdict::Rejected { reason, verifier_share } => {
                tracing::info!(%submission, reason = reason.describe(), "submission rejected");
                counted.push(Submission::LeftOut(reason));
                let reason = reason as u8;
                decided.push((submission, storage::Verdict::Rejected { reason, verifier_share }));
            }
        }
    }
    if !decided.is_empty() {
        let ids: Vec<_> = decided.iter().map(|(submission, _)| *submission).collect();
        node.storage.record_verdicts(context.id, decided).await?;
        node.metrics.backlog.leave(context.id, &ids);
        counted.into_iter().for_each(|submission| node.metrics.submission(submission));
    }
    Ok((mesh, deferred))
}

/// Computes this server's verifier shares, on as many threads as the machine has cores.
async fn prepare(
    context: Arc<StudyContext>,
    key: Zeroizing<[u8; 32]>,
    stored: Vec<Option<StoredSubmission>>,
) -> Result<Vec<Item>, JobError> {
    let cores = work::threads();
    let share = stored.len().div_ceil(cores).max(1);
    let mut stored = stored.into_iter();
    let mut parts = Vec::with_capacity(cores);
    loop {
        let part: Vec<_> = stored.by_ref().take(share).collect();
        if part.is_empty() {
            break;
        }
        let (context, key) = (context.clone(), key.clone());
        parts.push(work::aside(move || {
            part.into_iter().map(|stored| item(&context, &key, stored)).collect::<Vec<_>>()
        }));
    }
    let mut items = Vec::new();
    for part in futures::future::join_all(parts).await {
        items.extend(part.map_err(|_| JobError::Stopping)?);
    }
    Ok(items)
}

fn item(context: &StudyContext, key: &[u8; 32], stored: Option<StoredSubmission>) -> Item {
    let Some(StoredSubmission { public, public_hash, records, stage }) = stored else {
        return Item::Missing;
    };
    match stage {
        Stage::Accepted { verifier_share } | Stage::Rejected { verifier_share, .. } => {
            Item::Decided { public: public_hash, verifier_share }
        }
        Stage::Unverified { payload } => {
            let prepared = PublicPart::decode(&public).ok().and_then(|public| {
                context.collect.prepare(key, context.me, &public, &payload).ok()
            });
            match prepared {
                Some(prepared) => {
                    Item::Fresh { public: public_hash, records, prepared: Box::new(prepared) }
                }
                // What was stored has passed the same checks, so this server cannot take part in
                // this submission's verification and says so.
                None => Item::Missing,
            }
        }
    }
}
