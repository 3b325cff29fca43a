//! Proof: a server knows what stays closed under its commitments, so what it opened of them is true.
//!
//! # Parties
//! S_j, who opened some coordinates of a sum of commitments; everybody who checks.
//!
//! # Assumes
//! T = Σ_{c closed} a_c·G_c + a·H, where T is the sum of commitments less what was opened.
//!
//! # Security
//! A proof of knowledge of a representation of T over the closed bases and H, which S_j can have only
//! if what it opened is what the commitments hold, for it knows an opening of each of them, and two
//! openings would give a relation between the bases. Honest-verifier zero-knowledge, made
//! non-interactive with a hash over the statement and its place in the protocol (random oracle).
//!
//! Nonces are derived from a secret seed and the whole statement: a repeated run says the same, and
//! no nonce is used for two challenges.
//!
//! # Rounds
//! None of its own: it is part of an opening.
//!
//! # Cost
//! 32 bytes a closed coordinate, and 64; two multiplications of as many points.
//!
//! # Source
//! Schnorr 1991, for several bases Okamoto, CRYPTO 1992; Fiat, Shamir, CRYPTO 1986.

use curve25519_dalek::{RistrettoPoint, Scalar};
use zeroize::Zeroizing;

use crate::{
    dst,
    ids::{Party, StudyId},
    pedersen::{Bases, Commitment},
    wire::{Reader, WireError},
};

/// What is proven, and where.
pub(super) struct Claim<'a> {
    pub(super) study: StudyId,
    pub(super) party: Party,
    pub(super) phase: u8,
    /// T.
    pub(super) rest: RistrettoPoint,
    /// The coordinates that stay closed, ascending.
    pub(super) closed: &'a [usize],
}

/// K and the answers to the challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Proof {
    first: Commitment,
    blinding: Scalar,
    values: Vec<Scalar>,
}

impl Claim<'_> {
    /// Proves it. `values` are a_c in the order of the closed coordinates, `blinding` is a.
    pub(super) fn prove(
        &self,
        bases: &Bases,
        seed: &[u8; 32],
        values: &[Scalar],
        blinding: &Scalar,
    ) -> Proof {
        let statement = dst::hash(dst::PEDERSEN_NONCE, &[&self.encode()]);
        let nonce = |coordinate: &[u8]| {
            let wide = dst::wide_hash(dst::PEDERSEN_NONCE, &[seed, &statement, coordinate]);
            Scalar::from_bytes_mod_order_wide(&Zeroizing::new(wide))
        };
        let hidden = Zeroizing::new(nonce(&[]));
        let nonces: Zeroizing<Vec<Scalar>> =
            Zeroizing::new(self.coordinates().map(|coordinate| nonce(&coordinate)).collect());
        let pairs = self.closed.iter().copied().zip(nonces.iter().copied());
        let first = Commitment::from(bases.combine_secret(pairs, &hidden));
        let challenge = self.challenge(&first);
        let answers = nonces.iter().zip(values).map(|(nonce, value)| nonce + challenge * value);
        Proof { first, blinding: *hidden + challenge * blinding, values: answers.collect() }
    }

    /// Whether the proof holds: Σ z_c·G_c + z·H = K + e·T.
    pub(super) fn holds(&self, bases: &Bases, proof: &Proof) -> bool {
        if proof.values.len() != self.closed.len() {
            return false;
        }
        let pairs = self.closed.iter().copied().zip(proof.values.iter().copied());
        let answered = bases.combine(pairs, &proof.blinding);
        Commitment::from(answered - self.challenge(&proof.first) * self.rest) == proof.first
    }

    fn challenge(&self, first: &Commitment) -> Scalar {
        let wide = dst::wide_hash(dst::PEDERSEN_CHALLENGE, &[&self.encode(), &first.0]);
        Scalar::from_bytes_mod_order_wide(&wide)
    }

    /// study (32) ‖ party (1) ‖ phase (1) ‖ T (32) ‖ closed coordinates (4 each).
    fn encode(&self) -> Vec<u8> {
        let mut out = self.study.0.to_vec();
        out.extend_from_slice(&[self.party.0, self.phase]);
        out.extend_from_slice(&self.rest.compress().to_bytes());
        out.extend(self.coordinates().flatten());
        out
    }

    fn coordinates(&self) -> impl Iterator<Item = [u8; 4]> + '_ {
        // A study has at most 2^14 coordinates.
        self.closed.iter().map(|&coordinate| (coordinate as u32).to_be_bytes())
    }
}

impl Proof {
    /// K (32) ‖ z (32) ‖ z_c (32 each), scalars little-endian.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.first.0);
        out.extend_from_slice(self.blinding.as_bytes());
        self.values.iter().for_each(|value| out.extend_from_slice(value.as_bytes()));
    }

    pub(super) fn decode(reader: &mut Reader<'_>, closed: usize) -> Result<Self, WireError> {
        let first = Commitment(reader.array()?);
        let blinding = scalar(reader)?;
        let values = (0..closed).map(|_| scalar(reader)).collect::<Result<_, _>>()?;
        Ok(Self { first, blinding, values })
    }
}

/// A scalar below ℓ.
pub(super) fn scalar(reader: &mut Reader<'_>) -> Result<Scalar, WireError> {
    Option::from(Scalar::from_canonical_bytes(reader.array()?)).ok_or(WireError::Range("scalar"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rest(bases: &Bases, closed: &[usize], values: &[u64], blinding: u64) -> RistrettoPoint {
        let values = values.iter().map(|value| Scalar::from(*value));
        bases.combine(closed.iter().copied().zip(values), &blinding.into())
    }

    fn proven(bases: &Bases, closed: &[usize], values: &[u64]) -> (RistrettoPoint, Proof) {
        let rest = rest(bases, closed, values, 9);
        let values: Vec<Scalar> = values.iter().map(|value| Scalar::from(*value)).collect();
        let proof = claim(rest, closed).prove(bases, &[1; 32], &values, &9u64.into());
        (rest, proof)
    }

    fn claim(rest: RistrettoPoint, closed: &[usize]) -> Claim<'_> {
        Claim { study: StudyId([2; 32]), party: Party(1), phase: 3, rest, closed }
    }

    #[test]
    fn a_proof_holds_for_its_claim_and_no_other() {
        let bases = Bases::new(5);
        let closed = [0, 2, 4];
        let (point, proof) = proven(&bases, &closed, &[3, 0, 7]);
        let good = claim(point, &closed);
        assert!(good.holds(&bases, &proof));
        let (study, party, phase) = (StudyId([3; 32]), Party(2), 4);
        assert!(!Claim { study, ..claim(point, &closed) }.holds(&bases, &proof));
        assert!(!Claim { party, ..claim(point, &closed) }.holds(&bases, &proof));
        assert!(!Claim { phase, ..claim(point, &closed) }.holds(&bases, &proof));
        assert!(!claim(point, &[0, 2, 3]).holds(&bases, &proof));
        assert!(!claim(point, &[0, 2]).holds(&bases, &proof));
        // One more at a coordinate that is not among the closed ones.
        assert!(!claim(point + bases.base(1), &closed).holds(&bases, &proof));
        assert!(!claim(point + bases.base(0), &closed).holds(&bases, &proof));
    }

    #[test]
    fn every_byte_of_a_proof_counts() {
        let bases = Bases::new(3);
        let (point, proof) = proven(&bases, &[1, 2], &[3, 7]);
        let mut bytes = Vec::new();
        proof.encode(&mut bytes);
        assert_eq!(Proof::decode(&mut Reader::new(&bytes), 2), Ok(proof));
        for byte in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[byte] ^= 1;
            let decoded = Proof::decode(&mut Reader::new(&changed), 2);
            assert!(!decoded.is_ok_and(|proof| claim(point, &[1, 2]).holds(&bases, &proof)));
        }
    }

    #[test]
    fn nonces_differ_between_claims_and_a_repeated_proof_is_the_same() {
        let bases = Bases::new(2);
        let (_, first) = proven(&bases, &[0, 1], &[3, 7]);
        assert_eq!(proven(&bases, &[0, 1], &[3, 7]).1, first);
        assert_ne!(proven(&bases, &[0, 1], &[3, 8]).1.first, first.first);
        let rest = rest(&bases, &[0, 1], &[3, 7], 9);
        let values = [3u64.into(), 7u64.into()];
        let other = Claim { phase: 4, ..claim(rest, &[0, 1]) };
        assert_ne!(other.prove(&bases, &[1; 32], &values, &9u64.into()).first, first.first);
    }
}
