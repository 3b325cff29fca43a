//! Average: what the kinds that divide a total by a count have in common.

use num_rational::BigRational;

use super::{Answer, Formula, Sums, number};
use crate::{
    plan::{Request, Term},
    result::Reason,
};

/// Σx / Σ1 over the records with a value; both are exact integers, and the division is rounded
/// once, when the fraction becomes a double.
#[derive(Debug)]
pub(super) struct Average {
    /// The column's place.
    pub(super) column: usize,
    /// The column's decimals.
    pub(super) decimals: u32,
    /// Digits in a table.
    pub(super) digits: u32,
}

impl Formula for Average {
    fn of(&self) -> Vec<usize> {
        vec![self.column]
    }

    fn counted(&self) -> Term {
        Term::present([self.column])
    }

    fn unit(&self) -> Vec<usize> {
        vec![self.column]
    }

    fn requests(&self) -> Vec<Request> {
        vec![Request::total(Term::product([self.column]))]
    }

    fn answer(&self, cell: &Sums<'_>) -> Result<Answer, Reason> {
        let total = number::scaled(cell.total(0)?, self.decimals);
        if cell.count <= 0 {
            return Err(Reason::NoRecords);
        }
        number::fraction(total / BigRational::from_integer(cell.count.into()), self.digits)
    }
}
