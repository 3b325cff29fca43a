//! Unit: what the product of some columns is measured in.

use crate::study::{Column, ColumnType};

/// The product of the columns' units; none where a column of numbers has none. Truth values are
/// plain numbers.
pub(crate) fn of<'a>(columns: impl Iterator<Item = &'a Column>) -> Option<String> {
    let columns = columns.filter(|column| column.holds != ColumnType::Boolean);
    let units: Vec<&str> = columns.map(|column| column.unit.as_deref()).collect::<Option<_>>()?;
    match units[..] {
        [] => None,
        [unit] => Some(unit.into()),
        [unit, other] if unit == other => Some(square(unit)),
        _ => Some(units.into_iter().map(factor).collect::<Vec<_>>().join("·")),
    }
}

/// `USD²/h²` of `USD/h`; in parentheses what is not made of words.
fn square(unit: &str) -> String {
    if unit.split('/').all(is_word) {
        unit.replace('/', "²/") + "²"
    } else {
        format!("({unit})²")
    }
}

fn factor(unit: &str) -> String {
    if is_word(unit) { unit.into() } else { format!("({unit})") }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphabetic() || "%$€£¥°".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(unit: Option<&str>) -> Column {
        let holds = ColumnType::Integer { min: 0, max: 9 };
        let unit = unit.map(String::from);
        Column { name: "c".into(), holds, missing_allowed: false, unit }
    }

    #[test]
    fn units_are_multiplied() {
        let product = |units: &[Option<&str>]| {
            let columns: Vec<_> = units.iter().map(|unit| column(*unit)).collect();
            of(columns.iter())
        };
        assert_eq!(product(&[Some("USD/h")]).as_deref(), Some("USD/h"));
        assert_eq!(product(&[Some("USD/h"); 2]).as_deref(), Some("USD²/h²"));
        assert_eq!(product(&[Some("kg/m²"); 2]).as_deref(), Some("(kg/m²)²"));
        assert_eq!(product(&[Some("1000 EUR"); 2]).as_deref(), Some("(1000 EUR)²"));
        assert_eq!(product(&[Some("years"), Some("%")]).as_deref(), Some("years·%"));
        assert_eq!(product(&[Some("years"), Some("USD/h")]).as_deref(), Some("years·(USD/h)"));
        assert_eq!(product(&[]), None);
        assert_eq!(product(&[Some("years"), None]), None, "an unknown unit makes it unknown");
    }

    #[test]
    fn a_truth_value_is_a_plain_number() {
        let hired = Column { holds: ColumnType::Boolean, ..column(None) };
        assert_eq!(of([&hired, &column(Some("years"))].into_iter()).as_deref(), Some("years"));
        assert_eq!(of([&hired].into_iter()), None);
    }
}
