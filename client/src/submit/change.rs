//! A change of what was submitted: one amendment, made of what the receipts say, and sent until
//! every server has acknowledged it.
//!
//! The amendment's id and its old submissions are on disk before any server hears of it, and its
//! signature follows from them; so a repeated run sends the same bytes.

use std::collections::BTreeSet;

use mpc::{
    collect::{Amendment, SignedAmendment},
    ids::{AmendmentId, StudyId, SubmissionId},
    sign::Signer,
};
use proto::chance;
use rand::RngExt as _;
use tokio_util::sync::CancellationToken;

use super::{
    receipts::Acknowledged,
    upload::{Lanes, Partly},
};
use crate::{connection::Cluster, error::ClientError, progress::Progress, status::State, studies};

/// What an amendment takes away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    /// The study.
    pub study: StudyId,
    /// The amendment's id.
    pub id: AmendmentId,
    /// Its place among those of this provider.
    pub sequence: u64,
    /// The submissions that count no more.
    pub old: BTreeSet<SubmissionId>,
}

impl Change {
    /// An id that nobody has drawn before.
    pub fn draw() -> AmendmentId {
        AmendmentId(chance::rng().random())
    }

    /// The amendment that lets `new` take their place.
    pub fn sign(self, new: BTreeSet<SubmissionId>, provider: &Signer) -> SignedAmendment {
        let Self { study, id, sequence, old } = self;
        let (old, new) = (old.into_iter().collect(), new.into_iter().collect());
        let provider_key = provider.public();
        Amendment { study, id, sequence, provider: provider_key, old, new }.sign(provider)
    }
}

/// Sends an amendment to all servers; returns when every one of them has signed for it.
pub(super) async fn send(
    cluster: &Cluster,
    lanes: &Lanes,
    signed: &SignedAmendment,
    stop: &CancellationToken,
    progress: &dyn Progress,
) -> Result<Acknowledged, ClientError> {
    let sent = tokio::select! {
        biased;
        () = stop.cancelled() => return Err(ClientError::Interrupted),
        sent = lanes.amend(signed, progress) => sent,
    };
    match sent {
        Ok(acknowledged) => Ok(acknowledged),
        Err(partly) if matches!(*partly.failure, ClientError::Refused { .. }) => {
            Err(closed(cluster, signed.amendment.study, partly).await)
        }
        Err(partly) => Err(*partly.failure),
    }
}

/// Tells a study that has closed from other refusals.
async fn closed(cluster: &Cluster, id: StudyId, partly: Partly) -> ClientError {
    let Partly { failure, took, silent } = partly;
    match studies::overview(cluster, id).await {
        Ok(now) if is_over(now.state) => {
            ClientError::TooLate { id, state: now.state, took, silent }
        }
        _ => *failure,
    }
}

/// A study that is not open any more, for who wants to change what was submitted.
pub(super) fn too_late(error: ClientError) -> ClientError {
    match error {
        ClientError::NotOpen { id, state, .. } if is_over(state) => {
            ClientError::TooLate { id, state, took: Vec::new(), silent: Vec::new() }
        }
        other => other,
    }
}

fn is_over(state: State) -> bool {
    !matches!(state, State::Proposed | State::Approved | State::Open)
}

/// Requires the submissions of a change to fit one amendment.
pub(super) fn require_room(submissions: usize) -> Result<(), ClientError> {
    match submissions <= Amendment::MAX_IDS {
        true => Ok(()),
        false => Err(ClientError::TooManySubmissions { submissions, most: Amendment::MAX_IDS }),
    }
}
