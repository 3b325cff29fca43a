//! Openings: what all see of the result shares, and whether it is true. Servers and auditors decide
//! with the same functions.

use std::{fmt, sync::Arc};

use curve25519_dalek::{RistrettoPoint, Scalar, traits::Identity as _};
use prio::field::Field128;

use super::{
    PublishError, Sum,
    proof::{Claim, Proof, scalar},
};
use crate::{
    circuit::MINUS_ONE,
    dst,
    ids::{Party, StudyId},
    noise::Mechanism,
    pedersen::{Bases, Commitment},
    transcript::{Step, TranscriptError},
    wire::{Reader, WireError},
};

/// What openings may be.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    pub(super) study: StudyId,
    pub(super) parties: usize,
    pub(super) submissions: u64,
    /// The largest totals that valid records can have, by coordinate.
    pub(super) bounds: Vec<u128>,
    pub(super) mechanism: Option<Mechanism>,
}

/// Everything opened so far.
#[derive(Debug, Clone)]
pub(super) struct Openings {
    terms: Terms,
    phases: Vec<Phase>,
    totals: Vec<Option<i128>>,
}

/// One opening: the commitments to noise and the hash commitments to it, and what was opened, by
/// party.
#[derive(Debug, Clone)]
struct Phase {
    coordinates: Vec<usize>,
    /// The coordinates that are still closed behind it, ascending.
    closed: Vec<usize>,
    noise: Vec<RistrettoPoint>,
    shares: Vec<OpenedShare>,
}

/// What one server opened.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct OpenedShare {
    pub(super) salt: [u8; 32],
    /// A_j at the coordinates of this opening, noise included.
    pub(super) sums: Vec<Sum>,
    pub(super) evidence: Evidence,
}

impl fmt::Debug for OpenedShare {
    // One's own exists before it is opened.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenedShare").field("sums", &self.sums.len()).finish_non_exhaustive()
    }
}

/// Why the sums are those under the commitments.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Evidence {
    /// R_j, where nothing stays closed.
    Blinding(Scalar),
    /// That the server knows the rest.
    Proof(Proof),
}

impl Openings {
    pub(super) fn new(terms: Terms, coordinates: usize) -> Self {
        Self { terms, phases: Vec::new(), totals: vec![None; coordinates] }
    }

    /// The totals opened so far.
    pub(super) fn totals(&self) -> &[Option<i128>] {
        &self.totals
    }

    /// Begins an opening of these coordinates.
    pub(super) fn begin(&mut self, coordinates: Vec<usize>) {
        let mut is_closed: Vec<bool> = self.totals.iter().map(Option::is_none).collect();
        for &coordinate in &coordinates {
            if let Some(closed) = is_closed.get_mut(coordinate) {
                *closed = false;
            }
        }
        let places = is_closed.iter().enumerate().filter(|(_, is_closed)| **is_closed);
        let closed = places.map(|(place, _)| place).collect();
        let noise = vec![RistrettoPoint::identity(); self.terms.parties];
        self.phases.push(Phase { coordinates, closed, noise, shares: Vec::new() });
    }

    /// Takes all servers' commitments to their noise.
    pub(super) fn take_noise(&mut self, bodies: &[Arc<[u8]>]) -> Result<(), PublishError> {
        let mut points = Vec::with_capacity(bodies.len());
        for (party, body) in (0..).map(Party).zip(bodies) {
            let point = body[..].try_into().ok().and_then(|body| Commitment(body).point());
            let malformed = TranscriptError::Malformed { party, step: Step::Noise };
            points.push(point.ok_or(malformed)?);
        }
        if let Some(phase) = self.phases.last_mut() {
            phase.noise = points;
        }
        Ok(())
    }

    /// Takes what all servers opened, each of whom committed to it before.
    pub(super) fn take_shares(
        &mut self,
        commitments: &[[u8; 32]],
        openings: &[Arc<[u8]>],
    ) -> Result<(), PublishError> {
        let number = self.number();
        let Some(phase) = self.phases.last_mut() else { return Ok(()) };
        let mut totals = vec![Field128::from(0); phase.coordinates.len()];
        for ((party, opening), committed) in (0..).map(Party).zip(openings).zip(commitments) {
            if commitment(self.terms.study, party, number, opening) != *committed {
                return Err(PublishError::OpeningMismatch { party });
            }
            let share = OpenedShare::decode(opening, phase.coordinates.len(), phase.closed.len());
            let share =
                share.map_err(|_| TranscriptError::Malformed { party, step: Step::Open })?;
            if !share.sums.iter().all(|sum| sum.is_sum_of(self.terms.submissions)) {
                return Err(PublishError::ShareOutOfRange { party });
            }
            totals.iter_mut().zip(&share.sums).for_each(|(total, sum)| *total += sum.reduce());
            phase.shares.push(share);
        }
        for (&coordinate, total) in phase.coordinates.iter().zip(totals) {
            if let Some(place) = self.totals.get_mut(coordinate) {
                *place = Some(signed(total));
            }
        }
        Ok(())
    }

    /// The number of the opening that was begun last.
    pub(super) fn number(&self) -> u8 {
        // A study has a handful of openings.
        self.phases.len().saturating_sub(1) as u8
    }

    /// Checks the opening that was made last against the sums of all commitments, by party.
    pub(super) fn check_last(
        &self,
        bases: &Bases,
        sums: &[RistrettoPoint],
    ) -> Result<(), PublishError> {
        match self.phases.len().checked_sub(1) {
            Some(last) => self.check(last, bases, sums),
            None => Ok(()),
        }
    }

    /// Checks all openings, in their order.
    pub(super) fn check_all(
        &self,
        bases: &Bases,
        sums: &[RistrettoPoint],
    ) -> Result<(), PublishError> {
        (0..self.phases.len()).try_for_each(|number| self.check(number, bases, sums))
    }

    /// Checks one opening: every share is what is under the commitments, every total is possible.
    fn check(
        &self,
        number: usize,
        bases: &Bases,
        sums: &[RistrettoPoint],
    ) -> Result<(), PublishError> {
        // The callers count the openings.
        let (before, phase) = (&self.phases[..number], &self.phases[number]);
        for ((party, share), sum) in (0..).map(Party).zip(&phase.shares).zip(sums) {
            let opened = before.iter().flat_map(|phase| phase.opened(party));
            let opened = opened.chain(phase.values(&share.sums));
            let noise = self.noise(party, number);
            // At most a handful: see `number`.
            let claim = Claim {
                study: self.terms.study,
                party,
                phase: number as u8,
                rest: sum + noise - bases.combine(opened, &Scalar::ZERO),
                closed: &phase.closed,
            };
            let holds = match &share.evidence {
                Evidence::Blinding(blinding) => claim.rest == bases.blinding_base() * blinding,
                Evidence::Proof(proof) => claim.holds(bases, proof),
            };
            if !holds {
                return Err(PublishError::NotTheSum { party });
            }
        }
        // Of an opening that was not completed there are no totals.
        let is_impossible = |coordinate: &&usize| {
            self.totals
                .get(**coordinate)
                .copied()
                .flatten()
                .is_some_and(|total| !is_possible(total, &self.terms, **coordinate))
        };
        match phase.coordinates.iter().find(is_impossible) {
            Some(&coordinate) => Err(PublishError::TotalOutOfRange { coordinate }),
            None => Ok(()),
        }
    }

    /// The sum of a server's commitments to noise up to an opening, which was begun.
    fn noise(&self, party: Party, number: usize) -> RistrettoPoint {
        self.phases[..=number].iter().filter_map(|phase| phase.noise.get(party.index())).sum()
    }

    /// What this server claims of itself in the opening begun last, if these are its sums: what it
    /// proves, the closed coordinates' places included.
    pub(super) fn claim(
        &self,
        party: Party,
        bases: &Bases,
        sum: &RistrettoPoint,
        sums: &[Sum],
    ) -> (RistrettoPoint, &[usize]) {
        let Some((phase, before)) = self.phases.split_last() else { return (*sum, &[]) };
        let opened = before.iter().flat_map(|phase| phase.opened(party)).chain(phase.values(sums));
        let opened = bases.combine_secret(opened, &Scalar::ZERO);
        (sum + self.noise(party, before.len()) - opened, &phase.closed)
    }
}

impl Phase {
    /// What a server opened: coordinate and value.
    fn opened(&self, party: Party) -> impl Iterator<Item = (usize, Scalar)> + '_ {
        let share = self.shares.get(party.index());
        share.into_iter().flat_map(|share| self.values(&share.sums))
    }

    fn values<'a>(&'a self, sums: &'a [Sum]) -> impl Iterator<Item = (usize, Scalar)> + 'a {
        self.coordinates.iter().copied().zip(sums.iter().map(Sum::scalar))
    }
}

impl OpenedShare {
    /// salt (32) ‖ A_j (24 bytes a coordinate) ‖ R_j (32), or [`Proof::encode`] while coordinates
    /// stay closed.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = self.salt.to_vec();
        out.extend(self.sums.iter().flat_map(Sum::encode));
        match &self.evidence {
            Evidence::Blinding(blinding) => out.extend_from_slice(blinding.as_bytes()),
            Evidence::Proof(proof) => proof.encode(&mut out),
        }
        out
    }

    fn decode(opening: &[u8], coordinates: usize, closed: usize) -> Result<Self, WireError> {
        let mut reader = Reader::new(opening);
        let salt = reader.array()?;
        let sums = (0..coordinates)
            .map(|_| Ok(Sum::decode(reader.array()?)))
            .collect::<Result<_, WireError>>()?;
        let evidence = match closed {
            0 => Evidence::Blinding(scalar(&mut reader)?),
            _ => Evidence::Proof(Proof::decode(&mut reader, closed)?),
        };
        reader.finish()?;
        Ok(Self { salt, sums, evidence })
    }
}

/// The hash commitment to an opening.
pub(super) fn commitment(study: StudyId, party: Party, phase: u8, opening: &[u8]) -> [u8; 32] {
    dst::hash(dst::PUBLISH_COMMIT, &[&study.0, &[party.0, phase], opening])
}

/// All servers' hash commitments.
pub(super) fn commitments(bodies: &[Arc<[u8]>]) -> Result<Vec<[u8; 32]>, PublishError> {
    let malformed = |party| TranscriptError::Malformed { party, step: Step::Commit };
    let commitment = |(party, body): (Party, &Arc<[u8]>)| {
        body[..].try_into().map_err(|_| malformed(party).into())
    };
    (0..).map(Party).zip(bodies).map(commitment).collect()
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
fn is_possible(total: i128, terms: &Terms, coordinate: usize) -> bool {
    let mechanism = terms.mechanism.as_ref();
    let tail = mechanism.map_or(0, |mechanism| mechanism.tail(coordinate, terms.parties));
    let tail = i128::try_from(tail).unwrap_or(i128::MAX);
    let bound = terms.bounds.get(coordinate).copied().unwrap_or_default();
    let bound = i128::try_from(bound).unwrap_or(i128::MAX);
    (-tail..=bound.saturating_add(tail)).contains(&total)
}
