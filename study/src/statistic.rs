//! Statistic: the registry of kinds, and what a kind has to say about itself.
//!
//! A kind reads its keys of the study file, says which sums it needs, and makes an answer of them.
//! A new kind is one file in `statistic/` and one line in the registry below; `count.rs` is the
//! shortest.

use num_bigint::BigInt;
use num_rational::BigRational;

use crate::{
    error::{Rule, list},
    plan::{Request, Term},
    result::{Presentation, Reason},
    study::Statistic,
};

mod anova;
mod average;
mod bins;
mod count;
mod covariance;
mod crosstab;
#[cfg(test)]
mod example;
mod extreme;
mod fairness;
mod grouped;
mod histogram;
mod mean;
mod mode;
mod number;
mod quantile;
mod question;
mod ranked;
mod regression;
mod share;
mod significance;
mod sum;
mod ttest;
mod variance;

pub use question::{Chosen, Question};

/// Every kind, in the order in which they are listed for people.
static KINDS: &[&dyn Kind] = &[
    &count::Count,
    &sum::Sum,
    &mean::Mean,
    &share::Share,
    &variance::VARIANCE,
    &variance::STDDEV,
    &histogram::Histogram,
    &quantile::Quantile,
    &extreme::MIN,
    &extreme::MAX,
    &mode::Mode,
    &crosstab::Crosstab,
    &covariance::COVARIANCE,
    &covariance::CORRELATION,
    &regression::Regression,
    &ttest::TTest,
    &anova::Anova,
    &fairness::Fairness,
];

/// A kind of statistic.
pub trait Kind: Sync {
    /// The word for it in a study file.
    fn name(&self) -> &'static str;

    /// What it computes, in one line for people.
    fn summary(&self) -> &'static str;

    /// Its keys in a study file besides `name`, `kind` and `by`, in the order in which they are
    /// encoded. A kind of columns has the key `of`, or keys of its own for them.
    fn keys(&self) -> &'static [Key];

    /// What its documentation shows.
    fn page(&self) -> Page;

    /// Puts a statistic into the one form that is encoded, where a file may write it in several.
    fn normalise(&self, _statistic: &mut Statistic) {}

    /// The formula of a statistic of this kind, or the key that is wrong and the rule it breaks.
    fn formula(&self, question: &Question<'_>) -> Result<Box<dyn Formula>, Refusal>;
}

/// How one statistic is computed. Columns and settings are resolved and checked.
pub trait Formula {
    /// The columns that the statistic is of, as a result names them.
    fn of(&self) -> Vec<usize>;

    /// What the count of a cell counts: the term is 1 for the records that the answer is of.
    fn counted(&self) -> Term;

    /// The columns whose units, multiplied, are the unit of the values: the column itself for a
    /// mean, twice the same for a variance. Empty where the values are plain numbers.
    fn unit(&self) -> Vec<usize> {
        Vec::new()
    }

    /// The sums that it needs.
    fn requests(&self) -> Vec<Request>;

    /// Whether drawing noise again tells how far noise has moved the answer. It does not where the
    /// answer from noisy sums is biased: the redraws have the same bias.
    fn has_interval(&self) -> bool {
        true
    }

    /// The answer in one cell, or why there is none.
    fn answer(&self, cell: &Sums<'_>) -> Result<Answer, Reason>;
}

/// A key of a kind in a study file.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// The key.
    pub name: &'static str,
    /// What it holds.
    pub holds: Holds,
    /// Whether it may be left out.
    pub is_optional: bool,
    /// What it means, in one line for people.
    pub summary: &'static str,
}

/// What a key holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// One or several texts: columns, or combinations of columns.
    Texts,
    /// One or several numbers.
    Numbers,
}

/// What a kind's documentation shows.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// The formula, in words and symbols.
    pub formula: &'static str,
    /// The sums that a cell takes, and what limits them.
    pub cost: &'static str,
    /// The fields of the value, and when there is none.
    pub value: &'static str,
    /// A `[[statistic]]` over the columns of the documentation's example.
    pub example: &'static str,
}

/// A key that is wrong, and the rule that it breaks.
pub type Refusal = (&'static str, Rule);

/// The opened sums of one cell, of the columns' own (scaled) values: the offsets by which they were
/// summed are already undone.
#[derive(Debug, Clone, Copy)]
pub struct Sums<'a> {
    /// How many records the answer is of. With noise it may be negative.
    pub count: i64,
    /// Per request a sum per combination of its axes' levels; none where it is withheld.
    pub totals: &'a [Vec<Option<BigInt>>],
}

/// A value, what it is exactly, and how people see it.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The value: a number or text, or an object of them.
    pub value: serde_json::Value,
    /// The number as a fraction, where it is one.
    pub exact: Option<BigRational>,
    /// The value for people.
    pub shown: Presentation,
}

/// The kind of this name.
pub fn find(name: &str) -> Option<&'static dyn Kind> {
    kinds().find(|kind| kind.name() == name)
}

/// The rule that a kind of this name breaks: there is none.
pub(crate) fn unknown_kind(name: &str) -> Rule {
    let known = list(kinds().map(|kind| kind.name()));
    Rule::UnknownKind { found: name.into(), known }
}

/// All kinds, in the order in which they are listed for people.
pub fn kinds() -> impl Iterator<Item = &'static dyn Kind> {
    KINDS.iter().copied()
}

impl Key {
    /// A key that has to be there and names columns.
    pub const fn columns(name: &'static str, summary: &'static str) -> Self {
        Self { name, holds: Holds::Texts, is_optional: false, summary }
    }

    /// A key that has to be there and holds numbers.
    pub const fn numbers(name: &'static str, summary: &'static str) -> Self {
        Self { name, holds: Holds::Numbers, is_optional: false, summary }
    }

    /// What to write where the key is missing.
    pub(crate) fn example(&self) -> &'static str {
        match self.holds {
            Holds::Texts => "the name of a column",
            Holds::Numbers => "a number, or a list of numbers",
        }
    }

    /// The same key, which may be left out.
    pub const fn optional(mut self) -> Self {
        self.is_optional = true;
        self
    }
}

impl Sums<'_> {
    /// The sum of a request that has no axes.
    pub fn total(&self, request: usize) -> Result<&BigInt, Reason> {
        let sum = self.totals.get(request).and_then(|totals| totals.first());
        sum.and_then(Option::as_ref).ok_or(Reason::SmallGroup)
    }

    /// All sums of a request with axes, if none of them is withheld.
    pub fn all(&self, request: usize) -> Result<Vec<&BigInt>, Reason> {
        let totals = self.totals.get(request).ok_or(Reason::NotOpened)?;
        let totals: Option<_> = totals.iter().map(Option::as_ref).collect();
        totals.ok_or(Reason::SmallGroup)
    }

    /// The sums of a request with axes, none where one is withheld.
    pub fn each(&self, request: usize) -> &[Option<BigInt>] {
        self.totals.get(request).map_or(&[], Vec::as_slice)
    }
}
