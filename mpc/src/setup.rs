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
    mesh::Mesh,
    transcript::{Step, Transcript, TranscriptError},
};

/// Why the servers have no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// A round could not be completed.
    #[error(transparent)]
    Transcript(#[from] TranscriptError),
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
            Self::Transcript(error) => error.culprits(),
            Self::KeysDiffer => Vec::new(),
        }
    }
}

/// Round 1: all servers' commitments. Keep the first that were ever received, then call
/// [`reveal`] with both.
pub async fn commit<M: Mesh>(
    transcript: &mut Transcript<'_>,
    mesh: &mut M,
    contribution: &[u8; 32],
) -> Result<Vec<[u8; 32]>, SetupError> {
    let mine = commitment(transcript.study(), mesh.me(), contribution);
    exchange(transcript, mesh, Step::KeyCommit, mine).await
}

/// Rounds 2 and 3: the verify key. `received` are the commitments of this run, `kept` the first
/// ones ever received.
pub async fn reveal<M: Mesh>(
    transcript: &mut Transcript<'_>,
    mesh: &mut M,
    contribution: &[u8; 32],
    received: &[[u8; 32]],
    kept: &[[u8; 32]],
) -> Result<[u8; 32], SetupError> {
    for (party, (received, kept)) in (0..).map(Party).zip(received.iter().zip(kept)) {
        if received != kept {
            return Err(SetupError::CommitmentChanged(party));
        }
    }
    let study = transcript.study();
    let contributions = exchange(transcript, mesh, Step::KeyReveal, *contribution).await?;
    for (party, (contribution, kept)) in (0..).map(Party).zip(contributions.iter().zip(kept)) {
        if commitment(study, party, contribution) != *kept {
            return Err(SetupError::CommitmentBroken(party));
        }
    }
    let mut parts: Vec<&[u8]> = vec![&study.0];
    parts.extend(contributions.iter().map(|contribution| contribution.as_slice()));
    let key = dst::hash(dst::SETUP_KEY, &parts);
    let mine = dst::hash(dst::SETUP_CONFIRM, &[&key]);
    let confirmations = exchange(transcript, mesh, Step::KeyConfirm, mine).await?;
    match confirmations.iter().all(|confirmation| *confirmation == confirmations[0]) {
        true => Ok(key),
        false => Err(SetupError::KeysDiffer),
    }
}

fn commitment(study: StudyId, party: Party, contribution: &[u8; 32]) -> [u8; 32] {
    dst::hash(dst::SETUP_COMMIT, &[&study.0, &[party.0], contribution])
}

async fn exchange<M: Mesh>(
    transcript: &mut Transcript<'_>,
    mesh: &mut M,
    step: Step,
    mine: [u8; 32],
) -> Result<Vec<[u8; 32]>, SetupError> {
    let received = transcript.round(mesh, step, mine.to_vec()).await?;
    let mut values = Vec::with_capacity(received.len());
    for (party, message) in (0..).map(Party).zip(received) {
        let malformed = TranscriptError::Malformed { party, step };
        values.push(message[..].try_into().map_err(|_| malformed)?);
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ids::RunId,
        mesh::local::{LocalMesh, Tamper},
        sign::{PublicKey, Signer},
        transcript::{Message, Place},
    };
    use futures::{executor::block_on, future::join_all};

    const STUDY: StudyId = StudyId([1; 32]);
    const PLACE: Place = Place { study: STUDY, run: RunId([2; 16]) };

    fn signers() -> Vec<Signer> {
        (0..3).map(|party| Signer::from_seed(&[party; 32])).collect()
    }

    fn keys() -> Vec<PublicKey> {
        signers().iter().map(Signer::public).collect()
    }

    /// The same message with another body, signed again.
    fn say(message: &[u8], party: Party, body: &[u8]) -> Option<Vec<u8>> {
        let message = Message::decode_unverified(party, message).expect("a message");
        Some(message.falsified(&signers()[party.index()], PLACE, body).encode())
    }

    fn run(tamper: Option<Tamper>) -> Vec<Result<[u8; 32], SetupError>> {
        let mut meshes = LocalMesh::connect(3);
        if let Some(tamper) = tamper {
            let last = meshes.pop().expect("three");
            meshes.push(last.with_tamper(tamper));
        }
        let servers = meshes.into_iter().enumerate().map(|(i, mut mesh)| async move {
            let contribution = [i as u8; 32];
            let (keys, signer) = (keys(), &signers()[i]);
            let mut transcript = Transcript::new(PLACE, &keys, signer);
            let received = commit(&mut transcript, &mut mesh, &contribution).await?;
            reveal(&mut transcript, &mut mesh, &contribution, &received, &received.clone()).await
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
        let results = run(Some(Box::new(|round, me, _, message| match round {
            1 => say(&message, me, &[7; 32]),
            _ => Some(message),
        })));
        assert_eq!(results[0], Err(SetupError::CommitmentBroken(Party(2))));
        assert_eq!(results[0].clone().unwrap_err().culprits(), [Party(2)]);
    }

    #[test]
    fn two_words_to_two_peers_are_noticed_before_anything_is_verified() {
        // S2 commits to another contribution towards S1, consistently.
        let results = run(Some(Box::new(|round, me, to, message| match (to, round) {
            (Party(1), 0) => say(&message, me, &commitment(STUDY, Party(2), &[9; 32])),
            (Party(1), 1) => say(&message, me, &[9; 32]),
            _ => Some(message),
        })));
        for result in results.into_iter().take(2) {
            let error = result.expect_err("noticed");
            assert!(error.culprits().is_empty() || error.culprits() == [Party(2)], "{error}");
        }
    }

    #[test]
    fn a_contribution_cannot_be_chosen_anew_after_a_crash() {
        let mut meshes = LocalMesh::connect(2);
        let mut mesh = meshes.remove(0);
        let kept = [[0; 32], [1; 32]];
        let received = [[0; 32], [2; 32]];
        let (keys, signer) = (keys(), &signers()[0]);
        let mut transcript = Transcript::new(PLACE, &keys, signer);
        let revealed = reveal(&mut transcript, &mut mesh, &[0; 32], &received, &kept);
        let result = block_on(revealed);
        assert_eq!(result, Err(SetupError::CommitmentChanged(Party(1))));
    }
}
