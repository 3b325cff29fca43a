//! One boundary: messages become domain types here, every length checked, and back.

use mpc::{
    ids::{AmendmentHash, AmendmentId, IdError, PublicHash, StudyId, SubmissionId},
    receipt::{AmendmentReceipt, Receipt},
    sign::Signature,
};

use crate::v1;

/// A field that is not what the message format says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {cause}")]
pub struct FieldError {
    /// The field of the message.
    pub field: &'static str,
    /// What is wrong with it.
    pub cause: IdError,
}

/// A fixed-length value from the bytes of `field`.
pub fn field<'a, T>(field: &'static str, bytes: &'a [u8]) -> Result<T, FieldError>
where
    T: TryFrom<&'a [u8], Error = IdError>,
{
    T::try_from(bytes).map_err(|cause| FieldError { field, cause })
}

impl From<Receipt> for v1::Receipt {
    fn from(receipt: Receipt) -> Self {
        Self {
            study_id: receipt.study.0.to_vec().into(),
            submission_id: receipt.submission.0.to_vec().into(),
            public_hash: receipt.public.0.to_vec().into(),
            signature: receipt.signature.0.to_vec().into(),
        }
    }
}

impl TryFrom<v1::Receipt> for Receipt {
    type Error = FieldError;

    fn try_from(receipt: v1::Receipt) -> Result<Self, FieldError> {
        Ok(Self {
            study: field::<StudyId>("study_id", &receipt.study_id)?,
            submission: field::<SubmissionId>("submission_id", &receipt.submission_id)?,
            public: field::<PublicHash>("public_hash", &receipt.public_hash)?,
            signature: field::<Signature>("signature", &receipt.signature)?,
        })
    }
}

impl From<AmendmentReceipt> for v1::AmendmentReceipt {
    fn from(receipt: AmendmentReceipt) -> Self {
        Self {
            study_id: receipt.study.0.to_vec().into(),
            amendment_id: receipt.amendment.0.to_vec().into(),
            amendment_hash: receipt.hash.0.to_vec().into(),
            signature: receipt.signature.0.to_vec().into(),
        }
    }
}

impl TryFrom<v1::AmendmentReceipt> for AmendmentReceipt {
    type Error = FieldError;

    fn try_from(receipt: v1::AmendmentReceipt) -> Result<Self, FieldError> {
        Ok(Self {
            study: field::<StudyId>("study_id", &receipt.study_id)?,
            amendment: field::<AmendmentId>("amendment_id", &receipt.amendment_id)?,
            hash: field::<AmendmentHash>("amendment_hash", &receipt.amendment_hash)?,
            signature: field::<Signature>("signature", &receipt.signature)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mpc::sign::Signer;

    #[test]
    fn a_receipt_survives_the_wire_and_a_short_one_is_refused() {
        let signer = Signer::from_seed(&[1; 32]);
        let receipt =
            Receipt::sign(&signer, StudyId([2; 32]), SubmissionId([3; 16]), PublicHash([4; 32]));
        let message = v1::Receipt::from(receipt);
        assert_eq!(Receipt::try_from(message.clone()), Ok(receipt));
        let short = v1::Receipt { submission_id: vec![3; 15].into(), ..message };
        assert_eq!(Receipt::try_from(short).expect_err("short").field, "submission_id");
    }

    #[test]
    fn an_amendment_s_receipt_survives_the_wire_and_a_short_one_is_refused() {
        let signer = Signer::from_seed(&[1; 32]);
        let (study, amendment) = (StudyId([2; 32]), AmendmentId([3; 16]));
        let receipt = AmendmentReceipt::sign(&signer, study, amendment, AmendmentHash([4; 32]));
        let message = v1::AmendmentReceipt::from(receipt);
        assert_eq!(AmendmentReceipt::try_from(message.clone()), Ok(receipt));
        let short = v1::AmendmentReceipt { amendment_hash: vec![4; 31].into(), ..message };
        assert_eq!(AmendmentReceipt::try_from(short).expect_err("short").field, "amendment_hash");
    }
}
