//! Rows: one table of all cells, a row each.

use super::{
    COUNT, Cell, DASH, Presentation, REACH_NOTE, StatisticResult,
    columns::Columns,
    notes::{self, Notes},
    reach, sheet, sketch, with_unit,
};
use crate::result::Sheet;

/// Cells whose values are numbers or texts.
pub(super) fn write(statistic: &StatisticResult) -> String {
    let notes = Notes::of(statistic);
    let mut table = start(statistic, &notes);
    if statistic.kind != COUNT {
        let value = |cell: &Cell| text(cell).map_or_else(|| notes.sign(cell), String::from);
        let values = statistic.cells.iter().map(value).collect();
        let is_text = |cell: &Cell| matches!(cell.shown, Some(Presentation::Text(_)));
        match statistic.cells.iter().any(is_text) {
            true => table.texts(&statistic.kind, values),
            false => table.numbers(with_unit(&statistic.kind, statistic), values),
        }
    }
    let reach = |cell: &Cell| {
        let decimals = text(cell)?.split_once('.').map_or(0, |(_, decimals)| decimals.len());
        reach(cell.ci95.as_ref()?, decimals)
    };
    let reaches: Vec<_> = statistic.cells.iter().map(reach).collect();
    let has_reach = reaches.iter().any(Option::is_some);
    if has_reach {
        table.numbers("±", reaches.into_iter().map(Option::unwrap_or_default).collect());
    }
    let number = |cell: &Cell| {
        let number: f64 = text(cell)?.parse().ok()?;
        // Noise can make a count negative.
        Some(if statistic.kind == COUNT { number.max(0.0) } else { number })
    };
    let numbers: Vec<_> = statistic.cells.iter().map(number).collect();
    if let Some(largest) = sketch::scale(&numbers) {
        table.bars(&numbers, largest);
    }
    table.render() + &notes.lines() + if has_reach { REACH_NOTE } else { "" }
}

/// Cells whose sheets are one column of values under the same names and without notes: a column
/// per name. None where they are not.
pub(super) fn write_turned(statistic: &StatisticResult) -> Option<String> {
    let sheets: Vec<Option<&Sheet>> = statistic.cells.iter().map(sheet).collect();
    let first = sheets.iter().copied().flatten().next()?;
    let is_alike = |sheet: &Sheet| {
        sheet.header.len() == 2 && sheet.notes.is_empty() && names(sheet).eq(names(first))
    };
    if !sheets.iter().copied().flatten().all(is_alike) {
        return None;
    }
    let notes = Notes::of(statistic);
    let mut table = start(statistic, &notes);
    let title = first.header.first()?;
    for (row, name) in names(first).enumerate() {
        let value = |sheet: &Sheet| sheet.rows.get(row).and_then(|row| row.get(1)).cloned();
        let text = |(cell, sheet): (&Cell, &Option<&Sheet>)| match sheet {
            Some(sheet) => value(sheet).unwrap_or_default(),
            None => notes.sign(cell),
        };
        let texts = statistic.cells.iter().zip(&sheets).map(text).collect();
        table.numbers(format!("{title} {name}"), texts);
    }
    Some(table.render() + &notes.lines())
}

/// The labels and the counts.
fn start(statistic: &StatisticResult, notes: &Notes) -> Columns {
    let mut table = Columns::default();
    for (place, name) in statistic.by.iter().enumerate() {
        let label = |cell: &Cell| cell.by.0.get(place).map(|(_, label)| label.clone());
        table.texts(
            name,
            statistic.cells.iter().map(|cell| label(cell).unwrap_or_default()).collect(),
        );
    }
    let count = |cell: &Cell| match cell.count {
        Some(count) => count.to_string(),
        None if notes::is_small(statistic, notes::reason(cell)) => notes::limit(statistic),
        None if statistic.kind == COUNT => notes.sign(cell),
        None => DASH.into(),
    };
    table.numbers(COUNT, statistic.cells.iter().map(count).collect());
    table
}

/// A value that is one number or text.
fn text(cell: &Cell) -> Option<&str> {
    match &cell.shown {
        Some(Presentation::Number(text) | Presentation::Text(text)) => Some(text),
        _ => None,
    }
}

/// The names of a sheet's rows.
fn names(sheet: &Sheet) -> impl Iterator<Item = &str> {
    sheet.rows.iter().filter_map(|row| row.first().map(String::as_str))
}
