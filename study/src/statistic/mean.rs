//! Mean: the average of a number column over the records of a cell.

use super::{Chosen, Formula, Key, Kind, Page, Question, Refusal, average::Average};

/// Σx / Σ1 over the records of a cell that have a value.
pub(super) struct Mean;

impl Kind for Mean {
    fn name(&self) -> &'static str {
        "mean"
    }

    fn summary(&self) -> &'static str {
        "average of an integer or decimal column"
    }

    fn keys(&self) -> &'static [Key] {
        const { &[Key::columns("of", "an integer or decimal column")] }
    }

    fn page(&self) -> Page {
        Page {
            formula: "Σx / n, over the n records that have a value",
            cost: "per cell Σx and n",
            value: "a number; none without records",
            example: "name = \"earnings by region\"\nkind = \"mean\"\nof = \"earnings\"\nby = \"region\"",
        }
    }

    fn formula(&self, question: &Question<'_>) -> Result<Box<dyn Formula>, Refusal> {
        let of = question.column("of", "integer or decimal", Chosen::is_number)?;
        let decimals = of.decimals();
        Ok(Box::new(Average { column: of.place, decimals, digits: decimals + 2 }))
    }
}
