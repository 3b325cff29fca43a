//! Collect: clients send shares of records to k servers, who check that the records are valid.
//!
//! # Parties
//! A provider holds m records and a signing key; servers S_0..S_{k−1} hold the study's joint
//! verify key.
//!
//! # Assumes
//! Confidential, authenticated channels from the provider to each server and between the servers
//! ([`crate::mesh::Mesh`]); the verify key of [`crate::setup`], unknown to providers.
//!
//! # Security
//! Privacy of the records against any k−1 actively malicious servers and any number of clients.
//! Validity against malicious clients while all servers follow the protocol (soundness error in
//! [`crate::circuit::Validity`]). A malicious server can have a good submission rejected, not
//! changed. Every message is a function of stored state, so a repeated run says nothing new.
//!
//! The public part holds a [commitment](crate::pedersen) to every server's output share. It hides
//! the share perfectly. Each server finds at its door that its own commitment opens to the share
//! that it will prove and add up, so where all servers took an upload, what each adds is fixed for
//! everybody to see, and none of them can be made to look like a liar by a provider.
//!
//! # Rounds
//! 1. provider → S_j: [`PublicPart`] with commitments C_0..C_{k−1}; S_j's payload, which is the
//!    blinding r_j of C_j and an input share; signature. No interaction among servers.
//! 2. S_j → all, for a batch of submissions: hash of the public part, verifier share.
//!
//! # Cost
//! 16·(m·w + 2L + 2P) + 64 bytes to S_0, 96 to each other server, 107 + 96·k to all of them,
//! 16·(2L + 2) + 68 between each pair of servers, per submission of m records of w wires;
//! L, P ≈ √(m·multiplications). For the commitments: at the provider k·64 additions of points per
//! coordinate, at a server k points to decompress and its part of [`crate::pedersen`]'s check,
//! whatever m is; at both the expansion of the seeds, once more.
//!
//! # Source
//! Prio3 of draft-irtf-cfrg-vdaf-18 (crate `prio`), over Field128 with the circuit of the study.
//! Deviation: all k servers broadcast their verifier shares, where DAP has a leader and a helper.

use std::sync::Arc;

use prio::{
    codec::{Encode as _, ParameterizedDecode as _},
    field::Field128,
    vdaf::{
        Aggregator, VerifyTransition,
        prio3::{Prio3, Prio3InputShare, Prio3PublicShare, Prio3VerifierShare, Prio3VerifyState},
        xof::XofTurboShake128,
    },
};
use zeroize::Zeroizing;

use crate::{
    circuit::{Circuit, Validity},
    dst,
    ids::{AmendmentId, PARTIES, Party, StudyId, SubmissionId},
    pedersen::{Bases, Blinding},
    sign::PublicKey,
    wire::WireError,
};

mod amendment;
mod door;
mod outputs;
mod public_part;
mod shard;
mod sizes;
mod verify;

pub use amendment::{Amendment, Resolution, SignedAmendment, resolve, resolve_full};
pub use outputs::OutputShare;
pub use public_part::{PublicPart, check_credential, credential};
pub use sizes::Sizes;
pub use verify::{Item, Reason, Records, Verdict, VerifyFault, replay, verify};

/// The largest payload of a submission of more than one record, in bytes.
pub const MAX_PAYLOAD: usize = 1 << 20;

/// The most records that one submission may hold, however small they are.
pub const MAX_RECORDS: u32 = 4096;

/// Bytes of the Pedersen blinding at the head of a payload.
const BLINDING: usize = 32;

/// Prio3's algorithm id: the first of the range for private use.
const ALGORITHM: u32 = 0xFFFF_0000;

type Prio = Prio3<Validity, XofTurboShake128, 32>;
type VerifyState = Prio3VerifyState<Field128, 32>;
type VerifierShare = Prio3VerifierShare<Field128, 32>;

/// The VDAF of one study: its circuit, its identity and its number of servers.
#[derive(Debug, Clone)]
pub struct Collect {
    circuit: Arc<Circuit>,
    study: StudyId,
    parties: u8,
    context: Vec<u8>,
    max_records: u32,
    bases: Arc<Bases>,
}

/// Whose submission it is, and what it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Drawn by the provider.
    pub submission: SubmissionId,
    /// Who submits.
    pub provider: PublicKey,
    /// The amendment that it is a part of; none: it counts by itself.
    pub amendment: Option<AmendmentId>,
}

/// What a provider sends: one public part to all servers, and to each its own payload.
pub struct Sharded {
    /// The same bytes go to every server.
    pub public: PublicPart,
    /// Element j is for S_j alone.
    pub payloads: Vec<Zeroizing<Vec<u8>>>,
}

/// One server's side of a submission on its way through verification.
pub struct Prepared {
    state: VerifyState,
    /// Kept beside the output share.
    blinding: Blinding,
    /// The message to all other servers.
    pub verifier_share: Vec<u8>,
}

/// Why a study, a batch or an upload cannot be handled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CollectError {
    /// The number of servers is outside 2..=8.
    #[error("a study has 2 to 8 servers, not {0}")]
    Parties(usize),
    /// The wires are no whole number of records, or too many.
    #[error("a submission holds 1 to {max} records of {wires} wires each")]
    Records {
        /// The study's limit.
        max: u32,
        /// Wires per record.
        wires: usize,
    },
    /// The public part names another study.
    #[error("the submission belongs to another study")]
    OtherStudy,
    /// The public part has fields for another number of servers.
    #[error("the submission is made for another number of servers")]
    OtherParties,
    /// The payload does not have the hash that the public part gives for this server.
    #[error("the payload does not match its hash in the public part")]
    PayloadHash,
    /// The payload or the public part cannot be decoded.
    #[error("the submission is malformed: {0}")]
    Malformed(#[from] WireError),
    /// The share is no encoding of field elements and seeds of the right number.
    #[error("the share cannot be decoded")]
    Share,
    /// A commitment of the public part is no point of the group.
    #[error("the commitment to the share of {party} is no point of the Ristretto group")]
    Commitment {
        /// The server whose share it is for.
        party: Party,
    },
    /// The commitment to this server's output share does not open to it.
    #[error(
        "the commitment to this server's share does not open to the payload: make the submission anew"
    )]
    Opening,
    /// The proof system refused its input.
    #[error("the proof system failed")]
    Proof,
}

impl Collect {
    /// The VDAF of `study` for `parties` servers.
    pub fn new(
        circuit: Arc<Circuit>,
        study: StudyId,
        parties: usize,
    ) -> Result<Self, CollectError> {
        if !PARTIES.contains(&parties) {
            return Err(CollectError::Parties(parties));
        }
        let mut context = dst::COLLECT_CONTEXT.to_vec();
        context.extend_from_slice(&study.0);
        let max_records = max_records(&circuit);
        let bases = Arc::new(Bases::new(circuit.outputs()));
        // At most 8, checked above.
        Ok(Self { circuit, study, parties: parties as u8, context, max_records, bases })
    }

    /// The circuit of one record.
    pub fn circuit(&self) -> &Arc<Circuit> {
        &self.circuit
    }

    /// The study.
    pub fn study(&self) -> StudyId {
        self.study
    }

    /// The number of servers.
    pub fn parties(&self) -> usize {
        usize::from(self.parties)
    }

    /// The bases of the commitments to output shares; derived when they are first used.
    pub fn bases(&self) -> &Arc<Bases> {
        &self.bases
    }

    /// The most records that fit one submission: its largest payload stays below [`MAX_PAYLOAD`].
    pub fn max_records(&self) -> u32 {
        self.max_records
    }

    /// Computes this server's verifier share of one stored submission.
    pub fn prepare(
        &self,
        verify_key: &[u8; 32],
        me: Party,
        public: &PublicPart,
        payload: &[u8],
    ) -> Result<Prepared, CollectError> {
        let prio = self.prio(public.records)?;
        let (blinding, _) = door::split(payload)?;
        let (public_share, input_share) = self.decode(&prio, me, public, payload)?;
        let (state, share) = prio
            .verify_init(
                verify_key,
                &self.context,
                me.index(),
                &(),
                &public.submission.0,
                &public_share,
                &input_share,
            )
            .map_err(|_| CollectError::Proof)?;
        let verifier_share = share.get_encoded().map_err(|_| CollectError::Share)?;
        Ok(Prepared { state, blinding, verifier_share })
    }

    /// Bytes of one verifier share of a submission of `records` records.
    pub fn verifier_share_len(&self, records: u32) -> usize {
        self.sizes(records).verifier_share
    }

    fn prio(&self, records: u32) -> Result<Prio, CollectError> {
        let validity = Validity::new(self.circuit.clone(), records as usize);
        Prio3::new(self.parties, 1, ALGORITHM, validity).map_err(|_| CollectError::Proof)
    }

    fn decode(
        &self,
        prio: &Prio,
        me: Party,
        public: &PublicPart,
        payload: &[u8],
    ) -> Result<(Prio3PublicShare<32>, Prio3InputShare<Field128, 32>), CollectError> {
        let (_, share) = door::split(payload)?;
        let public_share = Prio3PublicShare::get_decoded_with_param(prio, &public.joint_rand)
            .map_err(|_| CollectError::Share)?;
        let input_share = Prio3InputShare::get_decoded_with_param(&(prio, me.index()), share)
            .map_err(|_| CollectError::Share)?;
        Ok((public_share, input_share))
    }

    /// Combines all servers' verifier shares: this server's output share with its blinding, as
    /// stored, if the proof holds. `Err` names the first party whose share cannot be decoded.
    fn finish(
        &self,
        records: u32,
        state: VerifyState,
        blinding: &Blinding,
        shares: &[&[u8]],
    ) -> Result<Option<Zeroizing<Vec<u8>>>, Party> {
        let mut decoded = Vec::with_capacity(shares.len());
        for (party, share) in shares.iter().enumerate() {
            let share = VerifierShare::get_decoded_with_param(&state, share)
                // At most 8 parties, so the index fits.
                .map_err(|_| Party(party as u8))?;
            decoded.push(share);
        }
        let accepted = || -> Option<Zeroizing<Vec<u8>>> {
            let prio = self.prio(records).ok()?;
            let message = prio.verifier_shares_to_message(&self.context, &(), decoded).ok()?;
            match prio.verify_next(&self.context, state, message).ok()? {
                VerifyTransition::Finish(share) => {
                    let len = BLINDING + 16 * self.circuit.outputs();
                    let mut bytes = Zeroizing::new(Vec::with_capacity(len));
                    bytes.extend_from_slice(blinding.reveal_bytes().as_ref());
                    share.encode(&mut bytes).ok()?;
                    Some(bytes)
                }
                VerifyTransition::Continue(..) => None,
            }
        };
        Ok(accepted())
    }
}

fn payload_hash(payload: &[u8]) -> [u8; 32] {
    dst::hash(dst::COLLECT_PAYLOAD, &[payload])
}

/// The largest m whose leader payload stays below [`MAX_PAYLOAD`], at least 1.
fn max_records(circuit: &Arc<Circuit>) -> u32 {
    let fits = |records: u32| {
        let validity = Validity::new(circuit.clone(), records as usize);
        sizes::first_payload(&validity) <= MAX_PAYLOAD
    };
    let (mut low, mut high) = (1, MAX_RECORDS);
    while low < high {
        let middle = (low + high).div_ceil(2);
        if fits(middle) { low = middle } else { high = middle - 1 }
    }
    low
}

#[cfg(test)]
mod tests;
