//! Cell: one field of a table as a value of a study column.

use std::collections::HashMap;

use super::{is_missing, problem::Fault};
use crate::{
    decimal,
    error::list,
    record::Value,
    study::{Column, ColumnType},
};

/// Reads the fields of one column.
#[derive(Debug)]
pub(super) struct Reader {
    column: Column,
    /// The place of every label of a category.
    labels: HashMap<String, u32>,
}

impl Reader {
    pub(super) fn new(column: &Column) -> Self {
        let labels = column.labels().unwrap_or_default().iter().cloned().zip(0..).collect();
        Self { column: column.clone(), labels }
    }

    pub(super) fn name(&self) -> &str {
        &self.column.name
    }

    /// The value of a field, or the rule that it breaks.
    pub(super) fn read(&self, field: &[u8]) -> Result<Value, Fault> {
        let text = std::str::from_utf8(field).map_err(|_| Fault::NotUtf8)?.trim();
        // Where nothing may be missing, NA can be a label like any other.
        if let Some(&label) = self.labels.get(text) {
            return Ok(Value::Category(label));
        }
        if is_missing(text) {
            return match self.column.missing_allowed {
                true => Ok(Value::Missing),
                false => Err(Fault::Missing),
            };
        }
        match &self.column.holds {
            ColumnType::Integer { min, max } => number(text, 0, *min, *max),
            ColumnType::Decimal { decimals, min, max } => number(text, *decimals, *min, *max),
            ColumnType::Boolean => boolean(text),
            ColumnType::Category { values } => Err(Fault::NoSuchLabel {
                found: shown(text),
                labels: list(values.iter().map(String::as_str)),
            }),
        }
    }
}

fn number(text: &str, decimals: u8, min: i64, max: i64) -> Result<Value, Fault> {
    let found = || shown(text);
    let bound = |bound: i64| decimal::format(bound.into(), decimals.into());
    let number =
        decimal::parse(text, decimals).map_err(|cause| Fault::Number { found: found(), cause })?;
    if number > max.into() {
        return Err(Fault::Above { found: found(), max: bound(max) });
    }
    if number < min.into() {
        return Err(Fault::Below { found: found(), min: bound(min) });
    }
    Ok(Value::Number(number))
}

fn boolean(text: &str) -> Result<Value, Fault> {
    let is = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
    if is(&["true", "yes", "1"]) {
        Ok(Value::Boolean(true))
    } else if is(&["false", "no", "0"]) {
        Ok(Value::Boolean(false))
    } else {
        Err(Fault::NotBoolean { found: shown(text) })
    }
}

/// The start of a field, as it can stand in one line of an error.
fn shown(text: &str) -> String {
    const SHOWN: usize = 40;
    let start: String = text.chars().take(SHOWN).collect();
    let rest = if start.len() < text.len() { "…" } else { "" };
    format!("{}{rest}", start.escape_debug())
}
