//! Number: exact fractions for formulas, and their way into answers.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::ToPrimitive as _;
use serde_json::Value;

use super::Answer;
use crate::{
    decimal,
    result::{Presentation, Reason},
};

/// An integer of a column's scaled values as the number that it stands for: n / 10^decimals.
pub(super) fn scaled(integer: &BigInt, decimals: u32) -> BigRational {
    BigRational::new(integer.clone(), BigInt::from(10).pow(decimals))
}

/// The double nearest to a fraction. Infinite where it is beyond double precision.
pub(super) fn to_f64(number: &BigRational) -> f64 {
    number.to_f64().unwrap_or(f64::NAN)
}

/// A number for JSON: a reason instead of one that is not finite.
pub(super) fn real(number: f64) -> Result<Value, Reason> {
    if number.is_finite() { Ok(Value::from(number)) } else { Err(Reason::NotFinite) }
}

/// A whole number for JSON: the double nearest to it where it is beyond 64 bits.
pub(super) fn whole(number: &BigInt) -> Value {
    number.to_i64().map_or_else(|| Value::from(number.to_f64().unwrap_or(f64::MAX)), Value::from)
}

/// The double nearest to numerator / denominator, which need not be reduced. Not finite by zero.
pub(super) fn quotient(numerator: BigInt, denominator: BigInt) -> f64 {
    to_f64(&BigRational::new_raw(numerator, denominator))
}

/// The sum of fractions, each numerator and denominator, which is not reduced: in a long sum that
/// would take most of the time.
pub(super) fn sum(mut fractions: Vec<(BigInt, BigInt)>) -> (BigInt, BigInt) {
    // In pairs, so that the factors of a product are of one length.
    while fractions.len() > 1 {
        let pair = |pair: &[(BigInt, BigInt)]| match pair {
            [(a, b), (c, d)] => (a * d + c * b, b * d),
            // The last one of an odd number.
            rest => rest.first().cloned().unwrap_or_else(zero),
        };
        fractions = fractions.chunks(2).map(pair).collect();
    }
    fractions.pop().unwrap_or_else(zero)
}

fn zero() -> (BigInt, BigInt) {
    (BigInt::ZERO, BigInt::from(1))
}

/// A decimal for JSON: an integer of a column's scaled values as the number that it stands for.
pub(super) fn scaled_value(integer: &BigInt, decimals: u32) -> Result<Value, Reason> {
    match decimals {
        0 => Ok(whole(integer)),
        _ => real(to_f64(&scaled(integer, decimals))),
    }
}

/// The same for people, with exactly the decimals that it has.
pub(super) fn scaled_text(integer: &BigInt, decimals: u32) -> String {
    match integer.to_i128() {
        Some(integer) => decimal::format(integer, decimals),
        None => format!("{:e}", to_f64(&scaled(integer, decimals))),
    }
}

/// A number for JSON where there may be none.
pub(super) fn optional(number: Option<f64>) -> Result<Value, Reason> {
    number.map_or(Ok(Value::Null), real)
}

/// A number with so many significant digits, as it stands in a table.
pub(super) fn significant(number: f64, digits: i32) -> String {
    // The rounding may carry into one digit more, so that it comes before the question of size.
    let scientific = format!("{number:.places$e}", places = count(digits - 1));
    let exponent = scientific.split_once('e').and_then(|(_, exponent)| exponent.parse().ok());
    match exponent {
        _ if number == 0.0 => "0".into(),
        Some(exponent @ -4..=8) => {
            format!("{number:.places$}", places = count(digits - 1 - exponent))
        }
        _ => scientific,
    }
}

/// The same, and a dash where there is no number.
pub(super) fn significant_or_dash(number: Option<f64>, digits: i32) -> String {
    number.map_or_else(|| "–".into(), |number| significant(number, digits))
}

fn count(places: i32) -> usize {
    usize::try_from(places).unwrap_or(0)
}

/// A number as it stands in a table.
pub(super) fn rounded(number: f64, digits: u32) -> String {
    // A u32 fits.
    let digits = digits as usize;
    format!("{number:.digits$}")
}

/// The answer that is one fraction, with so many digits in a table.
pub(super) fn fraction(number: BigRational, digits: u32) -> Result<Answer, Reason> {
    let double = to_f64(&number);
    let shown = Presentation::Number(rounded(double, digits));
    Ok(Answer { value: real(double)?, exact: Some(number), shown })
}

/// The answer that is one number, which is no fraction.
pub(super) fn irrational(number: f64, digits: u32) -> Result<Answer, Reason> {
    let shown = Presentation::Number(rounded(number, digits));
    Ok(Answer { value: real(number)?, exact: None, shown })
}

/// The answer that is one decimal, shown with exactly the decimals that it has.
pub(super) fn decimal(integer: &BigInt, decimals: u32) -> Result<Answer, Reason> {
    let value = scaled_value(integer, decimals)?;
    let shown = Presentation::Number(scaled_text(integer, decimals));
    Ok(Answer { value, exact: Some(scaled(integer, decimals)), shown })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn significant_digits_of_any_size() {
        for (number, expected) in [
            (0.0, "0"),
            (1.0, "1.000"),
            (-123_456.7, "-123457"),
            (0.000_123_45, "0.0001234"),
            (9.999_96, "10.00"),
            (1.234_4e-9, "1.234e-9"),
            (9.87e12, "9.870e12"),
        ] {
            assert_eq!(significant(number, 4), expected);
        }
    }

    #[test]
    fn a_sum_of_fractions_is_exact_without_being_reduced() {
        let fractions =
            |count: i64| (1..=count).map(|n| (BigInt::from(1), BigInt::from(n))).collect();
        for (count, expected) in [(0, (0, 1)), (1, (1, 1)), (2, (3, 2)), (5, (274, 120))] {
            assert_eq!(sum(fractions(count)), (expected.0.into(), expected.1.into()));
        }
    }
}
