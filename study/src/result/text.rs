//! Text: answers as aligned tables for people.
//!
//! A statistic has one of three forms. Where a cell's value is a number or a text, all cells are in
//! one table, a row each; so are sheets of two columns without notes, turned by a quarter. Bars and
//! other sheets are a table per cell, under a line that says which.

use serde_json::Value;

use super::{Cell, DifferentialPrivacy, Presentation, Sheet, StatisticResult, StudyResult};

mod bars;
mod columns;
mod notes;
mod rows;
mod sheets;
mod sketch;

/// The kind whose value is the count itself.
const COUNT: &str = "count";
/// What stands where a number is withheld from a sheet.
const WITHHELD: &str = "withheld";

/// What stands for a count that is withheld within a value. That it is small is not said: it may be
/// one from which a small one would follow.
const DASH: &str = "–";
/// What a column of half intervals means.
const REACH_NOTE: &str = "±: half the width of the 95 % interval for the value without noise\n";

/// What noise there is, and every statistic under its name.
pub(super) fn write(result: &StudyResult) -> String {
    let noise = result.differential_privacy.as_ref().map(|privacy| {
        let DifferentialPrivacy { mechanism, epsilon, delta, unit } = privacy;
        let delta = if *delta > 0.0 { format!(", delta {delta}") } else { String::new() };
        format!("{mechanism} noise from every server: epsilon {epsilon}{delta} per {unit}\n")
    });
    let tables: Vec<_> = noise.into_iter().chain(result.statistics.iter().map(statistic)).collect();
    tables.join("\n")
}

fn statistic(statistic: &StatisticResult) -> String {
    let first = statistic.cells.iter().find_map(|cell| cell.shown.as_ref());
    let (more, body) = match first {
        Some(Presentation::Bars(_)) => (String::new(), bars::write(statistic)),
        Some(Presentation::Table(_)) => {
            let unit = statistic.unit.as_ref().map(|unit| format!(", in {unit}"));
            let body = rows::write_turned(statistic).unwrap_or_else(|| sheets::write(statistic));
            (unit.unwrap_or_default(), body)
        }
        _ => (settings(statistic), rows::write(statistic)),
    };
    format!("{} ({}{more})\n{body}", statistic.name, statistic.description())
}

/// The other keys of a statistic whose answer does not show them.
fn settings(statistic: &StatisticResult) -> String {
    let setting = |(key, value): (&String, &Value)| match value {
        Value::String(text) => format!(", {key} = {text}"),
        value => format!(", {key} = {value}"),
    };
    statistic.settings.iter().map(setting).collect()
}

/// A name with the unit of what is under it.
fn with_unit(name: &str, statistic: &StatisticResult) -> String {
    statistic.unit.as_ref().map_or_else(|| name.into(), |unit| format!("{name} ({unit})"))
}

/// Why a count is withheld within a value.
fn withheld_note(statistic: &StatisticResult) -> String {
    match statistic.min_cell {
        small @ 2.. => {
            format!(
                "{DASH}: withheld, fewer than {small} records, or such a count would follow from it\n"
            )
        }
        _ => format!("{DASH}: not opened\n"),
    }
}

/// Half of an interval `[low, high]`.
fn reach(interval: &Value, decimals: usize) -> Option<String> {
    let [low, high] = interval.as_array()?.as_slice() else { return None };
    Some(format!("{:.decimals$}", (high.as_f64()? - low.as_f64()?) / 2.0))
}

/// What is said of each cell, with an empty line before and behind every table.
fn blocks(blocks: impl Iterator<Item = String>) -> String {
    let mut text = String::new();
    let mut was_table = false;
    for block in blocks {
        let is_table = block.lines().nth(1).is_some();
        if !text.is_empty() && (was_table || is_table) {
            text.push('\n');
        }
        text.push_str(&block);
        was_table = is_table;
    }
    text
}

fn sheet(cell: &Cell) -> Option<&Sheet> {
    match &cell.shown {
        Some(Presentation::Table(sheet)) => Some(sheet),
        _ => None,
    }
}

/// The line above a cell's own table: its labels and its count, and why there is nothing below.
fn heading(cell: &Cell) -> String {
    let labels: Vec<&str> = cell.by.0.iter().map(|(_, label)| label.as_str()).collect();
    let count = match cell.count {
        Some(1) => Some("1 record".to_string()),
        count => count.map(|count| format!("{count} records")),
    };
    let start = match (labels.is_empty(), count) {
        (true, count) => count.unwrap_or_default(),
        (false, None) => labels.join(", "),
        (false, Some(count)) => format!("{} ({count})", labels.join(", ")),
    };
    let reason = match cell.shown {
        Some(_) => "",
        None => notes::reason(cell),
    };
    let between = if start.is_empty() || reason.is_empty() { "" } else { ": " };
    format!("{start}{between}{reason}\n")
}
