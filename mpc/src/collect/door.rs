//! Door: what one server checks about an upload alone, before it keeps it.

use super::{Collect, CollectError, PublicPart, payload_hash};
use crate::{
    ids::Party,
    pedersen::{Blinding, Opened},
    wire::WireError,
};

impl Collect {
    /// Checks everything about an upload that one server can check alone, but for one: study,
    /// number of servers and records, sizes, the payload's hash, and that all commitments are
    /// points. Left is whether its own commitment opens to what is returned, which many uploads
    /// share: [`crate::pedersen::Bases::check_all`] of [`Collect::bases`]; where it says no, the
    /// upload is refused with [`CollectError::Opening`].
    pub fn check_upload(
        &self,
        me: Party,
        public: &PublicPart,
        payload: &[u8],
    ) -> Result<Opened, CollectError> {
        if public.study != self.study {
            return Err(CollectError::OtherStudy);
        }
        if public.payload_hashes.len() != self.parties()
            || public.commitments.len() != self.parties()
        {
            return Err(CollectError::OtherParties);
        }
        if !(1..=self.max_records).contains(&public.records) {
            let wires = self.circuit.wires();
            return Err(CollectError::Records { max: self.max_records, wires });
        }
        if public.payload_hashes.get(me.index()) != Some(&payload_hash(payload)) {
            return Err(CollectError::PayloadHash);
        }
        let prio = self.prio(public.records)?;
        self.decode(&prio, me, public, payload)?;
        self.opened(me, public, payload)
    }

    /// The opening of this server's commitment, where the rest of the upload is well-formed.
    fn opened(
        &self,
        me: Party,
        public: &PublicPart,
        payload: &[u8],
    ) -> Result<Opened, CollectError> {
        let mut own = None;
        for (party, commitment) in (0..).map(Party).zip(&public.commitments) {
            // A server that accepted a sum with no point in it could never be checked.
            let point = commitment.point().ok_or(CollectError::Commitment { party })?;
            if party == me {
                own = Some(point);
            }
        }
        let point = own.ok_or(CollectError::OtherParties)?;
        let (blinding, share) = split(payload)?;
        let values = self.outputs(me, public.records, share)?;
        Ok(Opened::new(point, values, blinding))
    }
}

/// A payload's blinding and input share.
pub(super) fn split(payload: &[u8]) -> Result<(Blinding, &[u8]), CollectError> {
    let (blinding, share) = payload.split_first_chunk().ok_or(WireError::Short)?;
    let blinding = Blinding::from_bytes(*blinding).ok_or(WireError::Range("blinding"))?;
    Ok((blinding, share))
}
