//! Sum: the total of a number column over the records of a cell.

use super::{Answer, Kind, Sums, is_number, one_column};
use crate::{
    decimal,
    error::Rule,
    plan::Term,
    result::{Exact, Scalar},
    study::Column,
};

/// Σx = Σv + min·Σ1 over the records of a cell that have a value, where v = x − min. Without any
/// it is 0.
pub(super) struct Sum;

impl Kind for Sum {
    fn name(&self) -> &'static str {
        "sum"
    }

    fn summary(&self) -> &'static str {
        "total of an integer or decimal column"
    }

    fn check(&self, of: &[&Column]) -> Result<(), Rule> {
        one_column(self.name(), of, "integer or decimal", is_number)
    }

    fn terms(&self, of: &[usize]) -> Vec<Term> {
        of.iter().map(|&column| Term::Value(column)).collect()
    }

    fn value(&self, cell: &Sums<'_>) -> Option<Answer> {
        let exact = Exact {
            numerator: cell.total(),
            count: cell.count,
            decimals: cell.decimals(),
            is_average: false,
        };
        let value = match exact.decimals {
            0 => Scalar::from_integer(exact.numerator),
            decimals => Scalar::Real(decimal::nearest(exact.numerator, decimals)),
        };
        Some(Answer { value, exact })
    }

    fn digits(&self, of: &[&Column]) -> u32 {
        of.first().map_or(0, |column| column.decimals().into())
    }
}
