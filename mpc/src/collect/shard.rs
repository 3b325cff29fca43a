//! Shard: records become one payload per server and a public part for all.

use prio::{
    codec::Encode as _, field::Field128, vdaf::prio3::Prio3InputShare,
    vdaf::test_utils::TestVectorClient as _,
};
use rand::CryptoRng;
use zeroize::Zeroizing;

use super::{BLINDING, Collect, CollectError, Origin, PublicPart, Sharded, payload_hash};

impl Collect {
    /// Splits m records (their wires, one record after the other) into one payload per server.
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
        let Origin { submission, provider, amendment } = origin;
        let prio = self.prio(records as u32)?;
        // Per server a seed for its share and one for its blind (draft-irtf-cfrg-vdaf, 7.2.1).
        let mut random = Zeroizing::new(vec![0; 2 * 32 * self.parties()]);
        rng.fill_bytes(&mut random);
        let (public_share, input_shares) = prio
            .shard_with_random(&self.context, &wires, &submission.0, &random)
            .map_err(|_| CollectError::Proof)?;
        let payloads = input_shares.iter().map(payload).collect::<Result<Vec<_>, _>>()?;
        let public = PublicPart {
            study: self.study,
            submission,
            records: records as u32,
            provider,
            amendment,
            joint_rand: public_share.get_encoded().map_err(|_| CollectError::Share)?,
            commitments: Vec::new(),
            payload_hashes: payloads.iter().map(|payload| payload_hash(payload)).collect(),
        };
        Ok(Sharded { public, payloads })
    }
}

fn payload(share: &Prio3InputShare<Field128, 32>) -> Result<Zeroizing<Vec<u8>>, CollectError> {
    let len = share.encoded_len().unwrap_or_default();
    let mut payload = Zeroizing::new(Vec::with_capacity(BLINDING + len));
    payload.resize(BLINDING, 0);
    share.encode(&mut payload).map_err(|_| CollectError::Share)?;
    Ok(payload)
}
