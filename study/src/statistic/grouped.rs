//! Grouped: the sums of a number column within the groups of another column, for the kinds that
//! compare groups.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{Signed as _, ToPrimitive as _};

use super::{Chosen, Question, Refusal, Sums, number};
use crate::{
    error::Rule,
    plan::{Axis, Request, Term},
    result::Reason,
    study::Column,
};

/// A number column, and the column whose levels are the groups.
#[derive(Debug)]
pub(super) struct Grouped {
    columns: [usize; 2],
    /// The name of the number column.
    pub(super) name: String,
    /// Its decimals.
    pub(super) decimals: u32,
    /// The name of the column of groups.
    pub(super) between: String,
    labels: Vec<String>,
    axis: Vec<Axis>,
}

/// The scaled sums of one group.
#[derive(Debug)]
pub(super) struct Group<'a> {
    /// Its label.
    pub(super) label: &'a str,
    /// How many records it has. With noise it may be negative.
    pub(super) n: &'a BigInt,
    /// Σx.
    pub(super) sum: &'a BigInt,
    /// Σx².
    pub(super) squares: &'a BigInt,
}

impl Grouped {
    /// The columns of the keys `of` and `between`, where the latter has to fulfil `is_accepted`.
    pub(super) fn read(
        question: &Question<'_>,
        accepts: &'static str,
        is_accepted: impl Fn(&Column) -> bool,
    ) -> Result<Self, Refusal> {
        let of = question.column("of", "integer, decimal or boolean", Chosen::is_numeric)?;
        let between = question.column("between", accepts, is_accepted)?;
        let name = of.column.name.clone();
        if of.place == between.place {
            return Err(("between", Rule::Duplicate { what: "column", name }));
        }
        Ok(Self {
            columns: [of.place, between.place],
            name,
            decimals: of.decimals(),
            between: between.column.name.clone(),
            labels: between.levels(),
            // Columns with levels have steps.
            axis: between.steps().into_iter().collect(),
        })
    }

    /// Both columns.
    pub(super) fn of(&self) -> Vec<usize> {
        self.columns.to_vec()
    }

    /// The number column, whose unit the means have.
    pub(super) fn unit(&self) -> Vec<usize> {
        let [x, _] = self.columns;
        vec![x]
    }

    /// 1 for the records that have a value and a group.
    pub(super) fn counted(&self) -> Term {
        Term::present(self.columns)
    }

    /// Σ1, Σx and Σx² per group.
    pub(super) fn requests(&self) -> Vec<Request> {
        let [x, _] = self.columns;
        let split = |term| Request::split(term, self.axis.clone());
        let powers = [vec![x], vec![x, x]].map(|columns| split(Term::product(columns)));
        [split(Term::present([x])).shown()].into_iter().chain(powers).collect()
    }

    /// The groups, in the order of their labels.
    pub(super) fn groups<'a>(&'a self, cell: &'a Sums<'_>) -> Result<Vec<Group<'a>>, Reason> {
        let (counts, sums, squares) = (cell.all(0)?, cell.all(1)?, cell.all(2)?);
        let groups = self.labels.iter().zip(counts).zip(sums).zip(squares);
        let group = |(((label, n), sum), squares): (((&'a String, _), _), _)| Group {
            label,
            n,
            sum,
            squares,
        };
        Ok(groups.map(group).collect())
    }
}

impl Group<'_> {
    /// Whether it has no records. Noise can make it so.
    pub(super) fn is_empty(&self) -> bool {
        !self.n.is_positive()
    }

    /// The number of records where it is one of a sensible size.
    pub(super) fn count(&self) -> Result<i64, Reason> {
        self.n.to_i64().ok_or(Reason::NotFinite)
    }

    /// Σx / n of a group that is not empty, in the column's own unit.
    pub(super) fn mean(&self, decimals: u32) -> BigRational {
        number::scaled(self.sum, decimals) / BigRational::from_integer(self.n.clone())
    }
}
