//! A server's list at the close: its submissions and the amendments that it holds.

use super::{Entry, Status};
use crate::{
    collect::{Reason, SignedAmendment},
    dst,
    ids::{PublicHash, StudyId, SubmissionId},
    merkle,
    wire::{Reader, WireError, put_prefixed},
};

/// The most amendments that a server keeps of one study.
pub const MAX_AMENDMENTS: usize = 10_000;
/// The most bytes of them, so that lists fit a round.
pub const MAX_AMENDMENT_BYTES: usize = 8 << 20;

/// The most amendments of one provider among them,
pub const MAX_AMENDMENTS_OF_PROVIDER: usize = 64;
/// and the most bytes of these.
pub const MAX_AMENDMENT_BYTES_OF_PROVIDER: usize = MAX_AMENDMENT_BYTES / 4;

/// What a list says of one submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::publish) struct Listed {
    pub submission: SubmissionId,
    pub public: PublicHash,
    pub records: u32,
    pub status: Status,
}

/// A server's list as it is hashed and sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::publish) struct List {
    /// Sorted by id.
    pub submissions: Vec<Listed>,
    /// Sorted by [`SignedAmendment::order`].
    pub amendments: Vec<SignedAmendment>,
}

impl Listed {
    /// The leaf of the set's Merkle tree.
    pub(in crate::publish) fn leaf(&self) -> [u8; 32] {
        merkle::leaf(&self.submission, &self.public, self.records)
    }
}

impl List {
    /// The list of a server that holds these.
    pub fn new(entries: &[Entry], amendments: &[SignedAmendment]) -> Self {
        let listed = |entry: &Entry| {
            let Entry { submission, public, records, status, .. } = *entry;
            Listed { submission, public, records, status }
        };
        let mut amendments = amendments.to_vec();
        amendments.sort_by(SignedAmendment::order);
        Self { submissions: entries.iter().map(listed).collect(), amendments }
    }

    /// What a server signs before lists are shown: root and number of the accepted submissions,
    /// hash and number of the others, hash and number of the amendments, number of those without
    /// a verdict.
    pub fn summary(&self) -> Vec<u8> {
        let (accepted, others): (Vec<Listed>, Vec<Listed>) =
            self.submissions.iter().partition(|listed| listed.status == Status::Accepted);
        let mut out = merkle::root(accepted.iter().map(Listed::leaf)).to_vec();
        out.extend_from_slice(&(accepted.len() as u64).to_be_bytes());
        let mut rest = Vec::with_capacity(Listed::BYTES * others.len());
        others.iter().for_each(|listed| listed.put(&mut rest));
        out.extend_from_slice(&dst::hash(dst::PUBLISH_REJECTED, &[&rest]));
        out.extend_from_slice(&(others.len() as u64).to_be_bytes());
        out.extend_from_slice(&amendments_hash(&self.amendments));
        out.extend_from_slice(&(self.amendments.len() as u64).to_be_bytes());
        let unverified = others.iter().filter(|listed| listed.status == Status::Unverified);
        out.extend_from_slice(&(unverified.count() as u64).to_be_bytes());
        out
    }

    /// number of submissions (4) ‖ per submission id (16) ‖ public hash (32) ‖ records (4)
    /// ‖ status (1) ‖ per amendment length (4) ‖ [`SignedAmendment::encode`].
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(4 + Listed::BYTES * self.submissions.len());
        // A study holds at most a million.
        out.extend_from_slice(&(self.submissions.len() as u32).to_be_bytes());
        self.submissions.iter().for_each(|listed| listed.put(&mut out));
        for amendment in &self.amendments {
            put_prefixed(&mut out, &amendment.encode());
        }
        out
    }

    /// Decodes another server's list, and checks its order and every signature in it.
    pub fn decode(study: StudyId, message: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(message);
        let number = usize::try_from(reader.u32()?).map_err(|_| WireError::Range("submissions"))?;
        let submissions = submissions(&mut reader, number)?;
        if reader.remaining() > MAX_AMENDMENT_BYTES + 4 * MAX_AMENDMENTS {
            return Err(WireError::Range("bytes of the amendments"));
        }
        let mut amendments: Vec<SignedAmendment> = Vec::new();
        let mut of_provider = (0, 0);
        while reader.remaining() > 0 {
            let bytes = reader.prefixed(SignedAmendment::MAX_BYTES, "amendment")?;
            let signed = SignedAmendment::decode_unverified(bytes)?;
            if amendments.len() == MAX_AMENDMENTS || signed.amendment.study != study {
                return Err(WireError::Range("amendment"));
            }
            if amendments.last().is_some_and(|last| last.order(&signed).is_ge()) {
                return Err(WireError::Range("order of the amendments"));
            }
            let is_same =
                |last: &SignedAmendment| last.amendment.provider == signed.amendment.provider;
            let (number, used) =
                if amendments.last().is_some_and(is_same) { of_provider } else { (0, 0) };
            of_provider = (number + 1, used + bytes.len());
            if of_provider.0 > MAX_AMENDMENTS_OF_PROVIDER
                || of_provider.1 > MAX_AMENDMENT_BYTES_OF_PROVIDER
            {
                return Err(WireError::Range("amendments of one provider"));
            }
            signed.verify().map_err(|_| WireError::Range("signature of an amendment"))?;
            amendments.push(signed);
        }
        Ok(Self { submissions, amendments })
    }
}

impl Listed {
    const BYTES: usize = 16 + 32 + 4 + 1;

    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.submission.0);
        out.extend_from_slice(&self.public.0);
        out.extend_from_slice(&self.records.to_be_bytes());
        out.push(match self.status {
            Status::Unverified => 0,
            Status::Accepted => 255,
            Status::Rejected(reason) => reason as u8,
        });
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            submission: SubmissionId(reader.array()?),
            public: PublicHash(reader.array()?),
            records: reader.u32()?,
            status: match reader.u8()? {
                0 => Status::Unverified,
                255 => Status::Accepted,
                // The other reasons are what the agreement finds, and no verdict of one server.
                1 => Status::Rejected(Reason::InvalidProof),
                2 => Status::Rejected(Reason::PublicPartsDiffer),
                _ => return Err(WireError::Range("status")),
            },
        })
    }
}

/// Whether a summary is of a list with submissions that nobody has decided on.
pub(in crate::publish) fn is_undecided(summary: &[u8]) -> bool {
    summary.last_chunk::<8>().is_some_and(|unverified| *unverified != [0; 8])
}

/// Hash over a sorted list of amendments.
pub(in crate::publish) fn amendments_hash(amendments: &[SignedAmendment]) -> [u8; 32] {
    let mut hasher = dst::Hasher::new(dst::PUBLISH_AMENDMENTS);
    for amendment in amendments {
        hasher.part(&amendment.encode());
    }
    hasher.finish()
}

fn submissions(reader: &mut Reader<'_>, number: usize) -> Result<Vec<Listed>, WireError> {
    // Nothing is allocated for entries that are not there.
    if reader.remaining() / Listed::BYTES < number {
        return Err(WireError::Short);
    }
    let mut listed: Vec<Listed> = Vec::with_capacity(number);
    for _ in 0..number {
        let next = Listed::read(reader)?;
        if listed.last().is_some_and(|last| last.submission >= next.submission) {
            return Err(WireError::Range("order of the submissions"));
        }
        listed.push(next);
    }
    Ok(listed)
}
