//! Spread: what a result says of its noise.

use std::collections::BTreeSet;

use mpc::noise::Distribution;

use super::{Plan, layout::Sums};
use crate::{
    result::{DifferentialPrivacy, StatisticResult, SumNoise, interval::interval},
    study::{Differential, Study},
};

/// Gives every value its interval, from the same statistic with the noise drawn again.
pub(super) fn add_intervals(statistic: &mut StatisticResult, repeated: &[StatisticResult]) {
    for (place, cell) in statistic.cells.iter_mut().enumerate() {
        let values = repeated.iter().map(|own| own.cells.get(place)?.value.as_ref());
        let values: Vec<_> = values.collect();
        cell.ci95 = cell.value.as_ref().and_then(|value| interval(value, &values));
    }
}

/// What a study says of its noise.
pub(super) fn described(study: &Study) -> Option<DifferentialPrivacy> {
    let Differential { epsilon, delta, unit } = study.privacy().differential?;
    Some(DifferentialPrivacy {
        mechanism: if delta.is_some() { "discrete Gaussian" } else { "discrete Laplace" }.into(),
        epsilon: epsilon.to_f64(),
        delta: delta.map_or(0.0, |delta| delta.to_f64()),
        unit: unit.name().into(),
    })
}

/// The noise of the sums that have coordinates and that a statistic is made of.
pub(super) fn noise_of(plan: &Plan, statistic: usize) -> Vec<SumNoise> {
    let Some(noise) = plan.noise() else { return Vec::new() };
    let (study, mechanism) = (&plan.study, noise.mechanism());
    let used = plan.needs.iter().filter(|(_, need)| need.statistics.contains(&statistic));
    let used: BTreeSet<_> = used.map(|(sums, need)| plan.kept(sums, need)).collect();
    let name = |place: usize| study.columns().get(place).map(|column| column.name.clone());
    let of_sum = |sums: &Sums| {
        let (term, set) = sums;
        let scale = mechanism.scales.get(*plan.blocks.get(sums)?)?.to_f64();
        let columns = term.values().iter().filter_map(|&place| study.columns().get(place));
        let unit: f64 = columns.map(|column| 10f64.powi(column.decimals().into())).product();
        let draws = study.servers().len() as f64;
        let deviation = match mechanism.distribution {
            Distribution::Gaussian => scale * draws.sqrt(),
            Distribution::Laplace => scale * (2.0 * draws).sqrt(),
        };
        Some(SumNoise {
            sum: term.values().iter().filter_map(|&place| name(place)).collect(),
            by: set.iter().filter_map(|axis| name(axis.column)).collect(),
            scale: scale / unit,
            deviation: deviation / unit,
        })
    };
    used.into_iter().filter_map(of_sum).collect()
}
