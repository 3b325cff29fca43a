//! Scale: which values a class plays with, as decimals for people and as integers for the ring.

use std::ops::RangeInclusive;

use study::decimal::{self, NumberError};

use crate::status::printable;

/// The most values that a scale may have: as many are enumerated to show what colluders cannot
/// exclude.
pub const MOST_VALUES: u64 = 100_001;
/// The most digits after the point.
pub const MOST_DECIMALS: u8 = 4;

/// The values from `min` to `max` in steps of 10^−decimals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scale {
    min: i64,
    max: i64,
    decimals: u8,
}

/// A text that is no value of a scale, or limits that make none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScaleError {
    /// The text is no number, or loses digits.
    #[error("{text} {cause}")]
    Number {
        /// The text.
        text: String,
        /// What is wrong with it.
        cause: NumberError,
    },
    /// More digits than the scale has.
    #[error("{text} has more than {decimals} decimals: round it")]
    TooFine {
        /// The text.
        text: String,
        /// Digits after the point.
        decimals: u8,
    },
    /// Outside the scale.
    #[error("{text} is not between {min} and {max}")]
    Outside {
        /// The text.
        text: String,
        /// The smallest value.
        min: String,
        /// The largest value.
        max: String,
    },
    /// Limits that are the wrong way round.
    #[error("the smallest value {min} is not below the largest {max}")]
    Empty {
        /// The smallest value.
        min: String,
        /// The largest value.
        max: String,
    },
    /// Too many digits.
    #[error("{decimals} decimals are too many: the ring takes up to {MOST_DECIMALS}")]
    Decimals {
        /// Digits after the point.
        decimals: u8,
    },
    /// More values than are enumerated.
    #[error(
        "a scale from {min} to {max} has too many steps: take fewer decimals or a smaller range, {MOST_VALUES} values at most"
    )]
    TooMany {
        /// The smallest value.
        min: String,
        /// The largest value.
        max: String,
    },
}

impl Scale {
    /// The scale from `min` to `max`, both with at most `decimals` digits after the point.
    pub fn new(min: &str, max: &str, decimals: u8) -> Result<Self, ScaleError> {
        if decimals > MOST_DECIMALS {
            return Err(ScaleError::Decimals { decimals });
        }
        let (low, high) = (read(min, decimals)?, read(max, decimals)?);
        let (min, max) = (min.to_owned(), max.to_owned());
        if low >= high {
            return Err(ScaleError::Empty { min, max });
        }
        let too_many = || ScaleError::TooMany { min: min.clone(), max: max.clone() };
        if high - low >= i128::from(MOST_VALUES) {
            return Err(too_many());
        }
        // So that a hundred of them are far inside 64 bits.
        let bound = |value: i128| i32::try_from(value).map(i64::from).map_err(|_| too_many());
        Ok(Self { min: bound(low)?, max: bound(high)?, decimals })
    }

    /// The scale of all values in `range`, which are times 10^decimals.
    pub fn of_range(range: RangeInclusive<i64>, decimals: u8) -> Result<Self, ScaleError> {
        if decimals > MOST_DECIMALS {
            return Err(ScaleError::Decimals { decimals });
        }
        let text = |value: &i64| decimal::format(i128::from(*value), decimals.into());
        Self::new(&text(range.start()), &text(range.end()), decimals)
    }

    /// Digits after the point.
    pub fn decimals(&self) -> u8 {
        self.decimals
    }

    /// All values, times 10^decimals.
    pub fn range(&self) -> RangeInclusive<i64> {
        self.min..=self.max
    }

    /// How many values there are.
    pub fn values(&self) -> u64 {
        self.max.abs_diff(self.min) + 1
    }

    /// A value that somebody typed, times 10^decimals.
    pub fn parse(&self, text: &str) -> Result<i64, ScaleError> {
        let value = read(text, self.decimals)?;
        match i64::try_from(value) {
            Ok(value) if self.range().contains(&value) => Ok(value),
            _ => Err(ScaleError::Outside {
                text: text.trim().to_owned(),
                min: self.show(self.min),
                max: self.show(self.max),
            }),
        }
    }

    /// A value or a sum of values, with all its decimals.
    pub fn show(&self, value: i64) -> String {
        decimal::format(value.into(), self.decimals.into())
    }

    /// A value or a sum of values as a number for JSON.
    pub fn number(&self, value: i64) -> f64 {
        // Both are far below 2^53, so the quotient is the double nearest to the decimal.
        value as f64 / 10f64.powi(self.decimals.into())
    }

    /// A total modulo 2^64 as the sum of so many values; none if no such values have that sum.
    pub fn total(&self, total: u64, pupils: usize) -> Option<i64> {
        let total = total.cast_signed();
        let pupils = i64::try_from(pupils).ok()?;
        (self.min * pupils..=self.max * pupils).contains(&total).then_some(total)
    }

    /// The average of so many values with this sum.
    pub fn average(&self, total: i64, pupils: usize) -> f64 {
        total as f64 / (pupils as f64 * 10f64.powi(self.decimals.into()))
    }
}

fn read(text: &str, decimals: u8) -> Result<i128, ScaleError> {
    let text = text.trim();
    // What was typed is shown without anything that could steer a terminal.
    let shown = || printable(text);
    decimal::parse(text, decimals).map_err(|cause| match cause {
        NumberError::TooManyDecimals { decimals } => {
            ScaleError::TooFine { text: shown(), decimals }
        }
        cause => ScaleError::Number { text: shown(), cause },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grades() -> Scale {
        Scale::new("0", "100", 1).unwrap()
    }

    #[test]
    fn a_value_is_read_and_shown_exactly() {
        let scale = grades();
        assert_eq!(scale.parse(" 76.3 "), Ok(763));
        assert_eq!(scale.show(763), "76.3");
        assert_eq!(scale.values(), 1001);
        assert!((scale.average(763 + 754 + 671, 3) - 72.933_333).abs() < 1e-6);
    }

    #[test]
    fn what_is_no_value_of_the_scale_is_refused_with_what_would_be() {
        let error = |text: &str| grades().parse(text).unwrap_err().to_string();
        assert_eq!(error("999"), "999 is not between 0.0 and 100.0");
        assert_eq!(error("76.33"), "76.33 has more than 1 decimals: round it");
        assert!(error("a lot").contains("is not a number"));
        assert!(!error("1\u{2}\u{1b}[2J").contains(char::is_control));
        assert!(error("99999999999999999999999999999999999999999999").contains("not between"));
    }

    #[test]
    fn limits_that_make_no_scale_are_refused() {
        assert!(matches!(Scale::new("5", "5", 0), Err(ScaleError::Empty { .. })));
        assert!(matches!(Scale::new("0", "1", 9), Err(ScaleError::Decimals { .. })));
        assert!(matches!(Scale::new("0", "1000000", 1), Err(ScaleError::TooMany { .. })));
        assert!(matches!(
            Scale::new("3000000000", "3000000001", 0),
            Err(ScaleError::TooMany { .. })
        ));
    }

    #[test]
    fn a_scale_is_the_same_after_it_was_sent_as_its_range() {
        let scale = Scale::new("-1.5", "4", 2).unwrap();
        assert_eq!(Scale::of_range(scale.range(), 2), Ok(scale));
        assert!(Scale::of_range(i64::MIN..=i64::MAX, 0).is_err());
        assert!(Scale::of_range(0..=1, 200).is_err());
    }

    #[test]
    fn a_total_that_no_class_can_have_is_none() {
        let scale = Scale::new("-5", "5", 0).unwrap();
        assert_eq!(scale.total((-15i64).cast_unsigned(), 3), Some(-15));
        assert_eq!(scale.total(16, 3), None);
        assert_eq!(scale.total(u64::MAX / 2, 3), None);
    }
}
