//! Plan: how the records of a study become sums, and how the sums become its answers.
//!
//! Client, servers and auditor derive the same plan from the study alone. A record is encoded as a
//! vector of field elements (wires), the servers add up linear forms of them (coordinates), and
//! the opened totals are decoded.
//!
//! # Terms and cells
//! What a statistic needs are sums of *terms* over *cells*. A [`Term`] is a product of a record's
//! values (1 for a count), over the records that have a value in certain columns. Cells are made by
//! [`Axis`]: a column divided into levels (labels, false and true, steps or bins of a number). The
//! cells of `by`, the bins of a histogram and the dummies of a regression are all axes.
//!
//! # Encoding
//! - A *number* x in min..=max is v = x − min in 0..=R. With b the bit length of R it takes b bits
//!   of weights 1, 2, …, 2^(b−2) and R − (2^(b−1) − 1): whatever the bits are, v is in 0..=R. The
//!   last bit is set only where v > 2^(b−1) − 1. A truth value is the case R = 1; R = 0 takes none.
//! - A value that *may be missing* has one more bit, `present`, and v · (1 − present) = 0. All
//!   weights are positive and v < p, so v = 0 forces every bit of a missing value to 0.
//! - *Axes*: a set of axes that is needed and refined by no other needed set has one joint one-hot
//!   vector over the product of its levels, a bit per cell; the bits add up to 1. Where a column may
//!   be missing, that is one more level of it. Two vectors that share a column have equal marginals
//!   there, so that they tell of one and the same cell. The indicator of a coarser cell is a sum of
//!   bits.
//! - A *number with an axis* has no bits of its own. If only its level matters, the vector is all;
//!   else v = Σ start·level + place, where the place within the level is a number of bits in
//!   0..=w−1. Where levels are of different widths, place + rest = Σ (width−1)·level with both in
//!   0..=w−1 proves that the place is within its level. A second division of the same column that
//!   the first one does not refine gives the same v.
//! - A *product* of two terms is one wire: v·v, v·w, present·present. A product t · g is a wire for
//!   every term t and every cell's indicator g of the sets that the term is summed over. Where one
//!   such set refines another, and every record of the coarser cells is in a finer one, the coarser
//!   sums are sums of the finer ones.
//!
//! # Coordinates
//! Each is Σ t·g over all records: one per term, set and cell in which all values are there. A
//! record without a value in a column of `by` is in no cell of that statistic. The number of all
//! records is public and has no coordinate, unless a sum over all records has to wait for it
//! (`min_cell` above `min_records`) or there would be no coordinate at all.
//!
//! Without suppression (`min_cell` = 1) sums that follow from finer ones are derived by the decoder
//! and not sent. With suppression every set has its own, and all counts are opened before the first
//! value, so that the values of small cells stay closed, and of those from which a small cell's
//! would follow (`disclosure.rs`). The counts themselves are seen by whoever sees the openings; only
//! the result leaves the withheld ones out.
//!
//! # Example
//! Mean earnings (0.00..=500.00, R = 50,000) by region (4), by gender (2) and by both, and mean age
//! (21..=64, R = 43) by region: 16 + 6 value bits, 8 one-hot bits, 8 + 4 products, 42 wires; 8
//! counts, 8 sums of earnings and 4 sums of ages are opened.

use std::{collections::BTreeMap, sync::Arc};

use mpc::{Field128, circuit::Circuit};

use crate::{
    error::{Rule, StudyError},
    record::{Record, RecordError},
    result::StudyResult,
    study::Study,
};

pub use noise::Noise;

use grid::Grid;

mod build;
mod cost;
mod decode;
mod disclosure;
mod encode;
mod equations;
mod grid;
mod layout;
mod noise;
mod opening;
mod read;
mod repeat;
mod spread;
mod term;
mod values;

pub use cost::{Cost, Used};
pub use term::{Axis, Request, Term};

/// The plan of a study.
#[derive(Debug, Clone)]
pub struct Plan {
    study: Study,
    circuit: Arc<Circuit>,
    encoding: encode::Encoding,
    needs: BTreeMap<layout::Sums, layout::Need>,
    /// The first coordinate of the sums that have coordinates of their own.
    blocks: BTreeMap<layout::Sums, usize>,
    gates: Vec<opening::Gate>,
    noise: Option<Noise>,
}

/// What was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Totals {
    /// Accepted records.
    pub records: u64,
    /// A total per coordinate, with its noise if it has any (then it may be negative); none where it
    /// was never opened.
    pub values: Vec<Option<i128>>,
}

impl Plan {
    /// The plan of a study.
    pub fn new(study: &Study) -> Result<Self, StudyError> {
        let layout = layout::Layout::new(study)
            .map_err(|(place, _, rule)| StudyError::of_statistic(study, place, rule))?;
        let build::Built { circuit, blocks } = build::build(study, &layout);
        let gates = opening::gates(study, &layout, &blocks);
        let encoding = encode::Encoding::new(&layout);
        let noise = Noise::new(study, &blocks);
        let (study, circuit) = (study.clone(), Arc::new(circuit));
        Ok(Self { study, circuit, encoding, needs: layout.needs, blocks, gates, noise })
    }

    /// The study.
    pub fn study(&self) -> &Study {
        &self.study
    }

    /// The circuit of one record.
    pub fn circuit(&self) -> &Arc<Circuit> {
        &self.circuit
    }

    /// Appends a record's wires to `wires`.
    ///
    /// # Errors
    /// If the record is not one of the study's: nothing is appended then, and the error names the
    /// column and not the value.
    pub fn encode(&self, record: &Record, wires: &mut Vec<Field128>) -> Result<(), RecordError> {
        let bits = self.encoding.bits(&self.study, record)?;
        self.circuit.encode(&bits, wires);
        Ok(())
    }

    /// How many coordinates there are.
    pub fn coordinates(&self) -> usize {
        self.circuit.outputs()
    }

    /// Which coordinates may be opened next, given the number of accepted records and what is open
    /// already (none: still closed). Nothing: finished.
    ///
    /// Without suppression that is everything at once; with suppression all counts, then the
    /// values of the cells that are not withheld.
    pub fn next_opening(&self, records: u64, opened: &[Option<i128>]) -> Vec<usize> {
        opening::next(self, records, opened)
    }

    /// The sums with coordinates that some needed sums are read from: these or their source.
    fn kept<'a>(&self, sums: &'a layout::Sums, need: &'a layout::Need) -> &'a layout::Sums {
        if self.blocks.contains_key(sums) { sums } else { &need.source }
    }

    /// The noise that the sums get; none without differential privacy.
    pub fn noise(&self) -> Option<&Noise> {
        self.noise.as_ref()
    }

    /// The largest total that valid records can have, per coordinate: a larger one is a lie.
    pub fn bounds(&self, records: u64) -> Vec<u128> {
        let mut bounds = vec![u128::from(records); self.coordinates()];
        for ((term, set), &start) in &self.blocks {
            let span = term.span(&self.study);
            let cells = Grid::of_values(set).cells();
            for bound in bounds.iter_mut().skip(start).take(cells) {
                *bound = bound.saturating_mul(span);
            }
        }
        bounds
    }

    /// The answers. A coordinate that is not there counts as never opened.
    pub fn decode(&self, totals: &Totals) -> StudyResult {
        decode::decode(self, totals)
    }
}

/// Checks that a study's plan is within limits, without making it. An error names the statistic by
/// its place and the key that is to blame.
pub(crate) fn check_size(study: &Study) -> Result<(), (usize, &'static str, Rule)> {
    layout::Layout::new(study).map(|_| ())
}

/// Checks that the noise of a study whose plan is within limits is so, too.
pub(crate) fn check_noise(study: &Study) -> Result<(), Rule> {
    let Ok(layout) = layout::Layout::new(study) else { return Ok(()) };
    let outputs = layout.needs.iter().filter(|(sums, need)| layout.is_output(sums, need));
    noise::check(study, outputs.map(|(sums, _)| sums))
}
