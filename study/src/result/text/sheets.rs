//! Sheets: each cell's own table, with its notes below.

use super::{
    Cell, DASH, StatisticResult, WITHHELD, blocks, columns::Columns, heading, sheet, withheld_note,
};
use crate::result::Sheet;

/// Cells whose values are tables of their own.
pub(super) fn write(statistic: &StatisticResult) -> String {
    let cell = |cell: &Cell| match sheet(cell) {
        Some(sheet) => heading(cell) + &table(sheet),
        None => heading(cell),
    };
    let mut numbers = statistic.cells.iter().filter_map(sheet).flat_map(numbers);
    let note = match numbers.any(|number| number == WITHHELD) {
        true => withheld_note(statistic),
        false => String::new(),
    };
    blocks(statistic.cells.iter().map(cell)) + &note
}

/// All texts of a sheet but the names of its rows.
fn numbers(sheet: &Sheet) -> impl Iterator<Item = &str> {
    sheet.rows.iter().flat_map(|row| row.iter().skip(1).map(String::as_str))
}

fn table(sheet: &Sheet) -> String {
    let mut table = Columns::default();
    for (place, title) in sheet.header.iter().enumerate() {
        let text = |row: &Vec<String>| match row.get(place).map_or("", String::as_str) {
            WITHHELD if place > 0 => DASH.to_string(),
            text => text.to_string(),
        };
        let texts = sheet.rows.iter().map(text).collect();
        match place {
            0 => table.texts(title, texts),
            _ => table.numbers(title, texts),
        }
    }
    let notes: String = sheet.notes.iter().map(|note| format!("{note}\n")).collect();
    table.render() + &notes
}
