//! Receipts: a server's signed word that it holds its share of a submission, or an amendment,
//! durably.

use crate::{
    dst,
    ids::{AmendmentHash, AmendmentId, PublicHash, StudyId, SubmissionId},
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

/// What a server signs when it holds an amendment: study, amendment and its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AmendmentReceipt {
    /// The study.
    pub study: StudyId,
    /// The amendment.
    pub amendment: AmendmentId,
    /// Hash of the amendment that the server holds.
    pub hash: AmendmentHash,
    /// The server's signature.
    pub signature: Signature,
}

impl AmendmentReceipt {
    /// Signs a receipt. Call it only when the amendment is durable.
    pub fn sign(
        signer: &Signer,
        study: StudyId,
        amendment: AmendmentId,
        hash: AmendmentHash,
    ) -> Self {
        let signature = signer.sign(dst::COLLECT_AMENDED, &[&study.0, &amendment.0, &hash.0]);
        Self { study, amendment, hash, signature }
    }

    /// Checks that `server` signed this receipt.
    pub fn verify(&self, server: &PublicKey) -> Result<(), BadSignature> {
        let parts: [&[u8]; 3] = [&self.study.0, &self.amendment.0, &self.hash.0];
        server.verify(dst::COLLECT_AMENDED, &parts, &self.signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_holds_for_what_it_names_and_for_its_server_alone() {
        let (alpha, beta) = (Signer::from_seed(&[1; 32]), Signer::from_seed(&[2; 32]));
        let (study, hash) = (StudyId([3; 32]), AmendmentHash([5; 32]));
        let receipt = AmendmentReceipt::sign(&alpha, study, AmendmentId([4; 16]), hash);
        assert_eq!(receipt.verify(&alpha.public()), Ok(()));
        assert!(receipt.verify(&beta.public()).is_err());
        let others = [
            AmendmentReceipt { study: StudyId([9; 32]), ..receipt },
            AmendmentReceipt { amendment: AmendmentId([9; 16]), ..receipt },
            AmendmentReceipt { hash: AmendmentHash([9; 32]), ..receipt },
        ];
        assert!(others.iter().all(|other| other.verify(&alpha.public()).is_err()));
        let same_bytes = Receipt {
            study,
            submission: SubmissionId([4; 16]),
            public: PublicHash(hash.0),
            signature: receipt.signature,
        };
        assert!(same_bytes.verify(&alpha.public()).is_err(), "a receipt of another kind");
    }
}
