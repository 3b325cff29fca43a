//! Values: how numbers and truth values become wires, alone or by way of one-hot vectors.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Axis,
    grid::Grid,
    layout::{Need, Sums},
};
use crate::study::{Column, Study};

/// The wires of the columns that are added up, counted or divided into levels.
#[derive(Debug, Clone)]
pub(crate) struct Values {
    /// Numbers and truth values that no vector tells: they have bits of their own.
    pub(crate) plain: Vec<usize>,
    /// The vector that tells of each column that is in one: its place, and its axis with the most
    /// levels. Other vectors with the column must agree with it.
    pub(crate) bases: BTreeMap<usize, Base>,
    /// Vectors whose bins of a column do not follow from the column's base.
    pub(crate) links: Vec<Base>,
}

/// A vector's axis that tells of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Base {
    /// The place of the vector.
    pub(crate) joint: usize,
    /// The axis.
    pub(crate) axis: Axis,
    /// Whether the column's exact value is needed, and not only its level.
    pub(crate) is_valued: bool,
}

/// How the place of a value within its level is encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Within {
    /// The largest place.
    pub(crate) largest: u64,
    /// Whether levels are of different widths, so that the rest up to the level's end is encoded as
    /// well: both are non-negative, and their sum is the level's width less one.
    pub(crate) has_rest: bool,
}

impl Values {
    pub(crate) fn new(study: &Study, needs: &BTreeMap<Sums, Need>, joints: &[Grid]) -> Self {
        let factors = needs.keys().flat_map(|(term, _)| term.values().iter().copied());
        let factors: BTreeSet<usize> = factors.collect();
        let mut bases: BTreeMap<usize, Base> = BTreeMap::new();
        for (joint, grid) in joints.iter().enumerate() {
            for axis in &grid.axes {
                let is_valued = factors.contains(&axis.column);
                let base = Base { joint, axis: axis.clone(), is_valued };
                let known = bases.entry(axis.column).or_insert_with(|| base.clone());
                if known.axis.levels() < axis.levels() {
                    *known = base;
                }
            }
        }
        let mut links = Vec::new();
        for (joint, grid) in joints.iter().enumerate() {
            for axis in &grid.axes {
                let Some(base) = bases.get_mut(&axis.column) else { continue };
                if !base.axis.refines(axis) {
                    base.is_valued = true;
                    links.push(Base { joint, axis: axis.clone(), is_valued: true });
                }
            }
        }
        let columns: BTreeSet<usize> = needs.keys().flat_map(|(term, _)| term.columns()).collect();
        let is_plain = |place: &usize| {
            let is_number = study.columns().get(*place).is_some_and(|c| c.range().is_some());
            is_number && !bases.contains_key(place)
        };
        let plain = columns.into_iter().filter(is_plain).collect();
        Self { plain, bases, links }
    }

    /// The axes within whose levels a value's place is encoded, in the order of their bits.
    pub(crate) fn within(&self) -> impl Iterator<Item = &Base> {
        self.bases.values().filter(|base| base.is_valued).chain(&self.links)
    }

    /// The bits of every column besides those of the vectors.
    pub(crate) fn bits(&self, study: &Study) -> Vec<(usize, usize)> {
        let column = |place: usize| study.columns().get(place);
        let plain =
            self.plain.iter().filter_map(|&place| Some((place, plain_bits(column(place)?))));
        let within = self.within().filter_map(|base| {
            let place = base.axis.column;
            Some((place, Within::new(&base.axis, column(place)?).bits()))
        });
        plain.chain(within).collect()
    }
}

impl Within {
    pub(crate) fn new(axis: &Axis, column: &Column) -> Self {
        let widths = || axis.widths(column.span());
        let largest = widths().max().unwrap_or(1).saturating_sub(1);
        Self { largest, has_rest: widths().any(|width| width != largest + 1) }
    }

    fn bits(&self) -> usize {
        weights(self.largest).len() * (1 + usize::from(self.has_rest))
    }
}

/// How many bits a number or truth value takes by itself, with the one for its presence.
fn plain_bits(column: &Column) -> usize {
    weights(column.span()).len() + usize::from(column.missing_allowed)
}

/// The weights of the bits that encode exactly 0..=range.
pub(crate) fn weights(range: u64) -> Vec<u64> {
    let count = u64::BITS - range.leading_zeros();
    let Some(last) = count.checked_sub(1) else { return Vec::new() };
    let low = (0..last).map(|place| 1 << place);
    low.chain([range - ((1 << last) - 1)]).collect()
}
