//! Disclosure: which small cells are withheld, and which others with them, so that none of the
//! small ones follows from what is published by adding and subtracting.
//!
//! # Rule
//! A cell with 1 to `min_cell` − 1 records is *small*: nothing of it is published. Counts (and, in
//! the same way, the sums of any term) over the same records but different cells are bound to each
//! other: wherever two groupings have a common coarser one, both add up to the same there. A
//! published total and the other cells of its row would give a small cell away. Such a cell is
//! *exposed* if it has one value only in all solutions of these equations, with the published
//! numbers given. For each exposed cell the smallest published cell of one of its equations is
//! withheld as well, until no small cell is exposed.
//!
//! Cells without records count as known: whoever sees the openings knows that they are empty, and
//! that their sums are 0. The number of all records is public and never withheld.
//!
//! # Why deciding by counts protects sums
//! The sums of a term are withheld in the cells in which its count is, and kept for no more
//! groupings than its count. So their equations are among those of the counts, with the same cells
//! unknown: what the larger system leaves open, the smaller one does too.
//!
//! # Limits
//! Only equations are considered, not that counts are non-negative: that two withheld cells have 4
//! records together bounds each of them.
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

/// The withheld cells of every table of counts.
#[derive(Debug, Default)]
pub(crate) struct Disclosure {
    cells: BTreeMap<Sums, Vec<Option<Withheld>>>,
}

impl Disclosure {
    /// Decides by the opened counts; a table that is not open yet has no withheld cells.
    pub(crate) fn new(plan: &Plan, records: u64, opened: &[Option<i128>]) -> Self {
        let privacy = plan.study.privacy();
        // Noisy counts are bound by no equations.
        if privacy.min_cell <= 1 || privacy.differential.is_some() {
            return Self::default();
        }
        let mut populations: BTreeMap<Vec<usize>, Vec<Table>> = BTreeMap::new();
        for table in tables(plan, records, opened) {
            populations.entry(population(&plan.study, &table.sums)).or_default().push(table);
        }
        let mut cells = BTreeMap::new();
        for tables in populations.into_values() {
            let mut group = Group::new(tables, privacy.min_cell.into());
            group.protect();
            cells.extend(group.tables.into_iter().map(|table| (table.sums, table.withheld)));
        }
        Self { cells }
    }

    /// Why a cell of a table of counts is withheld; none if it is not.
    pub(crate) fn withheld(&self, counts: &Sums, cell: usize) -> Option<Withheld> {
        self.cells.get(counts)?.get(cell).copied().flatten()
    }
}

/// Counts over the cells of a set.
struct Table {
    sums: Sums,
    counts: Vec<i128>,
    withheld: Vec<Option<Withheld>>,
    /// Whether its cells may be withheld: not the public number of all records.
    is_ours: bool,
}

/// Tables that count the same records, and the equations between them.
struct Group {
    tables: Vec<Table>,
    equations: Vec<Vec<Cell>>,
}

/// A cell by the places of table and cell, and whether it is on the left side of an equation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cell {
    table: usize,
    cell: usize,
    is_left: bool,
}

/// The counts that are open, and the public number of all records.
fn tables(plan: &Plan, records: u64, opened: &[Option<i128>]) -> Vec<Table> {
    let min_cell = i128::from(plan.study.privacy().min_cell);
    let table = |sums: &Sums, counts: Vec<i128>, is_ours| {
        let is_small =
            |count: &i128| (is_ours && (1..min_cell).contains(count)).then_some(Withheld::Small);
        Table {
            sums: sums.clone(),
            withheld: counts.iter().map(is_small).collect(),
            counts,
            is_ours,
        }
    };
    let mut tables = Vec::new();
    let published = published(plan);
    for (sums, &start) in plan.blocks.iter().filter(|(sums, _)| published.contains(sums)) {
        let cells = Grid::of_values(&sums.1).cells();
        let counts: Option<Vec<i128>> =
            (start..start + cells).map(|place| opened.get(place).copied().flatten()).collect();
        tables.extend(counts.map(|counts| table(sums, counts, true)));
    }
    let all = (Term::records(), Vec::new());
    if !plan.blocks.contains_key(&all) {
        tables.push(table(&all, vec![records.into()], false));
    }
    tables
}

/// The counts that a result shows, or by which sums are opened. Others, such as those of every step
/// of a column for a quantile, are seen in no result.
fn published(plan: &Plan) -> BTreeSet<Sums> {
    let study = &plan.study;
    let mut published = BTreeSet::new();
    for asked in questions(study) {
        let counted = Request::total(asked.formula.counted());
        let shown = asked.requests.iter().filter(|request| request.is_shown);
        for request in shown.chain([&counted]) {
            published.extend(count_of(study, &(request.term.clone(), asked.set(&request.axes))));
        }
    }
    let values = plan.blocks.keys().filter(|(term, _)| !term.values().is_empty());
    published.extend(values.filter_map(|sums| count_of(study, sums)));
    published
}

/// The records that a table counts: those with a value in these columns. Only columns that may be
/// missing matter.
fn population(study: &Study, (term, set): &Sums) -> Vec<usize> {
    let may_miss = |place: &usize| study.columns().get(*place).is_some_and(|c| c.missing_allowed);
    let axes = set.iter().map(|axis| axis.column).filter(may_miss);
    let columns: BTreeSet<usize> = term.required().iter().copied().chain(axes).collect();
    columns.into_iter().collect()
}

impl Group {
    fn new(tables: Vec<Table>, min_cell: i128) -> Self {
        let has_small = tables.iter().any(|table| table.withheld.iter().any(Option::is_some));
        let mut equations = Vec::new();
        for (left, table) in tables.iter().enumerate().filter(|_| has_small && min_cell > 1) {
            for (right, other) in tables.iter().enumerate().skip(left + 1) {
                let shared = Grid::of_values(&meet(&table.sums.1, &other.sums.1));
                let mut both = vec![Vec::new(); shared.cells()];
                for (place, is_left) in [(left, true), (right, false)] {
                    let Some(table) = tables.get(place) else { continue };
                    let fine = Grid::of_values(&table.sums.1);
                    for (cell, shared) in fine.project(&shared).into_iter().enumerate() {
                        if let Some(side) = shared.and_then(|shared| both.get_mut(shared)) {
                            side.push(Cell { table: place, cell, is_left });
                        }
                    }
                }
                equations.extend(both);
            }
        }
        Self { tables, equations }
    }

    /// Withholds more cells until no small one is exposed, or nothing is left that would help.
    fn protect(&mut self) {
        loop {
            let exposed = self.exposed();
            let mut has_changed = false;
            for cell in exposed {
                if let Some(Cell { table, cell, .. }) = self.complement(cell) {
                    // A complement is a cell of a table of this group.
                    self.tables[table].withheld[cell] = Some(Withheld::Complement);
                    has_changed = true;
                }
            }
            if !has_changed {
                return;
            }
        }
    }

    /// Small cells whose count follows from what is published.
    fn exposed(&self) -> Vec<Cell> {
        let mut unknowns: BTreeMap<(usize, usize), usize> = BTreeMap::new();
        for (table, own) in self.tables.iter().enumerate() {
            for (cell, withheld) in own.withheld.iter().enumerate() {
                if withheld.is_some() {
                    let next = unknowns.len();
                    unknowns.insert((table, cell), next);
                }
            }
        }
        let mut equations = Equations::default();
        for equation in &self.equations {
            let terms = equation.iter().filter_map(|cell| {
                Some((*unknowns.get(&(cell.table, cell.cell))?, if cell.is_left { 1 } else { -1 }))
            });
            equations.add(terms);
        }
        let solved = equations.solved();
        let is_exposed = |((table, cell), unknown): (&(usize, usize), &usize)| {
            let is_small = self.withheld(*table, *cell) == Some(Withheld::Small);
            (is_small && solved.contains(unknown)).then_some((*table, *cell))
        };
        let exposed = unknowns.iter().filter_map(is_exposed);
        exposed.map(|(table, cell)| Cell { table, cell, is_left: true }).collect()
    }

    /// The published cell that is withheld for the sake of an exposed one: of the equations with
    /// that cell or, where all their cells are withheld already, of those with one of these, and so
    /// on. The smallest, and of the same table if there is one: a cell beside it rather than their
    /// total.
    fn complement(&self, exposed: Cell) -> Option<Cell> {
        let mut reached = BTreeSet::from([(exposed.table, exposed.cell)]);
        loop {
            let is_reached = |cell: &Cell| reached.contains(&(cell.table, cell.cell));
            let equations = self.equations.iter().filter(|own| own.iter().any(is_reached));
            let cells: Vec<Cell> = equations.flatten().copied().collect();
            let candidates = cells.iter().filter_map(|cell| {
                let table = self.tables.get(cell.table)?;
                let count = *table.counts.get(cell.cell)?;
                let is_open = self.withheld(cell.table, cell.cell).is_none();
                let order = (cell.table != exposed.table, count);
                (table.is_ours && is_open && count > 0).then_some((order, *cell))
            });
            if let Some((_, cell)) = candidates.min_by_key(|(order, _)| *order) {
                return Some(cell);
            }
            let before = reached.len();
            let withheld = cells.iter().filter(|own| self.withheld(own.table, own.cell).is_some());
            reached.extend(withheld.map(|cell| (cell.table, cell.cell)));
            if reached.len() == before {
                return None;
            }
        }
    }

    fn withheld(&self, table: usize, cell: usize) -> Option<Withheld> {
        self.tables.get(table)?.withheld.get(cell).copied().flatten()
    }
}

/// The finest set that both sets refine.
fn meet(one: &[Axis], other: &[Axis]) -> Set {
    let shared = one.iter().filter_map(|axis| {
        let like = other.iter().find(|other| other.column == axis.column)?;
        let starts = axis.starts().iter().copied();
        let starts = starts.filter(|start| like.starts().binary_search(start).is_ok());
        Some(Axis::bins(axis.column, starts.collect()))
    });
    shared.collect()
}
