//! Setup: k servers draw the verify key of a study together.
//!
//! # Parties
//! Servers S_0..S_{k−1}, each with a stored random contribution c_j of 32 bytes.
//!
//! # Assumes
//! A [`Mesh`]; a place to keep the commitments first received, so that a repeated run after a
//! crash cannot be used to choose a contribution after seeing the others'.
//!
//! # Security
//! The key is uniform while one server is honest. Any server can stall it; one that changes its
//! word is named.
//!
//! # Rounds
//! 1. S_j → all: SHA-256 commitment to c_j.
//! 2. S_j → all: c_j. Everyone checks the commitments; key = SHA-256 over all contributions.
//! 3. S_j → all: hash of the key, so that a server that sent different values to different peers
//!    is noticed at once and not as a study in which nothing verifies.
//!
//! # Cost
//! Three rounds of 32 bytes.
//!
//! # Source
//! Blum, Coin flipping by telephone (1981); draft-irtf-cfrg-vdaf, section 5.2: the verify key is
//! agreed on before any report is accepted and unknown to clients.

use crate::{
    dst,
    ids::{Party, StudyId},
    mesh::{Mesh, MeshError},
};

/// Why the servers have no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// A round could not be completed.
    #[error(transparent)]
    Mesh(#[from] MeshError),
    /// A server's commitment is not the one that it gave in an earlier run.
    #[error("{0} changed its commitment")]
    CommitmentChanged(Party),
    /// A server's contribution does not match its commitment.
    #[error("{0} revealed another contribution than it committed to")]
    CommitmentBroken(Party),
    /// The servers derived different keys: one of them sent different values to different peers.
    #[error("the servers derived different keys; one of them told its peers different things")]
    KeysDiffer,
}

impl SetupError {
    /// Servers that provably broke the protocol.
    pub fn culprits(&self) -> Vec<Party> {
        match self {
            Self::CommitmentChanged(party) | Self::CommitmentBroken(party) => vec![*party],
            Self::Mesh(MeshError::Broken { party, .. }) => vec![*party],
            Self::Mesh(_) | Self::KeysDiffer => Vec::new(),
        }
    }
}

/// Round 1: all servers' commitments. Keep the first that were ever received, then call
/// [`reveal`] with both.
pub async fn commit<M: Mesh>(
    mesh: &mut M,
    study: StudyId,
    contribution: &[u8; 32],
) -> Result<Vec<[u8; 32]>, SetupError> {
    let mine = commitment(study, mesh.me(), contribution);
    exchange(mesh, 0, mine).await
}

/// Rounds 2 and 3: the verify key. `received` are the commitments of this run, `kept` the first
/// ones ever received.
pub async fn reveal<M: Mesh>(
    mesh: &mut M,
    study: StudyId,
    contribution: &[u8; 32],
    received: &[[u8; 32]],
    kept: &[[u8; 32]],
) -> Result<[u8; 32], SetupError> {
    for (party, (received, kept)) in (0..).map(Party).zip(received.iter().zip(kept)) {
        if received != kept {
            return Err(SetupError::CommitmentChanged(party));
        }
    }
    let contributions = exchange(mesh, 1, *contribution).await?;
    for (party, (contribution, kept)) in (0..).map(Party).zip(contributions.iter().zip(kept)) {
        if commitment(study, party, contribution) != *kept {
            return Err(SetupError::CommitmentBroken(party));
        }
    }
    let mut parts: Vec<&[u8]> = vec![&study.0];
    parts.extend(contributions.iter().map(|contribution| contribution.as_slice()));
    let key = dst::hash(dst::SETUP_KEY, &parts);
    let confirmations = exchange(mesh, 2, dst::hash(dst::SETUP_CONFIRM, &[&key])).await?;
    match confirmations.iter().all(|confirmation| *confirmation == confirmations[0]) {
        true => Ok(key),
        false => Err(SetupError::KeysDiffer),
    }
}

fn commitment(study: StudyId, party: Party, contribution: &[u8; 32]) -> [u8; 32] {
    dst::hash(dst::SETUP_COMMIT, &[&study.0, &[party.0], contribution])
}

async fn exchange<M: Mesh>(
    mesh: &mut M,
    round: u32,
    mine: [u8; 32],
) -> Result<Vec<[u8; 32]>, SetupError> {
    let received = mesh.exchange(mine.to_vec()).await?;
    let mut values = Vec::with_capacity(received.len());
    for (party, message) in (0..).map(Party).zip(received) {
        let what = "a value that is not 32 bytes long";
        let value = message.try_into().map_err(|_| MeshError::Broken { round, party, what })?;
        values.push(value);
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::local::{LocalMesh, Tamper};
    use futures::{executor::block_on, future::join_all};

    const STUDY: StudyId = StudyId([1; 32]);

    fn run(tamper: Option<Tamper>) -> Vec<Result<[u8; 32], SetupError>> {
        let mut meshes = LocalMesh::connect(3);
        if let Some(tamper) = tamper {
            let last = meshes.pop().expect("three");
            meshes.push(last.with_tamper(tamper));
        }
        let servers = meshes.into_iter().enumerate().map(|(i, mut mesh)| async move {
            let contribution = [i as u8; 32];
            let received = commit(&mut mesh, STUDY, &contribution).await?;
            reveal(&mut mesh, STUDY, &contribution, &received, &received.clone()).await
        });
        block_on(join_all(servers))
    }

    #[test]
    fn all_servers_derive_the_same_key() {
        let keys = run(None);
        assert!(keys[0].is_ok());
        assert!(keys.iter().all(|key| key == &keys[0]));
    }

    #[test]
    fn a_changed_contribution_names_its_server() {
        let results = run(Some(Box::new(|round, _, _, mut message| {
            message[0] ^= u8::from(round == 1);
            Some(message)
        })));
        assert_eq!(results[0], Err(SetupError::CommitmentBroken(Party(2))));
        assert_eq!(results[0].clone().unwrap_err().culprits(), [Party(2)]);
    }

    #[test]
    fn two_words_to_two_peers_are_noticed_before_anything_is_verified() {
        // S2 commits to another contribution towards S1, consistently.
        let results = run(Some(Box::new(|round, _, to, message| match (to, round) {
            (Party(1), 0) => Some(commitment(STUDY, Party(2), &[9; 32]).to_vec()),
            (Party(1), 1) => Some(vec![9; 32]),
            _ => Some(message),
        })));
        assert_eq!(results[0], Err(SetupError::KeysDiffer));
        assert_eq!(results[1], Err(SetupError::KeysDiffer));
    }

    #[test]
    fn a_contribution_cannot_be_chosen_anew_after_a_crash() {
        let mut meshes = LocalMesh::connect(2);
        let mut mesh = meshes.remove(0);
        let kept = [[0; 32], [1; 32]];
        let received = [[0; 32], [2; 32]];
        let result = block_on(reveal(&mut mesh, STUDY, &[0; 32], &received, &kept));
        assert_eq!(result, Err(SetupError::CommitmentChanged(Party(1))));
    }
}
