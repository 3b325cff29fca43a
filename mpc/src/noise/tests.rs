//! The noise that is drawn, held against the exact distributions.

use std::collections::BTreeMap;

use rand::{SeedableRng, rngs::StdRng};

use super::*;
use Distribution::{Gaussian, Laplace};

/// Scales in units: 1/2, 1, 3.7, 40 and 1,000.3.
const SCALES: [u128; 5] = [1 << 19, 1 << 20, 3_879_731, 40 << 20, 1_048_890_573];

fn mechanism(distribution: Distribution, scale: u128) -> Mechanism {
    Mechanism { distribution, scales: vec![Scale(scale); 4] }
}

/// The probability of every integer up to `reach` on both sides, from the definition.
fn mass(distribution: Distribution, scale: f64, reach: i128) -> BTreeMap<i128, f64> {
    let weight = |x: i128| match distribution {
        Gaussian => (-((x * x) as f64) / (2.0 * scale * scale)).exp(),
        Laplace => (-(x.abs() as f64) / scale).exp(),
    };
    let all: f64 = (-reach..=reach).map(weight).sum();
    (-reach..=reach).map(|x| (x, weight(x) / all)).collect()
}

/// Pearson's statistic and its degrees of freedom. Neighbouring integers share a bin until at
/// least 20 draws are expected in it.
fn chi_square(draws: &[i128], mass: &BTreeMap<i128, f64>) -> (f64, f64) {
    let mut observed: BTreeMap<i128, f64> = BTreeMap::new();
    draws.iter().for_each(|draw| *observed.entry(*draw).or_default() += 1.0);
    let count = draws.len() as f64;
    let (mut statistic, mut bins) = (0.0, 0.0);
    let (mut seen, mut expected, mut covered) = (0.0, 0.0, 0.0);
    for (x, probability) in mass {
        seen += observed.get(x).copied().unwrap_or(0.0);
        expected += probability * count;
        if expected >= 20.0 && count - covered - expected >= 20.0 {
            statistic += (seen - expected) * (seen - expected) / expected;
            bins += 1.0;
            covered += expected;
            (seen, expected) = (0.0, 0.0);
        }
    }
    // The last bin holds the rest, also what is out of reach.
    let beyond = draws.iter().filter(|draw| !mass.contains_key(draw)).count() as f64;
    let rest = count - covered;
    statistic += (seen + beyond - rest) * (seen + beyond - rest) / rest;
    (statistic, bins)
}

/// Whether the draws may be of the distribution: 4 standard deviations of chi-square are far out
/// for the numbers of bins here (below 1 in 1,000).
fn fits(draws: &[i128], mass: &BTreeMap<i128, f64>) -> bool {
    let (statistic, freedom) = chi_square(draws, mass);
    statistic < freedom + 4.0 * (2.0 * freedom).sqrt()
}

fn draws(distribution: Distribution, scale: u128, count: usize) -> Vec<i128> {
    let mut rng = StdRng::seed_from_u64(2026);
    let mechanism = mechanism(distribution, scale);
    mechanism.sample(&vec![0; count], &mut rng).expect("a scale").values().to_vec()
}

#[test]
fn the_noise_has_exactly_the_distribution_that_it_says() {
    for distribution in [Gaussian, Laplace] {
        for scale in SCALES {
            let drawn = draws(distribution, scale, 40_000);
            let real = Scale(scale).to_f64();
            let reach = (real * 40.0).ceil() as i128 + 20;
            assert!(fits(&drawn, &mass(distribution, real, reach)), "{distribution:?} {real}");
            // A tenth more or less is noticed.
            for other in [real * 0.9, real * 1.1] {
                let other = mass(distribution, other, reach);
                assert!(!fits(&drawn, &other), "{distribution:?} {real}");
            }
        }
    }
}

#[test]
fn the_two_distributions_are_told_apart() {
    let drawn = draws(Gaussian, 5 << 20, 40_000);
    // The Laplace distribution of the same variance.
    assert!(!fits(&drawn, &mass(Laplace, 5.0 / 2f64.sqrt(), 300)));
}

#[test]
fn the_sum_of_k_servers_spreads_as_theory_says() {
    const SUMS: usize = 20_000;
    for distribution in [Gaussian, Laplace] {
        for scale in [1 << 20, 40 << 20] {
            for servers in [2, 3, 8] {
                let drawn = draws(distribution, scale, SUMS * servers);
                let sums: Vec<f64> =
                    drawn.chunks(servers).map(|draws| draws.iter().sum::<i128>() as f64).collect();
                let real = Scale(scale).to_f64();
                let one: f64 = mass(distribution, real, (real * 45.0) as i128)
                    .iter()
                    .map(|(x, probability)| (x * x) as f64 * probability)
                    .sum();
                let theory = one * servers as f64;
                let mean = sums.iter().sum::<f64>() / SUMS as f64;
                let variance = sums.iter().map(|sum| sum * sum).sum::<f64>() / SUMS as f64;
                // Standard errors of mean and variance; a Laplace draw has excess kurtosis 3.
                let excess = if distribution == Laplace { 3.5 / servers as f64 } else { 0.0 };
                let of_mean = (theory / SUMS as f64).sqrt();
                let of_variance = theory * ((2.0 + excess) / SUMS as f64).sqrt();
                let what = format!("{distribution:?} {real} × {servers}");
                assert!(mean.abs() < 4.0 * of_mean, "{what}: mean {mean}");
                assert!((variance - theory).abs() < 4.0 * of_variance, "{what}: {variance}");
            }
        }
    }
}

/// P(|sum of `servers` draws| > `bound`), from the definition.
fn beyond(distribution: Distribution, scale: f64, servers: usize, bound: u128) -> f64 {
    let one = mass(distribution, scale, (scale * 80.0).ceil() as i128 + 20);
    let mut sum = BTreeMap::from([(0, 1.0)]);
    for _ in 0..servers {
        let mut next: BTreeMap<i128, f64> = BTreeMap::new();
        for (x, p) in &sum {
            one.iter().for_each(|(y, q)| *next.entry(x + y).or_default() += p * q);
        }
        sum = next;
    }
    sum.iter().filter(|(x, _)| x.unsigned_abs() > bound).map(|(_, p)| p).sum()
}

#[test]
fn the_tail_is_exceeded_with_a_probability_below_two_to_the_minus_64() {
    let limit = 2f64.powi(-64);
    for distribution in [Gaussian, Laplace] {
        for scale in [1u128 << 18, 1 << 20, 3 << 20] {
            for servers in [1, 2, 3] {
                let tail = tail(distribution, Scale(scale), servers);
                let real = Scale(scale).to_f64();
                let probability = beyond(distribution, real, servers, tail);
                assert!(probability < limit, "{distribution:?} {real} × {servers}: {probability}");
                // It is no wider than it has to be by far.
                assert!(beyond(distribution, real, servers, tail / 2) > limit);
            }
        }
    }
}

#[test]
fn a_coordinate_without_noise_gets_none_and_one_without_a_scale_no_answer() {
    let scales = vec![Scale(0), Scale(100 << 20)];
    for distribution in [Gaussian, Laplace] {
        let mechanism = Mechanism { distribution, scales: scales.clone() };
        let mut rng = StdRng::seed_from_u64(5);
        let draws = mechanism.sample(&[0, 1, 0], &mut rng).expect("scales");
        assert!(matches!(draws.values(), [0, noise, 0] if *noise != 0));
        assert_eq!(mechanism.sample(&[2], &mut rng), None);
        assert_eq!((mechanism.tail(0, 3), mechanism.tail(2, 3)), (0, 0));
        assert!(mechanism.tail(1, 3) > 1_000);
    }
}

#[test]
fn draws_survive_their_encoding_and_are_not_printed() {
    let draws = Draws::from(vec![0, -1, 77_777, i128::MIN, i128::MAX]);
    assert_eq!(Draws::decode(&draws.encode()), Some(draws.clone()));
    assert_eq!(Draws::decode(&[0; 15]), None);
    assert!(!format!("{draws:?}").contains("777"));
}
