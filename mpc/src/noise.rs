//! Noise: integers from the discrete Gaussian and the discrete Laplace distribution, for totals
//! that are published under differential privacy.
//!
//! # Parties
//! Each server draws full noise for every coordinate that is opened, by itself, and adds it to its
//! result share ([`crate::publish`]).
//!
//! # Assumes
//! A generator for cryptography. What is drawn is kept secret, and never drawn twice for one
//! opening: the average of many draws would be no noise.
//!
//! # Security
//! The samplers are exact: they work in integers and rationals, so that no floating point shows
//! through. They are not constant in time.
//!
//! With sigma = Δ/√(2·rho), Gaussian noise makes an integer vector of L2 sensitivity Δ rho-zCDP;
//! with b = Δ/epsilon, Laplace noise makes one of L1 sensitivity Δ epsilon-differentially private.
//! What the sensitivity is, and how a budget is split, is the study's (crate `study`).
//!
//! # Tails
//! The sum S of k draws is held against a bound T with P(|S| > T) < 2^−64:
//! - Gaussian: a draw X is subgaussian, E[exp(tX)] ≤ exp(t²σ²/2) (Canonne, Kamath, Steinke), so
//!   P(|S| ≥ T) ≤ 2·exp(−T²/(2kσ²)), and T = σ·√(91k) will do, because 91 > 2·65·ln 2.
//! - Laplace: E[exp(tX)] = 1/(1 − (cosh t − 1)/(cosh(1/b) − 1)) ≤ 1/(1 − b²t²) for |t| < 1/b,
//!   because (cosh x − 1)/x² grows with |x|. With t = 0.9/b, P(|S| ≥ T) ≤
//!   2·exp(−0.9·T/b)·(1 − 0.81)^−k, and T = b·(51 + 2k) will do: 0.9·51 > 65·ln 2 and
//!   0.9·2 > ln(1/0.19).
//!
//! # Cost
//! A few random bytes and rational operations a draw: some microseconds.
//!
//! # Source
//! Samplers: Canonne, Kamath, Steinke, "The Discrete Gaussian for Differential Privacy", NeurIPS
//! 2020, Algorithms 1 to 3 (crate `prio`).

use std::fmt;

use prio::dp::{
    Rational,
    distributions::{DiscreteGaussian, DiscreteLaplace},
};
use rand::{CryptoRng, distr::Distribution as _};
use zeroize::{ZeroizeOnDrop, Zeroizing};

/// The shape of the noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distribution {
    /// P(x) proportional to exp(−x²/(2σ²)); the scale is σ.
    Gaussian,
    /// P(x) proportional to exp(−|x|/b); the scale is b.
    Laplace,
}

/// The parameter of a distribution, in units of 2^−20. Zero: no noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scale(pub u128);

/// What noise each coordinate gets from each server. Nothing here is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mechanism {
    /// The shape of all noise.
    pub distribution: Distribution,
    /// The scale at each coordinate.
    pub scales: Vec<Scale>,
}

/// Noise that was drawn, a number per coordinate. Whoever knows it knows the totals without it:
/// wiped when dropped, and redacted in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Draws(Zeroizing<Vec<i128>>);

impl Scale {
    /// The denominator of a scale: 2^20.
    pub const UNITS: u128 = 1 << 20;

    /// The scale as a number, for people.
    pub fn to_f64(self) -> f64 {
        // The rounding to double precision is meant.
        self.0 as f64 / Self::UNITS as f64
    }
}

impl Mechanism {
    /// Draws noise for these coordinates, in their order. None if one of them has no scale: it must
    /// not be opened without noise then.
    pub fn sample(&self, coordinates: &[usize], rng: &mut impl CryptoRng) -> Option<Draws> {
        let mut draws = Zeroizing::new(Vec::with_capacity(coordinates.len()));
        for &coordinate in coordinates {
            draws.push(draw(self.distribution, *self.scales.get(coordinate)?, rng)?);
        }
        Some(Draws(draws))
    }

    /// A bound that the magnitude of the sum of `servers` draws exceeds with a probability below
    /// 2^−64.
    pub fn tail(&self, coordinate: usize, servers: usize) -> u128 {
        let Some(&scale) = self.scales.get(coordinate) else { return 0 };
        tail(self.distribution, scale, servers)
    }
}

/// [`Mechanism::tail`] of one scale.
pub fn tail(distribution: Distribution, scale: Scale, servers: usize) -> u128 {
    let servers = servers as u64;
    match distribution {
        Distribution::Gaussian => {
            // √(91k), rounded up to a multiple of 2^−16.
            let root = (91u64.saturating_mul(servers) << 32).isqrt() + 1;
            scale.0.saturating_mul(root.into()).div_ceil(Scale::UNITS << 16)
        }
        Distribution::Laplace => {
            let factor = servers.saturating_mul(2).saturating_add(51);
            scale.0.saturating_mul(factor.into()).div_ceil(Scale::UNITS)
        }
    }
}

impl Draws {
    /// The noise of each coordinate.
    pub fn values(&self) -> &[i128] {
        &self.0
    }

    /// 16 bytes a coordinate: two's complement, big-endian.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(16 * self.0.len()));
        self.0.iter().for_each(|value| bytes.extend_from_slice(&value.to_be_bytes()));
        bytes
    }

    /// The inverse of [`Draws::encode`]; none for bytes that are no whole number of values.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (values, rest) = bytes.as_chunks::<16>();
        let values = values.iter().map(|value| i128::from_be_bytes(*value)).collect();
        rest.is_empty().then_some(Self(Zeroizing::new(values)))
    }
}

impl From<Vec<i128>> for Draws {
    fn from(values: Vec<i128>) -> Self {
        Self(Zeroizing::new(values))
    }
}

impl ZeroizeOnDrop for Draws {}

impl fmt::Debug for Draws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Draws(redacted)")
    }
}

/// One draw. A draw beyond 127 bits, which no scale of a study makes possible in practice, becomes
/// the largest number: it fits into no result share, so that nothing is opened.
fn draw(distribution: Distribution, scale: Scale, rng: &mut impl CryptoRng) -> Option<i128> {
    if scale.0 == 0 {
        return Some(0);
    }
    let scale = Rational::from_unsigned(scale.0, Scale::UNITS).ok()?;
    let drawn = match distribution {
        Distribution::Gaussian => DiscreteGaussian::new(scale).ok()?.sample(rng),
        Distribution::Laplace => DiscreteLaplace::new(scale).ok()?.sample(rng),
    };
    Some(i128::try_from(drawn).unwrap_or(i128::MAX))
}

#[cfg(test)]
mod tests;
