//! Text: answers as aligned tables for people.

use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};

use super::{Cell, Presentation, StatisticResult, StudyResult};

const COUNT: &str = "count";

const STYLE: TableStyle = TableStyle::new()
    .header_separator(LineStyle::none().fill('─').junction('─'))
    .bottom_border(LineStyle::none().fill('─').junction('─'));

/// Every statistic under its name.
pub(super) fn write(result: &StudyResult) -> String {
    let tables: Vec<_> = result.statistics.iter().map(statistic).collect();
    tables.join("\n")
}

fn statistic(statistic: &StatisticResult) -> String {
    let mut table = Table::new();
    table.load_style(STYLE);
    table.set_content_arrangement(ContentArrangement::Disabled);
    // A count is its own value.
    let shows_value = statistic.kind != COUNT;
    let names = statistic.by.iter().map(String::as_str).chain([COUNT]);
    table.set_header(names.chain(shows_value.then_some(statistic.kind.as_str())));
    for cell in &statistic.cells {
        let labels = cell.by.0.iter().map(|(_, label)| label.clone());
        let row = labels.chain([count(statistic, cell)]);
        table.add_row(row.chain(shows_value.then(|| value(cell))));
    }
    let by = statistic.by.len();
    for place in [by, by + 1] {
        if let Some(column) = table.column_mut(place) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let notes: String = notes(statistic).iter().map(|note| format!("{note}\n")).collect();
    format!("{} ({})\n{table}\n{notes}", statistic.name, statistic.description())
}

fn count(statistic: &StatisticResult, cell: &Cell) -> String {
    match cell.count {
        Some(count) => count.to_string(),
        None if statistic.min_cell > 1 => format!("<{}", statistic.min_cell),
        None => "closed".into(),
    }
}

fn value(cell: &Cell) -> String {
    match &cell.shown {
        Some(Presentation::Number(text) | Presentation::Text(text)) => text.clone(),
        Some(_) => cell.value.as_ref().map_or_else(String::new, |value| value.to_string()),
        None if cell.suppressed => "suppressed".into(),
        None => "–".into(),
    }
}

fn notes(statistic: &StatisticResult) -> Vec<String> {
    let mut notes = Vec::new();
    let has = |wanted: &dyn Fn(&Cell) -> bool| statistic.cells.iter().any(wanted);
    if has(&|cell| cell.suppressed) {
        notes.push(match statistic.min_cell {
            2.. => format!("suppressed: fewer than {} records", statistic.min_cell),
            _ => "closed: the servers opened no total".into(),
        });
    }
    if has(&|cell| !cell.suppressed && cell.value.is_none()) {
        notes.push("–: no records".into());
    }
    notes
}
