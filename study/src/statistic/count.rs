//! Count: how many records there are in a cell.

use super::{Answer, Formula, Key, Kind, Page, Question, Refusal, Sums, number};
use crate::{
    plan::{Request, Term},
    result::Reason,
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

    fn keys(&self) -> &'static [Key] {
        &[]
    }

    fn page(&self) -> Page {
        Page {
            formula: "n = Σ1",
            cost: "one sum per cell; none without `by`, where it is the public number of records",
            value: "a whole number",
            example: "name = \"people\"\nkind = \"count\"\nby = \"region\"",
        }
    }

    fn formula(&self, _question: &Question<'_>) -> Result<Box<dyn Formula>, Refusal> {
        Ok(Box::new(Records))
    }
}

struct Records;

impl Formula for Records {
    fn of(&self) -> Vec<usize> {
        Vec::new()
    }

    fn counted(&self) -> Term {
        Term::records()
    }

    fn requests(&self) -> Vec<Request> {
        Vec::new()
    }

    fn answer(&self, cell: &Sums<'_>) -> Result<Answer, Reason> {
        number::decimal(&cell.count.into(), 0)
    }
}
