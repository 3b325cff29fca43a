//! Covariance and correlation of two number columns over the records of a cell.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{Signed as _, Zero as _};

use super::{Answer, Chosen, Formula, Key, Kind, Page, Question, Refusal, Sums, number};
use crate::{
    plan::{Request, Term},
    result::Reason,
};

/// The sample covariance.
pub(super) const COVARIANCE: Joint = Joint { is_scaled: false };
/// Pearson's correlation: the covariance, scaled by both spreads.
pub(super) const CORRELATION: Joint = Joint { is_scaled: true };

/// How two numbers vary together.
pub(super) struct Joint {
    is_scaled: bool,
}

impl Kind for Joint {
    fn name(&self) -> &'static str {
        if self.is_scaled { "correlation" } else { "covariance" }
    }

    fn summary(&self) -> &'static str {
        match self.is_scaled {
            true => "Pearson's correlation of two columns of numbers",
            false => "covariance of two columns of numbers, of a sample (n − 1)",
        }
    }

    fn keys(&self) -> &'static [Key] {
        const { &[Key::columns("of", "two integer, decimal or boolean columns")] }
    }

    fn page(&self) -> Page {
        match self.is_scaled {
            true => Page {
                formula: "(n·Σxy − Σx·Σy) / √((n·Σx² − (Σx)²)·(n·Σy² − (Σy)²)), over the n records that \
                          have both values; true counts as 1",
                cost: "per cell Σxy, Σx², Σy², Σx, Σy and n, and three products per record",
                value: "a number from −1 to 1; none with fewer than two records, or where a column is \
                        the same in all records",
                example: "name = \"age and earnings\"\nkind = \"correlation\"\nof = [\"age\", \"earnings\"]",
            },
            false => Page {
                formula: "(Σxy − Σx·Σy/n) / (n − 1), over the n records that have both values; true \
                          counts as 1",
                cost: "per cell Σxy, Σx, Σy and n, and one product per record",
                value: "a number; none with fewer than two records",
                example: "name = \"covariance of age and score\"\nkind = \"covariance\"\nof = [\"age\", \"score\"]",
            },
        }
    }

    fn formula(&self, question: &Question<'_>) -> Result<Box<dyn Formula>, Refusal> {
        let accepts = "integer, decimal or boolean";
        let [x, y] = question.two_columns("of", accepts, Chosen::is_numeric)?;
        let names = [x, y].map(|chosen| chosen.column.name.clone());
        let decimals = x.decimals() + y.decimals();
        let (columns, is_scaled) = ([x.place, y.place], self.is_scaled);
        Ok(Box::new(Moments { columns, names, decimals, is_scaled }))
    }
}

struct Moments {
    columns: [usize; 2],
    names: [String; 2],
    /// Of both columns together.
    decimals: u32,
    is_scaled: bool,
}

impl Formula for Moments {
    fn of(&self) -> Vec<usize> {
        self.columns.to_vec()
    }

    fn counted(&self) -> Term {
        Term::present(self.columns)
    }

    fn unit(&self) -> Vec<usize> {
        if self.is_scaled { Vec::new() } else { self.columns.to_vec() }
    }

    fn requests(&self) -> Vec<Request> {
        let [x, y] = self.columns;
        let squares = if self.is_scaled { vec![vec![x, x], vec![y, y]] } else { Vec::new() };
        let products = [vec![x], vec![y], vec![x, y]].into_iter().chain(squares);
        let sum = |columns| Request::total(Term::product(columns).among(self.columns));
        products.map(sum).collect()
    }

    fn answer(&self, cell: &Sums<'_>) -> Result<Answer, Reason> {
        match cell.count {
            ..=0 => return Err(Reason::NoRecords),
            1 => return Err(Reason::TooFew { needed: 2 }),
            _ => {}
        }
        let n = BigInt::from(cell.count);
        let (x, y) = (cell.total(0)?, cell.total(1)?);
        let together = &n * cell.total(2)? - x * y;
        if self.is_scaled {
            let spread = |sum: &BigInt, squares: &BigInt| &n * squares - sum * sum;
            let spreads = [spread(x, cell.total(3)?), spread(y, cell.total(4)?)];
            return correlation(&together, &spreads, &self.names);
        }
        let scale = BigInt::from(10).pow(self.decimals);
        let covariance = BigRational::new(together, &n * (&n - 1) * scale);
        number::fraction(covariance, self.decimals + 2)
    }
}

/// n²-fold sums of squares and products about the means, as a correlation. All are scaled alike,
/// so that the scales cancel.
fn correlation(
    together: &BigInt,
    spreads: &[BigInt; 2],
    names: &[String; 2],
) -> Result<Answer, Reason> {
    for (spread, name) in spreads.iter().zip(names) {
        if spread.is_negative() {
            return Err(Reason::Noise);
        }
        if spread.is_zero() {
            return Err(Reason::Constant(name.clone()));
        }
    }
    let [x, y] = spreads;
    let (square, product) = (together * together, x * y);
    // Of records it never is (Cauchy and Schwarz); with noise it may be.
    if square > product {
        return Err(Reason::Noise);
    }
    let size = number::quotient(square, product).sqrt();
    number::irrational(if together.is_negative() { -size } else { size }, 4)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::{result::Reason, statistic::example};

    const OF: &str = "of = [\"age\", \"earnings\"]";

    #[test]
    fn covariance_is_that_of_the_records_with_both_values() {
        // Ages 20, 30, 40; earnings 1, 2, 6: products about the means −10·−2 + 0 + 10·3 = 50.
        let records = &[
            "age=20,earnings=1",
            "age=30,earnings=2",
            "age=40,earnings=6",
            "age=80",
            "earnings=9",
        ];
        assert_eq!(example::value("covariance", OF, records).unwrap(), json!(25.0));
        // 50 / √(200 · 14).
        let found = example::value("correlation", OF, records).unwrap().as_f64().unwrap();
        assert!((found - 0.944_911_182_523_068).abs() < 1e-15, "{found}");
    }

    #[test]
    fn perfect_correlation_is_exactly_one() {
        let rising = &["age=20,earnings=0.01", "age=30,earnings=0.02", "age=40,earnings=0.03"];
        assert_eq!(example::value("correlation", OF, rising).unwrap(), json!(1.0));
        let falling = &["age=20,earnings=99", "age=21,earnings=33"];
        assert_eq!(example::value("correlation", OF, falling).unwrap(), json!(-1.0));
    }

    #[test]
    fn truth_values_are_numbers() {
        let records = &["age=20,hired=false", "age=30,hired=true"];
        let value = example::value("covariance", "of = [\"age\", \"hired\"]", records);
        assert_eq!(value.unwrap(), json!(5.0));
    }

    #[test]
    fn too_few_records_or_a_constant_column_are_reasons() {
        let constant = &["age=20,earnings=5", "age=30,earnings=5"];
        for kind in ["covariance", "correlation"] {
            assert_eq!(example::value(kind, OF, &["age=20"]), Err(Reason::NoRecords));
            let one = example::value(kind, OF, &["age=20,earnings=5"]);
            assert_eq!(one, Err(Reason::TooFew { needed: 2 }));
        }
        assert_eq!(example::value("covariance", OF, constant).unwrap(), json!(0.0));
        let value = example::value("correlation", OF, constant);
        assert_eq!(value, Err(Reason::Constant("earnings".into())));
    }

    #[test]
    fn a_column_with_itself_is_refused() {
        let found = example::refusal("covariance", "of = [\"age\", \"age\"]");
        assert!(found.contains("\"age\" is there twice"), "{found}");
        let found = example::refusal("correlation", "of = [\"age\", \"region\"]");
        assert!(found.contains("integer, decimal or boolean"), "{found}");
    }
}
