//! Door: what one server checks about an upload alone, before it keeps it.

use super::{Collect, CollectError, PublicPart, payload_hash};
use crate::ids::Party;

impl Collect {
    /// Checks everything about an upload that one server can check alone: study, number of
    /// servers and records, sizes, and the payload's hash.
    pub fn check_upload(
        &self,
        me: Party,
        public: &PublicPart,
        payload: &[u8],
    ) -> Result<(), CollectError> {
        if public.study != self.study {
            return Err(CollectError::OtherStudy);
        }
        if public.payload_hashes.len() != self.parties() {
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
        self.decode(&prio, me, public, payload).map(drop)
    }
}
