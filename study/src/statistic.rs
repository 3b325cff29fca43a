//! Statistic: the registry of kinds, and what a kind has to say about itself.
//!
//! A kind answers four questions: which columns it takes, which sums it needs per cell, what its
//! value is given those sums, and how many digits of it a table shows. A new kind is one file in
//! `statistic/` and one line in the registry below.

use crate::{
    error::Rule,
    plan::Term,
    result::{Exact, Scalar},
    study::Column,
};

mod count;
mod mean;
mod share;
mod sum;

/// Every kind.
static KINDS: &[&dyn Kind] = &[&count::Count, &sum::Sum, &mean::Mean, &share::Share];

/// A kind of statistic.
pub trait Kind: Sync {
    /// The word for it in a study file.
    fn name(&self) -> &'static str;

    /// What it computes, in one line for people.
    fn summary(&self) -> &'static str;

    /// Whether it takes these columns.
    fn check(&self, of: &[&Column]) -> Result<(), Rule>;

    /// What one of its cells counts: records with a value in its first column, or, for a kind
    /// that is of no column, records.
    fn count(&self, of: &[usize]) -> Term {
        of.first().map_or(Term::Records, |&column| Term::Present(column))
    }

    /// The sums that it needs per cell besides the count; `of` are places of columns.
    fn terms(&self, of: &[usize]) -> Vec<Term>;

    /// Its value in one cell; none without records that it could be of.
    fn value(&self, cell: &Sums<'_>) -> Option<Answer>;

    /// Digits after the point in a table.
    fn digits(&self, of: &[&Column]) -> u32;
}

/// The opened sums of one cell.
#[derive(Debug, Clone, Copy)]
pub struct Sums<'a> {
    /// The count that [`Kind::count`] asked for.
    pub count: u64,
    /// The sums that [`Kind::terms`] asked for, in that order, of the columns' own (scaled)
    /// values: the offset by which they were summed is already undone.
    pub totals: &'a [i128],
    /// The columns that the statistic is of.
    pub of: &'a [&'a Column],
}

/// A value, and the integers that it is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The value.
    pub value: Scalar,
    /// What it is made of.
    pub exact: Exact,
}

/// The kind of this name.
pub fn find(name: &str) -> Option<&'static dyn Kind> {
    kinds().find(|kind| kind.name() == name)
}

/// All kinds, in the order in which they are listed for people.
pub fn kinds() -> impl Iterator<Item = &'static dyn Kind> {
    KINDS.iter().copied()
}

impl Sums<'_> {
    /// The first total; zero for a kind that asked for none.
    fn total(&self) -> i128 {
        self.totals.first().copied().unwrap_or(0)
    }

    /// Decimals of the first column.
    fn decimals(&self) -> u32 {
        self.of.first().map_or(0, |column| column.decimals().into())
    }
}

/// The rule of a kind that is of one column of certain types.
fn one_column(
    kind: &'static str,
    of: &[&Column],
    accepts: &'static str,
    is_accepted: impl Fn(&Column) -> bool,
) -> Result<(), Rule> {
    let &[column] = of else {
        return Err(Rule::TakesOneColumn { kind, found: of.len(), accepts });
    };
    if is_accepted(column) {
        return Ok(());
    }
    let holds = column.holds.name();
    Err(Rule::ColumnType { column: column.name.clone(), holds, kind, accepts })
}

/// total / (count · 10^decimals): both sides are exact integers, and this division is the only
/// rounding (twice more where one of them exceeds 2^53). None without records.
fn average(cell: &Sums<'_>) -> Option<Answer> {
    if cell.count == 0 {
        return None;
    }
    let exact = Exact {
        numerator: cell.total(),
        count: cell.count,
        decimals: cell.decimals(),
        is_average: true,
    };
    let denominator = u128::from(cell.count) * 10u128.pow(exact.decimals);
    // The rounding to double precision is meant.
    let value = Scalar::Real(exact.numerator as f64 / denominator as f64);
    Some(Answer { value, exact })
}

/// Whether a column holds numbers.
fn is_number(column: &Column) -> bool {
    matches!(column.holds.name(), "integer" | "decimal")
}
