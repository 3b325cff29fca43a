//! Opening: commit to the result shares, open them, add them, sign the result.

use super::{AgreedSet, Ledger, NoNoise, Opening, PublishError, Published, Sum, Word};
use crate::{
    circuit::MINUS_ONE,
    dst,
    ids::{Party, StudyId},
    mesh::Mesh,
    sign::Signature,
    transcript::{Step, Transcript, TranscriptError},
    wire::{Reader, WireError},
};
use prio::field::Field128;
use std::sync::Arc;

/// R_j, the sum of the Pedersen blindings; zero in this version.
const BLINDING: [u8; 32] = [0; 32];

pub(super) async fn open<M: Mesh>(
    transcript: &mut Transcript<'_>,
    mesh: &mut M,
    opening: &Opening<'_>,
    ledger: &impl Ledger,
    next: impl Fn(&[Option<i128>]) -> Vec<usize>,
) -> Result<Vec<Option<i128>>, PublishError> {
    let mut totals = vec![None; opening.sums.len()];
    for phase in 0u8.. {
        let coordinates = next(&totals);
        if coordinates.is_empty() {
            break;
        }
        // Noise is charged and stored before the first word about it.
        let sums = my_sums(opening, ledger, phase, &coordinates).await?;
        let mine = my_opening(transcript.study(), opening, phase, &sums);
        let committed = commitment(transcript.study(), mesh.me(), phase, &mine);
        let commitments = transcript.round(mesh, Step::Commit, committed.to_vec()).await?;
        // Before anything is opened: nobody may choose again after having seen the openings.
        hold_to(ledger, phase, &coordinates, &commitments).await?;
        let openings = transcript.round(mesh, Step::Open, mine).await?;
        let mut opened = vec![Field128::from(0); coordinates.len()];
        for ((party, theirs), committed) in (0..).map(Party).zip(&openings).zip(&commitments) {
            if commitment(transcript.study(), party, phase, theirs) != committed[..] {
                return Err(PublishError::OpeningMismatch { party });
            }
            let shares = decode(theirs, coordinates.len())
                .map_err(|_| TranscriptError::Malformed { party, step: Step::Open })?;
            if !shares.iter().all(|share| share.is_sum_of(opening.set.submissions)) {
                return Err(PublishError::ShareOutOfRange { party });
            }
            for (total, share) in opened.iter_mut().zip(&shares) {
                *total += share.reduce();
            }
        }
        for (&coordinate, total) in coordinates.iter().zip(opened) {
            let servers = mesh.parties();
            let total = signed(total);
            if !is_possible(total, opening, coordinate, servers) {
                return Err(PublishError::TotalOutOfRange { coordinate });
            }
            totals[coordinate] = Some(total);
        }
    }
    Ok(totals)
}

/// This server's result shares, with their noise if there is any.
async fn my_sums(
    opening: &Opening<'_>,
    ledger: &impl Ledger,
    phase: u8,
    coordinates: &[usize],
) -> Result<Vec<Sum>, PublishError> {
    let sums = coordinates.iter().map(|&coordinate| opening.sums[coordinate]);
    if opening.mechanism.is_none() {
        return Ok(sums.collect());
    }
    let noise = ledger.noise(phase, coordinates).await?;
    if noise.values().len() != coordinates.len() {
        return Err(NoNoise::OtherCoordinates.into());
    }
    let noisy = sums.zip(coordinates).zip(noise.values()).map(|((sum, &coordinate), &noise)| {
        let noisy = sum.add_signed(noise, opening.set.submissions);
        noisy.ok_or(PublishError::NoiseOutOfRange { coordinate })
    });
    noisy.collect()
}

/// This server's opening. The salt is derived from stored state, so that a repeated run says the
/// same.
fn my_opening(study: StudyId, opening: &Opening<'_>, phase: u8, mine: &[Sum]) -> Vec<u8> {
    let parts: [&[u8]; 4] = [opening.salt_seed, &study.0, &opening.set.digest(), &[phase]];
    encode(mine, &dst::hash(dst::PUBLISH_SALT, &parts))
}

/// A total as a signed number: a residue above p/2 stands for itself less p.
fn signed(total: Field128) -> i128 {
    // Both p/2 and what is left above it fit into an i128.
    let magnitude = |residue: Field128| i128::try_from(u128::from(residue)).ok();
    let positive = magnitude(total).filter(|total| *total <= HALF);
    positive.or_else(|| magnitude(-total).map(|total| -total)).unwrap_or(i128::MIN)
}

/// (p − 1)/2: half of `MINUS_ONE`, so that it fits.
const HALF: i128 = (MINUS_ONE / 2) as i128;

/// Whether valid records can have this total, give or take the noise.
fn is_possible(total: i128, opening: &Opening<'_>, coordinate: usize, servers: usize) -> bool {
    let tail = opening.mechanism.map_or(0, |mechanism| mechanism.tail(coordinate, servers));
    let tail = i128::try_from(tail).unwrap_or(i128::MAX);
    let bound = i128::try_from(opening.bounds[coordinate]).unwrap_or(i128::MAX);
    (-tail..=bound.saturating_add(tail)).contains(&total)
}

/// Holds all servers to the commitments of the first run that came this far: number of coordinates
/// (4) ‖ coordinates (4 each) ‖ commitments (32 each).
async fn hold_to(
    ledger: &impl Ledger,
    phase: u8,
    coordinates: &[usize],
    commitments: &[Arc<[u8]>],
) -> Result<(), PublishError> {
    let mut word = (coordinates.len() as u32).to_be_bytes().to_vec();
    word.extend(coordinates.iter().flat_map(|&coordinate| (coordinate as u32).to_be_bytes()));
    let head = word.len();
    for (party, commitment) in (0..).map(Party).zip(commitments) {
        if commitment.len() != 32 {
            return Err(TranscriptError::Malformed { party, step: Step::Commit }.into());
        }
        word.extend_from_slice(commitment);
    }
    let kept = ledger.fix(Word::Commitments(phase), word.clone()).await;
    let kept = kept.ok_or(PublishError::Ledger)?;
    if kept == word {
        return Ok(());
    }
    if kept.len() != word.len() || kept[..head] != word[..head] {
        return Err(PublishError::RunsDiffer);
    }
    let (now, before) = (word[head..].chunks(32), kept[head..].chunks(32));
    match (0..).map(Party).zip(now.zip(before)).find(|(_, (now, before))| now != before) {
        Some((party, _)) => Err(PublishError::CommitmentChanged { party }),
        None => Err(PublishError::RunsDiffer),
    }
}

pub(super) async fn sign<M: Mesh>(
    transcript: &mut Transcript<'_>,
    mesh: &mut M,
    set: &AgreedSet,
    totals: Vec<Option<i128>>,
    ledger: &impl Ledger,
) -> Result<Published, PublishError> {
    let mut published = Published {
        root: set.root,
        submissions: set.submissions,
        records: set.records,
        rejected: set.rejected.clone(),
        totals,
        signatures: Vec::new(),
    };
    let parts = set.signed().counted.result_parts(transcript.study(), &published.totals);
    // A server signs one result per study, ever.
    let digest = dst::hash(dst::PUBLISH_RESULT, &[&parts]).to_vec();
    let kept = ledger.fix(Word::Result, digest.clone()).await.ok_or(PublishError::Ledger)?;
    if kept != digest {
        return Err(PublishError::RunsDiffer);
    }
    let mine = transcript.signer.sign(dst::PUBLISH_RESULT, &[&parts]);
    let keys = transcript.keys;
    let signatures = transcript.round(mesh, Step::Result, mine.0.to_vec()).await?;
    for ((party, signature), key) in (0..).map(Party).zip(&signatures).zip(keys) {
        let signature = Signature::try_from(&signature[..])
            .map_err(|_| TranscriptError::Malformed { party, step: Step::Result })?;
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
