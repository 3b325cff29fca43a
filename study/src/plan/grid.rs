//! Grid: the cells that some axes make together, numbered row by row.

use super::Axis;
use crate::{limits, study::Study};

/// Axes in ascending order, at most one of each column: how a sum is split into cells.
pub(crate) type Set = Vec<Axis>;

/// The Cartesian product of axes' levels. The last axis varies fastest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grid {
    /// The axes.
    pub(crate) axes: Vec<Axis>,
    /// How many levels each axis has here.
    pub(crate) levels: Vec<usize>,
}

impl Grid {
    /// The cells that sums are kept for: every column has a value.
    pub(crate) fn of_values(axes: &[Axis]) -> Self {
        let levels = axes.iter().map(Axis::levels).collect();
        Self { axes: axes.to_vec(), levels }
    }

    /// The cells that a record may be in: where a column may be missing, that is one more level,
    /// the last.
    pub(crate) fn of_records(study: &Study, axes: &[Axis]) -> Self {
        let level = |axis: &Axis| {
            let column = study.columns().get(axis.column);
            axis.levels() + usize::from(column.is_some_and(|column| column.missing_allowed))
        };
        Self { axes: axes.to_vec(), levels: axes.iter().map(level).collect() }
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

    /// The level of every axis in a cell.
    pub(crate) fn levels_of(&self, mut cell: usize) -> Vec<usize> {
        let mut levels = vec![0; self.levels.len()];
        for (level, &count) in levels.iter_mut().zip(&self.levels).rev() {
            *level = cell % count;
            cell /= count;
        }
        levels
    }

    /// The cell with these levels, one per axis; none if there is no such level.
    pub(crate) fn cell_at(&self, levels: &[usize]) -> Option<usize> {
        self.levels
            .iter()
            .zip(levels)
            .try_fold(0, |cell, (&count, &level)| (level < count).then_some(cell * count + level))
    }

    /// For every cell of this grid, the cell of `coarse` that it is part of; none where it is part
    /// of none, because a value is missing. Every axis of `coarse` is refined by one of this grid.
    pub(crate) fn project(&self, coarse: &Self) -> Vec<Option<usize>> {
        // For every axis of `coarse` the place of the axis that refines it, and the level of each of
        // that axis's levels.
        let like = |axis: &Axis| {
            let place = self.axes.iter().position(|own| own.refines(axis))?;
            let own = self.axes.get(place)?;
            let levels = own.starts().iter().map(|&start| axis.level_of(start));
            // The level of a missing value comes after all others.
            Some((place, levels.chain([axis.levels()]).collect::<Vec<_>>()))
        };
        let Some(axes) = coarse.axes.iter().map(like).collect::<Option<Vec<_>>>() else {
            return vec![None; self.cells()];
        };
        let cell = |own: usize| {
            let levels = self.levels_of(own);
            let level = |(place, map): &(usize, Vec<usize>)| map.get(*levels.get(*place)?).copied();
            coarse.cell_at(&axes.iter().map(level).collect::<Option<Vec<_>>>()?)
        };
        (0..self.cells()).map(cell).collect()
    }
}

/// Whether every axis of `part` is refined by one of `whole`.
pub(crate) fn contains(whole: &[Axis], part: &[Axis]) -> bool {
    part.iter().all(|axis| whole.iter().any(|own| own.refines(axis)))
}
