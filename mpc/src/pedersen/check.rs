//! Check: whether many commitments open to what their servers were given, all at once.

use std::ops::Range;

use curve25519_dalek::{
    RistrettoPoint, Scalar,
    traits::{IsIdentity as _, VartimeMultiscalarMul as _, VartimePrecomputedMultiscalarMul as _},
};
use rand::CryptoRng;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::{Bases, Blinding};

/// What one server was given of one commitment: secret, as the values and the blinding are.
pub struct Opened {
    commitment: RistrettoPoint,
    values: Zeroizing<Vec<u128>>,
    pub(super) blinding: Blinding,
}

/// A sum of products of 128 bits: room for 2^64 of them. Least significant limb first.
type Wide = [u64; 5];

impl Opened {
    /// A commitment and what it is said to open to.
    pub fn new(
        commitment: RistrettoPoint,
        values: Zeroizing<Vec<u128>>,
        blinding: Blinding,
    ) -> Self {
        Self { commitment, values, blinding }
    }

    /// The values.
    pub fn values(&self) -> &[u128] {
        &self.values
    }
}

impl ZeroizeOnDrop for Opened {}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").field("coordinates", &self.values.len()).finish_non_exhaustive()
    }
}

impl Bases {
    /// For every upload whether its commitment opens to its values and blinding.
    ///
    /// # Soundness
    /// Let D_i = C_i − commit(o_i, r_i), zero when upload i is good, and w_i a weight of 128 random
    /// bits, drawn after the uploads are fixed. A set of uploads passes when Σ w_i·D_i = 0. The
    /// group has prime order, so a set with a bad upload passes with probability at most 2^−128,
    /// and any of the at most 2n sets that are looked at with at most n·2^−127. A good upload is
    /// never refused: what is refused was found alone, with w_i·D_i ≠ 0.
    ///
    /// # Cost
    /// One multiplication when all are good. A set that fails is halved; the right half's sum is
    /// the whole's less the left's, so b bad uploads cost at most b·log2(n) multiplications more,
    /// and never more than n in all: nobody makes the door dearer than one check per upload.
    ///
    /// # Time
    /// The multiplication's time depends on its scalars, Σ w_i·o_i(c) and Σ w_i·r_i. Nobody but
    /// this server knows the weights, and no upload is multiplied by the same weight in two calls,
    /// so repeating an upload gives no second measurement of one number. Each o_i is itself a share
    /// that is uniform to everybody who lacks one other server's share.
    pub fn check_all(&self, uploads: &[Opened], rng: &mut impl CryptoRng) -> Vec<bool> {
        let mut fits: Vec<bool> =
            uploads.iter().map(|upload| upload.values.len() == self.coordinates()).collect();
        let fitting = uploads.iter().zip(&fits).filter(|(_, fits)| **fits);
        let weighted: Vec<(u128, &Opened)> =
            fitting.map(|(upload, _)| (weight(rng), upload)).collect();
        let mut good = vec![true; weighted.len()];
        if !weighted.is_empty() {
            let all = self.deviation(&weighted);
            self.search(&weighted, 0..weighted.len(), all, &mut good);
        }
        let mut good = good.into_iter();
        fits.iter_mut().filter(|fits| **fits).for_each(|fits| *fits = good.next() == Some(true));
        fits
    }

    /// Marks the bad uploads of a range whose Σ w_i·D_i is `deviation`.
    fn search(
        &self,
        weighted: &[(u128, &Opened)],
        range: Range<usize>,
        deviation: RistrettoPoint,
        good: &mut [bool],
    ) {
        if deviation.is_identity() {
            return;
        }
        if range.len() == 1 {
            // Ranges are halves of 0..weighted.len(), which is good.len().
            good[range.start] = false;
            return;
        }
        let middle = range.start + range.len() / 2;
        let left = self.deviation(&weighted[range.start..middle]);
        self.search(weighted, range.start..middle, left, good);
        self.search(weighted, middle..range.end, deviation - left, good);
    }

    /// Σ w_i·(C_i − commit(o_i, r_i)).
    fn deviation(&self, weighted: &[(u128, &Opened)]) -> RistrettoPoint {
        let mut sums: Zeroizing<Vec<Wide>> = Zeroizing::new(vec![[0; 5]; self.coordinates()]);
        let mut blinding = Scalar::ZERO;
        for &(weight, upload) in weighted {
            blinding += Scalar::from(weight) * upload.blinding.0;
            for (sum, value) in sums.iter_mut().zip(upload.values.iter()) {
                add_product(sum, weight, *value);
            }
        }
        let mut scalars = Zeroizing::new(Vec::with_capacity(1 + sums.len()));
        scalars.push(-blinding);
        scalars.extend(sums.iter().map(|sum| -reduce(sum)));
        let weights = weighted.iter().map(|(weight, _)| Scalar::from(*weight));
        let points = weighted.iter().map(|(_, upload)| upload.commitment);
        match self.tables() {
            Some(tables) => tables.vartime_mixed_multiscalar_mul(scalars.iter(), weights, points),
            None => RistrettoPoint::vartime_multiscalar_mul(
                scalars.iter().copied().chain(weights),
                self.all_points().iter().copied().chain(points),
            ),
        }
    }
}

fn weight(rng: &mut impl CryptoRng) -> u128 {
    let mut bytes = [0; 16];
    rng.fill_bytes(&mut bytes);
    u128::from_le_bytes(bytes)
}

/// Adds a·b.
pub(super) fn add_product(sum: &mut Wide, a: u128, b: u128) {
    // The low and high half of a u128; indices are below 5 throughout.
    let halves = |value: u128| [value & u128::from(u64::MAX), value >> 64];
    for (place, a) in halves(a).into_iter().enumerate() {
        let mut carry = 0;
        // The last limbs only take the carry.
        for (limb, b) in sum[place..].iter_mut().zip(halves(b).into_iter().chain([0; 3])) {
            let total = a * b + u128::from(*limb) + carry;
            // The low half stays, the high half is the carry.
            *limb = total as u64;
            carry = total >> 64;
        }
    }
}

pub(super) fn reduce(sum: &Wide) -> Scalar {
    let mut bytes = Zeroizing::new([0; 64]);
    for (chunk, limb) in bytes.chunks_exact_mut(8).zip(sum) {
        chunk.copy_from_slice(&limb.to_le_bytes());
    }
    Scalar::from_bytes_mod_order_wide(&bytes)
}
