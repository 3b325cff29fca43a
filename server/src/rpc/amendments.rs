//! Amendments: a provider withdraws or replaces submissions of its own while the study is open.
//!
//! The old submissions need not be known here: they may not have reached this server, or reach it
//! later. What an amendment does is decided when all servers agree on the set.

use mpc::{
    collect::{Amendment, SignedAmendment},
    receipt::AmendmentReceipt,
    sign::Signature,
};
use proto::{convert::field, v1};

use super::{status::RpcError, submissions::check_provider};
use crate::{
    node::Node,
    storage::{AmendLimits, AmendOutcome, NewAmendment},
};

impl Node {
    /// Checks an amendment, stores it, and signs for it when it is durable.
    pub(super) async fn amend(
        &self,
        request: v1::AmendRequest,
    ) -> Result<AmendmentReceipt, RpcError> {
        if self.stop.is_cancelled() {
            return Err(RpcError::Stopping);
        }
        self.require_health()?;
        let amendment = Amendment::decode(&request.amendment).map_err(RpcError::Amendment)?;
        let context = self.catalog.get(amendment.study).ok_or(RpcError::UnknownStudy)?;
        check_provider(&context, &amendment.provider)?;
        let signature: Signature = field("credential", &request.credential)?;
        let signed = SignedAmendment { amendment, signature };
        signed.verify()?;
        let new = NewAmendment::from(&signed);
        let receipt = AmendmentReceipt::sign(self.signer(), context.id, new.id, new.hash);
        match self.storage.put_amendment(context.id, new, AmendLimits::DOOR).await? {
            AmendOutcome::Stored | AmendOutcome::Same => Ok(receipt),
            AmendOutcome::Conflict => Err(RpcError::AmendmentConflict),
            AmendOutcome::NotOpen(state) => {
                Err(RpcError::State { call: "changing what was submitted", state })
            }
            AmendOutcome::ProviderExhausted => Err(RpcError::AmendmentsOfProvider),
            AmendOutcome::StudyExhausted => Err(RpcError::AmendmentsExhausted),
        }
    }
}
