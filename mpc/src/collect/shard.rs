//! Shard: records become one payload per server and a public part for all.

use prio::{
    codec::Encode as _, field::Field128, vdaf::prio3::Prio3InputShare,
    vdaf::test_utils::TestVectorClient as _,
};
use rand::CryptoRng;
use zeroize::Zeroizing;

use super::{BLINDING, Collect, CollectError, Origin, PublicPart, Sharded, payload_hash};
use crate::{
    ids::Party,
    pedersen::{Blinding, Commitment},
};

impl Collect {
    /// Splits m records (their wires, one record after the other) into one payload per server, and
    /// commits to every server's output share.
    pub fn shard(
        &self,
        origin: Origin,
        wires: Vec<Field128>,
        rng: &mut impl CryptoRng,
    ) -> Result<Sharded, CollectError> {
        let out_of_range =
            CollectError::Records { max: self.max_records, wires: self.circuit.wires() };
        let records = wires.len() / self.circuit.wires().max(1);
        if records == 0
            || records * self.circuit.wires() != wires.len()
            || records > self.max_records as usize
        {
            return Err(out_of_range);
        }
        // At most max_records, a u32.
        let records = records as u32;
        let Origin { submission, provider, amendment } = origin;
        // Per server a seed for its share and one for its blind (draft-irtf-cfrg-vdaf, 7.2.1).
        let mut random = Zeroizing::new(vec![0; 2 * 32 * self.parties()]);
        rng.fill_bytes(&mut random);
        let (public_share, input_shares) = self
            .prio(records)?
            .shard_with_random(&self.context, &wires, &submission.0, &random)
            .map_err(|_| CollectError::Proof)?;
        let mut payloads = Vec::with_capacity(self.parties());
        let mut commitments = Vec::with_capacity(self.parties());
        for (party, share) in (0..).map(Party).zip(&input_shares) {
            let blinding = Blinding::random(rng);
            let payload = payload(&blinding, share)?;
            commitments.push(self.commit(party, records, blinding, &payload[BLINDING..])?);
            payloads.push(payload);
        }
        let public = PublicPart {
            study: self.study,
            submission,
            records,
            provider,
            amendment,
            joint_rand: public_share.get_encoded().map_err(|_| CollectError::Share)?,
            commitments,
            payload_hashes: payloads.iter().map(|payload| payload_hash(payload)).collect(),
        };
        Ok(Sharded { public, payloads })
    }

    /// The commitment to one server's output share.
    fn commit(
        &self,
        party: Party,
        records: u32,
        blinding: Blinding,
        share: &[u8],
    ) -> Result<Commitment, CollectError> {
        let outputs = self.outputs(party, records, share)?;
        Ok(self.bases.commit(&outputs, &blinding))
    }
}

/// blinding (32) ‖ input share.
fn payload(
    blinding: &Blinding,
    share: &Prio3InputShare<Field128, 32>,
) -> Result<Zeroizing<Vec<u8>>, CollectError> {
    let len = share.encoded_len().unwrap_or_default();
    let mut payload = Zeroizing::new(Vec::with_capacity(BLINDING + len));
    payload.extend_from_slice(blinding.reveal_bytes().as_ref());
    share.encode(&mut payload).map_err(|_| CollectError::Share)?;
    Ok(payload)
}
