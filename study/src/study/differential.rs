//! Differential privacy: how much a study's result may tell about one provider or one record.

use std::{fmt, str::FromStr};

use super::source::Section;
use crate::error::{Rule, StudyError};

/// What a study asks of its noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Differential {
    /// The privacy loss: above 0, at most 100.
    pub epsilon: Parameter,
    /// The probability that the loss is larger, below 1/100; none: never.
    pub delta: Option<Parameter>,
    /// Whose data the result hardly depends on.
    pub unit: Unit,
}

/// Whose data may change without showing in the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Everything from one provider's key: one submission of one record.
    Provider,
    /// One record, of however many a provider submits.
    Record,
}

/// A number above zero with up to 18 decimals, exactly as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter {
    /// The number times 10^decimals.
    digits: u128,
    /// As few as possible.
    decimals: u8,
}

/// Digits on each side of a [`Parameter`]'s point.
const DIGITS: usize = 18;

/// A text that is no [`Parameter`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a number above 0 with up to 18 decimals; write it like 0.5 or 1e-6")]
pub struct NotAParameter;

impl Differential {
    /// Checks the ranges; an error is about the key.
    pub(super) fn check(&self) -> Result<(), (&'static str, Rule)> {
        let refuse = |key, found: Parameter, range| {
            (key, Rule::PrivacyRange { key, found: found.to_string(), range })
        };
        if self.epsilon.is_above(100, 0) {
            return Err(refuse("epsilon", self.epsilon, "at most 100"));
        }
        match self.delta.filter(|delta| *delta == Parameter::HUNDREDTH || delta.is_above(1, 2)) {
            Some(delta) => Err(refuse("delta", delta, "below 0.01")),
            None => Ok(()),
        }
    }
}

impl Unit {
    /// Every unit.
    const ALL: [Self; 2] = [Self::Provider, Self::Record];

    /// The word for it in a study file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Record => "record",
        }
    }

    pub(super) fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|unit| unit.name() == name)
    }
}

impl Parameter {
    const HUNDREDTH: Self = Self { digits: 1, decimals: 2 };

    /// The number in double precision.
    pub fn to_f64(self) -> f64 {
        // A decimal always parses; NaN could only show a defect of `Display`.
        self.to_string().parse().unwrap_or(f64::NAN)
    }

    /// Whether it is above digits / 10^decimals, both small.
    fn is_above(self, digits: u128, decimals: u32) -> bool {
        // Below 10^36 · 10^2 each.
        self.digits * 10u128.pow(decimals) > digits * 10u128.pow(self.decimals.into())
    }
}

impl FromStr for Parameter {
    type Err = NotAParameter;

    fn from_str(text: &str) -> Result<Self, NotAParameter> {
        let text = text.strip_prefix('+').unwrap_or(text);
        let (number, exponent) = match text.split_once(['e', 'E']) {
            Some((number, exponent)) => {
                (number, exponent.parse::<i8>().map_err(|_| NotAParameter)?)
            }
            None => (text, 0),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) {
            return Err(NotAParameter);
        }
        let written = format!("{whole}{fraction}");
        let significant = written.trim_start_matches('0').trim_end_matches('0');
        let zeros = written.len() - written.trim_end_matches('0').len();
        // The place of the last digit that is not 0: 10^place.
        let place = i64::from(exponent) - fraction.len() as i64 + zeros as i64;
        if significant.is_empty() || significant.len() > 2 * DIGITS {
            return Err(NotAParameter);
        }
        let digits: u128 = significant.parse().map_err(|_| NotAParameter)?;
        let (digits, decimals) = match u32::try_from(place) {
            Ok(place) => (10u128.checked_pow(place).and_then(|ten| ten.checked_mul(digits)), 0),
            Err(_) => (Some(digits), place.unsigned_abs()),
        };
        let digits = digits.ok_or(NotAParameter)?;
        let decimals = u8::try_from(decimals).map_err(|_| NotAParameter)?;
        let is_short = usize::from(decimals) <= DIGITS
            && digits / 10u128.pow(decimals.into()) < 10u128.pow(DIGITS as u32);
        if is_short { Ok(Self { digits, decimals }) } else { Err(NotAParameter) }
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (width, one) = (usize::from(self.decimals), 10u128.pow(self.decimals.into()));
        match width {
            0 => write!(f, "{}", self.digits),
            _ => write!(f, "{}.{:0>width$}", self.digits / one, self.digits % one),
        }
    }
}

/// Reads the keys of a study file; none: no differential privacy.
pub(super) fn read(section: &Section<'_>) -> Result<Option<Differential>, StudyError> {
    let parameter = |key: &'static str| {
        let Some(found) = section.number(key)? else { return Ok(None) };
        let parsed = found.parse().map_err(|cause| {
            let found = found.clone();
            section.error(key, Rule::PrivacyNumber { key, found, cause })
        });
        parsed.map(Some)
    };
    let (epsilon, delta) = (parameter("epsilon")?, parameter("delta")?);
    let unit = match section.string("unit")? {
        None => Unit::Provider,
        Some(found) => {
            Unit::find(&found).ok_or_else(|| section.error("unit", Rule::UnknownUnit { found }))?
        }
    };
    let Some(epsilon) = epsilon else {
        return match ["delta", "unit"].into_iter().find(|key| section.has(key)) {
            Some(key) => Err(section.error(key, Rule::WithoutEpsilon { key })),
            None => Ok(None),
        };
    };
    Ok(Some(Differential { epsilon, delta, unit }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Option<String> {
        text.parse::<Parameter>().ok().map(|parameter| parameter.to_string())
    }

    #[test]
    fn a_number_has_one_form_however_it_is_written() {
        for text in ["1", "1.0", "+1.000", "001", "0.1e1", "100e-2", "1E0"] {
            assert_eq!(shown(text).as_deref(), Some("1"), "{text}");
        }
        for text in ["1e-6", "0.000001", "0.0000010", "10e-7", "1.0E-06"] {
            assert_eq!(shown(text).as_deref(), Some("0.000001"), "{text}");
        }
        assert_eq!(shown("12.50").as_deref(), Some("12.5"));
        assert_eq!(shown("1e2").as_deref(), Some("100"));
        assert_eq!(shown("1e-18").as_deref(), Some("0.000000000000000001"));
        let all = "999999999999999999.999999999999999999";
        assert_eq!(shown(all).as_deref(), Some(all));
        assert_eq!("0.1".parse::<Parameter>().map(Parameter::to_f64), Ok(0.1));
    }

    #[test]
    fn what_is_no_number_above_zero_is_refused() {
        for text in [
            "", "0", "0.0", "-1", ".5", "1,5", "inf", "nan", "1e", "e3", "1e999", "1e-19", "1e18",
            "1e-99", "0x10", "1_0", "1 ", "1.5.2", "1e+-2", "--1", "1e1e1",
        ] {
            assert_eq!(shown(text), None, "{text}");
        }
        assert_eq!(shown(&"9".repeat(1_000)), None);
    }
}
