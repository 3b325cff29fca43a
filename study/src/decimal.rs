//! Decimal numbers, read and written exactly: text to a scaled integer and back, never by way of
//! floating point.

/// Why a text is not the number that is asked for. Each reason says its remedy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// A comma, an apostrophe, an underscore or a space between digits.
    #[error(
        "is not a plain number; write it without thousands separators and with a point before the decimals"
    )]
    Separator,
    /// Scientific notation.
    #[error("is written with an exponent; write all its digits")]
    Exponent,
    /// Not a number at all.
    #[error("is not a number")]
    NotANumber,
    /// A fraction where whole numbers are wanted.
    #[error("is not a whole number")]
    NotWhole,
    /// More digits after the point than the column keeps.
    #[error("has more than {decimals} decimals; round it, or raise `decimals` in the study")]
    TooManyDecimals {
        /// Digits that the column keeps.
        decimals: u8,
    },
}

/// Numbers of this size and above are read as this size: far outside every column's range, and
/// far inside `i128`.
const SATURATED: i128 = 10i128.pow(37);

/// Reads a number and scales it by 10^decimals, exactly.
///
/// Digits with an optional sign and an optional point; more decimals than `decimals` only if they
/// are zeros. Numbers whose scaled magnitude is 10^37 or more come back as ±10^37.
pub fn parse(text: &str, decimals: u8) -> Result<i128, NumberError> {
    let (negative, digits) = match text.strip_prefix(['-', '+']) {
        Some(digits) => (text.starts_with('-'), digits),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !is_digits(whole) || !is_digits(fraction) {
        return Err(explain(digits));
    }
    let kept = fraction.len().min(usize::from(decimals));
    let (fraction, rest) = fraction.split_at(kept);
    if rest.bytes().any(|byte| byte != b'0') {
        return Err(match decimals {
            0 => NumberError::NotWhole,
            _ => NumberError::TooManyDecimals { decimals },
        });
    }
    let padding = std::iter::repeat_n(b'0', usize::from(decimals) - kept);
    let mut value: i128 = 0;
    for digit in whole.bytes().chain(fraction.bytes()).chain(padding) {
        value = (value * 10 + i128::from(digit - b'0')).min(SATURATED);
    }
    Ok(if negative { -value } else { value })
}

/// Writes a scaled integer with all its decimals: `format(-1234, 2)` is `-12.34`.
pub fn format(value: i128, decimals: u32) -> String {
    let sign = if value < 0 { "-" } else { "" };
    // A u32 fits.
    let width = decimals as usize;
    let digits = format!("{:0>width$}", value.unsigned_abs(), width = width + 1);
    let (whole, fraction) = digits.split_at(digits.len() - width);
    match fraction {
        "" => format!("{sign}{whole}"),
        _ => format!("{sign}{whole}.{fraction}"),
    }
}

/// A decimal of at most 9 digits after the point in its shortest form: `+1.50` is `1.5`.
pub fn plain(text: &str) -> Result<String, NumberError> {
    const DECIMALS: u8 = 9;
    let number = format(parse(text, DECIMALS)?, DECIMALS.into());
    Ok(number.trim_end_matches('0').trim_end_matches('.').to_string())
}

/// The reason why `text`, without its sign, is no plain number.
fn explain(text: &str) -> NumberError {
    let first = text.chars().next().unwrap_or(' ');
    let last = text.chars().next_back().unwrap_or(' ');
    let is_edge = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',');
    if !is_edge(first) || !is_edge(last) || !text.contains(|c: char| c.is_ascii_digit()) {
        return NumberError::NotANumber;
    }
    let separator = |c: char| matches!(c, ',' | '\'' | '_' | '.' | '\u{2019}') || c.is_whitespace();
    let exponent = |c: char| matches!(c, 'e' | 'E' | '+' | '-' | '.');
    if text.chars().all(|c| c.is_ascii_digit() || separator(c)) {
        NumberError::Separator
    } else if text.chars().all(|c| c.is_ascii_digit() || exponent(c)) && text.contains(['e', 'E']) {
        NumberError::Exponent
    } else {
        NumberError::NotANumber
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_scaled_exactly() {
        assert_eq!(parse("20.67", 2), Ok(2067));
        assert_eq!(parse("-0.5", 2), Ok(-50));
        assert_eq!(parse("+.5", 1), Ok(5));
        assert_eq!(parse("5.", 0), Ok(5));
        assert_eq!(parse("21.0", 0), Ok(21));
        assert_eq!(parse("1.2300", 2), Ok(123));
        assert_eq!(parse("0.1", 9), Ok(100_000_000));
        assert_eq!(parse("007", 0), Ok(7));
    }

    #[test]
    fn numbers_that_would_lose_digits_are_refused() {
        assert_eq!(parse("21.5", 0), Err(NumberError::NotWhole));
        assert_eq!(parse("1.234", 2), Err(NumberError::TooManyDecimals { decimals: 2 }));
    }

    #[test]
    fn other_notations_are_named() {
        for text in ["1,234", "1,234.5", "12,5", "1 234", "1'234", "1_000", "1.234.567"] {
            assert_eq!(parse(text, 2), Err(NumberError::Separator), "{text}");
        }
        for text in ["1e3", "1.5E-3", "-2e+4"] {
            assert_eq!(parse(text, 2), Err(NumberError::Exponent), "{text}");
        }
        for text in ["", "-", ".", "abc", "12a", "NaN", "inf", "0x10", "--1", "€5", "１２", "$3"]
        {
            assert_eq!(parse(text, 2), Err(NumberError::NotANumber), "{text}");
        }
    }

    #[test]
    fn a_number_of_any_length_saturates() {
        assert_eq!(parse(&"9".repeat(10_000), 2), Ok(SATURATED));
        assert_eq!(parse(&format!("-{}", "9".repeat(100)), 0), Ok(-SATURATED));
    }

    #[test]
    fn formatting_keeps_every_decimal() {
        assert_eq!(format(-1234, 2), "-12.34");
        assert_eq!(format(5, 3), "0.005");
        assert_eq!(format(-5, 1), "-0.5");
        assert_eq!(format(42, 0), "42");
        assert_eq!(plain("+01.50").as_deref(), Ok("1.5"));
        assert_eq!(plain("100").as_deref(), Ok("100"));
        assert_eq!(plain("-0.0").as_deref(), Ok("0"));
    }
}
