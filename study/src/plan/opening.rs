//! Opening: which coordinates may be opened, and in which order, so that the values of small cells
//! stay closed.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Plan,
    disclosure::Disclosure,
    grid::Grid,
    layout::{Layout, Sums},
};
use crate::study::Study;

/// What has to be known before a coordinate is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Gate {
    /// Nothing: it is a count.
    Count,
    /// That the cell has enough records, by the count at this coordinate: it is a count of those of
    /// them for which truth values are true.
    True(usize),
    /// That the cell is not withheld, and its count, at this coordinate, is large enough.
    Cell(usize),
    /// Nothing but the counts: it is over all records, of which `min_records` are enough.
    AllRecords,
}

/// The gate of every coordinate.
pub(crate) fn gates(study: &Study, layout: &Layout, blocks: &BTreeMap<Sums, usize>) -> Vec<Gate> {
    let mut gates: Vec<(usize, Gate)> = Vec::new();
    for (sums, &start) in blocks {
        let (term, set) = sums;
        let own = count_of(study, sums);
        let is_true = own.as_ref() == Some(sums);
        let all = term.population().normal(study, set).map(|term| (term, set.clone()));
        let count = if is_true { all } else { own };
        let count = count.and_then(|count| blocks.get(&count));
        for cell in 0..Grid::of_values(set).cells() {
            let gate = match (term.values(), count) {
                ([], _) => Gate::Count,
                (_, Some(count)) if is_true => Gate::True(count + cell),
                (_, None) if is_true => Gate::Count,
                (_, Some(count)) => Gate::Cell(count + cell),
                (_, None) => Gate::AllRecords,
            };
            gates.push((start + cell, gate));
        }
    }
    debug_assert!(!layout.suppresses || counts_are_there(study, blocks));
    gates.sort_unstable_by_key(|&(coordinate, _)| coordinate);
    gates.into_iter().map(|(_, gate)| gate).collect()
}

/// The counts by which some sums are opened, and which are the sums themselves where these are
/// counts: a sum of truth values counts records.
pub(crate) fn count_of(study: &Study, (term, set): &Sums) -> Option<Sums> {
    let count = term.counted_by(study).normal(study, set)?;
    Some((count, set.clone()))
}

/// The coordinates to open next: counts of records, then counts of truth values in cells that are
/// large enough, then everything else that is not withheld.
pub(crate) fn next(plan: &Plan, records: u64, opened: &[Option<i128>]) -> Vec<usize> {
    let min_cell = plan.study.privacy().min_cell;
    let value = |coordinate: usize| opened.get(coordinate).copied().flatten();
    let is_large = |count: usize| value(count).is_some_and(|count| count >= min_cell.into());
    let closed = |wanted: &dyn Fn(&Gate) -> bool| -> Vec<usize> {
        let coordinates = plan.gates.iter().enumerate();
        let closed = coordinates.filter(|&(place, gate)| value(place).is_none() && wanted(gate));
        closed.map(|(place, _)| place).collect()
    };
    if min_cell <= 1 {
        return closed(&|_| true);
    }
    let counts = closed(&|gate| *gate == Gate::Count);
    if !counts.is_empty() {
        return counts;
    }
    let counts = closed(&|gate| matches!(gate, Gate::True(count) if is_large(*count)));
    if !counts.is_empty() {
        return counts;
    }
    let withheld = withheld_counts(plan, records, opened);
    closed(&|gate| match gate {
        Gate::Count | Gate::True(_) => false,
        Gate::Cell(count) => is_large(*count) && !withheld.contains(count),
        Gate::AllRecords => true,
    })
}

/// The coordinates of the counts of withheld cells.
fn withheld_counts(plan: &Plan, records: u64, opened: &[Option<i128>]) -> BTreeSet<usize> {
    let disclosure = Disclosure::new(plan, records, opened);
    let tables = plan.blocks.iter().flat_map(|(sums, &start)| {
        let cells = 0..Grid::of_values(&sums.1).cells();
        let withheld = cells.filter(|&cell| disclosure.withheld(sums, cell).is_some());
        withheld.map(|cell| start + cell).collect::<Vec<_>>()
    });
    tables.collect()
}

/// Whether every value over real cells has a count of its own to be decided by.
fn counts_are_there(study: &Study, blocks: &BTreeMap<Sums, usize>) -> bool {
    blocks.keys().all(|sums| {
        let count = count_of(study, sums);
        sums.1.is_empty() || count.is_some_and(|count| blocks.contains_key(&count))
    })
}
