//! Mean: the average of a number column over the records of a cell.

use super::{Answer, Kind, Sums, average, is_number, one_column};
use crate::{error::Rule, plan::Term, study::Column};

/// Σx / Σ1 over the records of a cell that have a value, where Σx = Σv + min·Σ1 and v = x − min.
/// The sums are integers; the one division comes last.
pub(super) struct Mean;

impl Kind for Mean {
    fn name(&self) -> &'static str {
        "mean"
    }

    fn summary(&self) -> &'static str {
        "average of an integer or decimal column"
    }

    fn check(&self, of: &[&Column]) -> Result<(), Rule> {
        one_column(self.name(), of, "integer or decimal", is_number)
    }

    fn terms(&self, of: &[usize]) -> Vec<Term> {
        of.iter().map(|&column| Term::Value(column)).collect()
    }

    fn value(&self, cell: &Sums<'_>) -> Option<Answer> {
        average(cell)
    }

    fn digits(&self, of: &[&Column]) -> u32 {
        of.first().map_or(0, |column| u32::from(column.decimals()) + 2)
    }
}
