//! Build: from a layout to the circuit of one record.

use std::collections::BTreeMap;

use mpc::circuit::{Circuit, CircuitBuilder, Linear};

use super::{
    Axis, Term,
    grid::{Grid, contains},
    layout::{Layout, Sums},
    values::{Base, Within, weights},
};
use crate::study::Study;

/// A circuit, and where the coordinates of its sums begin.
pub(crate) struct Built {
    pub(crate) circuit: Circuit,
    pub(crate) blocks: BTreeMap<Sums, usize>,
}

/// The wires of a record so far.
struct Wires<'a> {
    study: &'a Study,
    circuit: CircuitBuilder,
    /// The value of each column that is added up, as a form.
    values: BTreeMap<usize, Linear>,
    /// What is 1 if a column that may be missing has a value.
    present: BTreeMap<usize, Linear>,
    joints: Vec<(Grid, Vec<usize>)>,
    /// The bit that is always 1.
    one: Option<usize>,
    monomials: BTreeMap<Term, usize>,
    products: BTreeMap<Sums, Vec<usize>>,
}

/// Builds the circuit. Bits are asked for in the order of [`super::encode::Encoding`].
pub(crate) fn build(study: &Study, layout: &Layout) -> Built {
    let mut wires = Wires {
        study,
        circuit: CircuitBuilder::default(),
        values: BTreeMap::new(),
        present: BTreeMap::new(),
        joints: Vec::new(),
        one: None,
        monomials: BTreeMap::new(),
        products: BTreeMap::new(),
    };
    wires.add_values(layout);
    if layout.has_one() {
        let one = wires.circuit.bit();
        wires.circuit.require_zero(&Linear::wire(one).plus(-1));
        wires.one = Some(one);
    }
    wires.agree(layout);
    layout.monomials.iter().for_each(|term| wires.add_monomial(term));
    for (sums, need) in &layout.needs {
        if layout.has_products(sums, need) {
            wires.add_products(sums);
        }
    }
    let mut blocks = BTreeMap::new();
    let mut coordinates = 0;
    for (sums, need) in &layout.needs {
        if layout.is_output(sums, need) {
            blocks.insert(sums.clone(), coordinates);
            for form in wires.sums(sums, &need.source) {
                wires.circuit.output(&form);
                coordinates += 1;
            }
        }
    }
    Built { circuit: wires.circuit.build(), blocks }
}

impl Wires<'_> {
    fn add_values(&mut self, layout: &Layout) {
        for &column in &layout.values.plain {
            self.add_plain(column);
        }
        for joint in &layout.joints {
            self.add_joint(joint);
        }
        for (&column, base) in &layout.values.bases {
            if let Some(level) = self.levels(base) {
                self.present.insert(column, total(&level));
            }
        }
        for base in layout.values.bases.values().filter(|base| base.is_valued) {
            let value = self.value_of_level(base);
            self.values.insert(base.axis.column, value);
        }
        for link in &layout.values.links {
            let other = self.value_of_level(link);
            if let Some(value) = self.values.get(&link.axis.column) {
                self.circuit.require_zero(&value.clone().minus(&other));
            }
        }
    }

    /// The bits of one number or truth value, and its presence.
    fn add_plain(&mut self, place: usize) {
        // A place in a layout is that of a column of its study.
        let column = &self.study.columns()[place];
        let value = self.number(column.span());
        if column.missing_allowed {
            let present = Linear::wire(self.circuit.bit());
            self.zero_unless(&value, &present);
            self.present.insert(place, present);
        }
        self.values.insert(place, value);
    }

    /// Fresh bits that encode exactly 0..=range.
    fn number(&mut self, range: u64) -> Linear {
        let terms = weights(range).into_iter().map(|weight| (self.circuit.bit(), weight.into()));
        Linear { terms: terms.collect(), constant: 0 }
    }

    /// Requires a number to be 0 where `present` is. The weights are positive and their sum is
    /// below p: the number is 0 only if every bit is.
    fn zero_unless(&mut self, number: &Linear, present: &Linear) {
        if !number.terms.is_empty() {
            let absent = Linear::default().plus(1).minus(present);
            self.circuit.require_product_zero(number, &absent);
        }
    }

    /// A joint one-hot vector: at most [`crate::limits::CELLS`] bits that add up to 1, so that
    /// exactly one of them is set.
    fn add_joint(&mut self, joint: &Grid) {
        let cells: Vec<_> = (0..joint.cells()).map(|_| self.circuit.bit()).collect();
        self.circuit.require_zero(&Linear::sum(cells.iter().copied()).plus(-1));
        self.joints.push((joint.clone(), cells));
    }

    /// What is 1 at each level of an axis of a vector, not counting that of missing values.
    fn levels(&self, base: &Base) -> Option<Vec<Linear>> {
        let (joint, cells) = self.joints.get(base.joint)?;
        Some(marginals(joint, cells, &Grid::of_values(std::slice::from_ref(&base.axis))))
    }

    /// The value of a column from its level: the level's start, and the place within the level as
    /// fresh bits. A missing value is 0.
    fn value_of_level(&mut self, base: &Base) -> Linear {
        let levels = self.levels(base).unwrap_or_default();
        // An axis is of a column of the study.
        let column = &self.study.columns()[base.axis.column];
        let within = Within::new(&base.axis, column);
        let place = self.number(within.largest);
        if within.has_rest {
            let rest = self.number(within.largest);
            let widths = base.axis.widths(column.span()).map(|width| width.saturating_sub(1));
            let last = weighted(&levels, widths);
            let mut sum = place.clone();
            sum.terms.extend(rest.terms);
            self.circuit.require_zero(&sum.minus(&last));
        } else if column.missing_allowed {
            self.zero_unless(&place, &total(&levels));
        }
        let mut value = weighted(&levels, base.axis.starts().iter().copied());
        value.terms.extend(place.terms);
        value
    }

    /// Makes every vector tell the same level of a column as the column's base, as far as that
    /// gives it; elsewhere their values are equal already, and only their presence is left. The
    /// last level follows, because all levels of a vector add up to 1.
    fn agree(&mut self, layout: &Layout) {
        for (place, (joint, cells)) in self.joints.iter().enumerate() {
            for axis in &joint.axes {
                let Some(base) = layout.values.bases.get(&axis.column) else { continue };
                let Some((first, first_cells)) = self.joints.get(base.joint) else { continue };
                if base.joint == place {
                    continue;
                }
                let shared = match base.axis.refines(axis) {
                    true => axis.clone(),
                    false => Axis::bins(axis.column, vec![0]),
                };
                let shared = Grid::of_records(self.study, &[shared]);
                let ours = marginals(joint, cells, &shared);
                let theirs = marginals(first, first_cells, &shared);
                for (ours, theirs) in ours.iter().zip(&theirs).skip(1) {
                    self.circuit.require_zero(&theirs.clone().minus(ours));
                }
            }
        }
    }

    /// The indicator of every cell of a set, as sums of the bits of the smallest vector that
    /// contains the set.
    fn indicators(&self, set: &[Axis]) -> Vec<Linear> {
        let holders = self.joints.iter().filter(|(joint, _)| contains(&joint.axes, set));
        let smallest = holders.min_by_key(|(joint, _)| joint.cells());
        match smallest {
            Some((joint, cells)) => marginals(joint, cells, &Grid::of_values(set)),
            // Only the empty set may be in no vector; its one cell holds every record.
            None => self.one.map(Linear::wire).into_iter().collect(),
        }
    }

    /// A wire for a product of two terms.
    fn add_monomial(&mut self, term: &Term) {
        if self.monomials.contains_key(term) {
            return;
        }
        if let Some((rest, last)) = term.factors() {
            self.add_monomial(&rest);
            self.add_monomial(&last);
            let (rest, last) = (self.factor(&rest), self.factor(&last));
            let wire = self.circuit.product(&rest, &last);
            self.monomials.insert(term.clone(), wire);
        }
    }

    fn add_products(&mut self, sums: &Sums) {
        let (term, set) = sums;
        let factor = self.factor(term);
        let indicators = self.indicators(set);
        let product = |indicator| self.circuit.product(&factor, indicator);
        let products = indicators.iter().map(product).collect();
        self.products.insert(sums.clone(), products);
    }

    /// What a record adds to each cell of some sums.
    fn sums(&self, sums: &Sums, source: &Sums) -> Vec<Linear> {
        let (term, set) = sums;
        let (source_term, source_set) = source;
        if *source_term == Term::records() {
            return match source_set == set {
                true => self.indicators(set),
                false => self.coarser(&self.indicators(source_set), source_set, set),
            };
        }
        if source_set.is_empty() {
            return vec![self.factor(term)];
        }
        // Every other source has products.
        let products = self.products.get(source).cloned().unwrap_or_default();
        let products: Vec<_> = products.into_iter().map(Linear::wire).collect();
        self.coarser(&products, source_set, set)
    }

    /// For every cell of `coarse`, the sum of the forms of the cells of `fine` that are part of it.
    fn coarser(&self, forms: &[Linear], fine: &[Axis], coarse: &[Axis]) -> Vec<Linear> {
        let (fine, coarse) = (Grid::of_values(fine), Grid::of_values(coarse));
        let mut sums = vec![Linear::default(); coarse.cells()];
        for (form, cell) in forms.iter().zip(fine.project(&coarse)) {
            if let Some(sum) = cell.and_then(|cell| sums.get_mut(cell)) {
                sum.terms.extend(&form.terms);
            }
        }
        sums
    }

    /// A term as a form.
    fn factor(&self, term: &Term) -> Linear {
        if let Some(&wire) = self.monomials.get(term) {
            return Linear::wire(wire);
        }
        let form = match (term.values(), term.required()) {
            ([], []) => return self.one.map(Linear::wire).unwrap_or_default(),
            ([], [column, ..]) => self.present.get(column),
            ([column, ..], _) => self.values.get(column),
        };
        form.cloned().unwrap_or_default()
    }
}

/// The sum of some forms; their wires are disjoint.
fn total(forms: &[Linear]) -> Linear {
    weighted(forms, std::iter::repeat_n(1, forms.len()))
}

/// The sum of some forms of ones, each times its weight; their wires are disjoint.
fn weighted(forms: &[Linear], weights: impl Iterator<Item = u64>) -> Linear {
    let mut sum = Linear::default();
    for (form, weight) in forms.iter().zip(weights).filter(|(_, weight)| *weight > 0) {
        sum.terms.extend(form.terms.iter().map(|&(wire, one)| (wire, one * u128::from(weight))));
    }
    sum
}

/// For every cell of `coarse`, the sum of the wires of the cells of `fine` that are part of it.
fn marginals(fine: &Grid, wires: &[usize], coarse: &Grid) -> Vec<Linear> {
    let mut groups = vec![Vec::new(); coarse.cells()];
    for (&wire, cell) in wires.iter().zip(fine.project(coarse)) {
        if let Some(group) = cell.and_then(|cell| groups.get_mut(cell)) {
            group.push(wire);
        }
    }
    groups.into_iter().map(Linear::sum).collect()
}
