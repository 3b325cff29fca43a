//! Histogram: how many records have a value in each interval of a number column.

use num_bigint::BigInt;
use serde_json::{Value, json};

use super::{
    Answer, Chosen, Formula, Key, Kind, Page, Question, Refusal, Sums, bins::Bins, number,
};
use crate::{
    plan::{Request, Term},
    result::{Presentation, Reason},
};

/// Σ1 over the records of a cell, per bin of a column.
pub(super) struct Histogram;

impl Kind for Histogram {
    fn name(&self) -> &'static str {
        "histogram"
    }

    fn summary(&self) -> &'static str {
        "number of records per bin of an integer or decimal column"
    }

    fn keys(&self) -> &'static [Key] {
        const {
            &[
                Key::columns("of", "an integer or decimal column"),
                Key::numbers("bins", "where each bin starts, and where the last one ends")
                    .optional(),
                Key::numbers("width", "or the width of all bins, from the column's min on")
                    .optional(),
            ]
        }
    }

    fn page(&self) -> Page {
        Page {
            formula: "n_i = number of x with e_i ≤ x < e_(i+1); the last bin has its upper edge too",
            cost: "one sum per cell and bin, and one bit per record and bin; at most 1,024 bins",
            value: "`edges`, one more than bins; `counts`, a whole number per bin, null where it is withheld",
            example: "name = \"ages\"\nkind = \"histogram\"\nof = \"age\"\nbins = [0, 30, 50, 80]",
        }
    }

    fn formula(&self, question: &Question<'_>) -> Result<Box<dyn Formula>, Refusal> {
        let of = question.column("of", "integer or decimal", Chosen::is_number)?;
        let bins = Bins::read(question, of)?;
        Ok(Box::new(Counts { column: of.place, decimals: of.decimals(), bins }))
    }
}

struct Counts {
    column: usize,
    decimals: u32,
    bins: Bins,
}

impl Formula for Counts {
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
        let axes = vec![self.bins.axis.clone()];
        vec![Request::split(Term::present([self.column]), axes).shown()]
    }

    fn answer(&self, cell: &Sums<'_>) -> Result<Answer, Reason> {
        let counts = self.bins.counts(cell.each(0));
        let edge = |edge: &i128| number::scaled_value(&BigInt::from(*edge), self.decimals);
        let edges = self.bins.edges.iter().map(edge).collect::<Result<Vec<_>, _>>()?;
        let count = |count: &Option<BigInt>| count.as_ref().map_or(Value::Null, number::whole);
        let value =
            json!({ "edges": edges, "counts": counts.iter().map(count).collect::<Vec<_>>() });
        let bars = self.bins.labels(self.decimals).into_iter().zip(counts).collect();
        Ok(Answer { value, exact: None, shown: Presentation::Bars(bars) })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::{result::Presentation, statistic::example};

    const AGES: &[&str] = &["age=18", "age=29", "age=30", "age=80", ""];

    #[test]
    fn bins_hold_their_lower_edge_and_the_last_its_upper_one() {
        let answer =
            example::answer("histogram", "of = \"age\"\nbins = [0, 10, 30, 50, 80, 90]", AGES);
        let value = json!({ "edges": [0, 10, 30, 50, 80, 90], "counts": [0, 2, 1, 0, 1] });
        assert_eq!(answer.unwrap().value, value);
        let closed = example::value("histogram", "of = \"age\"\nbins = [18, 30, 80]", AGES);
        assert_eq!(closed.unwrap()["counts"], json!([2, 2]));
    }

    #[test]
    fn a_width_divides_the_columns_range_and_the_last_bin_ends_with_it() {
        let value = example::value("histogram", "of = \"age\"\nwidth = 25", AGES).unwrap();
        assert_eq!(value, json!({ "edges": [18, 43, 68, 80], "counts": [3, 0, 1] }));
        let value =
            example::value("histogram", "of = \"score\"\nwidth = 5", &["score=10"]).unwrap();
        assert_eq!(value, json!({ "edges": [0, 5, 10], "counts": [0, 1] }));
    }

    #[test]
    fn bars_are_labelled_with_the_columns_decimals() {
        let keys = "of = \"earnings\"\nbins = [0, 12.5, 100]";
        let answer = example::answer("histogram", keys, &["earnings=12.49"]).unwrap();
        let Presentation::Bars(bars) = answer.shown else { panic!("no bars") };
        let labels: Vec<_> = bars.iter().map(|(label, _)| label.as_str()).collect();
        assert_eq!(labels, ["0.00 to <12.50", "12.50 to 100.00"]);
        assert_eq!(answer.value["edges"], json!([0.0, 12.5, 100.0]));
    }

    #[test]
    fn without_records_every_bin_is_empty_and_withheld_bins_are_null() {
        let value = example::value("histogram", "of = \"age\"\nbins = [18, 30, 80]", &[]).unwrap();
        assert_eq!(value["counts"], json!([0, 0]));
        let value = example::withheld("histogram", "of = \"age\"\nbins = [18, 30, 80]", AGES, 2);
        assert_eq!(value.unwrap()["counts"], json!([2, 2]));
        let value = example::withheld("histogram", "of = \"age\"\nbins = [0, 30, 31, 80]", AGES, 2);
        assert_eq!(value.unwrap()["counts"], json!([2, null, null]));
    }

    #[test]
    fn bins_that_leave_values_out_or_are_none_are_refused() {
        for (keys, expected) in [
            ("bins = [20, 80]", "bins reaches from 20 to 80, and column \"age\" from 18 to 80"),
            ("bins = [18, 79]", "bins reaches from 18 to 79"),
            ("bins = [18, 30, 30, 80]", "bins has 30 after 30; write the edges in ascending order"),
            ("bins = [18]", "one edge only"),
            ("width = 0", "width = 0 is not above 0"),
            ("width = [1, 2]", "width takes one number"),
            ("width = 5\nbins = [18, 80]", "`bins` and `width` are both there"),
            ("", "`bins` is missing; add bins = [0, 10, 50, 100], or width = 10"),
        ] {
            let found = example::refusal("histogram", &format!("of = \"age\"\n{keys}"));
            assert!(found.contains(expected), "{found}");
        }
        let found = example::refusal("histogram", "of = \"earnings\"\nwidth = 0.01");
        assert!(found.contains("10000 bins"), "{found}");
        assert!(found.contains("the narrowest that fits is width = 0.10"), "{found}");
    }
}
