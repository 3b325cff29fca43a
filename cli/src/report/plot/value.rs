//! Value: what can be drawn of a cell's value, by its shape.

use serde_json::{Map, Value};
use study::result::{Cell, Presentation, StatisticResult};

/// What a value can be drawn as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One number or text.
    Single,
    /// Numbers by name, or the intervals that they lie in.
    Ranges,
    /// Counts between edges.
    Histogram,
    /// Counts by the labels of two columns.
    Pairs,
    /// Coefficients with their standard errors.
    Coefficients,
    /// Anything else.
    Other,
}

/// A number known to lie between two, which are equal where it is known exactly.
pub type Range = (f64, f64);

/// The shape of a statistic's values; that of single numbers where there are none.
pub fn shape(statistic: &StatisticResult) -> Shape {
    let first = statistic.cells.iter().find_map(|cell| cell.value.as_ref());
    let Some(Value::Object(value)) = first else { return Shape::Single };
    let has = |keys: &[&str]| keys.iter().all(|key| value.contains_key(*key));
    if has(&["edges", "counts"]) {
        Shape::Histogram
    } else if has(&["rows", "columns", "counts"]) {
        Shape::Pairs
    } else if has(&["coefficients", "std_errors"]) {
        Shape::Coefficients
    } else if ranges(value).is_some() {
        Shape::Ranges
    } else {
        Shape::Other
    }
}

/// All entries of an object as named ranges, or the object itself as one.
pub fn ranges(value: &Map<String, Value>) -> Option<Vec<(&str, Range)>> {
    if let Some(range) = between(value) {
        return Some(vec![("", range)]);
    }
    value.iter().map(|(name, value)| Some((name.as_str(), range_of(value)?))).collect()
}

fn range_of(value: &Value) -> Option<Range> {
    match value {
        Value::Object(value) => between(value),
        value => value.as_f64().map(|number| (number, number)),
    }
}

fn between(value: &Map<String, Value>) -> Option<Range> {
    let end = |name| value.get(name).and_then(Value::as_f64);
    Some((end("from")?, end("to")?)).filter(|_| value.len() == 2)
}

/// `[low, high]` as two numbers.
pub fn interval(value: &Value) -> Option<Range> {
    match value.as_array()?.as_slice() {
        [low, high] => Some((low.as_f64()?, high.as_f64()?)),
        _ => None,
    }
}

/// A list of numbers, none where one is withheld; empty if it is no list.
pub fn numbers(value: Option<&Value>) -> Vec<Option<f64>> {
    value.and_then(Value::as_array).into_iter().flatten().map(Value::as_f64).collect()
}

/// A list of texts.
pub fn texts(value: Option<&Value>) -> Vec<String> {
    let texts = value.and_then(Value::as_array).into_iter().flatten();
    texts.map(|text| text.as_str().unwrap_or_default().to_string()).collect()
}

/// A single value as its table has it.
pub fn shown(cell: &Cell) -> Option<String> {
    match (&cell.shown, &cell.value) {
        (Some(Presentation::Number(text) | Presentation::Text(text)), _) => Some(text.clone()),
        (_, Some(Value::String(text))) => Some(text.clone()),
        (_, Some(value)) => Some(value.to_string()),
        _ => None,
    }
}

/// The labels of a cell, in one text.
pub fn label(cell: &Cell) -> String {
    let labels: Vec<&str> = cell.by.0.iter().map(|(_, label)| label.as_str()).collect();
    if labels.is_empty() { "all records".into() } else { labels.join(", ") }
}

/// Why there is no value.
pub fn reason(cell: &Cell) -> String {
    cell.reason.clone().unwrap_or_else(|| "no value".into())
}

/// A name with the unit of the statistic's values.
pub fn with_unit(name: &str, statistic: &StatisticResult) -> String {
    statistic.unit.as_ref().map_or_else(|| name.to_string(), |unit| format!("{name} ({unit})"))
}

/// What stands for a count that is withheld within a value. That it is small is not said: it may be
/// one from which a small one would follow.
pub const WITHHELD: &str = "–";

/// Why counts are withheld within the values, if some are.
pub fn withheld(statistic: &StatisticResult) -> Option<String> {
    let counts = statistic.cells.iter().filter_map(|cell| cell.value.as_ref()?.get("counts"));
    let reason = match statistic.min_cell {
        small @ 2.. => {
            format!("fewer than {small} records, or such a count would follow from it")
        }
        _ => "not opened".into(),
    };
    counts.into_iter().any(has_null).then(|| format!("{WITHHELD}: withheld, {reason}"))
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(values) => values.iter().any(has_null),
        _ => false,
    }
}
