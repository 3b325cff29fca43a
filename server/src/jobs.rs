//! Jobs: one driver per study takes it from approval to its end, one protocol run at a time.
//!
//! A run loads state, speaks one protocol of `mpc` over a mesh and stores the outcome in one
//! transaction. The study's first server starts the runs; the others join them. A run that fails
//! because a server is silent is started again later; one that proves a lie ends the study.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use mpc::{
    ids::{Party, RunId, StudyId, SubmissionId},
    mesh::MeshError,
    publish::{NoNoise, PublishError},
    setup::SetupError,
    transcript::{About, Recording, Session, TranscriptError},
};
use proto::{trace::Trace, v1};
use rand::Rng as _;
use tracing::{Instrument as _, Span};

use crate::{
    catalog::StudyContext,
    chance,
    metrics::RunEnd,
    node::Node,
    peers::{
        PeerError,
        mesh::{GrpcMesh, Pace},
        sessions::{Joined, SessionId},
    },
    storage::{Detail, Finish, Storage, StorageError, StudyState},
    trace,
};

mod drive;
mod evidence;
mod publish;
mod setup;
pub(crate) mod survey;
mod verify;

pub use verify::MAX_BATCH;

/// Why a run did not reach its end.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A peer is silent or does not join: try again later.
    #[error("{0}")]
    Peer(#[from] PeerError),
    /// A round could not be completed: try again later.
    #[error("{text}")]
    Incomplete {
        /// Who is missing, by name.
        text: String,
        /// The servers that are missing.
        servers: Vec<String>,
    },
    /// A server broke the protocol: the study ends.
    #[error("{text}")]
    Abort {
        /// What happened, and who can check it.
        text: String,
        /// Who did it, where that is known.
        servers: Vec<String>,
        /// What was said in the run, in parts.
        transcript: Vec<Vec<u8>>,
    },
    /// The run's id was used before, and nothing may be signed in it again.
    #[error("the run was begun here before")]
    Repeated,
    /// The study is not in a state for this run.
    #[error("the study is {0}")]
    State(StudyState),
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
}

/// How the detail of a study begins whose last run failed because servers were silent.
const SILENT: &str = "no answer from";

impl JobError {
    fn from_mesh(context: &StudyContext, error: &MeshError, heard: &Recording) -> Self {
        match error {
            MeshError::Missing { round, parties } => {
                let servers = names(context, parties);
                let text = format!("{SILENT} {} in round {round}", servers.join(", "));
                Self::Incomplete { text, servers }
            }
            MeshError::Broken { party, .. } => {
                evidence::abort(context, error, &[*party], Some(evidence::SEEN_HERE), heard)
            }
            MeshError::Ended => Self::Stopping,
        }
    }

    fn from_transcript(context: &StudyContext, error: &TranscriptError, heard: &Recording) -> Self {
        let hidden = (!error.is_shown()).then_some(evidence::SEEN_HERE);
        match error {
            TranscriptError::Mesh(error) => Self::from_mesh(context, error, heard),
            _ => evidence::abort(context, error, &error.culprits(), hidden, heard),
        }
    }

    fn from_setup(context: &StudyContext, error: &SetupError, heard: &Recording) -> Self {
        let hidden = (!error.is_shown()).then_some(evidence::SAID_BEFORE);
        match error {
            SetupError::Transcript(error) => Self::from_transcript(context, error, heard),
            _ => evidence::abort(context, error, &error.culprits(), hidden, heard),
        }
    }

    fn from_publish(context: &StudyContext, error: &PublishError, heard: &Recording) -> Self {
        let hidden = match error {
            PublishError::NoNoise(_) | PublishError::NoiseOutOfRange { .. } => Some(""),
            _ => (!error.is_shown()).then_some(evidence::SAID_BEFORE),
        };
        match error {
            PublishError::Transcript(error) => Self::from_transcript(context, error, heard),
            PublishError::Ledger | PublishError::NoNoise(NoNoise::Unavailable) => Self::Stopping,
            PublishError::ShareDamaged => {
                let text = "its stored shares are not those that it took: restore its database";
                let me = context.name(context.me).to_owned();
                Self::Incomplete {
                    text: format!("{me} can open nothing, {text}"),
                    servers: vec![me],
                }
            }
            _ => evidence::abort(context, error, &error.culprits(), hidden, heard),
        }
    }

    /// What the operator counts it as.
    fn end(&self) -> RunEnd {
        match self {
            Self::Peer(_) | Self::Incomplete { .. } => RunEnd::Incomplete,
            Self::Abort { .. } => RunEnd::Aborted,
            Self::Storage(_) | Self::Repeated | Self::State(_) | Self::Stopping => RunEnd::Failed,
        }
    }

    /// What people are told while the study waits, if the error is about somebody.
    fn detail(&self) -> Option<Detail> {
        let servers = match self {
            Self::Incomplete { servers, .. } => servers.clone(),
            Self::Peer(error) => vec![error.peer().to_owned()],
            Self::Storage(StorageError::Damaged(_)) => {
                let text = format!("{self}: restore a backup, or cancel the study");
                return Some(Detail { text, servers: Vec::new() });
            }
            _ => return None,
        };
        Some(Detail { text: self.to_string(), servers })
    }
}

fn names(context: &StudyContext, parties: &[Party]) -> Vec<String> {
    parties.iter().map(|party| context.name(*party).to_owned()).collect()
}

/// Starts the driver of a study. It ends with the study or with the server.
pub fn start(node: &Arc<Node>, context: Arc<StudyContext>) {
    let node_of_task = node.clone();
    node.tasks.spawn(async move { drive::drive(&node_of_task, &context).await });
}

/// Takes part in a session that the study's first server started. The session is joined when this
/// returns; the run itself goes on in the background, and is logged under the first server's `trace`.
///
/// `false`: as many runs of the study wait here as may; nothing was joined.
pub fn join(node: &Arc<Node>, context: Arc<StudyContext>, session: Session, trace: Trace) -> bool {
    let Ok(place) = context.runs.clone().try_acquire_owned() else { return false };
    let joined = node.sessions.join(session_id(&context, &session));
    let (span, node_of_task) = (span(&context, &session, trace), node.clone());
    let taking_part = async move {
        let changes_state = !matches!(session.about, About::Verify(_));
        if let Err(error) = take_part(&node_of_task, &context, joined, session).await {
            settle(&node_of_task, &context, &error).await;
        }
        if changes_state {
            context.wake.notify_one();
        }
        drop(place);
    };
    node.tasks.spawn(taking_part.instrument(span));
    true
}

/// Starts a session on all servers of the study and takes part in it. Returns the submissions
/// that could not be verified yet.
async fn lead(
    node: &Arc<Node>,
    context: &Arc<StudyContext>,
    about: About,
) -> Result<Vec<SubmissionId>, JobError> {
    let mut nonce = [0; 16];
    chance::rng().fill_bytes(&mut nonce);
    let session = Session { nonce, about };
    let trace = trace::start();
    let span = span(context, &session, trace);
    let trace = trace::within(&span, trace);
    let leading = async {
        let outcome = lead_session(node, context, session, trace).await;
        // Here, so that the study's end is logged under the run that ended it.
        if let Err(error @ JobError::Abort { .. }) = &outcome {
            settle(node, context, error).await;
        }
        outcome
    };
    leading.instrument(span).await
}

async fn lead_session(
    node: &Arc<Node>,
    context: &Arc<StudyContext>,
    session: Session,
    trace: Trace,
) -> Result<Vec<SubmissionId>, JobError> {
    let id = session_id(context, &session);
    let joined = node.sessions.join(id);
    let request = start_request(context.id, &session);
    let starts = context.others().map(|peer| {
        let request = request.clone();
        node.peers.start_session(peer, request, trace)
    });
    if let Err(error) = futures::future::try_join_all(starts).await {
        abandon(node, context, id).await;
        return Err(error.into());
    }
    take_part(node, context, joined, session).await
}

/// Everything that is logged of a run, with the id that it has in the logs of all servers.
fn span(context: &StudyContext, session: &Session, trace: Trace) -> Span {
    let (study, protocol) = (context.id, session.about.name());
    let span = tracing::info_span!("run", %study, protocol, trace_id = %trace.id());
    trace::follow(span, trace)
}

/// Tells all peers not to wait for this server in a session.
async fn abandon(node: &Node, context: &StudyContext, session: SessionId) {
    futures::future::join_all(context.others().map(|peer| node.peers.abandon(peer, session))).await;
}

/// A session is the run that is spoken in it.
fn session_id(context: &StudyContext, session: &Session) -> SessionId {
    SessionId(session.run(context.id).0)
}

/// What [`crate::rpc::peers`] reads as a session of this study.
pub(crate) fn start_request(study: StudyId, session: &Session) -> v1::StartRequest {
    let (protocol, submissions) = match &session.about {
        About::Setup => (v1::Protocol::Setup, &[][..]),
        About::Verify(submissions) => (v1::Protocol::Verify, &submissions[..]),
        About::Publish => (v1::Protocol::Publish, &[][..]),
    };
    v1::StartRequest {
        nonce: session.nonce.to_vec().into(),
        study_id: study.0.to_vec().into(),
        protocol: protocol.into(),
        submission_ids: submissions.iter().map(|id| id.0.to_vec().into()).collect(),
    }
}

async fn take_part(
    node: &Arc<Node>,
    context: &Arc<StudyContext>,
    joined: Joined,
    session: Session,
) -> Result<Vec<SubmissionId>, JobError> {
    let joined_as = joined.id();
    // One run at a time: a verdict of one must be stored before the next looks.
    let _running =
        tokio::time::timeout(node.round_timeout(), context.running.lock()).await.map_err(|_| {
            JobError::Incomplete { text: "another run is busy".into(), servers: vec![] }
        })?;
    let (started, protocol) = (Instant::now(), session.about.name());
    let is_verification = matches!(session.about, About::Verify(_));
    let pace = Pace { metrics: node.metrics.clone(), protocol };
    let mesh = GrpcMesh::new(
        context.me,
        context.names.clone(),
        node.peers.clone(),
        joined,
        node.round_timeout(),
        node.stop.child_token(),
        pace,
    );
    tracing::debug!("start");
    let outcome = async {
        begin(&*node.storage, context.id, session.run(context.id)).await?;
        meet(node, context).await?;
        speak(node, context, session, mesh).await
    }
    .await;
    let end = outcome.as_ref().map_or_else(JobError::end, |_| RunEnd::Done);
    node.metrics.run(protocol, end, started.elapsed());
    match &outcome {
        // There may be many in a second.
        Ok(_) if is_verification => tracing::debug!("end"),
        Ok(_) => tracing::info!("end"),
        Err(error) => {
            tracing::info!(%error, "no end");
            abandon(node, context, joined_as).await;
        }
    }
    outcome
}

/// Notes that this server takes part in a run, before it signs anything in it.
async fn begin(storage: &dyn Storage, study: StudyId, run: RunId) -> Result<(), JobError> {
    match storage.begin_run(study, run).await? {
        true => Ok(()),
        false => Err(JobError::Repeated),
    }
}

/// Has every other server of the study remember that this one has begun the run, and requires that
/// none of them, and not this one, has an old backup for its database.
async fn meet(node: &Node, context: &StudyContext) -> Result<(), JobError> {
    let meetings = context.others().map(|peer| node.peers.meet(peer));
    futures::future::try_join_all(meetings).await?;
    Ok(())
}

async fn speak(
    node: &Arc<Node>,
    context: &Arc<StudyContext>,
    session: Session,
    mesh: GrpcMesh,
) -> Result<Vec<SubmissionId>, JobError> {
    match session.about {
        About::Setup => setup::run(node, context, session, mesh).await.map(|()| Vec::new()),
        About::Verify(submissions) => {
            verify::run(node, context, session.nonce, mesh, submissions).await
        }
        About::Publish => publish::run(node, context, session, mesh).await.map(|()| Vec::new()),
    }
}

/// Stores what a run's error means for the study.
async fn settle(node: &Node, context: &StudyContext, error: &JobError) {
    let stored = match error {
        JobError::Abort { text, servers, transcript } => {
            let detail = Detail { text: text.clone(), servers: servers.clone() };
            let finish = ended(node, StudyState::Aborted, detail, transcript.clone());
            end(node, context, finish).await.map(drop)
        }
        _ => match error.detail() {
            Some(detail) => describe(node, context, detail).await,
            None => Ok(()),
        },
    };
    if let Err(error) = stored {
        tracing::error!(study = %context.id, %error, "the study's state could not be stored");
    }
}

/// The end of a study without a result.
fn ended(node: &Node, to: StudyState, detail: Detail, transcript: Vec<Vec<u8>>) -> Finish {
    let now_ms = node.clock.now_ms();
    Finish { to, detail, outcome: Vec::new(), transcript, rejected: 0, scrub: true, now_ms }
}

/// Ends a study. What was secret is wiped in the same transaction. `false`: it had ended before.
async fn end(node: &Node, context: &StudyContext, finish: Finish) -> Result<bool, StorageError> {
    let (text, to) = (finish.detail.text.clone(), finish.to);
    let has_ended = node.storage.finish(context.id, finish).await?;
    if has_ended {
        node.metrics.backlog.end(context.id);
        tracing::info!(study = %context.id, state = %to, detail = text, "the study has ended");
    }
    Ok(has_ended)
}

/// Renews the detail of a study that goes on, if it says something new.
async fn describe(node: &Node, context: &StudyContext, detail: Detail) -> Result<(), StorageError> {
    let Some(row) = node.storage.study(context.id).await? else { return Ok(()) };
    if !row.state.is_final() && row.detail != detail {
        let now_ms = node.clock.now_ms();
        node.storage.transition(context.id, &[row.state], row.state, detail, now_ms).await?;
    }
    Ok(())
}

/// A pause that grows while nothing changes.
struct Backoff {
    now: Duration,
    most: Duration,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(200);

    fn new(most: Duration) -> Self {
        Self { now: Self::FIRST, most }
    }

    fn reset(&mut self) {
        self.now = Self::FIRST;
    }

    fn next(&mut self) -> Duration {
        let now = self.now;
        self.now = (self.now * 2).min(self.most);
        now
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{conformance, sqlite::SqliteStorage};

    #[tokio::test]
    async fn a_run_that_was_used_before_is_refused_also_after_a_restart() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("sotto.db");
        let storage = SqliteStorage::open(&path).expect("opens");
        let study = conformance::study(1);
        let id = study.id;
        storage.insert_study(study).await.expect("stored");
        let run = RunId([7; 16]);
        begin(&storage, id, run).await.expect("the first time");
        assert!(matches!(begin(&storage, id, run).await, Err(JobError::Repeated)));
        storage.close().await;
        let storage = SqliteStorage::open(&path).expect("opens");
        assert!(matches!(begin(&storage, id, run).await, Err(JobError::Repeated)));
        begin(&storage, id, RunId([8; 16])).await.expect("another one");
    }
}
