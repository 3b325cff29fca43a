//! Repeat: the opened totals with noise of the same size drawn again, to see what it does to the
//! answers.
//!
//! An answer f(T + η) is known, and f(T) is wanted. How f(T + η + η') differs from f(T + η), for
//! fresh draws of η', is how f(T + η) is taken to differ from f(T) (parametric bootstrap: Efron,
//! Tibshirani, 1993, section 6.5). The draws depend on the totals alone, so that everybody computes
//! the same intervals. Here noise is drawn from the continuous distributions: the rounding to
//! integers is all that differs from the servers' exact ones.

use chacha20::ChaCha20Rng;
use mpc::{
    dst,
    noise::{Distribution, Mechanism},
};
use rand_core::SeedableRng as _;
use rand_distr::{Distribution as _, Exp1, StandardNormal};

use super::{Plan, Totals};

/// How often noise is drawn again: the ends of a 95 % interval are then the 10th values from
/// either end. Fewer times where there are many sums: so many draws in all, but at least 100.
const DRAWS: usize = 400;
const ALL_DRAWS: usize = 1 << 16;

/// The totals with noise drawn again; none without noise.
pub(crate) fn repeated(plan: &Plan, totals: &Totals) -> Vec<Totals> {
    let Some(noise) = plan.noise() else { return Vec::new() };
    let servers = plan.study.servers().len();
    let mut rng = ChaCha20Rng::from_seed(seed(totals));
    let mut draw = || {
        let values = totals.values.iter().enumerate().map(|(coordinate, value)| {
            let moved = draw(noise.mechanism(), coordinate, servers, &mut rng);
            value.map(|value| value.saturating_add(moved))
        });
        Totals { records: totals.records, values: values.collect() }
    };
    let times = (ALL_DRAWS / totals.values.len().max(1)).clamp(100, DRAWS);
    (0..times).map(|_| draw()).collect()
}

/// The sum of what all servers add to a coordinate, drawn once.
fn draw(mechanism: &Mechanism, coordinate: usize, servers: usize, rng: &mut ChaCha20Rng) -> i128 {
    let scale = mechanism.scales.get(coordinate).map_or(0.0, |scale| scale.to_f64());
    let sum: f64 = match mechanism.distribution {
        Distribution::Gaussian => {
            let normal: f64 = StandardNormal.sample(rng);
            // A study has at most 8 servers.
            normal * (servers as f64).sqrt()
        }
        Distribution::Laplace => {
            let exponential = |rng: &mut ChaCha20Rng| -> f64 { Exp1.sample(rng) };
            (0..servers).map(|_| exponential(rng) - exponential(rng)).sum()
        }
    };
    // Rounding is meant; what is too large saturates.
    (sum * scale).round() as i128
}

fn seed(totals: &Totals) -> [u8; 32] {
    let mut hasher = dst::Hasher::new(dst::RESULT_REPEAT);
    hasher.part(&totals.records.to_be_bytes());
    for value in &totals.values {
        match value {
            Some(value) => hasher.part(&value.to_be_bytes()),
            None => hasher.part(&[]),
        }
    }
    hasher.finish()
}
