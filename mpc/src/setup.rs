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
//!    is noticed (and named, by the transcript) at once and not as a study in which nothing verifies.
//!
//! # Cost
//! Three rounds of 32 bytes.
//!
//! # Source
//! Blum, Coin flipping by telephone (1981); draft-irtf-cfrg-vdaf, section 5.2: the verify key is
//! agreed on before any report is accepted and unknown to clients.

use std::sync::Arc;

use crate::{
    dst,
    ids::{Party, StudyId},
    mesh::Mesh,
    sign::PublicKey,
    transcript::{
        Message, Place, Step, Transcript, TranscriptError,
        replay::{Replay, Stop},
    },
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
    /// A server confirmed another key than the one that all contributions give.
    #[error("{0} confirmed another verify key than the contributions give")]
    KeyMismatch(Party),
}

impl SetupError {
    /// Servers that provably broke the protocol.
    pub fn culprits(&self) -> Vec<Party> {
        match self {
            Self::CommitmentChanged(party)
            | Self::CommitmentBroken(party)
            | Self::KeyMismatch(party) => vec![*party],
            Self::Transcript(error) => error.culprits(),
        }
    }

    /// Whether anybody who is shown the recording of the run finds the same.
    pub fn is_shown(&self) -> bool {
        match self {
            Self::Transcript(error) => error.is_shown(),
            Self::CommitmentBroken(_) | Self::KeyMismatch(_) => true,
            // The first commitment was given in another run.
            Self::CommitmentChanged(_) => false,
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
    let key = joint_key(study, kept, &contributions)?;
    let confirmations = exchange(transcript, mesh, Step::KeyConfirm, confirmation(&key)).await?;
    confirmed(&key, &confirmations)?;
    Ok(key)
}

/// Follows the recording of a setup, which may end early, where a server fell silent.
pub fn replay(place: Place, keys: &[PublicKey], rounds: &[Vec<Message>]) -> Result<(), SetupFault> {
    let mut replay = Replay::new(place, keys, rounds);
    let Some(commitments) = values(&mut replay, Step::KeyCommit)? else { return Ok(replay.end()?) };
    let Some(contributions) = values(&mut replay, Step::KeyReveal)? else {
        return Ok(replay.end()?);
    };
    let key = joint_key(place.study, &commitments, &contributions)?;
    if let Some(confirmations) = values(&mut replay, Step::KeyConfirm)? {
        confirmed(&key, &confirmations)?;
    }
    Ok(replay.end()?)
}

/// Why the recording of a setup does not stand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupFault {
    /// A server broke the protocol, as the servers found then.
    #[error(transparent)]
    Server(#[from] SetupError),
    /// Whoever gave out the recording changed it.
    #[error("the recording is damaged or false: {0}")]
    Recording(&'static str),
}

impl From<Stop> for SetupFault {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Broken(error) => Self::Server(error.into()),
            Stop::False(what) => Self::Recording(what),
        }
    }
}

/// The key of these contributions, each of which is what its server committed to.
fn joint_key(
    study: StudyId,
    commitments: &[[u8; 32]],
    contributions: &[[u8; 32]],
) -> Result<[u8; 32], SetupError> {
    for (party, (contribution, kept)) in (0..).map(Party).zip(contributions.iter().zip(commitments))
    {
        if commitment(study, party, contribution) != *kept {
            return Err(SetupError::CommitmentBroken(party));
        }
    }
    let mut parts: Vec<&[u8]> = vec![&study.0];
    parts.extend(contributions.iter().map(|contribution| contribution.as_slice()));
    Ok(dst::hash(dst::SETUP_KEY, &parts))
}

fn confirmation(key: &[u8; 32]) -> [u8; 32] {
    dst::hash(dst::SETUP_CONFIRM, &[key])
}

/// All contributed to the same key (the transcript is the same), so another one is a lie.
fn confirmed(key: &[u8; 32], confirmations: &[[u8; 32]]) -> Result<(), SetupError> {
    let expected = confirmation(key);
    match (0..).map(Party).zip(confirmations).find(|(_, theirs)| **theirs != expected) {
        Some((party, _)) => Err(SetupError::KeyMismatch(party)),
        None => Ok(()),
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
    Ok(decode(step, &received)?)
}

fn values(replay: &mut Replay<'_>, step: Step) -> Result<Option<Vec<[u8; 32]>>, SetupFault> {
    let Some(bodies) = replay.round(step)? else { return Ok(None) };
    Ok(Some(decode(step, &bodies).map_err(SetupError::from)?))
}

fn decode(step: Step, bodies: &[Arc<[u8]>]) -> Result<Vec<[u8; 32]>, TranscriptError> {
    let decode = |(party, body): (Party, &Arc<[u8]>)| {
        body[..].try_into().map_err(|_| TranscriptError::Malformed { party, step })
    };
    (0..).map(Party).zip(bodies).map(decode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        mesh::local::{LocalMesh, Tamper},
        sign::{PublicKey, Signer},
        transcript::{About, Message, Place, Recording, Session},
    };
    use futures::{executor::block_on, future::join_all};

    const STUDY: StudyId = StudyId([1; 32]);
    const SESSION: Session = Session { nonce: [2; 16], about: About::Setup };

    fn place() -> Place {
        SESSION.place(STUDY)
    }

    fn signers() -> Vec<Signer> {
        (0..3).map(|party| Signer::from_seed(&[party; 32])).collect()
    }

    fn keys() -> Vec<PublicKey> {
        signers().iter().map(Signer::public).collect()
    }

    /// The same message with another body, signed again.
    fn say(message: &[u8], party: Party, body: &[u8]) -> Option<Vec<u8>> {
        let message = Message::decode_unverified(party, message).expect("a message");
        Some(message.falsified(&signers()[party.index()], place(), body).encode())
    }

    fn run(tamper: Option<Tamper>) -> Vec<Result<[u8; 32], SetupError>> {
        let mut meshes = LocalMesh::connect(3);
        let is_liar = tamper.is_some();
        if let Some(tamper) = tamper {
            let last = meshes.pop().expect("three");
            meshes.push(last.with_tamper(tamper));
        }
        let servers = meshes.into_iter().enumerate().map(|(i, mut mesh)| async move {
            let contribution = [i as u8; 32];
            let (keys, signer) = (keys(), &signers()[i]);
            let mut transcript = Transcript::new(place(), &keys, signer);
            let key = async {
                let received = commit(&mut transcript, &mut mesh, &contribution).await?;
                reveal(&mut transcript, &mut mesh, &contribution, &received, &received).await
            };
            let key = key.await;
            let recording = Recording::of(&transcript, SESSION);
            if !is_liar || i < 2 {
                check_replay(&key, &keys, &recording);
            }
            key
        });
        block_on(join_all(servers))
    }

    /// A replay finds what the server found, and no byte of what it heard can be changed.
    fn check_replay(key: &Result<[u8; 32], SetupError>, keys: &[PublicKey], recording: &Recording) {
        let replayed = replay(place(), keys, &recording.rounds);
        match key {
            Err(error) if error.is_shown() => {
                assert_eq!(replayed, Err(SetupFault::Server(error.clone())));
            }
            _ => assert_eq!(replayed, Ok(())),
        }
        let parts = recording.encode();
        for (part, byte) in (1..parts.len())
            .flat_map(|part| (0..parts[part].len()).step_by(5).map(move |byte| (part, byte)))
        {
            let mut changed = parts.clone();
            changed[part][byte] ^= 1;
            let decoded = Recording::decode(changed.iter().map(Vec::as_slice));
            let replayed = decoded.map(|recording| replay(place(), keys, &recording.rounds));
            assert!(!matches!(replayed, Ok(Ok(()))), "part {part}, byte {byte}");
        }
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
        for result in &results[..2] {
            let error = result.clone().expect_err("noticed");
            assert_eq!(error.culprits(), [Party(2)], "{error}");
        }
    }

    #[test]
    fn a_false_confirmation_names_its_server() {
        let results = run(Some(Box::new(|round, me, _, message| match round {
            2 => say(&message, me, &[7; 32]),
            _ => Some(message),
        })));
        assert_eq!(results[0], Err(SetupError::KeyMismatch(Party(2))));
    }

    #[test]
    fn a_contribution_cannot_be_chosen_anew_after_a_crash() {
        let mut meshes = LocalMesh::connect(2);
        let mut mesh = meshes.remove(0);
        let kept = [[0; 32], [1; 32]];
        let received = [[0; 32], [2; 32]];
        let (keys, signer) = (keys(), &signers()[0]);
        let mut transcript = Transcript::new(place(), &keys, signer);
        let revealed = reveal(&mut transcript, &mut mesh, &[0; 32], &received, &kept);
        let result = block_on(revealed);
        assert_eq!(result, Err(SetupError::CommitmentChanged(Party(1))));
    }
}
