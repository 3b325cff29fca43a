//! Columns: a table that is made column by column, numbers with their points in one line.

use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};

use super::sketch;

/// A line below the header and one at the end, and none between the columns.
const STYLE: TableStyle = TableStyle::new()
    .header_separator(LineStyle::none().fill('─').junction('─'))
    .bottom_border(LineStyle::none().fill('─').junction('─'));

/// Columns of the terminal that bars should not exceed.
const WIDTH: usize = 80;
/// The lengths that a bar may have.
const BARS: std::ops::RangeInclusive<usize> = 12..=40;

/// A table without its rows' names: all columns are of one length.
#[derive(Debug, Default)]
pub(super) struct Columns {
    columns: Vec<Column>,
}

#[derive(Debug)]
struct Column {
    title: String,
    is_number: bool,
    cells: Vec<String>,
}

impl Columns {
    /// Adds a column of texts, which begin on one line.
    pub(super) fn texts(&mut self, title: impl Into<String>, cells: Vec<String>) {
        self.columns.push(Column { title: title.into(), is_number: false, cells });
    }

    /// Adds a column of numbers, whose points are on one line.
    pub(super) fn numbers(&mut self, title: impl Into<String>, mut cells: Vec<String>) {
        align_points(&mut cells);
        self.columns.push(Column { title: title.into(), is_number: true, cells });
    }

    /// Adds bars of numbers that are not negative, the longest for `largest`, as long as the
    /// terminal allows.
    pub(super) fn bars(&mut self, numbers: &[Option<f64>], largest: f64) {
        let used = self.columns.iter().map(Column::width).sum::<usize>();
        let width = WIDTH.saturating_sub(used + 2).clamp(*BARS.start(), *BARS.end());
        let bar = |number: &Option<f64>| match number {
            Some(number) => sketch::bar(*number, largest, width),
            None => String::new(),
        };
        self.texts("", numbers.iter().map(bar).collect());
    }

    /// The table, with the end of its last line.
    pub(super) fn render(self) -> String {
        let mut table = Table::new();
        table.load_style(STYLE);
        table.set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(self.columns.iter().map(|column| column.title.clone()));
        let rows = self.columns.first().map_or(0, |column| column.cells.len());
        for row in 0..rows {
            let cells = self.columns.iter().map(|column| column.cells.get(row));
            table.add_row(cells.map(|cell| cell.cloned().unwrap_or_default()));
        }
        for (place, column) in self.columns.iter().enumerate().filter(|(_, own)| own.is_number) {
            if let Some(own) = table.column_mut(place) {
                own.set_cell_alignment(CellAlignment::Right);
            }
            debug_assert_eq!(column.cells.len(), rows, "columns are of one length");
        }
        table.trim_fmt() + "\n"
    }
}

impl Column {
    /// The column's width with the spaces before and behind it.
    fn width(&self) -> usize {
        let mut table = Table::new();
        table.set_header([&self.title]).add_rows(self.cells.iter().map(|cell| [cell]));
        let width = table.column_max_content_widths().first().copied().unwrap_or(0);
        usize::from(width) + 3
    }
}

/// Puts spaces behind numbers so that, aligned to the right, their points are on one line. What is
/// no number stays where it is.
fn align_points(cells: &mut [String]) {
    let tail = |cell: &str| {
        let point = cell.find('.').unwrap_or(cell.len());
        let is_number = cell.parse::<f64>().is_ok();
        is_number.then(|| cell.get(point..).unwrap_or_default().chars().count())
    };
    let longest = cells.iter().filter_map(|cell| tail(cell)).max().unwrap_or(0);
    for cell in cells {
        if let Some(tail) = tail(cell) {
            cell.push_str(&" ".repeat(longest.saturating_sub(tail)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_on_one_line_and_what_is_no_number_is_at_the_edge() {
        let mut table = Columns::default();
        table.texts("group", vec!["a".into(), "b".into(), "c".into(), "d".into()]);
        let numbers = ["1.25", "-300", "12.5", "–"];
        table.numbers("value", numbers.map(String::from).to_vec());
        let expected = [
            " group     value",
            "─────────────────",
            " a          1.25",
            " b       -300",
            " c         12.5",
            " d             –",
            "─────────────────",
        ];
        assert_eq!(table.render().lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn labels_of_wide_letters_move_nothing() {
        let mut table = Columns::default();
        table.texts("地域", vec!["北海道".into(), "x".into()]);
        table.numbers("n", vec!["1".into(), "2".into()]);
        table.bars(&[Some(1.0), Some(2.0)], 2.0);
        let text = table.render();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[2], format!(" 北海道   1   {}", "█".repeat(20)));
        assert_eq!(lines[3], format!(" x        2   {}", "█".repeat(40)));
    }
}
