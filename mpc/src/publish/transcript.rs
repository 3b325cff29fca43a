//! Transcript: lockstep rounds whose messages are signed and chained by a running hash.

use std::fmt;

use super::PublishError;
use crate::{
    dst,
    ids::{Party, StudyId},
    mesh::Mesh,
    sign::{PublicKey, Signature, Signer},
    wire::{Reader, WireError},
};

/// A step of the publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Step {
    /// Roots of the servers' lists.
    Roots = 1,
    /// The lists.
    Lists = 2,
    /// The agreed set.
    Set = 3,
    /// Commitments to the result shares.
    Commit = 4,
    /// The result shares.
    Open = 5,
    /// Signatures over the result.
    Result = 6,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The state of one run: who we are, and everything said so far as one hash.
pub(super) struct Transcript<'a, M> {
    mesh: &'a mut M,
    pub(super) study: StudyId,
    pub(super) keys: &'a [PublicKey],
    pub(super) signer: &'a Signer,
    chain: [u8; 32],
}

impl<'a, M: Mesh> Transcript<'a, M> {
    pub(super) fn new(
        mesh: &'a mut M,
        study: StudyId,
        keys: &'a [PublicKey],
        signer: &'a Signer,
    ) -> Self {
        let chain = dst::hash(dst::PUBLISH_TRANSCRIPT, &[&study.0]);
        Self { mesh, study, keys, signer, chain }
    }

    pub(super) fn me(&self) -> Party {
        self.mesh.me()
    }

    /// One round. The message on the wire is step (1) ‖ chain (32) ‖ signature (64) ‖ body. The step
    /// is the sender's: peers that heard different things may be at different steps, and neither
    /// is to blame.
    pub(super) async fn round(
        &mut self,
        step: Step,
        body: Vec<u8>,
    ) -> Result<Vec<Vec<u8>>, PublishError> {
        let me = self.me();
        let signature = self
            .signer
            .sign(dst::PUBLISH_MESSAGE, &[&self.study.0, &[step as u8, me.0], &self.chain, &body]);
        let mut message = Vec::with_capacity(97 + body.len());
        message.push(step as u8);
        message.extend_from_slice(&self.chain);
        message.extend_from_slice(&signature.0);
        message.extend_from_slice(&body);
        let received = self.mesh.exchange(message).await?;
        let mut split = false;
        let mut bodies = Vec::with_capacity(received.len());
        for (party, message) in (0..).map(Party).zip(&received) {
            let malformed = PublishError::Malformed { party, step };
            let signed = parse(message).map_err(|_| malformed.clone())?;
            let Signed { step: at, chain, signature, body } = signed;
            let parts: [&[u8]; 4] = [&self.study.0, &[at, party.0], &chain, body];
            self.keys
                .get(party.index())
                .and_then(|key| key.verify(dst::PUBLISH_MESSAGE, &parts, &signature).ok())
                .ok_or(PublishError::Signature { party, step })?;
            if chain == self.chain && at != step as u8 {
                return Err(malformed);
            }
            split |= chain != self.chain;
            bodies.push(body.to_vec());
        }
        if split {
            return Err(PublishError::Split { step });
        }
        let mut hasher = dst::Hasher::new(dst::PUBLISH_TRANSCRIPT);
        hasher.part(&self.chain);
        received.iter().for_each(|message| hasher.part(message));
        self.chain = hasher.finish();
        Ok(bodies)
    }
}

/// A received message, before its signature is checked.
struct Signed<'a> {
    step: u8,
    chain: [u8; 32],
    signature: Signature,
    body: &'a [u8],
}

fn parse(message: &[u8]) -> Result<Signed<'_>, WireError> {
    let mut reader = Reader::new(message);
    let step = reader.u8()?;
    let chain = reader.array()?;
    let signature = Signature(reader.array()?);
    let body = reader.bytes(reader.remaining())?;
    Ok(Signed { step, chain, signature, body })
}
