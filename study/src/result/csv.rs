//! CSV: answers as one table for programs.

use serde_json::Value;

use super::{Cell, StatisticResult, StudyResult};

/// A row per cell and number. The columns of every statistic's `by` are there, empty where a
/// statistic is not grouped by them; numbers have full double precision.
pub(super) fn write(result: &StudyResult) -> String {
    let mut by: Vec<&str> = Vec::new();
    for name in result.statistics.iter().flat_map(|statistic| &statistic.by) {
        if !by.contains(&name.as_str()) {
            by.push(name);
        }
    }
    let mut cells = result.statistics.iter().flat_map(|statistic| &statistic.cells);
    let has_intervals = cells.any(|cell| cell.ci95.is_some());
    let mut writer = csv::Writer::from_writer(Vec::new());
    let header = ["statistic", "kind", "of"].into_iter().chain(by.iter().copied());
    let header = header.chain(["count", "part", "value", "suppressed"]);
    let ends: &[&str] = if has_intervals { &["low", "high"] } else { &[] };
    // Writing to memory does not fail, and all rows are of one width.
    let _ = writer.write_record(header.chain(ends.iter().copied()));
    for statistic in &result.statistics {
        for cell in &statistic.cells {
            for part in parts(cell) {
                let _ = writer.write_record(row(statistic, cell, &by, part, has_intervals));
            }
        }
    }
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8(bytes).unwrap_or_default()
}

/// A number or text of a value.
struct Part<'a> {
    /// Where it stands in the value.
    path: String,
    value: Option<&'a Value>,
    /// `[low, high]`, if there is one.
    interval: Option<&'a Value>,
}

/// All parts of a value in its order; one without a value where there is none.
fn parts(cell: &Cell) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let whole =
        Part { path: String::new(), value: cell.value.as_ref(), interval: cell.ci95.as_ref() };
    divide(whole, &mut parts);
    if parts.is_empty() {
        parts.push(Part { path: String::new(), value: None, interval: None });
    }
    parts
}

fn divide<'a>(whole: Part<'a>, parts: &mut Vec<Part<'a>>) {
    let inner = |name: &str| match whole.path.is_empty() {
        true => name.to_string(),
        false => format!("{}.{name}", whole.path),
    };
    match whole.value {
        Some(Value::Object(values)) => {
            for (name, value) in values {
                let interval = whole.interval.and_then(|interval| interval.get(name));
                divide(Part { path: inner(name), value: Some(value), interval }, parts);
            }
        }
        Some(Value::Array(values)) => {
            for (place, value) in values.iter().enumerate() {
                let interval = whole.interval.and_then(|interval| interval.get(place));
                let path = inner(&place.to_string());
                divide(Part { path, value: Some(value), interval }, parts);
            }
        }
        _ => parts.push(whole),
    }
}

fn row(
    statistic: &StatisticResult,
    cell: &Cell,
    by: &[&str],
    part: Part<'_>,
    has_intervals: bool,
) -> Vec<String> {
    let start = [statistic.name.clone(), statistic.kind.clone(), statistic.of.join(" ")];
    let labels = by.iter().map(|column| cell.by.get(column).unwrap_or_default().to_string());
    let end = [
        cell.count.map(|count| count.to_string()).unwrap_or_default(),
        part.path,
        part.value.map(text).unwrap_or_default(),
        cell.suppressed.to_string(),
    ];
    let limit = |place: usize| part.interval.and_then(|interval| interval.get(place)).map(text);
    let limits = has_intervals.then(|| [0, 1].map(|place| limit(place).unwrap_or_default()));
    start.into_iter().chain(labels).chain(end).chain(limits.into_iter().flatten()).collect()
}

/// A number with full double precision, a text as it is, and nothing where there is no number.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            Some(number) if is_of_usual_size(number) => number.to_string(),
            Some(number) => format!("{number:e}"),
            None => number.to_string(),
        },
        value => value.to_string(),
    }
}

/// Whether a number has not too many zeros to be read without an exponent.
fn is_of_usual_size(number: f64) -> bool {
    number == 0.0 || (1e-5..1e16).contains(&number.abs())
}
