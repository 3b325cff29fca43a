//! Quantile: the values of a number column that given parts of the records do not exceed.

use num_bigint::BigInt;
use serde_json::{Map, Value};

use super::{
    Answer, Formula, Key, Kind, Page, Question, Refusal, Sums,
    ranked::{Ranked, WIDTH},
};
use crate::{
    decimal,
    error::Rule,
    plan::{Request, Term},
    result::{Presentation, Reason, Sheet},
};

/// The inverse of the distribution function, exactly: values, never between them.
pub(super) struct Quantile;

/// Digits after the point that a `q` may have.
const DIGITS: u8 = 9;
/// A `q` of 1.
const ONE: i128 = 1_000_000_000;

impl Kind for Quantile {
    fn name(&self) -> &'static str {
        "quantile"
    }

    fn summary(&self) -> &'static str {
        "values that given parts of the records do not exceed: median, quartiles"
    }

    fn keys(&self) -> &'static [Key] {
        const {
            &[
                Key::columns("of", "an integer or decimal column"),
                Key::numbers("q", "which parts, from 0 to 1: [0.25, 0.5, 0.75]"),
                WIDTH,
            ]
        }
    }

    fn page(&self) -> Page {
        Page {
            formula: "the smallest value x such that at least max(1, ⌈q·n⌉) of the n values are ≤ x",
            cost: "one sum per cell and possible value, and one bit per record and possible value; at \
                   most 1,024 values, or bins of a `width`",
            value: "per q a number of the column; with `width` the smallest and the largest value of \
                    its bin, `from` and `to`; none without records. With noise it has no `ci95`: \
                    noise in empty steps biases it, and noise drawn again would have the same bias",
            example: "name = \"quartiles of age\"\nkind = \"quantile\"\nof = \"age\"\nq = [0.25, 0.5, 0.75]",
        }
    }

    fn formula(&self, question: &Question<'_>) -> Result<Box<dyn Formula>, Refusal> {
        let ranked = Ranked::read(question)?;
        let mut parts: Vec<(String, BigInt)> = Vec::new();
        for q in question.numbers("q", DIGITS)? {
            let name = name(q);
            if !(0..=ONE).contains(&q) {
                let problem = "no part of a whole; write a number from 0 to 1, 0.5 for the median";
                let rule = Rule::Setting { key: "q", found: name, problem: problem.into() };
                return Err(("q", rule));
            }
            if parts.iter().any(|(other, _)| *other == name) {
                return Err(("q", Rule::Duplicate { what: "q", name }));
            }
            parts.push((name, q.into()));
        }
        if parts.is_empty() {
            return Err(("q", Rule::MissingKey { key: "q", example: "q = [0.25, 0.5, 0.75]" }));
        }
        Ok(Box::new(Quantiles { ranked, parts }))
    }
}

/// A part as the result names it: without zeros at its end.
fn name(q: i128) -> String {
    let text = decimal::format(q, DIGITS.into());
    text.trim_end_matches('0').trim_end_matches('.').into()
}

struct Quantiles {
    ranked: Ranked,
    /// Each by its name, times [`ONE`].
    parts: Vec<(String, BigInt)>,
}

impl Formula for Quantiles {
    fn of(&self) -> Vec<usize> {
        vec![self.ranked.column]
    }

    fn counted(&self) -> Term {
        self.ranked.counted()
    }

    fn unit(&self) -> Vec<usize> {
        vec![self.ranked.column]
    }

    fn has_interval(&self) -> bool {
        false
    }

    fn requests(&self) -> Vec<Request> {
        vec![self.ranked.request()]
    }

    fn answer(&self, cell: &Sums<'_>) -> Result<Answer, Reason> {
        let (n, cumulated) = self.ranked.cumulated(cell)?;
        let mut value = Map::new();
        let mut rows = Vec::new();
        for (name, q) in &self.parts {
            // ⌈q·n⌉, and the first record for q = 0.
            let rank = ((q * &n + (ONE - 1)) / ONE).max(1.into());
            let found = self.ranked.at(&cumulated, &rank);
            value.insert(name.clone(), found.value()?);
            rows.push(vec![name.clone(), found.text()]);
        }
        let header = vec!["q".into(), "value".into()];
        let shown = match rows.as_mut_slice() {
            [row] => Presentation::Number(row.pop().unwrap_or_default()),
            _ => Presentation::Table(Sheet { header, rows, notes: Vec::new() }),
        };
        Ok(Answer { value: Value::Object(value), exact: None, shown })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::{result::Reason, statistic::example};

    const SCORES: &[&str] = &["score=1", "score=2", "score=2", "score=7", "age=30"];

    #[test]
    fn a_quantile_is_the_smallest_value_that_enough_records_do_not_exceed() {
        let keys = "of = \"score\"\nq = [0, 0.25, 0.250000001, 0.5, 0.75, 0.76, 1.0]";
        let expected = json!({
            "0": 1, "0.25": 1, "0.250000001": 2, "0.5": 2, "0.75": 2, "0.76": 7, "1": 7,
        });
        assert_eq!(example::value("quantile", keys, SCORES).unwrap(), expected);
    }

    #[test]
    fn one_record_is_every_quantile_and_no_records_have_none() {
        let keys = "of = \"score\"\nq = [0.0, 0.5, 1]";
        let one = example::value("quantile", keys, &["score=4"]).unwrap();
        assert_eq!(one, json!({ "0": 4, "0.5": 4, "1": 4 }));
        assert_eq!(example::value("quantile", keys, &["age=30"]), Err(Reason::NoRecords));
    }

    #[test]
    fn a_width_gives_the_bin_and_the_last_one_ends_with_the_column() {
        let records = &["earnings=9.99", "earnings=10", "earnings=97.31"];
        let keys = "of = \"earnings\"\nq = [0.1, 0.5, 1]\nwidth = 10";
        let expected = json!({
            "0.1": { "from": 0.0, "to": 9.99 },
            "0.5": { "from": 10.0, "to": 19.99 },
            "1": { "from": 90.0, "to": 99.99 },
        });
        assert_eq!(example::value("quantile", keys, records).unwrap(), expected);
        let last = example::value("quantile", keys, &["earnings=100"]).unwrap();
        assert_eq!(last["0.5"], json!({ "from": 100.0, "to": 100.0 }));
    }

    #[test]
    fn more_values_than_fit_are_refused_with_the_width_that_fits() {
        let found = example::refusal("quantile", "of = \"earnings\"\nq = 0.5");
        assert!(found.contains("column \"earnings\" has 10001 possible values"), "{found}");
        assert!(found.contains("add width = 0.10"), "{found}");
        let found = example::refusal("quantile", "of = \"earnings\"\nq = 0.5\nwidth = 0.09");
        assert!(found.contains("the narrowest that fits is width = 0.10"), "{found}");
        example::value("quantile", "of = \"earnings\"\nq = 0.5\nwidth = 0.10", &[]).unwrap_err();
    }

    #[test]
    fn parts_outside_of_0_to_1_or_twice_or_none_are_refused() {
        for (q, expected) in [
            ("q = 1.1", "q = 1.1 is no part of a whole"),
            ("q = -0.5", "q = -0.5 is no part of a whole"),
            ("q = [0.5, 0.50]", "q \"0.5\" is there twice"),
            ("q = []", "`q` is missing"),
            ("q = 0.1234567891", "has more than 9 decimals"),
        ] {
            let found = example::refusal("quantile", &format!("of = \"score\"\n{q}"));
            assert!(found.contains(expected), "{found}");
        }
    }
}
