//! Count: how many records there are in a cell.

use super::{Answer, Kind, Sums};
use crate::{
    error::Rule,
    plan::Term,
    result::{Exact, Scalar},
    study::Column,
};

/// Σ1 over the records of a cell. It is of no column.
pub(super) struct Count;

impl Kind for Count {
    fn name(&self) -> &'static str {
        "count"
    }

    fn summary(&self) -> &'static str {
        "number of records"
    }

    fn check(&self, of: &[&Column]) -> Result<(), Rule> {
        match of {
            [] => Ok(()),
            _ => Err(Rule::TakesNoColumn { kind: self.name() }),
        }
    }

    fn terms(&self, _of: &[usize]) -> Vec<Term> {
        Vec::new()
    }

    fn value(&self, cell: &Sums<'_>) -> Option<Answer> {
        let exact = Exact {
            numerator: cell.count.into(),
            count: cell.count,
            decimals: 0,
            is_average: false,
        };
        Some(Answer { value: Scalar::from_integer(exact.numerator), exact })
    }

    fn digits(&self, _of: &[&Column]) -> u32 {
        0
    }
}
