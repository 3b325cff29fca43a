//! Variance and standard deviation of a number column over the records of a cell.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::Signed as _;

use super::{Answer, Chosen, Formula, Key, Kind, Page, Question, Refusal, Sums, number};
use crate::{
    plan::{Request, Term},
    result::Reason,
};

/// The sample variance.
pub(super) const VARIANCE: Spread = Spread { is_root: false };
/// Its square root.
pub(super) const STDDEV: Spread = Spread { is_root: true };

/// (Σx² − (Σx)²/n) / (n − 1), or its square root.
pub(super) struct Spread {
    is_root: bool,
}

impl Kind for Spread {
    fn name(&self) -> &'static str {
        if self.is_root { "stddev" } else { "variance" }
    }

    fn summary(&self) -> &'static str {
        match self.is_root {
            true => "standard deviation of an integer or decimal column, of a sample (n − 1)",
            false => "variance of an integer or decimal column, of a sample (n − 1)",
        }
    }

    fn keys(&self) -> &'static [Key] {
        const { &[Key::columns("of", "an integer or decimal column")] }
    }

    fn page(&self) -> Page {
        let value = "a number; none with fewer than two records";
        let cost = "per cell Σx², Σx and n, and one product per record for x²";
        match self.is_root {
            true => Page {
                formula: "√((Σx² − (Σx)²/n) / (n − 1)), over the n records that have a value",
                cost,
                value,
                example: "name = \"spread of earnings\"\nkind = \"stddev\"\nof = \"earnings\"\nby = \"region\"",
            },
            false => Page {
                formula: "(Σx² − (Σx)²/n) / (n − 1), over the n records that have a value",
                cost,
                value,
                example: "name = \"variance of age\"\nkind = \"variance\"\nof = \"age\"",
            },
        }
    }

    fn formula(&self, question: &Question<'_>) -> Result<Box<dyn Formula>, Refusal> {
        let of = question.column("of", "integer or decimal", Chosen::is_number)?;
        let (column, decimals) = (of.place, of.decimals());
        Ok(Box::new(Moments { column, decimals, is_root: self.is_root }))
    }
}

struct Moments {
    column: usize,
    decimals: u32,
    is_root: bool,
}

impl Formula for Moments {
    fn of(&self) -> Vec<usize> {
        vec![self.column]
    }

    fn counted(&self) -> Term {
        Term::present([self.column])
    }

    fn unit(&self) -> Vec<usize> {
        vec![self.column; if self.is_root { 1 } else { 2 }]
    }

    fn requests(&self) -> Vec<Request> {
        let powers = [vec![self.column], vec![self.column; 2]];
        powers.into_iter().map(|columns| Request::total(Term::product(columns))).collect()
    }

    fn answer(&self, cell: &Sums<'_>) -> Result<Answer, Reason> {
        let variance = variance(cell.count, cell.total(0)?, cell.total(1)?, self.decimals)?;
        match self.is_root {
            true => number::irrational(number::to_f64(&variance).sqrt(), self.decimals + 2),
            false => number::fraction(variance, 2 * self.decimals + 2),
        }
    }
}

/// The sample variance of n scaled values with the given sum and sum of squares.
pub(super) fn variance(
    n: i64,
    sum: &BigInt,
    squares: &BigInt,
    decimals: u32,
) -> Result<BigRational, Reason> {
    if n < 2 {
        return Err(if n <= 0 { Reason::NoRecords } else { Reason::TooFew { needed: 2 } });
    }
    // (n·Σx² − (Σx)²) / (n·(n − 1)), scaled by 10^(2·decimals).
    let (n, scale) = (BigInt::from(n), BigInt::from(10).pow(2 * decimals));
    let numerator = &n * squares - sum * sum;
    // Records alone cannot give a negative one; noise can.
    if numerator.is_negative() {
        return Err(Reason::Noise);
    }
    Ok(BigRational::new(numerator, &n * (&n - 1u32) * scale))
}
