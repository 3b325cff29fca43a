//! Layout: which sums a study needs and where they come from, in numbers alone: nothing of the
//! size of the plan is made, so that a study that is too large is refused at once.

use std::collections::{BTreeMap, BTreeSet};

use super::{Term, encode::value_bits, grid::Grid};
use crate::{
    error::{Rule, list},
    limits, statistic,
    study::Study,
};

/// The sums of one term over the cells of one set of category columns (places in the study, in
/// ascending order).
pub(crate) type Sums = (Term, Vec<usize>);

/// How some needed sums come about.
#[derive(Debug, Clone)]
pub(crate) struct Need {
    /// The set whose products, and without suppression whose sums, these follow from; the sums'
    /// own set if from no other.
    pub(crate) source: Vec<usize>,
    /// The first statistic that needs them.
    statistic: usize,
}

/// What a plan consists of.
#[derive(Debug)]
pub(crate) struct Layout {
    /// Columns that are added up or counted, in the study's order.
    pub(crate) values: Vec<usize>,
    /// The joint one-hot vectors.
    pub(crate) joints: Vec<Grid>,
    /// Every sum that the decoder asks for, except for the public number of records.
    pub(crate) needs: BTreeMap<Sums, Need>,
    /// Whether sets that follow from larger ones have sums of their own all the same.
    pub(crate) suppresses: bool,
}

/// The statistic to blame, the key, and the rule that is broken.
type Blame = (usize, &'static str, Rule);

impl Layout {
    pub(crate) fn new(study: &Study) -> Result<Self, Blame> {
        check_cells(study)?;
        let joints = joints(study)?;
        let needs = needs(study);
        let used = needs.keys().filter_map(|(term, _)| term.column());
        let values = used.collect::<BTreeSet<_>>().into_iter().collect();
        let suppresses = study.privacy().min_cell > 1;
        let layout = Self { values, joints, needs, suppresses };
        layout.check_size(study)?;
        Ok(layout)
    }

    /// Whether these sums have coordinates of their own.
    pub(crate) fn is_output(&self, (_, set): &Sums, need: &Need) -> bool {
        self.suppresses || need.source == *set
    }

    /// Whether these sums have products of their own.
    pub(crate) fn has_products(&self, (term, set): &Sums, need: &Need) -> bool {
        *term != Term::Records && !set.is_empty() && need.source == *set
    }

    /// Whether the circuit needs a bit that is always 1, to count all records: there is no one-hot
    /// vector whose sum could do it.
    pub(crate) fn has_one(&self) -> bool {
        self.joints.is_empty() && self.needs.contains_key(&(Term::Records, Vec::new()))
    }

    fn check_size(&self, study: &Study) -> Result<(), Blame> {
        let first = |wanted: &dyn Fn(&Sums) -> bool| {
            let users = self.needs.iter().filter(|(sums, _)| wanted(sums));
            users.map(|(_, need)| need.statistic).min().unwrap_or(0)
        };
        let mut outputs = Vec::new();
        let mut wires = vec![(0, usize::from(self.has_one()))];
        for &column in &self.values {
            let user = first(&|(term, _)| term.column() == Some(column));
            wires.push((user, value_bits(study, column)));
        }
        for joint in &self.joints {
            let user = first(&|(_, set)| *set == joint.columns);
            wires.push((user, joint.cells()));
        }
        for (sums, need) in &self.needs {
            let cells = Grid::of_labels(study, &sums.1).cells();
            if self.is_output(sums, need) {
                outputs.push((need.statistic, cells));
            }
            if self.has_products(sums, need) {
                wires.push((need.statistic, cells));
            }
        }
        let coordinates = exceeded(outputs, limits::COORDINATES);
        if let Some((statistic, found)) = coordinates {
            return Err((statistic, "by", Rule::Coordinates { found }));
        }
        match exceeded(wires, limits::WIRES) {
            Some((statistic, found)) => Err((statistic, "by", Rule::Wires { found })),
            None => Ok(()),
        }
    }
}

impl Term {
    /// The column that the term is of.
    pub(crate) fn column(self) -> Option<usize> {
        match self {
            Self::Records => None,
            Self::Present(column) | Self::Value(column) => Some(column),
        }
    }

    /// The term that always has the same value and is summed in its place; none if it is 0 for
    /// every record.
    pub(crate) fn normal(self, study: &Study) -> Option<Self> {
        let column = self.column().and_then(|place| study.columns().get(place));
        match (self, column) {
            (Self::Present(_), Some(column)) if !column.missing_allowed => Some(Self::Records),
            (Self::Value(_), Some(column)) if column.range().is_none_or(|(a, b)| a == b) => None,
            _ => Some(self),
        }
    }

    /// The term that counts the records that this one is summed over.
    pub(crate) fn counted_by(self, study: &Study) -> Self {
        let counts = self.column().map_or(Self::Records, Self::Present);
        counts.normal(study).unwrap_or(Self::Records)
    }
}

/// The set of a statistic's `by`: places in ascending order.
pub(crate) fn by_set(study: &Study, statistic: usize) -> Vec<usize> {
    let by = study.statistics().get(statistic).map(|statistic| statistic.by.as_slice());
    let mut set = places(study, by.unwrap_or_default());
    set.sort_unstable();
    set
}

/// Places of columns, by name.
pub(crate) fn places(study: &Study, names: &[String]) -> Vec<usize> {
    // A study's names are those of its columns.
    names.iter().filter_map(|name| study.column_index(name)).collect()
}

/// Refuses statistics with too many cells, each and together.
fn check_cells(study: &Study) -> Result<(), Blame> {
    let mut answers = Vec::new();
    for place in 0..study.statistics().len() {
        let grid = Grid::of_labels(study, &by_set(study, place));
        within_cells(study, &grid, false).map_err(|rule| (place, "by", rule))?;
        answers.push((place, grid.cells()));
    }
    match exceeded(answers, limits::ANSWERS) {
        Some((place, found)) => Err((place, "by", Rule::Answers { found })),
        None => Ok(()),
    }
}

/// The joint one-hot vectors: the sets that no other set contains.
fn joints(study: &Study) -> Result<Vec<Grid>, Blame> {
    let statistics = 0..study.statistics().len();
    let sets: Vec<_> = statistics.map(|place| by_set(study, place)).collect();
    let is_maximal = |set: &Vec<usize>| {
        !set.is_empty() && !sets.iter().any(|other| other != set && contains(other, set))
    };
    let maximal: BTreeSet<_> = sets.iter().filter(|set| is_maximal(set)).collect();
    let joint = |set: &Vec<usize>| {
        let grid = Grid::of_records(study, set);
        // A maximal set is some statistic's own.
        let user = sets.iter().position(|own| own == set).unwrap_or(0);
        within_cells(study, &grid, true).map_err(|rule| (user, "by", rule))?;
        Ok(grid)
    };
    maximal.into_iter().map(joint).collect()
}

fn within_cells(study: &Study, grid: &Grid, with_missing: bool) -> Result<(), Rule> {
    let cells = grid.checked_cells();
    if cells.is_some_and(|cells| cells <= limits::CELLS) {
        return Ok(());
    }
    let columns = grid.columns.iter().filter_map(|&place| study.columns().get(place));
    let names = columns.map(|column| column.name.as_str());
    let factors: Vec<_> = grid.levels.iter().map(usize::to_string).collect();
    Err(Rule::Cells { by: list(names), cells, factors: factors.join(" × "), with_missing })
}

/// Every sum that some statistic needs, and what it follows from.
fn needs(study: &Study) -> BTreeMap<Sums, Need> {
    let mut users: BTreeMap<Sums, usize> = BTreeMap::new();
    let all = (Term::Records, Vec::new());
    for (place, statistic) in study.statistics().iter().enumerate() {
        // A study's kinds exist.
        let Some(kind) = statistic::find(&statistic.kind) else { continue };
        let of = places(study, &statistic.of);
        let set = by_set(study, place);
        let terms = kind.terms(&of);
        let counts = terms.iter().map(|term| term.counted_by(study));
        let terms = terms.iter().copied().chain(counts).chain([kind.count(&of)]);
        for term in terms.filter_map(|term| term.normal(study)) {
            let sums = (term, set.clone());
            if sums != all {
                users.entry(sums).or_insert(place);
            }
        }
    }
    if counts_all(study, &users) {
        users.insert(all, 0);
    }
    let sources: Vec<_> = users.keys().filter(|sums| is_source(study, &users, sums)).collect();
    let need = |sums: &Sums, &statistic: &usize| {
        (sums.clone(), Need { source: source(study, &sources, sums), statistic })
    };
    users.iter().map(|(sums, user)| need(sums, user)).collect()
}

/// Whether the number of all records needs a coordinate although it is public: to decide which
/// sums over all records may be opened, where `min_records` does not settle that beforehand, or
/// because a circuit without any wire would be none.
fn counts_all(study: &Study, users: &BTreeMap<Sums, usize>) -> bool {
    let privacy = study.privacy();
    let is_gated = |(term, set): &Sums| {
        set.is_empty() && matches!(term, Term::Value(_)) && term.counted_by(study) == Term::Records
    };
    users.is_empty() || (privacy.min_cell > privacy.min_records && users.keys().any(is_gated))
}

/// Whether sums follow from no others.
fn is_source(study: &Study, users: &BTreeMap<Sums, usize>, (term, set): &Sums) -> bool {
    !users.keys().any(|(other, fine)| other == term && refines(study, fine, set))
}

/// The set from whose sums these follow by addition: the smallest of the sources that refine
/// theirs, or their own.
fn source(study: &Study, sources: &[&Sums], (term, set): &Sums) -> Vec<usize> {
    let fine = sources.iter().filter(|(other, _)| other == term).map(|(_, fine)| fine);
    let fine = fine.filter(|fine| refines(study, fine, set));
    let smallest = fine.min_by_key(|fine| Grid::of_labels(study, fine).cells());
    smallest.unwrap_or(set).clone()
}

/// Whether sums over the cells of `fine` give those over the cells of `coarse`: it has more
/// columns, and none of these is ever missing.
fn refines(study: &Study, fine: &[usize], coarse: &[usize]) -> bool {
    let is_never_missing = |&place: &usize| {
        coarse.contains(&place)
            || study.columns().get(place).is_some_and(|column| !column.missing_allowed)
    };
    fine.len() > coarse.len() && contains(fine, coarse) && fine.iter().all(is_never_missing)
}

/// Whether every column of `part` is in `whole`.
pub(crate) fn contains(whole: &[usize], part: &[usize]) -> bool {
    part.iter().all(|column| whole.contains(column))
}

/// The statistic with which the amounts exceed a limit, and their total.
fn exceeded(mut amounts: Vec<(usize, usize)>, limit: usize) -> Option<(usize, usize)> {
    amounts.sort_unstable();
    let total: usize = amounts.iter().map(|(_, amount)| amount).sum();
    let mut so_far = 0;
    let crossing = amounts.iter().find(|(_, amount)| {
        so_far += amount;
        so_far > limit
    });
    crossing.map(|&(statistic, _)| (statistic, total))
}
