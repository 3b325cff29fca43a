//! Grid: the cells that some category columns make together, numbered row by row.

use crate::{limits, study::Study};

/// The Cartesian product of columns' levels. The last column varies fastest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grid {
    /// Places of the columns in the study.
    pub(crate) columns: Vec<usize>,
    /// How many levels each column has.
    pub(crate) levels: Vec<usize>,
}

impl Grid {
    /// The cells that a statistic has an answer for: real labels only.
    pub(crate) fn of_labels(study: &Study, columns: &[usize]) -> Self {
        Self::new(study, columns, |labels, _| labels)
    }

    /// The cells that a record may be in: where a column may be missing, that is one more level,
    /// the last.
    pub(crate) fn of_records(study: &Study, columns: &[usize]) -> Self {
        Self::new(study, columns, |labels, missing| labels + usize::from(missing))
    }

    fn new(study: &Study, columns: &[usize], levels: impl Fn(usize, bool) -> usize) -> Self {
        let level = |&place: &usize| {
            let column = study.columns().get(place);
            let labels = column.and_then(|column| column.labels()).map_or(0, <[_]>::len);
            levels(labels, column.is_some_and(|column| column.missing_allowed))
        };
        Self { columns: columns.to_vec(), levels: columns.iter().map(level).collect() }
    }

    /// How many cells there are; none if they are too many to count.
    pub(crate) fn checked_cells(&self) -> Option<usize> {
        self.levels.iter().try_fold(1usize, |cells, &levels| cells.checked_mul(levels))
    }

    /// How many cells there are. A plan has only grids of at most [`limits::CELLS`] cells.
    pub(crate) fn cells(&self) -> usize {
        let cells = self.checked_cells();
        debug_assert!(cells.is_some_and(|cells| cells <= limits::CELLS));
        cells.unwrap_or(0)
    }

    /// The level of every column in a cell.
    pub(crate) fn levels_of(&self, mut cell: usize) -> Vec<usize> {
        let mut levels = vec![0; self.levels.len()];
        for (level, &count) in levels.iter_mut().zip(&self.levels).rev() {
            *level = cell % count;
            cell /= count;
        }
        levels
    }

    /// The cell of `other` at which its columns have the levels that they have here, where
    /// `levels` has one per column of this grid; none if `other` has no such level.
    pub(crate) fn cell_in(&self, other: &Self, levels: &[usize]) -> Option<usize> {
        let mut columns = other.columns.iter().zip(&other.levels);
        columns.try_fold(0, |cell, (column, &count)| {
            let place = self.columns.iter().position(|own| own == column)?;
            let level = levels.get(place).copied().filter(|&level| level < count)?;
            Some(cell * count + level)
        })
    }

    /// For every cell of this grid, the cell of `coarse` that it belongs to; none where it belongs
    /// to none, because a value is missing. The columns of `coarse` are among this grid's.
    pub(crate) fn project(&self, coarse: &Self) -> Vec<Option<usize>> {
        (0..self.cells()).map(|cell| self.cell_in(coarse, &self.levels_of(cell))).collect()
    }
}
