//! Opening: commit to the result shares, open them, add them, sign the result.

use super::{
    AgreedSet, PublishError, Published, Sum,
    published::result_parts,
    transcript::{Step, Transcript},
};
use crate::{
    dst,
    ids::{Party, StudyId},
    mesh::Mesh,
    sign::Signature,
    wire::{Reader, WireError},
};
use prio::field::Field128;

/// R_j, the sum of the Pedersen blindings; zero in this version.
const BLINDING: [u8; 32] = [0; 32];

pub(super) async fn open<M: Mesh>(
    transcript: &mut Transcript<'_, M>,
    set: &AgreedSet,
    sums: &[Sum],
    salt_seed: &[u8; 32],
    bound: u128,
    next: impl Fn(&[Option<u128>]) -> Vec<usize>,
) -> Result<Vec<Option<u128>>, PublishError> {
    let mut totals = vec![None; sums.len()];
    for phase in 0u8.. {
        let coordinates = next(&totals);
        if coordinates.is_empty() {
            break;
        }
        let mine: Vec<Sum> = coordinates.iter().map(|&coordinate| sums[coordinate]).collect();
        // Derived from stored state, so that a run after a crash repeats the same messages.
        let salt = dst::hash(
            dst::PUBLISH_SALT,
            &[salt_seed, &transcript.study.0, &set.digest(), &[phase]],
        );
        let opening = encode(&mine, &salt);
        let committed = commitment(transcript.study, transcript.me(), phase, &opening);
        let commitments = transcript.round(Step::Commit, committed.to_vec()).await?;
        let openings = transcript.round(Step::Open, opening).await?;
        let mut opened = vec![Field128::from(0); coordinates.len()];
        for ((party, opening), committed) in (0..).map(Party).zip(&openings).zip(&commitments) {
            if commitment(transcript.study, party, phase, opening) != committed[..] {
                return Err(PublishError::OpeningMismatch { party });
            }
            let shares = decode(opening, coordinates.len())
                .map_err(|_| PublishError::Malformed { party, step: Step::Open })?;
            if !shares.iter().all(|share| share.is_sum_of(set.submissions)) {
                return Err(PublishError::ShareOutOfRange { party });
            }
            for (total, share) in opened.iter_mut().zip(&shares) {
                *total += share.reduce();
            }
        }
        for (&coordinate, total) in coordinates.iter().zip(opened) {
            let total = u128::from(total);
            if total >= bound {
                return Err(PublishError::TotalOutOfRange { coordinate });
            }
            totals[coordinate] = Some(total);
        }
    }
    Ok(totals)
}

pub(super) async fn sign<M: Mesh>(
    mut transcript: Transcript<'_, M>,
    set: &AgreedSet,
    totals: Vec<Option<u128>>,
) -> Result<Published, PublishError> {
    let mut published = Published {
        root: set.root,
        submissions: set.submissions,
        records: set.records,
        rejected: set.rejected.clone(),
        totals,
        transcript: transcript.chain(),
        signatures: Vec::new(),
    };
    let parts = result_parts(transcript.study, &published);
    let mine = transcript.signer.sign(dst::PUBLISH_RESULT, &[&parts]);
    let keys = transcript.keys;
    let signatures = transcript.round(Step::Result, mine.0.to_vec()).await?;
    for ((party, signature), key) in (0..).map(Party).zip(&signatures).zip(keys) {
        let signature = Signature::try_from(&signature[..])
            .map_err(|_| PublishError::Malformed { party, step: Step::Result })?;
        key.verify(dst::PUBLISH_RESULT, &[&parts], &signature)
            .map_err(|_| PublishError::ResultSignature { party })?;
        published.signatures.push(signature);
    }
    Ok(published)
}

fn commitment(study: StudyId, party: Party, phase: u8, opening: &[u8]) -> [u8; 32] {
    dst::hash(dst::PUBLISH_COMMIT, &[&study.0, &[party.0, phase], opening])
}

/// salt (32) ‖ R_j (32) ‖ A_j (24 bytes a coordinate).
fn encode(sums: &[Sum], salt: &[u8; 32]) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + Sum::BYTES * sums.len());
    out.extend_from_slice(salt);
    out.extend_from_slice(&BLINDING);
    out.extend(sums.iter().flat_map(Sum::encode));
    out
}

fn decode(opening: &[u8], coordinates: usize) -> Result<Vec<Sum>, WireError> {
    let mut reader = Reader::new(opening);
    reader.array::<32>()?;
    if reader.array()? != BLINDING {
        return Err(WireError::Range("blinding"));
    }
    let sums = (0..coordinates)
        .map(|_| Ok(Sum::decode(reader.array()?)))
        .collect::<Result<_, WireError>>()?;
    reader.finish()?;
    Ok(sums)
}
