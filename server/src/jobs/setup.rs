//! Setup run: draws the verify key with the other servers and opens the study.

use mpc::{
    setup::{SetupError, commit, reveal},
    transcript::{Recording, Session, Transcript},
};

use super::JobError;
use crate::{
    catalog::StudyContext,
    node::Node,
    peers::mesh::GrpcMesh,
    storage::{StorageError, StudyState},
};

/// Runs the setup. At a server whose study is open already it repeats the same messages for a
/// peer that crashed before it stored the key.
pub async fn run(
    node: &Node,
    context: &StudyContext,
    session: Session,
    mut mesh: GrpcMesh,
) -> Result<(), JobError> {
    let row = node.storage.study(context.id).await?.ok_or(JobError::State(StudyState::Proposed))?;
    let secrets = match (row.state, row.secrets) {
        (StudyState::Approved | StudyState::Open | StudyState::Closing, Some(secrets)) => secrets,
        (state, _) => return Err(JobError::State(state)),
    };
    let contribution = &secrets.contribution;
    let mut transcript = Transcript::new(session.place(context.id), &context.keys, node.signer());
    let drawn = draw(node, context, &mut transcript, &mut mesh, contribution).await;
    let heard = Recording::of(&transcript, session);
    let fail = |error: Failure| match error {
        Failure::Setup(error) => JobError::from_setup(context, &error, &heard),
        Failure::Storage(error) => error.into(),
    };
    let key = drawn.map_err(fail)?;
    if node.storage.open_study(context.id, key, node.clock.now_ms()).await? {
        tracing::info!(study = %context.id, "the study is open");
    }
    Ok(())
}

/// Why no key was drawn.
enum Failure {
    Setup(SetupError),
    Storage(StorageError),
}

async fn draw(
    node: &Node,
    context: &StudyContext,
    transcript: &mut Transcript<'_>,
    mesh: &mut GrpcMesh,
    contribution: &[u8; 32],
) -> Result<[u8; 32], Failure> {
    let received = commit(transcript, mesh, contribution).await.map_err(Failure::Setup)?;
    let kept = node.storage.fix_setup_commitments(context.id, &received).await;
    let kept = kept.map_err(Failure::Storage)?;
    reveal(transcript, mesh, contribution, &received, &kept).await.map_err(Failure::Setup)
}
