//! Disclosure: which small cells are withheld, and which others with them, so that none of the
//! small ones follows from what is published by adding and subtracting.
//!
//! # Cells
//! Every published count is of certain records: those with a value in some columns, at some levels
//! of others. It is a cell of a *table*, a division of all records into cells that also has the
//! cells nobody publishes: where a value is missing, or where a truth value is false of which only
//! the true ones are counted. A cell with 1 to `min_cell` − 1 records is *small*: nothing of it is
//! published, and nothing from which it would follow.
//!
//! # Rule
//! All tables divide the same records, so any two of them are bound to each other: wherever they
//! have a common coarser division, both add up to the same. Given the published numbers, a small
//! cell is *exposed*
//! - if it has one value only in all solutions of these equations, or
//! - if the withheld cells of one equation have fewer than `min_cell` records together.
//!
//! For each exposed cell another published one is withheld as well, the smallest that helps, until
//! no small cell is exposed. A cell that nobody publishes is small when its count follows from all
//! counts that are open; where it does not follow, nothing of it does.
//!
//! Cells without records count as known: whoever sees the openings knows that they are empty, and
//! that their sums are 0. The number of all records is public and never withheld.
//!
//! # Why deciding by counts protects sums
//! The sums of a term are withheld in the cells in which its count is, and kept for no more tables
//! than its count. So their equations are among those of the counts, with the same cells unknown:
//! what the larger system leaves open, the smaller one does too.
//!
//! # Limits
//! Only equations are considered, not that counts are non-negative, and sums of withheld cells only
//! where one equation gives them.
//!
//! # Source
//! Complementary (secondary) cell suppression: Cox, JASA 75 (1980); Hundepool et al., Statistical
//! Disclosure Control (2012), chapter 4.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Axis, Plan, Request, Term,
    equations::Equations,
    grid::{Grid, Set},
    layout::{Sums, questions},
    opening::count_of,
};
use crate::study::Study;

/// Why a cell is withheld.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Withheld {
    /// It has too few records.
    Small,
    /// A small cell would follow from it.
    Complement,
}

/// The withheld cells of the counts that are published.
#[derive(Debug, Default)]
pub(crate) struct Disclosure {
    cells: BTreeMap<Sums, Vec<Option<Withheld>>>,
}

impl Disclosure {
    /// Decides by the opened counts.
    pub(crate) fn new(plan: &Plan, records: u64, opened: &[Option<i128>]) -> Self {
        let privacy = plan.study.privacy();
        // Noisy counts are bound by no equations.
        if privacy.min_cell <= 1 || privacy.differential.is_some() {
            return Self::default();
        }
        let mut tables = Tables::new(tables(plan, records, opened), privacy.min_cell.into());
        tables.find_unpublished();
        tables.protect();
        let cells = tables.tables.into_iter().map(|table| {
            let withheld = |&cell: &usize| table.cells.get(cell).and_then(|cell| cell.withheld);
            (table.sums, table.places.iter().map(withheld).collect())
        });
        Self { cells: cells.collect() }
    }

    /// Why a cell of some counts is withheld; none if it is not.
    pub(crate) fn withheld(&self, counts: &Sums, cell: usize) -> Option<Withheld> {
        self.cells.get(counts)?.get(cell).copied().flatten()
    }
}

/// A division of all records.
struct Table {
    /// The counts that are published of it.
    sums: Sums,
    /// The cell that each of them is of.
    places: Vec<usize>,
    grid: Grid,
    cells: Vec<Cell>,
    /// Whether its cells may be withheld: it is not the public number of all records.
    is_ours: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    /// How many records it has, if that is open or follows from what is open.
    count: Option<i128>,
    is_published: bool,
    withheld: Option<Withheld>,
}

/// A cell by the places of its table and of itself.
type Place = (usize, usize);

/// Two tables add up to the same.
struct Equation {
    left: Vec<Place>,
    right: Vec<Place>,
}

/// All tables and the equations between them.
struct Tables {
    tables: Vec<Table>,
    equations: Vec<Equation>,
    min_cell: i128,
}

/// The tables of a study, with the counts that are open.
fn tables(plan: &Plan, records: u64, opened: &[Option<i128>]) -> Vec<Table> {
    let mut tables = Vec::new();
    let published = published(&plan.study, plan.blocks.keys());
    for (sums, &start) in plan.blocks.iter().filter(|(sums, _)| published.contains(sums)) {
        tables.extend(Table::new(&plan.study, sums, |cell| {
            // Sums that no records have are as good as closed.
            let count = opened.get(start + cell).copied().flatten();
            count.filter(|count| (0..=i128::from(records)).contains(count))
        }));
    }
    let all = (Term::records(), Vec::new());
    tables.retain(|table| table.sums != all);
    let everybody = Table::new(&plan.study, &all, |_| Some(records.into()));
    tables.extend(everybody.map(|table| Table { is_ours: false, ..table }));
    tables
}

/// The counts that a result shows, or by which sums are opened. Others, such as those of every step
/// of a column for a quantile, are seen in no result.
fn published<'a>(study: &Study, sums: impl Iterator<Item = &'a Sums>) -> BTreeSet<Sums> {
    let mut published = BTreeSet::new();
    for asked in questions(study) {
        let counted = Request::total(asked.formula.counted());
        let shown = asked.requests.iter().filter(|request| request.is_shown);
        for request in shown.chain([&counted]) {
            published.extend(count_of(study, &(request.term.clone(), asked.set(&request.axes))));
        }
    }
    let values = sums.filter(|(term, _)| !term.values().is_empty());
    published.extend(values.filter_map(|sums| count_of(study, sums)));
    published
}

/// How large the system of equations of a study is: the cells of every pair of tables.
pub(crate) fn size<'a>(study: &Study, sums: impl Iterator<Item = &'a Sums>) -> usize {
    let tables = published(study, sums);
    let cells = tables.iter().filter_map(|sums| division(study, sums)?.checked_cells());
    let cells: Vec<usize> = cells.collect();
    // Each table is in as many pairs as there are others; one more is the number of all records.
    cells.iter().fold(0usize, |all, own| all.saturating_add(own.saturating_mul(cells.len())))
}

/// The division of all records that some counts are of. None where a truth value is both counted and
/// an axis.
fn division(study: &Study, (term, set): &Sums) -> Option<Grid> {
    let mut axes: Set = set.clone();
    for &bit in term.values() {
        axes.push(Axis::steps(bit, study.columns().get(bit)?)?);
    }
    for &place in term.required() {
        if !axes.iter().any(|axis| axis.column == place) {
            axes.push(Axis::bins(place, vec![0]));
        }
    }
    axes.sort_unstable();
    let is_twice = |pair: &[Axis]| matches!(pair, [one, other] if one.column == other.column);
    (!axes.windows(2).any(is_twice)).then(|| Grid::of_records(study, &axes))
}

impl Table {
    fn new(study: &Study, sums: &Sums, opened: impl Fn(usize) -> Option<i128>) -> Option<Self> {
        let (term, set) = sums;
        let grid = division(study, sums)?;
        let counted = Grid::of_values(set);
        let level = |levels: &[usize], axis: &Axis| {
            let own = set.iter().position(|own| own == axis).and_then(|place| levels.get(place));
            // Of a truth value the true ones are counted, which are the second level.
            own.copied().unwrap_or(usize::from(term.values().contains(&axis.column)))
        };
        let place = |cell: usize| {
            let levels = counted.levels_of(cell);
            grid.cell_at(&grid.axes.iter().map(|axis| level(&levels, axis)).collect::<Vec<_>>())
        };
        let places: Vec<usize> = (0..counted.cells()).map(place).collect::<Option<_>>()?;
        let mut cells = vec![Cell::default(); grid.checked_cells()?];
        for (cell, &place) in places.iter().enumerate() {
            let count = opened(cell);
            *cells.get_mut(place)? = Cell { count, is_published: count.is_some(), withheld: None };
        }
        Some(Self { sums: sums.clone(), places, grid, cells, is_ours: true })
    }
}

impl Cell {
    fn is_unknown(&self) -> bool {
        self.count != Some(0) && (self.withheld.is_some() || !self.is_published)
    }
}

impl Tables {
    fn new(tables: Vec<Table>, min_cell: i128) -> Self {
        let mut equations = Vec::new();
        for (left, table) in tables.iter().enumerate() {
            for (right, other) in tables.iter().enumerate().skip(left + 1) {
                let shared = meet(&table.grid, &other.grid);
                let mut both: Vec<Equation> = Vec::new();
                both.resize_with(shared.cells(), || Equation { left: vec![], right: vec![] });
                for (place, table, is_left) in [(left, table, true), (right, other, false)] {
                    for (cell, shared) in table.grid.project(&shared).into_iter().enumerate() {
                        let Some(both) = shared.and_then(|shared| both.get_mut(shared)) else {
                            continue;
                        };
                        let side = if is_left { &mut both.left } else { &mut both.right };
                        side.push((place, cell));
                    }
                }
                equations.extend(both);
            }
        }
        Self { tables, equations, min_cell }
    }

    fn cell(&self, (table, cell): Place) -> Cell {
        // A place is that of a cell of these tables.
        self.tables[table].cells[cell]
    }

    fn places(&self) -> impl Iterator<Item = Place> {
        let cells =
            |(table, own): (usize, &Table)| (0..own.cells.len()).map(move |cell| (table, cell));
        self.tables.iter().enumerate().flat_map(cells)
    }

    /// Counts of cells that nobody publishes, as far as they follow from those that are open; then
    /// which cells are small.
    fn find_unpublished(&mut self) {
        self.spread_zeros();
        for (place, count) in self.solve(|cell| cell.count.is_none()) {
            self.tables[place.0].cells[place.1].count = Some(count);
        }
        self.spread_zeros();
        let small = 1..self.min_cell;
        for table in self.tables.iter_mut().filter(|table| table.is_ours) {
            for cell in &mut table.cells {
                let is_small = cell.count.is_some_and(|count| small.contains(&count));
                cell.withheld = is_small.then_some(Withheld::Small);
            }
        }
    }

    /// Where one side of an equation has no records, the other has none either: what is true of the
    /// records of an empty cell is true of nobody.
    fn spread_zeros(&mut self) {
        loop {
            let is_empty = |side: &[Place]| side.iter().all(|&own| self.cell(own).count == Some(0));
            let sides = self.equations.iter().flat_map(|Equation { left, right }| {
                [(left, right), (right, left)].into_iter().filter(|(side, _)| is_empty(side))
            });
            let empty = sides.flat_map(|(_, other)| other).copied();
            let found: Vec<Place> = empty.filter(|&own| self.cell(own).count.is_none()).collect();
            if found.is_empty() {
                return;
            }
            for (table, cell) in found {
                self.tables[table].cells[cell].count = Some(0);
            }
        }
    }

    /// The cells, among those that are unknown, that have one value only.
    fn solve(&self, is_unknown: impl Fn(&Cell) -> bool) -> BTreeMap<Place, i128> {
        let unknown: Vec<Place> =
            self.places().filter(|&place| is_unknown(&self.cell(place))).collect();
        let mut equations = Equations::default();
        for equation in &self.equations {
            let mut terms = Vec::new();
            let mut constant = 0i128;
            for (side, sign) in [(&equation.left, 1), (&equation.right, -1)] {
                for &place in side {
                    match unknown.binary_search(&place) {
                        Ok(number) => terms.push((number, sign)),
                        Err(_) => {
                            constant += i128::from(sign) * self.cell(place).count.unwrap_or(0);
                        }
                    }
                }
            }
            if !terms.is_empty() {
                equations.add(terms.into_iter(), constant);
            }
        }
        let solved = equations.solved().into_iter();
        solved.filter_map(|(number, count)| Some((*unknown.get(number)?, count))).collect()
    }

    /// Withholds more cells until no small one is exposed, or nothing is left that would help.
    fn protect(&mut self) {
        loop {
            let mut has_changed = false;
            for place in self.exposed() {
                if let Some((table, cell)) = self.complement(place) {
                    self.tables[table].cells[cell].withheld = Some(Withheld::Complement);
                    has_changed = true;
                }
            }
            if !has_changed {
                return;
            }
        }
    }

    fn is_small(&self, place: Place) -> bool {
        self.cell(place).withheld == Some(Withheld::Small)
    }

    /// Small cells that follow from what is published, alone or with too few others.
    fn exposed(&self) -> BTreeSet<Place> {
        if !self.places().any(|place| self.is_small(place)) {
            return BTreeSet::new();
        }
        let solved = self.solve(Cell::is_unknown).into_keys();
        let mut exposed: BTreeSet<Place> = solved.filter(|&place| self.is_small(place)).collect();
        for equation in &self.equations {
            exposed.extend(self.few_together(equation));
        }
        exposed
    }

    /// A small cell of an equation whose unknown cells, all on one side, have fewer than `min_cell`
    /// records together.
    fn few_together(&self, equation: &Equation) -> Option<Place> {
        let unknown = |side: &[Place]| -> Vec<Place> {
            side.iter().copied().filter(|&place| self.cell(place).is_unknown()).collect()
        };
        let known = |side: &[Place]| -> i128 {
            let known =
                side.iter().map(|&place| self.cell(place)).filter(|cell| !cell.is_unknown());
            known.filter_map(|cell| cell.count).sum()
        };
        let (left, right) = (unknown(&equation.left), unknown(&equation.right));
        let difference = known(&equation.left) - known(&equation.right);
        let (unknown, together) = match (left.is_empty(), right.is_empty()) {
            (false, true) => (left, -difference),
            (true, false) => (right, difference),
            _ => return None,
        };
        let small = unknown.iter().copied().find(|&place| self.is_small(place))?;
        (together < self.min_cell).then_some(small)
    }

    /// The published cell that is withheld for the sake of an exposed one: of the equations with
    /// that cell or, where all their cells are withheld already, of those with one of these, and so
    /// on. The smallest, and of the same table if there is one: a cell beside it rather than their
    /// total.
    fn complement(&self, exposed: Place) -> Option<Place> {
        let mut reached = BTreeSet::from([exposed]);
        loop {
            let sides = |equation: &'_ Equation| equation.left.len() + equation.right.len();
            let is_near = |equation: &&Equation| {
                sides(equation) > 1
                    && (equation.left.iter().chain(&equation.right))
                        .any(|own| reached.contains(own))
            };
            let near = self.equations.iter().filter(is_near);
            let cells: Vec<Place> =
                near.flat_map(|own| own.left.iter().chain(&own.right)).copied().collect();
            let candidates = cells.iter().filter_map(|&place| {
                let (is_ours, cell) = (self.tables.get(place.0)?.is_ours, self.cell(place));
                let order = (place.0 != exposed.0, cell.count?);
                let is_open = cell.is_published && cell.withheld.is_none() && cell.count > Some(0);
                (is_ours && is_open).then_some((order, place))
            });
            if let Some((_, place)) = candidates.min() {
                return Some(place);
            }
            let before = reached.len();
            reached.extend(cells.into_iter().filter(|&place| self.cell(place).is_unknown()));
            if reached.len() == before {
                return None;
            }
        }
    }
}

/// The finest division that both refine.
fn meet(one: &Grid, other: &Grid) -> Grid {
    let (mut axes, mut levels) = (Vec::new(), Vec::new());
    for (axis, &count) in one.axes.iter().zip(&one.levels) {
        let Some(like) = other.axes.iter().find(|like| like.column == axis.column) else {
            continue;
        };
        let starts = axis.starts().iter().copied();
        let starts = starts.filter(|start| like.starts().binary_search(start).is_ok());
        let shared = Axis::bins(axis.column, starts.collect());
        // One more level where a value may be missing.
        levels.push(shared.levels() + (count - axis.levels()));
        axes.push(shared);
    }
    Grid { axes, levels }
}
