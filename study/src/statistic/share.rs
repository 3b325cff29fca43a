//! Share: which part of the records of a cell is true in a boolean column.

use super::{Answer, Kind, Sums, average, one_column};
use crate::{
    error::Rule,
    plan::Term,
    study::{Column, ColumnType},
};

/// Σv / Σ1 over the records of a cell that have a value, where v is 1 for true: in 0..=1.
pub(super) struct Share;

impl Kind for Share {
    fn name(&self) -> &'static str {
        "share"
    }

    fn summary(&self) -> &'static str {
        "part of the records that is true in a boolean column, 0 to 1"
    }

    fn check(&self, of: &[&Column]) -> Result<(), Rule> {
        let is_boolean = |column: &Column| column.holds == ColumnType::Boolean;
        one_column(self.name(), of, "boolean", is_boolean)
    }

    fn terms(&self, of: &[usize]) -> Vec<Term> {
        of.iter().map(|&column| Term::Value(column)).collect()
    }

    fn value(&self, cell: &Sums<'_>) -> Option<Answer> {
        average(cell)
    }

    fn digits(&self, _of: &[&Column]) -> u32 {
        4
    }
}
