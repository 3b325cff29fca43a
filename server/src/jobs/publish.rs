//! Publication run: the servers agree on the set, open its totals (with noise, where the study is
//! differentially private) and sign the result.

use std::sync::Arc;

use mpc::{
    collect::{Reason, SignedAmendment},
    ids::{RunId, SubmissionId},
    mesh::Mesh,
    publish::{
        self, AgreedSet, Agreement, Entry, Holdings, Opening, PublishError, Published, SignedSet,
        Status,
    },
    transcript::{About, Recording, Session, Transcript},
};
use study::plan::Noise;
use words::Words;

use super::{JobError, begin, end, ended, evidence, verify};
use crate::{
    catalog::StudyContext,
    metrics::Submission,
    node::Node,
    storage::{Detail, EntryStatus, Finish, StorageError, StudyState},
    work,
};

mod sums;
mod words;

/// Rows read from the database at a time.
const PAGE: usize = 1_000;
/// How often pending submissions are verified before the run is given up for now.
const ATTEMPTS: usize = 3;

/// Runs the publication to the study's end.
pub async fn run<M: Mesh + 'static>(
    node: &Node,
    context: &Arc<StudyContext>,
    session: Session,
    mesh: M,
) -> Result<(), JobError> {
    let row = node.storage.study(context.id).await?.ok_or(JobError::State(StudyState::Proposed))?;
    let secrets = match (row.state, row.secrets) {
        (StudyState::Closing, Some(secrets)) => secrets,
        (state, _) => return Err(JobError::State(state)),
    };
    let mut transcript = Transcript::new(session.place(context.id), &context.keys, node.signer());
    let ending = speak(node, context, &mut transcript, mesh, &secrets.salt_seed).await;
    let heard = Recording::of(&transcript, session);
    match ending {
        Ok(Ending::Published(published)) => store(node, context, &published, heard.encode()).await,
        Ok(Ending::Refused { detail, left_out }) => {
            let finish = ended(node, StudyState::Refused, detail, heard.encode());
            let rejected = left_out.len() as u64;
            if end(node, context, Finish { rejected, ..finish }).await? {
                count(node, &left_out);
            }
            Ok(())
        }
        Ok(Ending::Pending) => {
            let text = "submissions that all servers hold could not be verified".into();
            Err(JobError::Incomplete { text, servers: Vec::new() })
        }
        Err(Failure::Publish(error)) => Err(JobError::from_publish(context, &error, &heard)),
        Err(Failure::SetChanged) => {
            let text = "a server changed its list of submissions after the set was fixed";
            Err(evidence::abort(context, &text, &[], Some(evidence::SAID_BEFORE), &heard))
        }
        Err(Failure::Job(error)) => Err(error),
    }
}

/// What a publication came to.
enum Ending {
    Published(Published),
    /// A rule of the study forbids a result.
    Refused {
        detail: Detail,
        left_out: Vec<(SubmissionId, Reason)>,
    },
    /// Submissions wait for a verdict that did not come.
    Pending,
}

/// Why it came to nothing.
enum Failure {
    Publish(PublishError),
    /// The set is not the one that was fixed in an earlier run.
    SetChanged,
    Job(JobError),
}

impl<E: Into<JobError>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Job(error.into())
    }
}

async fn speak<M: Mesh + 'static>(
    node: &Node,
    context: &Arc<StudyContext>,
    transcript: &mut Transcript<'_>,
    mut mesh: M,
    salt_seed: &[u8; 32],
) -> Result<Ending, Failure> {
    let amendments = amendments(node, context).await?;
    let limits = evidence::limits(context);
    for attempt in 0..ATTEMPTS {
        let entries = entries(node, context).await?;
        let mine = Holdings { entries: &entries, amendments: &amendments };
        let agreed = publish::agree(transcript, &mut mesh, mine, limits).await;
        let Agreement { set, pending } = agreed.map_err(Failure::Publish)?;
        if !pending.is_empty() {
            let run = transcript.run();
            mesh = verify_pending(node, context, (run, attempt), mesh, pending).await?;
            continue;
        }
        fix(node, context, &set).await?;
        let confirmed = publish::confirm(transcript, &mut mesh, mine, &set).await;
        confirmed.map_err(Failure::Publish)?;
        if let Some(detail) = refusal(context, set.records) {
            return Ok(Ending::Refused { detail, left_out: set.rejected });
        }
        let published = open(node, context, transcript, &mut mesh, &set, salt_seed).await?;
        return Ok(Ending::Published(published));
    }
    Ok(Ending::Pending)
}

async fn open<M: Mesh>(
    node: &Node,
    context: &Arc<StudyContext>,
    transcript: &mut Transcript<'_>,
    mesh: &mut M,
    set: &AgreedSet,
    salt_seed: &[u8; 32],
) -> Result<Published, Failure> {
    let (share, commitments) = sums::over(node, context, set).await?;
    let bounds = context.plan.bounds(set.records);
    let opening = Opening {
        set,
        share: &share,
        commitments: &commitments,
        bases: context.collect.bases(),
        bounds: &bounds,
        mechanism: context.plan.noise().map(Noise::mechanism),
        salt_seed,
    };
    let next = |opened: &[Option<i128>]| {
        // With many cells, which of them are withheld takes seconds to find.
        work::here(|| context.plan.next_opening(set.records, opened))
    };
    let words = Words { node, context };
    publish::open(transcript, mesh, opening, &words, next).await.map_err(Failure::Publish)
}

/// Stores a published result and wipes what is secret.
pub async fn store(
    node: &Node,
    context: &StudyContext,
    published: &Published,
    transcript: Vec<Vec<u8>>,
) -> Result<(), JobError> {
    let finish = Finish {
        outcome: published.encode(),
        rejected: published.rejected.len() as u64,
        ..ended(node, StudyState::Published, Detail::default(), transcript)
    };
    if end(node, context, finish).await? {
        count(node, &published.rejected);
    }
    Ok(())
}

/// Counts what a study leaves out, but for what its verification has counted.
fn count(node: &Node, left_out: &[(SubmissionId, Reason)]) {
    for (_, reason) in left_out {
        if !matches!(reason, Reason::InvalidProof | Reason::PublicPartsDiffer) {
            node.metrics.submission(Submission::LeftOut(*reason));
        }
    }
}

/// The rule of the study that forbids a result over so many records.
pub fn refusal(context: &StudyContext, records: u64) -> Option<Detail> {
    let least = context.study.privacy().min_records;
    (records < least).then(|| Detail {
        text: format!(
            "min_records: the study has {records} valid records and needs {least}; nothing was opened"
        ),
        servers: Vec::new(),
    })
}

/// Number of records in a stored set's digest.
pub fn records_of(digest: &[u8]) -> Option<u64> {
    SignedSet::decode(digest).ok().map(|set| set.counted.records)
}

/// Stores the set before it is signed, what it leaves out, and the amendments that it is made with. A
/// set that was fixed in an earlier run stays: another one now means that a server changed its list
/// after signing, and two sets are never opened.
async fn fix(node: &Node, context: &StudyContext, set: &AgreedSet) -> Result<(), Failure> {
    let digest = set.digest();
    if node.storage.fix_set(context.id, digest.clone()).await? != digest {
        return Err(Failure::SetChanged);
    }
    let rejected = set.rejected.iter().map(|(submission, reason)| (*submission, *reason as u8));
    node.storage.fix_rejected(context.id, rejected.collect()).await?;
    let amendments = set.amendments.iter().map(SignedAmendment::encode).collect();
    Ok(node.storage.fix_amendments(context.id, amendments).await?)
}

async fn entries(node: &Node, context: &StudyContext) -> Result<Vec<Entry>, JobError> {
    let mut entries: Vec<Entry> = Vec::new();
    loop {
        let after = entries.last().map(|entry| entry.submission);
        let page = node.storage.entries(context.id, after, PAGE).await?;
        let last = page.len() < PAGE;
        entries.extend(page.into_iter().map(|entry| Entry {
            submission: entry.id,
            public: entry.public_hash,
            records: entry.records,
            status: match entry.status {
                EntryStatus::Unverified => Status::Unverified,
                EntryStatus::Accepted => Status::Accepted,
                EntryStatus::Rejected(code) => {
                    Status::Rejected(Reason::from_code(code).unwrap_or(Reason::InvalidProof))
                }
            },
            provider: entry.provider,
            amendment: entry.amendment,
        }));
        if last {
            return Ok(entries);
        }
    }
}

/// The amendments that came in here while the study was open.
async fn amendments(node: &Node, context: &StudyContext) -> Result<Vec<SignedAmendment>, JobError> {
    let stored = node.storage.amendments(context.id).await?;
    let decode = |bytes: &Vec<u8>| SignedAmendment::decode_unverified(bytes);
    let decoded: Result<Vec<_>, _> = stored.iter().map(decode).collect();
    decoded.map_err(|_| StorageError::Damaged("an amendment cannot be decoded").into())
}

/// Verifies what all servers hold, in batches of the same size at every server.
async fn verify_pending<M: Mesh + 'static>(
    node: &Node,
    context: &Arc<StudyContext>,
    (run, attempt): (RunId, usize),
    mut mesh: M,
    pending: Vec<SubmissionId>,
) -> Result<M, JobError> {
    // At the largest, a submission's share is 1 MiB: a batch stays below 16 MiB.
    for (number, batch) in pending.chunks(16).enumerate() {
        let nonce = Session::nonce_of_part(run, attempt as u64, number as u64);
        let session = Session { nonce, about: About::Verify(batch.to_vec()) };
        begin(&*node.storage, context.id, session.run(context.id)).await?;
        (mesh, _) = verify::run_on(node, context, nonce, mesh, batch.to_vec()).await?;
    }
    Ok(mesh)
}
