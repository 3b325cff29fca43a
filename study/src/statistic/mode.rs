//! Mode: the most frequent label of a category or boolean column.

use serde_json::Value;

use super::{Answer, Chosen, Formula, Key, Kind, Page, Question, Refusal, Sums};
use crate::{
    plan::{Axis, Request, Term},
    result::{Presentation, Reason},
};

/// The label with the largest Σ1 of a cell.
pub(super) struct Mode;

impl Kind for Mode {
    fn name(&self) -> &'static str {
        "mode"
    }

    fn summary(&self) -> &'static str {
        "most frequent label of a category or boolean column"
    }

    fn keys(&self) -> &'static [Key] {
        const { &[Key::columns("of", "a category or boolean column")] }
    }

    fn page(&self) -> Page {
        Page {
            formula: "the label with the largest n; of several, the first in the column's order",
            cost: "one sum per cell and label",
            value: "a label, or \"false\" or \"true\"; none without records",
            example: "name = \"most people\"\nkind = \"mode\"\nof = \"region\"\nby = \"gender\"",
        }
    }

    fn formula(&self, question: &Question<'_>) -> Result<Box<dyn Formula>, Refusal> {
        let of = question.column("of", "category or boolean", Chosen::has_levels)?;
        // A column with levels has steps.
        let axis = of.steps().into_iter().collect();
        Ok(Box::new(Frequent { column: of.place, labels: of.levels(), axis }))
    }
}

struct Frequent {
    column: usize,
    labels: Vec<String>,
    axis: Vec<Axis>,
}

impl Formula for Frequent {
    fn of(&self) -> Vec<usize> {
        vec![self.column]
    }

    fn counted(&self) -> Term {
        Term::present([self.column])
    }

    fn requests(&self) -> Vec<Request> {
        vec![Request::split(self.counted(), self.axis.clone())]
    }

    fn answer(&self, cell: &Sums<'_>) -> Result<Answer, Reason> {
        let counts = cell.all(0)?;
        // The last of several maxima is the first label, in reversed order.
        let most = counts.iter().zip(&self.labels).rev().max_by_key(|(count, _)| **count);
        match most {
            Some((count, label)) if **count > num_bigint::BigInt::ZERO => Ok(Answer {
                value: Value::from(label.as_str()),
                exact: None,
                shown: Presentation::Text(label.clone()),
            }),
            _ => Err(Reason::NoRecords),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::{result::Reason, statistic::example};

    #[test]
    fn the_most_frequent_label_and_the_first_of_equals() {
        let mode = |records| example::value("mode", "of = \"region\"", records);
        assert_eq!(mode(&["region=West", "region=North", "region=West"]).unwrap(), json!("West"));
        assert_eq!(mode(&["region=West", "region=South"]).unwrap(), json!("South"));
        assert_eq!(mode(&["region=West", "age=20"]).unwrap(), json!("West"));
        assert_eq!(mode(&["age=20"]), Err(Reason::NoRecords));
    }

    #[test]
    fn a_truth_value_is_a_label() {
        let records = &["graduate=true", "graduate=true", "graduate=false"];
        assert_eq!(example::value("mode", "of = \"graduate\"", records).unwrap(), json!("true"));
    }

    #[test]
    fn numbers_are_refused() {
        let found = example::refusal("mode", "of = \"age\"");
        assert!(found.contains("a mode takes a column of type category or boolean"), "{found}");
    }
}
