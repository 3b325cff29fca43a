//! Extreme: the smallest and the largest value of a number column over the records of a cell.

use num_bigint::BigInt;

use super::{
    Answer, Formula, Key, Kind, Page, Question, Refusal, Sums, number,
    ranked::{Ranked, WIDTH},
};
use crate::{
    error::Rule,
    plan::{Request, Term},
    result::{Presentation, Reason},
};

/// The smallest value.
pub(super) const MIN: Extreme = Extreme { is_max: false };
/// The largest value.
pub(super) const MAX: Extreme = Extreme { is_max: true };

/// The value at the first or at the last rank.
pub(super) struct Extreme {
    is_max: bool,
}

impl Kind for Extreme {
    fn name(&self) -> &'static str {
        if self.is_max { "max" } else { "min" }
    }

    fn summary(&self) -> &'static str {
        match self.is_max {
            true => "largest value of an integer or decimal column",
            false => "smallest value of an integer or decimal column",
        }
    }

    fn keys(&self) -> &'static [Key] {
        const { &[Key::columns("of", "an integer or decimal column"), WIDTH] }
    }

    fn page(&self) -> Page {
        let cost = "one sum per cell and possible value, and one bit per record and possible value; at \
                    most 1,024 values, or bins of a `width`";
        let value = "a number; with `width` the smallest and the largest value of its bin, `from` and \
                     `to`; none without records; refused in a study with epsilon";
        match self.is_max {
            true => Page {
                formula: "max x, over the records that have a value",
                cost,
                value,
                example: "name = \"oldest\"\nkind = \"max\"\nof = \"age\"\nby = \"region\"",
            },
            false => Page {
                formula: "min x, over the records that have a value",
                cost,
                value,
                example: "name = \"lowest earnings\"\nkind = \"min\"\nof = \"earnings\"\nwidth = 0.50",
            },
        }
    }

    fn formula(&self, question: &Question<'_>) -> Result<Box<dyn Formula>, Refusal> {
        if question.study.privacy().differential.is_some() {
            return Err(("kind", Rule::NoisyKind { kind: self.name() }));
        }
        Ok(Box::new(End { ranked: Ranked::read(question)?, is_max: self.is_max }))
    }
}

struct End {
    ranked: Ranked,
    is_max: bool,
}

impl Formula for End {
    fn of(&self) -> Vec<usize> {
        vec![self.ranked.column]
    }

    fn counted(&self) -> Term {
        self.ranked.counted()
    }

    fn unit(&self) -> Vec<usize> {
        vec![self.ranked.column]
    }

    fn requests(&self) -> Vec<Request> {
        vec![self.ranked.request()]
    }

    fn answer(&self, cell: &Sums<'_>) -> Result<Answer, Reason> {
        let (n, cumulated) = self.ranked.cumulated(cell)?;
        let rank = if self.is_max { n } else { BigInt::from(1) };
        let found = self.ranked.at(&cumulated, &rank);
        let exact = found.exact().map(|scaled| number::scaled(&scaled, found.decimals()));
        Ok(Answer { value: found.value()?, exact, shown: Presentation::Number(found.text()) })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::{result::Reason, statistic::example};

    #[test]
    fn the_ends_of_some_records() {
        let ages = &["age=31", "age=19", "score=3", "age=80"];
        assert_eq!(example::value("min", "of = \"age\"", ages).unwrap(), json!(19));
        assert_eq!(example::value("max", "of = \"age\"", ages).unwrap(), json!(80));
        assert_eq!(example::value("min", "of = \"age\"", &["age=18"]).unwrap(), json!(18));
        assert_eq!(example::value("max", "of = \"age\"", &["age=18"]).unwrap(), json!(18));
    }

    #[test]
    fn with_a_width_the_answer_is_a_bin() {
        let records = &["earnings=12.34", "earnings=12.99"];
        let value = example::value("min", "of = \"earnings\"\nwidth = 0.5", records);
        assert_eq!(value.unwrap(), json!({ "from": 12.0, "to": 12.49 }));
        let answer = example::answer("max", "of = \"earnings\"\nwidth = 0.5", records).unwrap();
        assert_eq!(answer.value, json!({ "from": 12.5, "to": 12.99 }));
        assert_eq!(answer.exact, None);
    }

    #[test]
    fn without_records_there_is_none() {
        for kind in ["min", "max"] {
            assert_eq!(example::value(kind, "of = \"age\"", &["score=1"]), Err(Reason::NoRecords));
        }
    }
}
