//! Opening: commit to noise and result shares, open them, check them against the submissions'
//! commitments, sign the result.

use curve25519_dalek::Scalar;
use zeroize::Zeroizing;

use super::{
    AgreedSet, Counted, Ledger, NoNoise, Opening, PublishError, Published, Sum, Word,
    openings::{Evidence, OpenedShare, Openings, Terms, commitment, commitments},
    proof::Claim,
};
use crate::{
    dst,
    ids::{Party, StudyId},
    mesh::Mesh,
    noise::Draws,
    pedersen::{Blinding, Commitment},
    sign::{PublicKey, Signature},
    transcript::{Step, Transcript, TranscriptError},
};
use std::sync::Arc;

pub(super) async fn open<M: Mesh>(
    transcript: &mut Transcript<'_>,
    mesh: &mut M,
    opening: &Opening<'_>,
    ledger: &impl Ledger,
    next: impl Fn(&[Option<i128>]) -> Vec<usize>,
) -> Result<Vec<Option<i128>>, PublishError> {
    let mut mine = Mine::new(transcript.study(), mesh.me(), opening);
    let mut shown = Openings::new(terms(opening, transcript.study(), mesh.parties()), mine.width());
    loop {
        let coordinates = next(shown.totals());
        if coordinates.is_empty() {
            return Ok(shown.totals().to_vec());
        }
        shown.begin(coordinates.clone());
        let phase = shown.number();
        // Noise is charged and stored before the first word about it.
        let noise = mine.draw(ledger, phase, &coordinates).await?;
        let mut word = head(&coordinates);
        let mut fixed = vec![Vec::new(); mesh.parties()];
        if let Some(noise) = noise {
            let bodies = transcript.round(mesh, Step::Noise, noise.0.to_vec()).await?;
            shown.take_noise(&bodies)?;
            fixed.iter_mut().zip(&bodies).for_each(|(word, body)| word.extend_from_slice(body));
        }
        let opened = mine.opening(&shown, &coordinates)?;
        let committed = commitment(transcript.study(), mesh.me(), phase, &opened);
        let bodies = transcript.round(mesh, Step::Commit, committed.to_vec()).await?;
        let committed = commitments(&bodies)?;
        fixed.iter_mut().zip(&committed).for_each(|(word, hash)| word.extend_from_slice(hash));
        // Before anything is opened: nobody may choose again after having seen the openings.
        word.extend(fixed.iter().flatten());
        hold_to(ledger, phase, word, &fixed).await?;
        let bodies = transcript.round(mesh, Step::Open, opened.to_vec()).await?;
        shown.take_shares(&committed, &bodies)?;
        shown.check_last(opening.bases, opening.commitments)?;
    }
}

fn terms(opening: &Opening<'_>, study: StudyId, parties: usize) -> Terms {
    Terms {
        study,
        parties,
        submissions: opening.set.submissions,
        bounds: opening.bounds.to_vec(),
        mechanism: opening.mechanism.cloned(),
    }
}

/// This server's share, with the noise of all openings so far.
struct Mine<'a> {
    study: StudyId,
    me: Party,
    opening: &'a Opening<'a>,
    /// A_j, noise included where there is any.
    sums: Zeroizing<Vec<Sum>>,
    /// R_j, and the blindings of the noise.
    blinding: Zeroizing<Scalar>,
}

impl<'a> Mine<'a> {
    fn new(study: StudyId, me: Party, opening: &'a Opening<'a>) -> Self {
        let sums = Zeroizing::new(opening.share.sums().to_vec());
        let blinding = Zeroizing::new(*opening.share.blinding());
        Self { study, me, opening, sums, blinding }
    }

    fn width(&self) -> usize {
        self.sums.len()
    }

    /// Adds this server's noise at these coordinates and commits to it; none: the study adds none.
    async fn draw(
        &mut self,
        ledger: &impl Ledger,
        phase: u8,
        coordinates: &[usize],
    ) -> Result<Option<Commitment>, PublishError> {
        if self.opening.mechanism.is_none() {
            return Ok(None);
        }
        let noise = ledger.noise(phase, coordinates).await?;
        if noise.values().len() != coordinates.len() {
            return Err(NoNoise::OtherCoordinates.into());
        }
        for (&coordinate, &noise) in coordinates.iter().zip(noise.values()) {
            let out_of_range = PublishError::NoiseOutOfRange { coordinate };
            let place = self.sums.get_mut(coordinate).ok_or(PublishError::Ledger)?;
            let noisy = place.add_signed(noise, self.opening.set.submissions);
            *place = noisy.ok_or(out_of_range)?;
        }
        // The same in a repeated run, as the noise is; and another one for other noise, whose difference
        // would show otherwise.
        let (digest, drawn) = (self.opening.set.digest(), noise.encode());
        let seed = self.opening.salt_seed;
        let parts: [&[u8]; 5] = [seed, &self.study.0, &digest, &[phase], &drawn];
        let wide = Zeroizing::new(dst::wide_hash(dst::PUBLISH_NOISE, &parts));
        let blinding = Blinding::from_uniform_bytes(&wide).reveal_scalar();
        *self.blinding += *blinding;
        Ok(Some(self.commit(coordinates, &noise, &blinding)))
    }

    /// D_j = Σ e_j\[c\]·G_c + s_j·H.
    fn commit(&self, coordinates: &[usize], noise: &Draws, blinding: &Scalar) -> Commitment {
        let values = noise.values().iter().map(|&noise| match noise < 0 {
            true => -Scalar::from(noise.unsigned_abs()),
            false => Scalar::from(noise.unsigned_abs()),
        });
        let pairs = coordinates.iter().copied().zip(values);
        self.opening.bases.combine_secret(pairs, blinding).into()
    }

    /// What this server opens next. The salt is derived from stored state, so that a repeated run
    /// says the same.
    fn opening(
        &self,
        shown: &Openings,
        coordinates: &[usize],
    ) -> Result<Zeroizing<Vec<u8>>, PublishError> {
        let (seed, phase) = (self.opening.salt_seed, shown.number());
        let digest = self.opening.set.digest();
        let sums = coordinates.iter().map(|&coordinate| self.sums.get(coordinate).copied());
        let sums: Option<Vec<Sum>> = sums.collect();
        let sums = sums.ok_or(PublishError::Ledger)?;
        // Other sums get another salt: an opened one tells nothing of a commitment to them.
        let opened = Zeroizing::new(sums.iter().flat_map(Sum::encode).collect::<Vec<u8>>());
        let parts: [&[u8]; 5] = [seed, &self.study.0, &digest, &[phase], &opened];
        let salt = dst::hash(dst::PUBLISH_SALT, &parts);
        let commitments = self.opening.commitments.get(self.me.index());
        let commitments = commitments.ok_or(PublishError::Ledger)?;
        let (rest, closed) = shown.claim(self.me, self.opening.bases, commitments, &sums);
        let (study, party) = (self.study, self.me);
        let claim = Claim { study, party, phase, rest, closed };
        let evidence = self.evidence(&claim)?;
        Ok(Zeroizing::new(OpenedShare { salt, sums, evidence }.encode()))
    }

    /// Shows that the sums are those under the commitments. Fails where they are not: this server's
    /// memory is damaged then, and it must not look like a liar.
    fn evidence(&self, claim: &Claim<'_>) -> Result<Evidence, PublishError> {
        let bases = self.opening.bases;
        let values = claim.closed.iter().map(|&coordinate| self.sums.get(coordinate));
        let values: Option<Vec<Scalar>> = values.map(|sum| sum.map(Sum::scalar)).collect();
        let values = Zeroizing::new(values.ok_or(PublishError::Ledger)?);
        let pairs = claim.closed.iter().copied().zip(values.iter().copied());
        if bases.combine_secret(pairs, &self.blinding) != claim.rest {
            return Err(PublishError::ShareDamaged);
        }
        Ok(match claim.closed {
            [] => Evidence::Blinding(*self.blinding),
            _ => {
                let seed = self.opening.salt_seed;
                Evidence::Proof(claim.prove(bases, seed, &values, &self.blinding))
            }
        })
    }
}

/// Number of coordinates (4) ‖ coordinates (4 each).
fn head(coordinates: &[usize]) -> Vec<u8> {
    // A study has at most 2^14 coordinates.
    let mut head = (coordinates.len() as u32).to_be_bytes().to_vec();
    head.extend(coordinates.iter().flat_map(|&coordinate| (coordinate as u32).to_be_bytes()));
    head
}

/// Holds all servers to the commitments of the first run that came this far: `word` is the head of
/// the opening, then by party the commitment to its noise (32, if there is noise) and the one to its
/// opening (32), which are `fixed`.
async fn hold_to(
    ledger: &impl Ledger,
    phase: u8,
    word: Vec<u8>,
    fixed: &[Vec<u8>],
) -> Result<(), PublishError> {
    let kept = ledger.fix(Word::Commitments(phase), word.clone()).await;
    let kept = kept.ok_or(PublishError::Ledger)?;
    if kept == word {
        return Ok(());
    }
    let head = word.len() - fixed.iter().map(Vec::len).sum::<usize>();
    if kept.len() != word.len() || kept[..head] != word[..head] {
        return Err(PublishError::RunsDiffer);
    }
    let mut before = &kept[head..];
    for (party, fixed) in (0..).map(Party).zip(fixed) {
        let (theirs, rest) = before.split_at(fixed.len());
        if theirs != fixed {
            return Err(PublishError::CommitmentChanged { party });
        }
        before = rest;
    }
    Err(PublishError::RunsDiffer)
}

pub(super) async fn sign<M: Mesh>(
    transcript: &mut Transcript<'_>,
    mesh: &mut M,
    set: &AgreedSet,
    totals: Vec<Option<i128>>,
    ledger: &impl Ledger,
) -> Result<Published, PublishError> {
    let counted = set.signed().counted;
    let parts = counted.result_parts(transcript.study(), &totals);
    // A server signs one result per study, ever.
    let digest = dst::hash(dst::PUBLISH_RESULT, &[&parts]).to_vec();
    let kept = ledger.fix(Word::Result, digest.clone()).await.ok_or(PublishError::Ledger)?;
    if kept != digest {
        return Err(PublishError::RunsDiffer);
    }
    let mine = transcript.signer.sign(dst::PUBLISH_RESULT, &[&parts]);
    let (study, keys) = (transcript.study(), transcript.keys);
    let bodies = transcript.round(mesh, Step::Result, mine.0.to_vec()).await?;
    Ok(Published {
        root: counted.root,
        submissions: counted.submissions,
        records: counted.records,
        rejected: set.rejected.clone(),
        signatures: signatures(study, keys, &counted, &totals, &bodies)?,
        totals,
    })
}

/// All servers' signatures over a result.
pub(super) fn signatures(
    study: StudyId,
    keys: &[PublicKey],
    counted: &Counted,
    totals: &[Option<i128>],
    bodies: &[Arc<[u8]>],
) -> Result<Vec<Signature>, PublishError> {
    let parts = counted.result_parts(study, totals);
    let mut signatures = Vec::with_capacity(bodies.len());
    for ((party, body), key) in (0..).map(Party).zip(bodies).zip(keys) {
        let signature = Signature::try_from(&body[..])
            .map_err(|_| TranscriptError::Malformed { party, step: Step::Result })?;
        key.verify(dst::PUBLISH_RESULT, &[&parts], &signature)
            .map_err(|_| PublishError::ResultSignature { party })?;
        signatures.push(signature);
    }
    Ok(signatures)
}
