//! Cost: what a record of a study takes, and which statistic takes how much of it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Plan, grid::Grid, layout::Sums};

/// What one record costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Field elements that a provider sends.
    pub wires: usize,
    /// Those of them that are bits.
    pub bits: usize,
    /// Those of them that are products.
    pub products: usize,
    /// Multiplications that the proof covers: one per bit, per product, and per product that has to
    /// be zero. The time of provider and servers grows with them.
    pub multiplications: usize,
    /// Sums that the servers keep.
    pub outputs: usize,
}

/// The coordinates that one statistic is computed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Used {
    /// How many there are.
    pub sums: usize,
    /// From how many of them another statistic is computed as well.
    pub shared: usize,
}

impl Plan {
    /// What one record costs.
    pub fn cost(&self) -> Cost {
        let (wires, bits) = (self.circuit.wires(), self.circuit.bits());
        let (outputs, multiplications) = (self.circuit.outputs(), self.circuit.multiplications());
        Cost { wires, bits, products: wires - bits, multiplications, outputs }
    }

    /// The coordinates that every statistic uses, in the study's order.
    pub fn used(&self) -> Vec<Used> {
        let mut users: BTreeMap<&Sums, BTreeSet<usize>> = BTreeMap::new();
        for (sums, need) in &self.needs {
            users.entry(self.kept(sums, need)).or_default().extend(&need.statistics);
        }
        let mut used = vec![Used::default(); self.study.statistics().len()];
        for ((_, set), statistics) in users {
            let cells = Grid::of_values(set).cells();
            let shared = if statistics.len() > 1 { cells } else { 0 };
            for place in statistics {
                if let Some(used) = used.get_mut(place) {
                    used.sums += cells;
                    used.shared += shared;
                }
            }
        }
        used
    }

    /// The plan of the study without one statistic: what is missing in it is what that statistic
    /// alone is responsible for. None if the study has no other.
    ///
    /// The rest may cost more by itself: the cells of a finer grouping also give coarser ones.
    pub fn without(&self, statistic: usize) -> Option<Self> {
        Self::new(&self.study.without(statistic)?).ok()
    }
}
