//! Opening: which coordinates may be opened, and in which order, so that the values of small cells
//! stay closed.

use std::collections::BTreeMap;

use super::{
    Term,
    grid::Grid,
    layout::{Layout, Sums},
};
use crate::study::Study;

/// What has to be known before a coordinate is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate {
    /// Nothing: it is a count.
    Count,
    /// That the cell's count, at this coordinate, is large enough.
    AtLeast(usize),
    /// Nothing but the counts: it is over all records, of which `min_records` are enough.
    AllRecords,
}

/// The gate of every coordinate.
pub(crate) fn gates(study: &Study, layout: &Layout, blocks: &BTreeMap<Sums, usize>) -> Vec<Gate> {
    let mut gates: Vec<(usize, Gate)> = Vec::new();
    for (sums, &start) in blocks {
        let (term, set) = sums;
        let count = blocks.get(&(term.counted_by(study), set.clone()));
        for cell in 0..Grid::of_labels(study, set).cells() {
            let gate = match (term, count) {
                (Term::Records | Term::Present(_), _) => Gate::Count,
                (Term::Value(_), Some(count)) => Gate::AtLeast(count + cell),
                (Term::Value(_), None) => Gate::AllRecords,
            };
            gates.push((start + cell, gate));
        }
    }
    debug_assert!(!layout.suppresses || counts_are_there(study, blocks));
    gates.sort_unstable_by_key(|&(coordinate, _)| coordinate);
    gates.into_iter().map(|(_, gate)| gate).collect()
}

/// The coordinates to open next.
pub(crate) fn next(gates: &[Gate], min_cell: u64, opened: &[Option<i128>]) -> Vec<usize> {
    let value = |coordinate: usize| opened.get(coordinate).copied().flatten();
    let closed = |wanted: &dyn Fn(Gate) -> bool| -> Vec<usize> {
        let coordinates = gates.iter().enumerate();
        let closed = coordinates.filter(|&(place, &gate)| value(place).is_none() && wanted(gate));
        closed.map(|(place, _)| place).collect()
    };
    if min_cell <= 1 {
        return closed(&|_| true);
    }
    let counts = closed(&|gate| gate == Gate::Count);
    if !counts.is_empty() {
        return counts;
    }
    closed(&|gate| match gate {
        Gate::Count => false,
        Gate::AtLeast(count) => value(count).is_some_and(|count| count >= min_cell.into()),
        Gate::AllRecords => true,
    })
}

/// Whether every value over real cells has a count of its own to be decided by.
fn counts_are_there(study: &Study, blocks: &BTreeMap<Sums, usize>) -> bool {
    blocks.keys().all(|(term, set)| {
        let count = (term.counted_by(study), set.clone());
        set.is_empty() || blocks.contains_key(&count)
    })
}
