//! Answers on stdout: tables for people, JSON for programs.

use std::io::{self, Write as _};

use client::status::{Overview, Report};
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};
use serde::Serialize;

use crate::failure::Failure;

mod abort;
mod audit;
mod cost;
mod definition;
mod doctor;
mod plot;

pub use abort::abort;
pub use audit::{audit, receipts};
pub use cost::cost;
pub use definition::definition;
pub use doctor::doctor;
pub use plot::Picture;

/// Lines below the header and at the end, and none between the columns.
const STYLE: TableStyle = TableStyle::new()
    .header_separator(LineStyle::none().fill('─').junction('─'))
    .bottom_border(LineStyle::none().fill('─').junction('─'));

/// Columns of the terminal that has to be enough: longer cells are wrapped.
const WIDTH: u16 = 80;

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

impl Format {
    /// Writes `answer` as JSON, or as what `text` makes of it.
    pub fn print<T: Serialize>(
        self,
        answer: &T,
        text: impl FnOnce(&T) -> String,
    ) -> Result<(), Failure> {
        match self {
            Self::Text => print(&text(answer)),
            Self::Json => print(&json(answer)?),
        }
    }
}

/// Writes a text and the end of its last line to stdout.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    let end = if text.ends_with('\n') || text.is_empty() { "" } else { "\n" };
    write!(stdout, "{text}{end}").and_then(|()| stdout.flush()).map_err(Failure::Output)
}

/// A value as indented JSON.
pub fn json(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(value).map_err(|error| Failure::Output(error.into()))
}

/// A table; columns from the `numbers`-th on are aligned to the right.
pub fn table<R>(header: &[&str], numbers: usize, rows: R) -> String
where
    R: IntoIterator<Item = Vec<String>>,
{
    let mut table = Table::new();
    table.load_style(STYLE);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.iter().map(|title| title.to_string()));
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut().skip(numbers) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

/// A table whose long cells go on in the next line.
pub fn wrapped(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE);
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    table.set_header(header.iter().map(|title| title.to_string()));
    table.add_rows(rows);
    table
}

/// A study with every server's view of it.
pub fn overview(overview: &Overview) -> String {
    let mut text = format!("{}\n{}\n{}", overview.title, overview.id, overview.state);
    let why = overview.why();
    if !why.is_empty() {
        text.push_str(&format!(": {why}"));
    }
    text.push('\n');
    let header = ["server", "state", "submissions", "records", "verified", "rejected", "bytes"];
    let rows = overview.servers.iter().map(|report| {
        vec![
            report.server.clone(),
            report.state.to_string(),
            report.submissions.to_string(),
            report.records.to_string(),
            report.verified.to_string(),
            report.rejected.to_string(),
            report.share_bytes.to_string(),
        ]
    });
    let unreachable = overview.unreachable.iter().map(|server| {
        let mut row = vec![server.clone(), "unreachable".into()];
        row.resize(header.len(), "-".into());
        row
    });
    text.push_str(&table(&header, 2, rows.chain(unreachable)));
    text
}

/// How much of a study's privacy budget each server has charged.
pub fn charges(overview: &Overview, budget: u64) -> String {
    let charge = |report: &Report| format!("{} {} of {budget}", report.server, report.charged);
    let charges: Vec<_> = overview.servers.iter().map(charge).collect();
    format!("\nprivacy budget charged: {}", charges.join(", "))
}

/// Bytes for people: in units of 1,000.
pub fn bytes(bytes: u64) -> String {
    let units = [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)];
    match units.into_iter().find(|(_, unit)| bytes >= *unit) {
        None => format!("{bytes} B"),
        Some((name, unit)) => format!("{}.{} {name}", bytes / unit, bytes % unit * 10 / unit),
    }
}

/// A number of things: `1 record`, `2 records`.
pub fn counted(count: u64, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_in_the_largest_unit_that_fits() {
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1_549), "1.5 kB");
        assert_eq!(bytes(26_780_000), "26.7 MB");
    }

    #[test]
    fn a_table_has_its_header_and_every_row() {
        let shown = table(&["cell", "count"], 1, [vec!["South".into(), "18963".into()]]);
        assert!(shown.contains("cell") && shown.contains("South") && shown.contains("18963"));
    }
}
