//! Read: the totals of one statistic, in the order of its own cells and of its columns' own values.

use num_bigint::BigInt;

use super::{
    Axis, Plan, Request, Term, Totals,
    disclosure::{Disclosure, Withheld},
    grid::Grid,
    layout::{Asked, Sums},
};

/// Reads the totals of one statistic in the order of its own axes.
pub(super) struct Reader<'a> {
    pub(super) plan: &'a Plan,
    pub(super) totals: &'a Totals,
    pub(super) asked: &'a Asked,
    pub(super) disclosure: &'a Disclosure,
}

impl Reader<'_> {
    /// The totals of a request, of the columns' own values.
    pub(super) fn opened(&self, request: &Request) -> Vec<Vec<Option<BigInt>>> {
        let study = &self.plan.study;
        let expansion = request.term.expansion(study);
        let summands = expansion.iter().map(|(minima, term)| {
            let min = |place: &usize| study.columns().get(*place).map_or(0, |column| column.min());
            let factor: BigInt = minima.iter().map(|place| BigInt::from(min(place))).product();
            (factor, self.ordered(request, term))
        });
        let mut sums: Vec<Vec<Option<BigInt>>> = Vec::new();
        for (factor, totals) in summands {
            let scaled = totals.into_iter().map(|cells| {
                cells
                    .into_iter()
                    .map(|total| total.map(|total| &factor * total))
                    .collect::<Vec<_>>()
            });
            if sums.is_empty() {
                sums = scaled.collect();
                continue;
            }
            for (sums, cells) in sums.iter_mut().zip(scaled) {
                for (sum, total) in sums.iter_mut().zip(cells) {
                    *sum = sum.take().zip(total).map(|(sum, total)| sum + total);
                }
            }
        }
        self.withhold(request, &mut sums);
        sums
    }

    /// Takes the counts of small and withheld cells out of what is shown. A sum of truth values
    /// counts records, too, and shows in any answer; that of a cell without any is no secret.
    fn withhold(&self, request: &Request, sums: &mut [Vec<Option<BigInt>>]) {
        let study = &self.plan.study;
        let min_cell = i128::from(study.privacy().min_cell);
        let count = request.term.counted_by(study);
        let of_truth = !count.values().is_empty() && count.values() == request.term.values();
        if min_cell <= 1 || !(request.is_shown || of_truth) {
            return;
        }
        let counts = self.ordered(request, &count).into_iter().flatten();
        let withheld = self.withheld(request).into_iter().flatten();
        for ((sum, count), withheld) in sums.iter_mut().flatten().zip(counts).zip(withheld) {
            let is_empty = of_truth && (count == Some(0) || *sum == Some(BigInt::ZERO));
            let is_large = is_empty || count.is_some_and(|count| count >= min_cell);
            if withheld.is_some() || !is_large {
                *sum = None;
            }
        }
    }

    /// Which cells of a request are withheld, in the order of [`Reader::ordered`].
    pub(super) fn withheld(&self, request: &Request) -> Vec<Vec<Option<Withheld>>> {
        let set = self.asked.set(&request.axes);
        let counts = request.term.counted_by(&self.plan.study).normal(&self.plan.study, &set);
        let counts = counts.map(|counts| (counts, set.clone()));
        let withheld = |cell| self.disclosure.withheld(counts.as_ref()?, cell);
        let all: Vec<_> = (0..Grid::of_values(&set).cells()).map(withheld).collect();
        self.arranged(request, &set, |cell| all.get(cell).copied().flatten())
    }

    /// The totals of a term over the cells of `by`, each with the cells of the request's axes.
    pub(super) fn ordered(&self, request: &Request, term: &Term) -> Vec<Vec<Option<i128>>> {
        let set = self.asked.set(&request.axes);
        let totals = self.cell_totals(term, &set);
        self.arranged(request, &set, |cell| at(&totals, cell))
    }

    /// What there is for every cell of a set, by the cells of `by` and within them by those of the
    /// request's axes.
    fn arranged<T>(
        &self,
        request: &Request,
        set: &[Axis],
        of: impl Fn(usize) -> Option<T>,
    ) -> Vec<Vec<Option<T>>> {
        let within = Grid::of_values(&request.axes).cells();
        let all = Grid::of_values(&[self.asked.by.clone(), request.axes.clone()].concat());
        // The same axes in another order: every cell has its like.
        let cells = all.project(&Grid::of_values(set));
        let cells =
            cells.chunks(within).map(|cells| cells.iter().map(|cell| of((*cell)?)).collect());
        cells.collect()
    }

    /// The totals of a term over the cells of a set; none where they were not opened.
    fn cell_totals(&self, term: &Term, set: &[Axis]) -> Vec<Option<i128>> {
        let (plan, grid) = (self.plan, Grid::of_values(set));
        let Some(term) = term.normal(&plan.study, set) else { return vec![Some(0); grid.cells()] };
        if term == Term::records() && set.is_empty() {
            return vec![Some(self.totals.records.into())];
        }
        let sums = (term, set.to_vec());
        if let Some(own) = self.block(&sums, grid.cells()) {
            return own;
        }
        // Whatever a statistic needs has coordinates of its own or a source that has.
        let Some(source) = plan.needs.get(&sums).map(|need| &need.source) else {
            return Vec::new();
        };
        let fine = Grid::of_values(&source.1);
        let values = self.block(source, fine.cells()).unwrap_or_default();
        let mut totals = vec![Some(0i128); grid.cells()];
        for (value, cell) in values.into_iter().zip(fine.project(&grid)) {
            if let Some(total) = cell.and_then(|cell| totals.get_mut(cell)) {
                *total = total.zip(value).and_then(|(total, value)| total.checked_add(value));
            }
        }
        totals
    }

    /// The totals of sums that have coordinates of their own.
    fn block(&self, sums: &Sums, cells: usize) -> Option<Vec<Option<i128>>> {
        let start = self.plan.blocks.get(sums)?;
        Some((0..cells).map(|cell| at(&self.totals.values, start + cell)).collect())
    }
}

fn at(totals: &[Option<i128>], cell: usize) -> Option<i128> {
    totals.get(cell).copied().flatten()
}
