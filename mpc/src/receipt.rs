//! Receipt: a server's signed word that it holds its share of one submission, durably.

use crate::{
    dst,
    ids::{PublicHash, StudyId, SubmissionId},
    sign::{BadSignature, PublicKey, Signature, Signer},
};

/// What the server signs: study, submission and the hash of the public part it received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// The study.
    pub study: StudyId,
    /// The submission.
    pub submission: SubmissionId,
    /// Hash of the public part that the server holds.
    pub public: PublicHash,
    /// The server's signature.
    pub signature: Signature,
}

impl Receipt {
    /// Signs a receipt. Call it only when the share is durable.
    pub fn sign(
        signer: &Signer,
        study: StudyId,
        submission: SubmissionId,
        public: PublicHash,
    ) -> Self {
        let signature = signer.sign(dst::COLLECT_RECEIPT, &[&study.0, &submission.0, &public.0]);
        Self { study, submission, public, signature }
    }

    /// Checks that `server` signed this receipt.
    pub fn verify(&self, server: &PublicKey) -> Result<(), BadSignature> {
        let parts: [&[u8]; 3] = [&self.study.0, &self.submission.0, &self.public.0];
        server.verify(dst::COLLECT_RECEIPT, &parts, &self.signature)
    }
}
