//! Published: a result with the signatures of all k servers, as stored, sent and checked.

use super::{Counted, Rejections, agree::rejections_hash};
use crate::{
    collect::Reason,
    dst,
    ids::{PARTIES, Party, StudyId, SubmissionId},
    sign::{PublicKey, Signature},
    wire::{Reader, WireError},
};

/// A published result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Merkle root of the set.
    pub root: [u8; 32],
    /// Submissions in the set.
    pub submissions: u64,
    /// Records in the set.
    pub records: u64,
    /// Submissions that are not in the set, sorted by id.
    pub rejected: Rejections,
    /// The total of each coordinate, with its noise if the study adds any (then it may be
    /// negative); `None` where the study's rules kept it closed.
    pub totals: Vec<Option<i128>>,
    /// One signature per server, by party.
    pub signatures: Vec<Signature>,
}

/// Why a result is not what it claims to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PublishedError {
    /// The bytes cannot be decoded.
    #[error("the result cannot be decoded: {0}")]
    Malformed(#[from] WireError),
    /// Not one signature per server.
    #[error("the result carries {0} signatures, not one per server")]
    Signatures(usize),
    /// A server's signature does not verify.
    #[error("the signature of {0} on the result does not verify")]
    Signature(Party),
}

const VERSION: u8 = 1;

impl Published {
    /// Checks that all k servers signed this result for `study`.
    pub fn verify(&self, study: StudyId, keys: &[PublicKey]) -> Result<(), PublishedError> {
        if self.signatures.len() != keys.len() {
            return Err(PublishedError::Signatures(self.signatures.len()));
        }
        let parts = self.counted().result_parts(study, &self.totals);
        for ((party, key), signature) in (0..).map(Party).zip(keys).zip(&self.signatures) {
            key.verify(dst::PUBLISH_RESULT, &[&parts], signature)
                .map_err(|_| PublishedError::Signature(party))?;
        }
        Ok(())
    }

    /// Why a submission is not counted; none: nothing is said of it here, so that it is counted, or
    /// no server holds it.
    pub fn reason(&self, submission: &SubmissionId) -> Option<Reason> {
        let place = self.rejected.binary_search_by_key(submission, |entry| entry.0).ok()?;
        self.rejected.get(place).map(|entry| entry.1)
    }

    /// What this result says that it counts.
    pub fn counted(&self) -> Counted {
        Counted {
            root: self.root,
            submissions: self.submissions,
            records: self.records,
            rejected: self.rejected.len() as u64,
            rejected_hash: rejections_hash(&self.rejected),
        }
    }

    /// Bytes for storage and transport:
    ///
    /// ```text
    /// version (1) ‖ root (32) ‖ submissions (8) ‖ records (8)
    /// ‖ number of coordinates (4) ‖ per coordinate 0, or 1 ‖ total (16, two's complement)
    /// ‖ number of rejected (4) ‖ per rejected id (16) ‖ reason (1)
    /// ‖ k (1) ‖ k signatures (64 each)
    /// ```
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        out.extend_from_slice(&self.root);
        out.extend_from_slice(&self.submissions.to_be_bytes());
        out.extend_from_slice(&self.records.to_be_bytes());
        out.extend_from_slice(&(self.totals.len() as u32).to_be_bytes());
        put_totals(&mut out, &self.totals);
        out.extend_from_slice(&(self.rejected.len() as u32).to_be_bytes());
        for (submission, reason) in &self.rejected {
            out.extend_from_slice(&submission.0);
            out.push(*reason as u8);
        }
        out.push(self.signatures.len() as u8);
        self.signatures.iter().for_each(|signature| out.extend_from_slice(&signature.0));
        out
    }

    /// The inverse of [`Published::encode`]. The caller bounds the length of `bytes`.
    pub fn decode(bytes: &[u8]) -> Result<Self, PublishedError> {
        let mut reader = Reader::new(bytes);
        if reader.u8()? != VERSION {
            return Err(WireError::Range("version").into());
        }
        let root = reader.array()?;
        let submissions = reader.u64()?;
        let records = reader.u64()?;
        let totals = (0..reader.u32()?).map(|_| total(&mut reader)).collect::<Result<_, _>>()?;
        let rejected =
            (0..reader.u32()?).map(|_| rejection(&mut reader)).collect::<Result<_, _>>()?;
        let parties = reader.u8()?;
        if !PARTIES.contains(&usize::from(parties)) {
            return Err(WireError::Range("number of servers").into());
        }
        let signatures = (0..parties)
            .map(|_| Ok(Signature(reader.array()?)))
            .collect::<Result<_, WireError>>()?;
        reader.finish()?;
        Ok(Self { root, submissions, records, rejected, totals, signatures })
    }
}

fn total(reader: &mut Reader<'_>) -> Result<Option<i128>, WireError> {
    match reader.u8()? {
        0 => Ok(None),
        1 => Ok(Some(i128::from_be_bytes(reader.array()?))),
        _ => Err(WireError::Range("total")),
    }
}

fn rejection(reader: &mut Reader<'_>) -> Result<(SubmissionId, Reason), WireError> {
    let submission = SubmissionId(reader.array()?);
    let reason = Reason::from_code(reader.u8()?).ok_or(WireError::Range("reason"))?;
    Ok((submission, reason))
}

pub(super) fn put_totals(out: &mut Vec<u8>, totals: &[Option<i128>]) {
    for total in totals {
        match total {
            None => out.push(0),
            Some(total) => {
                out.push(1);
                out.extend_from_slice(&total.to_be_bytes());
            }
        }
    }
}
