//! Term: what a record adds to a sum, and the axes along which a sum is split into cells.

use std::sync::Arc;

use crate::{
    limits,
    study::{Column, ColumnType, Study},
};

/// What a record adds to a cell's sum: a product of its values, or 1, where it has a value in all
/// of certain columns, else 0. Columns are places in the study.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Term {
    /// The factors, in ascending order; a column may be there several times.
    values: Vec<usize>,
    /// The columns that must have a value, those of the factors among them, in ascending order.
    present: Vec<usize>,
}

impl Term {
    /// 1 for every record.
    pub fn records() -> Self {
        Self::new(Vec::new(), Vec::new())
    }

    /// 1 for every record that has a value in all of these columns.
    pub fn present(columns: impl IntoIterator<Item = usize>) -> Self {
        Self::new(Vec::new(), columns.into_iter().collect())
    }

    /// The product of a record's values in these columns; a column may be named several times.
    pub fn product(columns: impl IntoIterator<Item = usize>) -> Self {
        Self::new(columns.into_iter().collect(), Vec::new())
    }

    /// The same over fewer records: those that have a value in these columns as well.
    pub fn among(mut self, columns: impl IntoIterator<Item = usize>) -> Self {
        self.present.extend(columns);
        Self::new(self.values, self.present)
    }

    /// The factors.
    pub fn values(&self) -> &[usize] {
        &self.values
    }

    /// The columns that must have a value.
    pub fn required(&self) -> &[usize] {
        &self.present
    }

    fn new(mut values: Vec<usize>, mut present: Vec<usize>) -> Self {
        values.sort_unstable();
        present.extend(&values);
        present.sort_unstable();
        present.dedup();
        Self { values, present }
    }

    /// 1 for every record that the term can be other than 0 for: among those over which it is
    /// summed, those whose factors that are 0 or 1 are all 1.
    pub(crate) fn counted_by(&self, study: &Study) -> Self {
        let is_bit = |place: &usize| study.columns().get(*place).is_some_and(|c| c.span() == 1);
        let mut values: Vec<usize> = self.values.iter().copied().filter(is_bit).collect();
        values.dedup();
        Self { values, present: self.present.clone() }
    }

    /// 1 for every record over which this term is summed.
    pub(crate) fn population(&self) -> Self {
        Self { values: Vec::new(), present: self.present.clone() }
    }

    /// All columns of the term; some may come twice.
    pub(crate) fn columns(&self) -> impl Iterator<Item = usize> {
        self.present.iter().chain(&self.values).copied()
    }

    /// The one form of all terms that have the same value for every record of the cells that
    /// `axes` make; none if that is always 0. A column that is never missing is not required, nor
    /// one that an axis is of, since a record is in a cell only if it has a value there. A value
    /// that is 0 or 1 is its own square.
    pub(crate) fn normal(&self, study: &Study, axes: &[Axis]) -> Option<Self> {
        let column = |&place: &usize| study.columns().get(place);
        let span = |place: &usize| column(place).map_or(0, Column::span);
        if self.values.iter().any(|place| span(place) == 0) {
            return None;
        }
        let mut values = self.values.clone();
        values.dedup_by(|a, b| a == b && span(a) == 1);
        let is_free = |place: &usize| {
            let is_axis = axes.iter().any(|axis| axis.column == *place);
            is_axis || column(place).is_none_or(|column| !column.missing_allowed)
        };
        let present = self.present.iter().copied().filter(|place| !is_free(place)).collect();
        Some(Self { values, present })
    }

    /// Two terms whose product this is; none where it is one column's value or presence, or 1.
    pub(crate) fn factors(&self) -> Option<(Self, Self)> {
        let is_required = |place: &usize| self.present.contains(place);
        let is_free = |place: &usize| !self.values.contains(place);
        let Some((last, rest)) = self.values.split_last() else {
            let (last, rest) = self.present.split_last()?;
            let presence = |present: &[usize]| Self { values: Vec::new(), present: present.into() };
            return (!rest.is_empty()).then(|| (presence(rest), presence(&[*last])));
        };
        let own = |values: &[usize]| {
            let mut present = values.to_vec();
            present.dedup();
            present.retain(is_required);
            Self { values: values.into(), present }
        };
        let rest = match (self.present.iter().any(is_free), rest) {
            (false, []) => return None,
            (false, rest) => own(rest),
            // Zero wherever a required column is missing.
            (true, rest) => Self { values: rest.into(), present: self.present.clone() },
        };
        Some((rest, own(&[*last])))
    }

    /// The largest value of the (offset) product; saturates.
    pub(crate) fn span(&self, study: &Study) -> u128 {
        let columns = self.values.iter().filter_map(|&place| study.columns().get(place));
        columns.fold(1u128, |product, column| product.saturating_mul(column.span().into()))
    }

    /// The sum of the columns' own values as sums of their offsets v = x − min: Σ Π (v + min) is a
    /// sum over all choices of factors whose minimum is taken instead of v. Each summand is the
    /// minima that were taken, as columns, and the term that is left.
    pub(crate) fn expansion(&self, study: &Study) -> Vec<(Vec<usize>, Self)> {
        let min = |place: usize| study.columns().get(place).map_or(0, Column::min);
        let mut summands = vec![(Vec::new(), Vec::new())];
        for &place in &self.values {
            let mut with_min = Vec::new();
            if min(place) != 0 {
                with_min.clone_from(&summands);
                with_min.iter_mut().for_each(|(minima, _): &mut (Vec<_>, _)| minima.push(place));
            }
            summands.iter_mut().for_each(|(_, values)| values.push(place));
            summands.extend(with_min);
        }
        let term = |values| Self { values, present: self.present.clone() };
        summands.into_iter().map(|(minima, values)| (minima, term(values))).collect()
    }
}

/// A column whose values are divided into levels: the labels of a category, false and true, or
/// bins of a number. A record is at exactly one level of it, or has no value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Axis {
    /// The column's place in the study.
    pub(crate) column: usize,
    /// The offset at which each level starts, ascending from 0. An offset is a number less its
    /// column's minimum, the place of a label, or 1 for true.
    starts: Arc<[u64]>,
}

impl Axis {
    /// A level per possible value: a label, a truth value, or a step of a number. None for a
    /// number with more than [`limits::STEPS`] steps.
    pub fn steps(place: usize, column: &Column) -> Option<Self> {
        let last = match &column.holds {
            ColumnType::Category { values } => values.len().checked_sub(1)?,
            _ => usize::try_from(column.span()).ok().filter(|&last| last < limits::STEPS)?,
        };
        // Both limits are far below 2^64.
        Some(Self { column: place, starts: (0..=last as u64).collect() })
    }

    /// Bins of a number; `starts` are offsets from its minimum, ascending from 0.
    pub fn bins(place: usize, starts: Vec<u64>) -> Self {
        debug_assert!(starts.first() == Some(&0) && starts.is_sorted());
        Self { column: place, starts: starts.into() }
    }

    /// The offset at which each level starts.
    pub fn starts(&self) -> &[u64] {
        &self.starts
    }

    /// How many levels there are.
    pub(crate) fn levels(&self) -> usize {
        self.starts.len()
    }

    /// The level of an offset.
    pub(crate) fn level_of(&self, offset: u64) -> usize {
        self.starts.partition_point(|&start| start <= offset).saturating_sub(1)
    }

    /// Whether a level of this axis gives the level of `other`.
    pub(crate) fn refines(&self, other: &Self) -> bool {
        let is_start = |start: &u64| self.starts.binary_search(start).is_ok();
        self.column == other.column && other.starts.iter().all(is_start)
    }

    /// How many possible offsets each level has, in a column of this span.
    pub(crate) fn widths(&self, span: u64) -> impl Iterator<Item = u64> {
        let ends = self.starts.iter().skip(1).copied().chain([span.saturating_add(1)]);
        self.starts.iter().zip(ends).map(|(start, end)| end.saturating_sub(*start))
    }
}

/// Sums that a statistic needs, in every cell that it is grouped by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What is summed.
    pub term: Term,
    /// How a cell is divided further; the last axis varies fastest. No two are of one column.
    pub axes: Vec<Axis>,
    /// Whether the answer shows these sums themselves, so that small ones are withheld from it.
    pub is_shown: bool,
}

impl Request {
    /// One sum per cell.
    pub fn total(term: Term) -> Self {
        Self { term, axes: Vec::new(), is_shown: false }
    }

    /// A sum per combination of the axes' levels.
    pub fn split(term: Term, axes: Vec<Axis>) -> Self {
        Self { term, axes, is_shown: false }
    }

    /// The same, shown in the answer.
    pub fn shown(mut self) -> Self {
        self.is_shown = true;
        self
    }
}
