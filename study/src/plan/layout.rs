//! Layout: which sums a study needs and where they come from, in numbers alone: nothing of the
//! size of the plan is made, so that a study that is too large is refused at once.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use super::{
    Axis, Request, Term, disclosure,
    grid::{Grid, Set, contains},
    values::Values,
};
use crate::{
    error::{Rule, list},
    limits,
    statistic::{self, Formula, Question},
    study::Study,
};

/// The sums of one term, in its normal form, over the cells of one set of axes.
pub(crate) type Sums = (Term, Set);

/// How some needed sums come about.
#[derive(Debug, Clone)]
pub(crate) struct Need {
    /// The sums whose products, and without suppression whose totals, these follow from; the sums
    /// themselves if from no others.
    pub(crate) source: Sums,
    /// The statistics that need them, in ascending order.
    pub(crate) statistics: Vec<usize>,
}

/// What a plan consists of.
#[derive(Debug)]
pub(crate) struct Layout {
    /// How the columns that are added up, counted or divided into bins become wires.
    pub(crate) values: Values,
    /// The joint one-hot vectors.
    pub(crate) joints: Vec<Grid>,
    /// Every sum that the decoder asks for, except for the public number of records.
    pub(crate) needs: BTreeMap<Sums, Need>,
    /// The products of values, and of presence bits, that are wires of their own.
    pub(crate) monomials: BTreeSet<Term>,
    /// Whether sums that follow from others have coordinates of their own all the same.
    pub(crate) suppresses: bool,
}

/// The statistic to blame, the key, and the rule that is broken.
type Blame = (usize, &'static str, Rule);

impl Layout {
    pub(crate) fn new(study: &Study) -> Result<Self, Blame> {
        let questions = questions(study);
        check_cells(study, &questions)?;
        let needs = needs(study, &questions)?;
        let joints = joints(study, &needs)?;
        let values = Values::new(study, &needs, &joints);
        let suppresses = study.privacy().min_cell > 1;
        let mut layout = Self { values, joints, needs, monomials: BTreeSet::new(), suppresses };
        let mut monomials = BTreeSet::new();
        let factors = layout.needs.iter().filter(|(sums, need)| layout.needs_factor(sums, need));
        factors.for_each(|((term, _), _)| add_monomials(term, &mut monomials));
        layout.monomials = monomials;
        layout.check_size(study)?;
        Ok(layout)
    }

    /// Whether these sums have coordinates of their own.
    pub(crate) fn is_output(&self, sums: &Sums, need: &Need) -> bool {
        self.suppresses || need.source == *sums
    }

    /// Whether these sums have products of their own.
    pub(crate) fn has_products(&self, sums: &Sums, need: &Need) -> bool {
        let (term, set) = sums;
        *term != Term::records() && !set.is_empty() && need.source == *sums
    }

    /// Whether the circuit needs a bit that is always 1, to count all records: there is no one-hot
    /// vector whose sum could do it.
    pub(crate) fn has_one(&self) -> bool {
        self.joints.is_empty() && self.needs.contains_key(&(Term::records(), Vec::new()))
    }

    /// Whether the term itself is a factor of a product or an output, and not only its source.
    fn needs_factor(&self, sums: &Sums, need: &Need) -> bool {
        self.has_products(sums, need) || (sums.1.is_empty() && need.source == *sums)
    }

    fn check_size(&self, study: &Study) -> Result<(), Blame> {
        let first = |wanted: &dyn Fn(&Sums) -> bool| {
            let users = self.needs.iter().filter(|(sums, _)| wanted(sums));
            users.filter_map(|(_, need)| need.statistics.first().copied()).min().unwrap_or(0)
        };
        let mut outputs = Vec::new();
        let mut wires = vec![(0, usize::from(self.has_one()))];
        for (column, bits) in self.values.bits(study) {
            wires.push((first(&|(term, _)| term.columns().any(|own| own == column)), bits));
        }
        for joint in &self.joints {
            wires.push((first(&|(_, set)| *set == joint.axes), joint.cells()));
        }
        for monomial in &self.monomials {
            wires.push((first(&|(term, _)| term == monomial), 1));
        }
        for (sums, need) in &self.needs {
            let cells = Grid::of_values(&sums.1).cells();
            let user = need.statistics.first().copied().unwrap_or(0);
            if self.is_output(sums, need) {
                outputs.push((user, cells));
            }
            if self.has_products(sums, need) {
                wires.push((user, cells));
            }
        }
        let coordinates = exceeded(outputs, limits::COORDINATES);
        if let Some((statistic, found)) = coordinates {
            return Err((statistic, "by", Rule::Coordinates { found }));
        }
        if let Some((statistic, found)) = exceeded(wires, limits::WIRES) {
            return Err((statistic, "by", Rule::Wires { found }));
        }
        self.check_tables(study)
    }

    /// Small cells can be protected in reasonable time.
    fn check_tables(&self, study: &Study) -> Result<(), Blame> {
        let min_cell = study.privacy().min_cell;
        if min_cell <= 1 || study.privacy().differential.is_some() {
            return Ok(());
        }
        let found = disclosure::size(study, self.needs.keys());
        let last = study.statistics().len().saturating_sub(1);
        match found > limits::TABLES {
            true => Err((last, "by", Rule::Tables { min_cell, found })),
            false => Ok(()),
        }
    }
}

/// A statistic with its formula and its `by`.
pub(crate) struct Asked {
    /// The statistic's place.
    pub(crate) place: usize,
    /// Its formula.
    pub(crate) formula: Box<dyn Formula>,
    /// What it needs.
    pub(crate) requests: Vec<Request>,
    /// The axes of `by`, in the order in which it names them.
    pub(crate) by: Vec<Axis>,
}

/// The statistics of a study. Every one of a checked study has a formula.
pub(crate) fn questions(study: &Study) -> Vec<Asked> {
    let statistics = study.statistics().iter().enumerate();
    let asked = statistics.filter_map(|(place, statistic)| {
        let formula = statistic::find(&statistic.kind)?.formula(&Question { study, statistic });
        let formula = formula.ok()?;
        let requests = formula.requests();
        Some(Asked { place, formula, requests, by: by_axes(study, &statistic.by) })
    });
    asked.collect()
}

impl Asked {
    /// The set of axes of a request, within the cells of `by`.
    pub(crate) fn set(&self, axes: &[Axis]) -> Set {
        let mut set: Set = self.by.iter().chain(axes).cloned().collect();
        set.sort_unstable();
        set
    }
}

fn by_axes(study: &Study, names: &[String]) -> Vec<Axis> {
    let places = names.iter().filter_map(|name| study.column_index(name));
    // A study is grouped by columns with levels, of which there are few enough.
    places.filter_map(|place| Axis::steps(place, study.columns().get(place)?)).collect()
}

/// Every term that a factor of products is made of, and that is no single column: each is a wire.
fn add_monomials(term: &Term, monomials: &mut BTreeSet<Term>) {
    let Some((rest, last)) = term.factors() else { return };
    if monomials.insert(term.clone()) {
        add_monomials(&rest, monomials);
        add_monomials(&last, monomials);
    }
}

/// Refuses statistics with too many cells, each and together.
fn check_cells(study: &Study, questions: &[Asked]) -> Result<(), Blame> {
    let mut answers = Vec::new();
    for asked in questions {
        let blame = |rule| (asked.place, "by", rule);
        within_cells(study, &Grid::of_records(study, &asked.set(&[]))).map_err(blame)?;
        for request in &asked.requests {
            let grid = Grid::of_records(study, &asked.set(&request.axes));
            within_cells(study, &grid).map_err(blame)?;
        }
        answers.push((asked.place, Grid::of_values(&asked.by).cells()));
    }
    match exceeded(answers, limits::ANSWERS) {
        Some((place, found)) => Err((place, "by", Rule::Answers { found })),
        None => Ok(()),
    }
}

/// The joint one-hot vectors: the sets that no other set contains, and a vector of its own for
/// every category whose presence matters and which is in none of them.
fn joints(study: &Study, needs: &BTreeMap<Sums, Need>) -> Result<Vec<Grid>, Blame> {
    let mut sets: BTreeMap<Set, usize> = BTreeMap::new();
    let mut add = |set: Set, user: usize| {
        let first = sets.entry(set).or_insert(user);
        *first = (*first).min(user);
    };
    for ((term, set), need) in needs {
        let user = need.statistics.first().copied().unwrap_or(0);
        add(set.clone(), user);
        let categories = term.columns().filter_map(|place| {
            let column = study.columns().get(place)?;
            column.labels().and_then(|_| Axis::steps(place, column))
        });
        categories.for_each(|axis| add(vec![axis], user));
    }
    let mut finest_first: Vec<_> = sets.into_iter().filter(|(set, _)| !set.is_empty()).collect();
    finest_first.sort_by_key(|(set, _)| Reverse(fineness(set)));
    let mut maximal: Vec<(Set, usize)> = Vec::new();
    let (mut found, mut last) = (0usize, 0);
    for (set, user) in finest_first {
        if maximal.iter().any(|(other, _)| contains(other, &set)) {
            continue;
        }
        let cells = Grid::of_records(study, &set).checked_cells();
        found += cells.map_or(limits::CELLS, |cells| cells.min(limits::CELLS));
        last = user.max(last);
        maximal.push((set, user));
        // So many are too many, and take long to compare.
        if found > 2 * limits::WIRES {
            return Err((last, "by", Rule::Wires { found }));
        }
    }
    maximal.sort_unstable();
    let joint = |(set, user): &(Set, usize)| {
        let user = *user;
        let grid = Grid::of_records(study, set);
        within_cells(study, &grid).map_err(|rule| (user, "by", rule))?;
        Ok(grid)
    };
    maximal.iter().map(joint).collect()
}

fn within_cells(study: &Study, grid: &Grid) -> Result<(), Rule> {
    let cells = grid.checked_cells();
    if cells.is_some_and(|cells| cells <= limits::CELLS) {
        return Ok(());
    }
    let columns = grid.axes.iter().filter_map(|axis| study.columns().get(axis.column));
    let names = columns.map(|column| column.name.as_str());
    let factors: Vec<_> = grid.levels.iter().map(usize::to_string).collect();
    let mut levels = grid.axes.iter().map(Axis::levels).zip(&grid.levels);
    let with_missing = levels.any(|(values, &all)| values != all);
    Err(Rule::Cells { by: list(names), cells, factors: factors.join(" × "), with_missing })
}

/// Every sum that some statistic needs, and what it follows from.
fn needs(study: &Study, questions: &[Asked]) -> Result<BTreeMap<Sums, Need>, Blame> {
    let mut users: BTreeMap<Sums, BTreeSet<usize>> = BTreeMap::new();
    let all = (Term::records(), Vec::new());
    for asked in questions {
        let counted = Request::total(asked.formula.counted());
        for request in asked.requests.iter().chain([&counted]) {
            let set = asked.set(&request.axes);
            let summands = request.term.expansion(study).into_iter();
            let terms =
                summands.flat_map(|(_, term)| [term.counted_by(study), term.population(), term]);
            for term in terms {
                let term = term.normal(study, &set);
                let sums = term.map(|term| (term, set.clone())).filter(|sums| *sums != all);
                sums.into_iter().for_each(|sums| {
                    users.entry(sums).or_default().insert(asked.place);
                });
            }
            // Some of them may follow from others, but not so many.
            let found = users.len();
            if found > 2 * limits::COORDINATES {
                return Err((asked.place, "by", Rule::Coordinates { found }));
            }
        }
    }
    if let Some(statistics) = counting_all(study, &users) {
        users.insert(all, statistics);
    }
    let sources = sources(study, &users)?;
    let need = |(sums, statistics): (&Sums, &BTreeSet<usize>)| {
        let statistics = statistics.iter().copied().collect();
        let sources = sources.get(&alike(study, sums)).map_or(&[][..], Vec::as_slice);
        (sums.clone(), Need { source: source(study, sources, sums), statistics })
    };
    Ok(users.iter().map(need).collect())
}

/// The statistics for which the number of all records needs a coordinate although it is public: to
/// decide which sums over all records may be opened, where `min_records` does not settle that
/// beforehand, or because a circuit without any wire would be none.
fn counting_all(study: &Study, users: &BTreeMap<Sums, BTreeSet<usize>>) -> Option<BTreeSet<usize>> {
    if users.is_empty() {
        return Some((0..study.statistics().len()).collect());
    }
    let privacy = study.privacy();
    let is_gated = |(term, set): &Sums| {
        set.is_empty() && !term.values().is_empty() && term.required().is_empty()
    };
    let gated = users.iter().filter(|(sums, _)| is_gated(sums));
    let gated: BTreeSet<usize> = gated.flat_map(|(_, statistics)| statistics).copied().collect();
    (privacy.min_cell > privacy.min_records && !gated.is_empty()).then_some(gated)
}

/// What sums have in common that follow from one another: their factors, and which of the columns
/// that may be missing have a value in every record that is summed.
type Alike<'a> = (&'a [usize], BTreeSet<usize>);

fn alike<'a>(study: &Study, (term, set): &'a Sums) -> Alike<'a> {
    let may_be_missing =
        |place: &usize| study.columns().get(*place).is_some_and(|column| column.missing_allowed);
    let columns = set.iter().map(|axis| axis.column).chain(term.required().iter().copied());
    (term.values(), columns.filter(may_be_missing).collect())
}

/// The sums that follow from no others. Comparing all with all would take minutes where a study
/// needs tens of thousands: like sums alone are compared, with the sources among them that are
/// found already, and these are few, since each has coordinates.
fn sources<'a>(
    study: &Study,
    users: &'a BTreeMap<Sums, BTreeSet<usize>>,
) -> Result<BTreeMap<Alike<'a>, Vec<&'a Sums>>, Blame> {
    let mut finest_first: Vec<_> = users.iter().collect();
    finest_first.sort_by_key(|((_, set), _)| Reverse(fineness(set)));
    let mut groups: BTreeMap<Alike<'a>, Vec<&Sums>> = BTreeMap::new();
    let (mut found, mut last) = (0usize, 0);
    for (sums, statistics) in finest_first {
        let group = groups.entry(alike(study, sums)).or_default();
        if group.iter().any(|fine| refines(study, fine, sums)) {
            continue;
        }
        group.push(sums);
        found = found.saturating_add(Grid::of_values(&sums.1).cells());
        last = statistics.first().copied().unwrap_or(0).max(last);
        if found > 2 * limits::COORDINATES {
            return Err((last, "by", Rule::Coordinates { found }));
        }
    }
    groups.values_mut().for_each(|group| group.sort_unstable());
    Ok(groups)
}

/// A set that refines another has more columns, or as many and more levels.
fn fineness(set: &[Axis]) -> (usize, usize) {
    (set.len(), set.iter().map(Axis::levels).sum())
}

/// The sums from which these follow by addition: the smallest of the sources that refine them, or
/// they themselves.
fn source(study: &Study, sources: &[&Sums], sums: &Sums) -> Sums {
    let fine = sources.iter().copied().filter(|fine| refines(study, fine, sums));
    let smallest = fine.min_by_key(|(_, set)| Grid::of_values(set).cells());
    smallest.unwrap_or(sums).clone()
}

/// Whether some sums give others by addition: they are over smaller cells, and every record of the
/// larger cells is in one of the smaller ones.
pub(crate) fn refines(study: &Study, fine: &Sums, coarse: &Sums) -> bool {
    let ((fine_term, fine_set), (term, set)) = (fine, coarse);
    if fine_set == set || fine_term.values() != term.values() || !contains(fine_set, set) {
        return false;
    }
    let is_covered = |axis: &Axis| {
        let is_split = set.iter().any(|own| own.column == axis.column);
        let column = study.columns().get(axis.column);
        let is_never_missing = column.is_some_and(|column| !column.missing_allowed);
        is_split || is_never_missing || term.required().contains(&axis.column)
    };
    fine_set.iter().all(is_covered) && term.normal(study, fine_set).as_ref() == Some(fine_term)
}

/// The statistic with which the amounts exceed a limit, and their total.
fn exceeded(mut amounts: Vec<(usize, usize)>, limit: usize) -> Option<(usize, usize)> {
    amounts.sort_unstable();
    let total = amounts.iter().fold(0usize, |total, (_, amount)| total.saturating_add(*amount));
    let mut so_far = 0usize;
    let crossing = amounts.iter().find(|(_, amount)| {
        so_far = so_far.saturating_add(*amount);
        so_far > limit
    });
    crossing.map(|&(statistic, _)| (statistic, total))
}
