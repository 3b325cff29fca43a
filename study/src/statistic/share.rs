//! Share: which part of the records of a cell is true in a boolean column.

use super::{Formula, Key, Kind, Page, Question, Refusal, average::Average};
use crate::study::ColumnType;

/// Σv / Σ1 over the records of a cell that have a value, where v is 1 for true: in 0..=1.
pub(super) struct Share;

impl Kind for Share {
    fn name(&self) -> &'static str {
        "share"
    }

    fn summary(&self) -> &'static str {
        "part of the records that is true in a boolean column, 0 to 1"
    }

    fn keys(&self) -> &'static [Key] {
        const { &[Key::columns("of", "a boolean column")] }
    }

    fn page(&self) -> Page {
        Page {
            formula: "Σv / n, over the n records that have a value, where v is 1 for true",
            cost: "per cell Σv and n",
            value: "a number from 0 to 1; none without records",
            example: "name = \"graduates by region\"\nkind = \"share\"\nof = \"graduate\"\nby = \"region\"",
        }
    }

    fn formula(&self, question: &Question<'_>) -> Result<Box<dyn Formula>, Refusal> {
        let is_boolean = |column: &crate::Column| column.holds == ColumnType::Boolean;
        let of = question.column("of", "boolean", is_boolean)?;
        Ok(Box::new(Average { column: of.place, decimals: 0, digits: 4 }))
    }
}
