//! Decode: from opened totals to answers, in integers up to each answer's one division.

use super::{
    Plan, Term, Totals,
    grid::Grid,
    layout::{by_set, places},
};
use crate::{
    result::{Cell, Labels, Reason, StatisticResult, StudyResult},
    statistic::{self, Kind, Sums},
    study::{Column, Statistic, Study},
};

/// Every statistic's answer.
pub(crate) fn decode(plan: &Plan, totals: &Totals) -> StudyResult {
    let study = &plan.study;
    let statistics = study.statistics().iter().enumerate();
    let decoded = statistics.filter_map(|(place, statistic)| {
        // A study's kinds exist.
        let kind = statistic::find(&statistic.kind)?;
        Some(Answers::new(plan, totals, place, statistic, kind).decode())
    });
    StudyResult { statistics: decoded.collect() }
}

/// One statistic and the totals that it is made of.
struct Answers<'a> {
    study: &'a Study,
    statistic: &'a Statistic,
    kind: &'static dyn Kind,
    of: Vec<&'a Column>,
    counts: Vec<Option<i128>>,
    terms: Vec<Offset>,
}

/// The totals of one term.
struct Offset {
    totals: Vec<Option<i128>>,
    /// The counts of the records that the totals are over.
    counts: Vec<Option<i128>>,
    /// What was subtracted from every value.
    min: i64,
}

impl<'a> Answers<'a> {
    fn new(
        plan: &'a Plan,
        totals: &Totals,
        place: usize,
        statistic: &'a Statistic,
        kind: &'static dyn Kind,
    ) -> Self {
        let study = &plan.study;
        let of = places(study, &statistic.of);
        let set = by_set(study, place);
        let sums = |term: Term| cell_totals(plan, totals, term, &set);
        let column = |place: usize| study.columns().get(place);
        let term = |term: Term| {
            let range = term.column().and_then(column).and_then(Column::range);
            Offset {
                totals: sums(term),
                counts: sums(term.counted_by(study)),
                min: range.map_or(0, |(min, _)| min),
            }
        };
        Self {
            study,
            statistic,
            kind,
            counts: sums(kind.count(&of)),
            terms: kind.terms(&of).into_iter().map(term).collect(),
            of: of.into_iter().filter_map(column).collect(),
        }
    }

    fn decode(&self) -> StatisticResult {
        let by = places(self.study, &self.statistic.by);
        let shown = Grid::of_labels(self.study, &by);
        let mut set = by.clone();
        set.sort_unstable();
        let summed = Grid::of_labels(self.study, &set);
        let cell = |own: usize| {
            let levels = shown.levels_of(own);
            // The same columns in another order: every cell has its like.
            let cell = shown.cell_in(&summed, &levels).unwrap_or(0);
            let labels = by.iter().zip(&levels).filter_map(|(&column, &level)| {
                let column = self.study.columns().get(column)?;
                Some((column.name.clone(), column.labels()?.get(level)?.clone()))
            });
            self.cell(Labels(labels.collect()), cell)
        };
        StatisticResult {
            name: self.statistic.name.clone(),
            kind: self.statistic.kind.clone(),
            of: self.statistic.of.clone(),
            by: self.statistic.by.clone(),
            cells: (0..shown.cells()).map(cell).collect(),
            digits: self.kind.digits(&self.of),
            min_cell: self.study.privacy().min_cell,
        }
    }

    fn cell(&self, by: Labels, cell: usize) -> Cell {
        let min_cell = self.study.privacy().min_cell;
        let count = at(&self.counts, cell).and_then(|count| u64::try_from(count).ok());
        let Some(count) = count else { return Cell::suppressed(by, Reason::NotOpened) };
        if min_cell > 1 && count < min_cell {
            return Cell::suppressed(by, Reason::FewerThan(min_cell));
        }
        let totals: Option<Vec<i128>> =
            self.terms.iter().map(|term| term.moved_back(cell)).collect();
        let Some(totals) = totals else { return Cell::suppressed(by, Reason::NotOpened) };
        let answer = self.kind.value(&Sums { count, totals: &totals, of: &self.of });
        Cell::answered(by, count, answer)
    }
}

impl Offset {
    /// Σx = Σv + min·Σ1, where v = x − min.
    fn moved_back(&self, cell: usize) -> Option<i128> {
        let (total, count) = (at(&self.totals, cell)?, at(&self.counts, cell)?);
        total.checked_add(count.checked_mul(self.min.into())?)
    }
}

fn at(totals: &[Option<i128>], cell: usize) -> Option<i128> {
    totals.get(cell).copied().flatten()
}

/// The totals of a term over the cells of a set; none where they were not opened.
fn cell_totals(plan: &Plan, totals: &Totals, term: Term, set: &[usize]) -> Vec<Option<i128>> {
    let study = &plan.study;
    let grid = Grid::of_labels(study, set);
    let Some(term) = term.normal(study) else { return vec![Some(0); grid.cells()] };
    if term == Term::Records && set.is_empty() {
        return vec![Some(totals.records.into())];
    }
    let block = |set: &[usize], cells: usize| {
        let start = plan.blocks.get(&(term, set.to_vec()))?;
        Some((0..cells).map(|cell| at(&totals.values, start + cell)).collect::<Vec<_>>())
    };
    if let Some(own) = block(set, grid.cells()) {
        return own;
    }
    // Whatever a statistic needs has coordinates of its own or a source that has.
    let source = plan.needs.get(&(term, set.to_vec())).map(|need| need.source.as_slice());
    let fine = Grid::of_labels(study, source.unwrap_or_default());
    let values = block(&fine.columns, fine.cells()).unwrap_or_default();
    let mut sums = vec![Some(0i128); grid.cells()];
    for (value, cell) in values.into_iter().zip(fine.project(&grid)) {
        if let Some(sum) = cell.and_then(|cell| sums.get_mut(cell)) {
            *sum = sum.zip(value).and_then(|(sum, value)| sum.checked_add(value));
        }
    }
    sums
}
