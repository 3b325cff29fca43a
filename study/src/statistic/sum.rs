//! Sum: the total of a number column over the records of a cell.

use super::{Answer, Chosen, Formula, Key, Kind, Page, Question, Refusal, Sums, number};
use crate::{
    plan::{Request, Term},
    result::Reason,
};

/// Σx over the records of a cell that have a value. Without any it is 0.
pub(super) struct Sum;

impl Kind for Sum {
    fn name(&self) -> &'static str {
        "sum"
    }

    fn summary(&self) -> &'static str {
        "total of an integer or decimal column"
    }

    fn keys(&self) -> &'static [Key] {
        const { &[Key::columns("of", "an integer or decimal column")] }
    }

    fn page(&self) -> Page {
        Page {
            formula: "Σx, over the records that have a value",
            cost: "per cell Σx and n",
            value: "a number; 0 without records",
            example: "name = \"total earnings\"\nkind = \"sum\"\nof = \"earnings\"",
        }
    }

    fn formula(&self, question: &Question<'_>) -> Result<Box<dyn Formula>, Refusal> {
        let of = question.column("of", "integer or decimal", Chosen::is_number)?;
        Ok(Box::new(Total { column: of.place, decimals: of.decimals() }))
    }
}

struct Total {
    column: usize,
    decimals: u32,
}

impl Formula for Total {
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
        number::decimal(cell.total(0)?, self.decimals)
    }
}
