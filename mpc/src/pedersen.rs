//! Pedersen: commitments to a server's output share, one for all coordinates, that can be added up.
//!
//! # Parties
//! A committer (the provider, for each server's share of a submission; a server, for its noise) and
//! receivers, of whom one (the server whose share it is) is given the opening at once and all see
//! sums opened later.
//!
//! # Assumes
//! Nothing but the group: every party derives the bases itself, so nobody knows a relation between
//! them. For coordinate c
//!
//! ```text
//! G_c = from_uniform_bytes(SHA-512(len ‖ "sotto/v1/pedersen/base" ‖ len ‖ c as 4 bytes))
//! H   = from_uniform_bytes(SHA-512(len ‖ "sotto/v1/pedersen/blinding"))
//! C   = Σ_c o[c]·G_c + r·H,        0 ≤ o[c] < p,  r uniform in 0..ℓ
//! ```
//!
//! with lengths of 8 bytes, big-endian ([`crate::dst::wide_hash`]), and the one-way map of
//! RFC 9496, section 4.3.4.
//!
//! # Security
//! Perfectly hiding: C is uniform whatever o is, since r is. Binding under the discrete logarithm
//! assumption in the Ristretto group: two openings of one commitment, or of one sum of commitments,
//! give a relation between the bases. Integers below 2^192 are opened, ℓ > 2^252, so an opening mod
//! ℓ is an opening over the integers. p is not ℓ: sums are not reduced mod p before they are opened.
//!
//! Committing takes the same time for all values. Checking does not: see [`Bases::check_all`].
//!
//! # Rounds
//! None of its own: commitments travel in [`crate::collect::PublicPart`], openings of sums in the
//! publication.
//!
//! # Cost
//! 32 bytes a commitment, 32 a blinding. [`Bases::commit`]: 64 additions a coordinate, in chunks of
//! 256 points (0.3 MiB) whatever the width. [`Bases::check_all`]: for n uploads of d coordinates at
//! once one multiplication of d + 1 bases by full scalars and n points by 128 bits, 30·d + 30·n
//! additions, and n·d products of integers. Up to 256 coordinates the bases' tables are kept,
//! 10 KiB each.
//!
//! # Source
//! Pedersen, CRYPTO 1991, for vectors. Batch verification by random linear combination: Bellare,
//! Garay, Rabin, EUROCRYPT 1998; the search for the bad ones is a bisection that takes the right
//! half's combination from the whole's and the left's.

use std::{fmt, sync::OnceLock};

use curve25519_dalek::{
    RistrettoPoint, Scalar,
    ristretto::{CompressedRistretto, VartimeRistrettoPrecomputation},
    traits::{
        Identity as _, MultiscalarMul as _, VartimeMultiscalarMul as _,
        VartimePrecomputedMultiscalarMul as _,
    },
};
use rand::CryptoRng;
use zeroize::{Zeroize as _, ZeroizeOnDrop, Zeroizing};

use crate::dst;

mod check;

pub use check::Opened;

/// Points that one multiplication in constant time takes: their tables are 1.3 KB each.
const CHUNK: usize = 256;

/// The most coordinates whose bases' tables are kept: 2.5 MiB. They save a third; at twice as many
/// they do not fit into a core's cache, and bucketing without tables is as fast.
const TABLES: usize = 256;

/// A commitment, compressed as it is sent; it need not be a point.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Commitment(pub [u8; 32]);

/// What hides a commitment: a uniform scalar, used for one commitment. Wiped when dropped.
pub struct Blinding(Scalar);

/// The bases of commitments to so many coordinates. Share it: points and tables are derived when
/// they are first needed, and kept.
pub struct Bases {
    coordinates: usize,
    /// H, then G_0, G_1, ….
    points: OnceLock<Vec<RistrettoPoint>>,
    tables: OnceLock<VartimeRistrettoPrecomputation>,
}

impl Commitment {
    /// The point; none if these bytes are not the one encoding of a point.
    pub fn point(&self) -> Option<RistrettoPoint> {
        CompressedRistretto(self.0).decompress()
    }
}

impl From<RistrettoPoint> for Commitment {
    fn from(point: RistrettoPoint) -> Self {
        Self(point.compress().to_bytes())
    }
}

impl fmt::Debug for Commitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl Blinding {
    /// Draws a blinding.
    pub fn random(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = Zeroizing::new([0; 64]);
        rng.fill_bytes(bytes.as_mut());
        Self::from_uniform_bytes(&bytes)
    }

    /// The blinding that 64 uniform bytes give.
    pub fn from_uniform_bytes(bytes: &[u8; 64]) -> Self {
        Self(Scalar::from_bytes_mod_order_wide(bytes))
    }

    /// The blinding of 32 bytes, little-endian; none if they are not below ℓ.
    pub fn from_bytes(bytes: [u8; 32]) -> Option<Self> {
        Option::from(Scalar::from_canonical_bytes(bytes)).map(Self)
    }

    /// The bytes, for the one who may open the commitment.
    pub fn reveal_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The scalar, for sums of blindings.
    pub fn reveal_scalar(&self) -> Zeroizing<Scalar> {
        Zeroizing::new(self.0)
    }
}

impl Drop for Blinding {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl ZeroizeOnDrop for Blinding {}

impl fmt::Debug for Blinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Blinding(secret)")
    }
}

impl Bases {
    /// The bases of `coordinates` coordinates.
    pub fn new(coordinates: usize) -> Self {
        Self { coordinates, points: OnceLock::new(), tables: OnceLock::new() }
    }

    /// How many coordinates a commitment is to.
    pub fn coordinates(&self) -> usize {
        self.coordinates
    }

    /// Derives points and tables, which otherwise happens when they are first used.
    pub fn prepare(&self) {
        self.points();
        self.tables();
    }

    /// G_c, which exists for every c.
    pub fn base(&self, c: usize) -> RistrettoPoint {
        self.points().1.get(c).copied().unwrap_or_else(|| derive(c))
    }

    /// H.
    pub fn blinding_base(&self) -> RistrettoPoint {
        self.points().0
    }

    /// Σ_c `values[c]`·G_c + blinding·H, in constant time. There is one value per coordinate.
    pub fn commit(&self, values: &[u128], blinding: &Blinding) -> Commitment {
        let pairs = values.iter().map(|value| Scalar::from(*value)).enumerate();
        self.combine_secret(pairs, &blinding.0).into()
    }

    /// Σ scalar·G_c + blinding·H over `pairs` of c and scalar. Takes a time that depends on the
    /// scalars: for public ones.
    pub fn combine(
        &self,
        pairs: impl Iterator<Item = (usize, Scalar)>,
        blinding: &Scalar,
    ) -> RistrettoPoint {
        let (mut scalars, mut points) = (vec![*blinding], vec![self.blinding_base()]);
        for (c, scalar) in pairs {
            scalars.push(scalar);
            points.push(self.base(c));
        }
        RistrettoPoint::vartime_multiscalar_mul(&scalars, &points)
    }

    /// [`Bases::combine`] in a time that depends on the number of pairs alone: for secret scalars.
    pub fn combine_secret(
        &self,
        mut pairs: impl Iterator<Item = (usize, Scalar)>,
        blinding: &Scalar,
    ) -> RistrettoPoint {
        let mut scalars = Zeroizing::new(Vec::with_capacity(CHUNK));
        let mut points = Vec::with_capacity(CHUNK);
        scalars.push(*blinding);
        points.push(self.blinding_base());
        let mut sum = RistrettoPoint::identity();
        loop {
            for (c, scalar) in pairs.by_ref().take(CHUNK - points.len()) {
                scalars.push(scalar);
                points.push(self.base(c));
            }
            if points.is_empty() {
                return sum;
            }
            sum += RistrettoPoint::multiscalar_mul(scalars.iter(), &points);
            scalars.zeroize();
            points.clear();
        }
    }

    /// H and all G_c.
    fn points(&self) -> (RistrettoPoint, &[RistrettoPoint]) {
        let points = self.all_points();
        // H is always there.
        (points[0], &points[1..])
    }

    /// H, then all G_c.
    fn all_points(&self) -> &[RistrettoPoint] {
        self.points.get_or_init(|| {
            let blinding =
                RistrettoPoint::from_uniform_bytes(&dst::wide_hash(dst::PEDERSEN_BLINDING, &[]));
            std::iter::once(blinding).chain((0..self.coordinates).map(derive)).collect()
        })
    }

    /// Tables of all points, where they are worth their memory.
    fn tables(&self) -> Option<&VartimeRistrettoPrecomputation> {
        let make = || VartimeRistrettoPrecomputation::new(self.all_points());
        (self.coordinates <= TABLES).then(|| self.tables.get_or_init(make))
    }
}

impl fmt::Debug for Bases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bases").field("coordinates", &self.coordinates).finish_non_exhaustive()
    }
}

fn derive(c: usize) -> RistrettoPoint {
    // A study has fewer than 2^32 coordinates by far.
    let c = (c as u32).to_be_bytes();
    RistrettoPoint::from_uniform_bytes(&dst::wide_hash(dst::PEDERSEN_BASE, &[&c]))
}

#[cfg(test)]
mod tests;
