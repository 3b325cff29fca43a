//! Number: exact fractions for formulas, and their way into answers.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{ToPrimitive as _, Zero as _};
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

/// numerator / denominator; none by zero.
pub(super) fn ratio(numerator: BigRational, denominator: &BigRational) -> Option<BigRational> {
    (!denominator.is_zero()).then(|| numerator / denominator)
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
    let value = match decimals {
        0 => whole(integer),
        _ => real(to_f64(&scaled(integer, decimals)))?,
    };
    let text = integer.to_i128().map(|integer| decimal::format(integer, decimals));
    let shown = Presentation::Number(text.unwrap_or_else(|| integer.to_string()));
    Ok(Answer { value, exact: Some(scaled(integer, decimals)), shown })
}
