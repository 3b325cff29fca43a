//! Build: from a layout to the circuit of one record.

use std::collections::BTreeMap;

use mpc::circuit::{Circuit, CircuitBuilder, Linear};

use super::{
    Term,
    encode::weights,
    grid::Grid,
    layout::{Layout, Sums, contains},
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
    /// The presence bit of each of them that may be missing.
    present: BTreeMap<usize, usize>,
    joints: Vec<(Grid, Vec<usize>)>,
    /// The bit that is always 1.
    one: Option<usize>,
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
        products: BTreeMap::new(),
    };
    for &column in &layout.values {
        wires.add_value(column);
    }
    for joint in &layout.joints {
        wires.add_joint(joint);
    }
    if layout.has_one() {
        let one = wires.circuit.bit();
        wires.circuit.require_zero(&Linear::wire(one).plus(-1));
        wires.one = Some(one);
    }
    wires.agree_on_shared_columns();
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
    /// The bits of one number or truth value, and its presence.
    fn add_value(&mut self, place: usize) {
        // A place in a layout is that of a column of its study.
        let column = &self.study.columns()[place];
        let range = column.range().map_or(0, |(min, max)| max.abs_diff(min));
        let mut value = Linear::default();
        for weight in weights(range) {
            value.terms.push((self.circuit.bit(), weight.into()));
        }
        if column.missing_allowed {
            let present = self.circuit.bit();
            if !value.terms.is_empty() {
                // The weights are positive and their sum is below p: the value is 0 only if
                // every bit is.
                self.circuit.require_product_zero(&value, &Linear::complement(present));
            }
            self.present.insert(place, present);
        }
        self.values.insert(place, value);
    }

    /// A joint one-hot vector: at most [`crate::limits::CELLS`] bits that add up to 1, so that
    /// exactly one of them is set.
    fn add_joint(&mut self, joint: &Grid) {
        let cells: Vec<_> = (0..joint.cells()).map(|_| self.circuit.bit()).collect();
        self.circuit.require_zero(&Linear::sum(cells.iter().copied()).plus(-1));
        self.joints.push((joint.clone(), cells));
    }

    /// Makes every one-hot vector tell the same level of a column as the first vector with that
    /// column. The last level follows, because all levels of a vector add up to 1.
    fn agree_on_shared_columns(&mut self) {
        for (later, (joint, cells)) in self.joints.iter().enumerate() {
            for &column in &joint.columns {
                let mut earlier = self.joints.iter().take(later);
                let first = earlier.find(|(other, _)| other.columns.contains(&column));
                let Some((first, first_cells)) = first else { continue };
                let level = Grid::of_records(self.study, &[column]);
                let ours = marginals(joint, cells, &level);
                let theirs = marginals(first, first_cells, &level);
                for (ours, theirs) in ours.iter().zip(&theirs).skip(1) {
                    self.circuit.require_zero(&theirs.clone().minus(ours));
                }
            }
        }
    }

    /// The indicator of every cell of a set, as sums of the bits of the smallest vector that
    /// contains the set.
    fn indicators(&self, set: &[usize]) -> Vec<Linear> {
        let holders = self.joints.iter().filter(|(joint, _)| contains(&joint.columns, set));
        let smallest = holders.min_by_key(|(joint, _)| joint.cells());
        match smallest {
            Some((joint, cells)) => marginals(joint, cells, &Grid::of_labels(self.study, set)),
            // Only the empty set may be in no vector; its one cell holds every record.
            None => self.one.map(Linear::wire).into_iter().collect(),
        }
    }

    fn add_products(&mut self, sums: &Sums) {
        let (term, set) = sums;
        let factor = self.factor(*term);
        let indicators = self.indicators(set);
        let product = |indicator| self.circuit.product(&factor, indicator);
        let products = indicators.iter().map(product).collect();
        self.products.insert(sums.clone(), products);
    }

    /// What a record adds to each cell of some sums.
    fn sums(&self, (term, set): &Sums, source: &[usize]) -> Vec<Linear> {
        if *term == Term::Records {
            return self.indicators(set);
        }
        if set.is_empty() {
            return vec![self.factor(*term)];
        }
        // Every source has products.
        let products = self.products.get(&(*term, source.to_vec()));
        let source = Grid::of_labels(self.study, source);
        let coarse = Grid::of_labels(self.study, set);
        products.map_or_else(Vec::new, |products| marginals(&source, products, &coarse))
    }

    /// A term as a form.
    fn factor(&self, term: Term) -> Linear {
        match term {
            Term::Records => self.one.map(Linear::wire).unwrap_or_default(),
            Term::Present(column) => {
                self.present.get(&column).copied().map(Linear::wire).unwrap_or_default()
            }
            Term::Value(column) => self.values.get(&column).cloned().unwrap_or_default(),
        }
    }
}

/// For every cell of `coarse`, the sum of the wires of the cells of `fine` that belong to it.
fn marginals(fine: &Grid, wires: &[usize], coarse: &Grid) -> Vec<Linear> {
    let mut groups = vec![Vec::new(); coarse.cells()];
    for (&wire, cell) in wires.iter().zip(fine.project(coarse)) {
        if let Some(group) = cell.and_then(|cell| groups.get_mut(cell)) {
            group.push(wire);
        }
    }
    groups.into_iter().map(Linear::sum).collect()
}
