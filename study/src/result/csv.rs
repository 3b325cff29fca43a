//! CSV: answers as one table for programs.

use serde_json::Value;

use super::{Cell, StatisticResult, StudyResult};

/// A row per cell. The columns of every statistic's `by` are there, empty where a statistic is not
/// grouped by them; numbers have full double precision.
pub(super) fn write(result: &StudyResult) -> String {
    let mut by: Vec<&str> = Vec::new();
    for name in result.statistics.iter().flat_map(|statistic| &statistic.by) {
        if !by.contains(&name.as_str()) {
            by.push(name);
        }
    }
    let mut writer = csv::Writer::from_writer(Vec::new());
    let header = ["statistic", "kind", "of"].into_iter().chain(by.iter().copied());
    let mut rows = vec![header.chain(["count", "value", "suppressed"]).map(String::from).collect()];
    for statistic in &result.statistics {
        rows.extend(statistic.cells.iter().map(|cell| row(statistic, cell, &by)));
    }
    for row in rows {
        // Writing to memory does not fail, and all rows are of one width.
        let _ = writer.write_record(row);
    }
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8(bytes).unwrap_or_default()
}

fn row(statistic: &StatisticResult, cell: &Cell, by: &[&str]) -> Vec<String> {
    let labels = by.iter().map(|column| cell.by.get(column).unwrap_or_default().to_string());
    let number = |text: Option<String>| text.unwrap_or_default();
    let start = [statistic.name.clone(), statistic.kind.clone(), statistic.of.join(" ")];
    let end = [
        number(cell.count.map(|count| count.to_string())),
        number(cell.value.as_ref().map(text)),
        cell.suppressed.to_string(),
    ];
    start.into_iter().chain(labels).chain(end).collect()
}

/// A number with full double precision, a text as it is.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_f64() => {
            number.as_f64().map_or_else(String::new, |number| number.to_string())
        }
        value => value.to_string(),
    }
}
