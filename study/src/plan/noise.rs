//! Noise: how much of it a study's sums need for the epsilon and delta that it asks for.
//!
//! # Neighbours
//! The number of records is public and exact. Two data sets are neighbours when they have the same
//! number of records and differ in the values of one of them: of the one record of a provider
//! (`unit = "provider"`), or of any (`unit = "record"`).
//!
//! # Sensitivity
//! Sums are opened in blocks: one term over the cells of one set of columns. A record adds a number
//! from 0 to M to at most one cell of a block. So a change of a record changes a block of one cell
//! by at most M, and in a block of several it takes at most M from one and adds at most M to another:
//! L1 ≤ 2M, L2² ≤ 2M². The number of all records does not change: it needs no noise.
//!
//! # Budget
//! It is split evenly over the B blocks that need noise; what is opened later may depend on what
//! was opened before.
//! - With delta: the discrete Gaussian. rho = (√(epsilon + ln(1/delta)) − √(ln(1/delta)))², because
//!   rho-zCDP is (rho + 2√(rho·ln(1/delta)), delta)-differential privacy. A block of L2 sensitivity Δ
//!   gets rho/B with sigma = Δ·√(B/(2·rho)).
//! - Without: the discrete Laplace distribution. A block of L1 sensitivity Δ gets epsilon/B with
//!   b = Δ·B/epsilon.
//!
//! All parties derive the same scales: logarithms and roots are those of the crate `libm`, the same
//! on every machine, and a scale is rounded up to a multiple of 2^−20, after a relative 2^−40 for
//! the errors of double precision.
//!
//! # Source
//! Bun, Steinke, "Concentrated Differential Privacy", TCC 2016 (composition of zCDP, and Proposition
//! 1.3: from zCDP to epsilon and delta); Canonne, Kamath, Steinke, NeurIPS 2020, Theorem 4 (discrete
//! Gaussian); Dwork, McSherry, Nissim, Smith, TCC 2006 (Laplace).

use std::collections::BTreeMap;

use mpc::noise::{Distribution, Mechanism, Scale, tail};

use super::{Term, grid::Grid, layout::Sums};
use crate::{
    error::Rule,
    limits,
    study::{Differential, Study},
};

/// The noise of a study's sums, and what opening them costs. Nothing here is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noise {
    mechanism: Mechanism,
    /// The block of each coordinate, by number; none for one that needs no noise.
    blocks: Vec<Option<u64>>,
    budget: u64,
}

/// How much a change of one record changes a block. In double precision: the margin of a scale
/// covers the rounding.
struct Sensitivity {
    l1: f64,
    l2: f64,
}

impl Noise {
    /// The noise of a study with these blocks, given with their first coordinates.
    pub(crate) fn new(study: &Study, starts: &BTreeMap<Sums, usize>) -> Option<Self> {
        let scaling = Scaling::new(study, starts.keys())?;
        let mut places = Vec::new();
        let mut numbers = 0..;
        for (sums, &start) in starts {
            let scale = scaling.scale(study, sums);
            let block = if scale.0 == 0 { None } else { numbers.next() };
            let cells = Grid::of_values(&sums.1).cells();
            places.extend((start..start + cells).map(|coordinate| (coordinate, scale, block)));
        }
        places.sort_unstable_by_key(|&(coordinate, _, _)| coordinate);
        let scales = places.iter().map(|&(_, scale, _)| scale).collect();
        Some(Self {
            mechanism: Mechanism { distribution: scaling.distribution, scales },
            blocks: places.into_iter().map(|(_, _, block)| block).collect(),
            budget: scaling.blocks,
        })
    }

    /// The noise that every server adds to each coordinate.
    pub fn mechanism(&self) -> &Mechanism {
        &self.mechanism
    }

    /// What opening these coordinates costs: the number of blocks that they are of.
    pub fn charge(&self, coordinates: &[usize]) -> u64 {
        let block = |&coordinate: &usize| self.blocks.get(coordinate).copied().flatten();
        let mut blocks: Vec<_> = coordinates.iter().filter_map(block).collect();
        blocks.sort_unstable();
        blocks.dedup();
        blocks.len() as u64
    }

    /// What opening everything once costs: the number of all blocks that need noise.
    pub fn budget(&self) -> u64 {
        self.budget
    }
}

/// Refuses noise that could leave the range of the servers' shares.
pub(crate) fn check<'a>(
    study: &Study,
    blocks: impl Iterator<Item = &'a Sums> + Clone,
) -> Result<(), Rule> {
    let Some(scaling) = Scaling::new(study, blocks.clone()) else { return Ok(()) };
    let reach =
        |sums: &Sums| tail(scaling.distribution, scaling.scale(study, sums), study.servers().len());
    match blocks.into_iter().find(|sums| reach(sums) >= limits::NOISE) {
        None => Ok(()),
        Some((term, _)) => {
            let column = term.values().last().and_then(|&place| study.columns().get(place));
            Err(Rule::Noise { column: column.map(|column| column.name.clone()) })
        }
    }
}

/// From sensitivities to scales.
struct Scaling {
    distribution: Distribution,
    /// Blocks that need noise.
    blocks: u64,
    /// The scale per unit of sensitivity (L2 or L1), all blocks considered.
    factor: f64,
}

impl Scaling {
    fn new<'a>(study: &Study, blocks: impl Iterator<Item = &'a Sums>) -> Option<Self> {
        let Differential { epsilon, delta, .. } = study.privacy().differential?;
        let blocks = blocks.filter(|sums| sensitivity(study, sums).is_some()).count() as u64;
        let (epsilon, share) = (epsilon.to_f64(), blocks as f64);
        let (distribution, factor) = match delta {
            Some(delta) => {
                let rho = rho(epsilon, delta.to_f64());
                (Distribution::Gaussian, libm::sqrt(share / (2.0 * rho)))
            }
            None => (Distribution::Laplace, share / epsilon),
        };
        Some(Self { distribution, blocks, factor })
    }

    fn scale(&self, study: &Study, sums: &Sums) -> Scale {
        let Some(Sensitivity { l1, l2 }) = sensitivity(study, sums) else { return Scale(0) };
        let sensitivity = match self.distribution {
            Distribution::Gaussian => l2,
            Distribution::Laplace => l1,
        };
        /// More than all rounding errors on the way: there are fewer than 2^10 of 2^−53.
        const MARGIN: f64 = 1.0 + 1.0 / (1u64 << 40) as f64;
        let units = sensitivity * self.factor * MARGIN * Scale::UNITS as f64;
        // A number that is too large saturates, and is refused.
        Scale(libm::ceil(units) as u128)
    }
}

/// √(epsilon + L) − √L for L = ln(1/delta), squared, in a form in which nothing cancels.
fn rho(epsilon: f64, delta: f64) -> f64 {
    let log = -libm::log(delta);
    let root = epsilon / (libm::sqrt(epsilon + log) + libm::sqrt(log));
    root * root
}

/// How much a change of one record changes these sums; none for the number of all records.
fn sensitivity(study: &Study, (term, set): &Sums) -> Option<Sensitivity> {
    if *term == Term::records() && set.is_empty() {
        return None;
    }
    // What a record adds to a cell is from 0 to this.
    let largest = term.span(study) as f64;
    // One cell loses a value; if there is another, it may gain one.
    let cells = if Grid::of_values(set).cells() == 1 { 1.0 } else { 2.0 };
    Some(Sensitivity { l1: cells * largest, l2: libm::sqrt(cells) * largest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rho_is_what_gives_epsilon_and_delta() {
        for (epsilon, delta) in [(1.0, 1e-6), (0.01, 1e-9), (100.0, 1e-3), (1e-9, 1e-18)] {
            let rho = rho(epsilon, delta);
            let back = rho + 2.0 * (rho * (1.0f64 / delta).ln()).sqrt();
            assert!((back / epsilon - 1.0).abs() < 1e-12, "{epsilon} {delta}: {back}");
        }
        // Computed from the formula with 40 decimal digits.
        assert!((rho(1.0, 1e-6) / 0.017_468_904_769_123_378 - 1.0).abs() < 1e-12);
    }
}
