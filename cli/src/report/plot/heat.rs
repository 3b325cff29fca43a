//! Heat: counts by the labels of two columns, as a map of shades.

use plotters::style::RGBColor;
use serde_json::Value;
use study::result::{Cell, Presentation, StatisticResult};

use super::{
    canvas::{Canvas, Drawing, EMPTY, INK, LETTERS, Letters, MUTED, PAPER, SMALL},
    heading::Heading,
    lettering::{cut, widest, width, wrap},
    panel::Part,
    tables::Table,
    value::{self, WITHHELD},
};

/// The most rows and columns that are drawn.
const MOST: (usize, usize) = (100, 40);
/// The height of a row.
const ROW: i32 = 24;
/// The width of a column.
const COLUMN: std::ops::RangeInclusive<i32> = 18..=120;
/// The most that the labels of rows take, and those of columns where they run upwards.
const LABELS: (i32, i32) = (240, 150);
/// The height of a line of letters.
const LINE: i32 = 15;

/// The counts of one cell.
#[derive(Debug)]
struct Heat {
    heading: Option<Heading>,
    /// The names of the columns of the study whose labels stand at the rows and the columns.
    names: [String; 2],
    rows: Vec<String>,
    columns: Vec<String>,
    counts: Vec<Vec<Option<f64>>>,
    notes: Vec<String>,
    width: i32,
}

/// One cell's counts; in words where they are too many.
pub fn part(statistic: &StatisticResult, cell: &Cell, width: i32) -> Box<dyn Part> {
    let key = |key| cell.value.as_ref().and_then(|value| value.get(key));
    let (rows, columns) = (value::texts(key("rows")), value::texts(key("columns")));
    let notes: Vec<String> = match &cell.shown {
        Some(Presentation::Table(sheet)) => sheet.notes.clone(),
        _ => Vec::new(),
    };
    let heading = (!cell.by.0.is_empty()).then(|| Heading::of_part(&value::label(cell), width));
    if rows.len() > MOST.0 || columns.len() > MOST.1 {
        let what = format!("{} × {} counts are too many to be drawn", rows.len(), columns.len());
        let notes = [what].into_iter().chain(notes).collect();
        return Box::new(Table::of_notes(heading, notes, width));
    }
    let counts = key("counts").and_then(Value::as_array).into_iter().flatten();
    let mut names = statistic.of.iter().cloned();
    Box::new(Heat {
        heading,
        names: [names.next().unwrap_or_default(), names.next().unwrap_or_default()],
        rows,
        columns,
        counts: counts.map(|row| value::numbers(Some(row))).collect(),
        notes: notes.iter().flat_map(|note| wrap(note, SMALL, width, 2)).collect(),
        width,
    })
}

impl Heat {
    /// The widths of the rows' labels and of a column.
    fn widths(&self) -> (i32, i32) {
        let [rows, _] = &self.names;
        let labels = self.rows.iter().chain([rows]).map(String::as_str);
        let labels = widest(labels, LETTERS).min(LABELS.0) + 10;
        let columns = i32::try_from(self.columns.len()).unwrap_or(1).max(1);
        let column = ((self.width - labels) / columns).clamp(*COLUMN.start(), *COLUMN.end());
        (labels, column)
    }

    /// The height of the columns' labels, and whether they run upwards.
    fn head(&self) -> (i32, bool) {
        let widest = widest(self.columns.iter().map(String::as_str), SMALL);
        match widest + 6 <= self.widths().1 {
            true => (LINE + 4, false),
            false => (widest.min(LABELS.1) + 8, true),
        }
    }

    fn draw_head(&self, canvas: &Canvas<'_>, left: i32, bottom: i32) -> Drawing {
        let ((labels, column), (_, is_upright)) = (self.widths(), self.head());
        let [rows, _] = &self.names;
        let name = cut(rows, LETTERS, labels - 10);
        canvas.text(
            &name,
            (left + labels - 10, bottom - 9),
            Letters::new(SMALL).color(MUTED).to(),
        )?;
        let mut x = left + labels;
        for label in &self.columns {
            match is_upright {
                true => {
                    let label = cut(label, SMALL, LABELS.1);
                    let letters = Letters::new(SMALL).upright();
                    canvas.text(&label, (x + column / 2, bottom - 5), letters)?;
                }
                false => canvas.text(
                    label,
                    (x + column / 2, bottom - 9),
                    Letters::new(SMALL).around(),
                )?,
            }
            x += column;
        }
        Ok(())
    }

    fn draw_count(
        &self,
        canvas: &Canvas<'_>,
        count: Option<f64>,
        largest: f64,
        (left, top): (i32, i32),
        column: i32,
    ) -> Drawing {
        let share =
            count.filter(|_| largest > 0.0).map_or(0.0, |count| (count / largest).clamp(0.0, 1.0));
        let color = if count.is_some() { shade(share) } else { EMPTY };
        canvas.fill((left, top), (left + column - 1, top + ROW - 1), color)?;
        let text = count.map_or_else(|| WITHHELD.into(), |count| count.to_string());
        let size = if width(&text, SMALL) <= column - 2 { SMALL } else { SMALL - 2 };
        if width(&text, size) > column {
            return Ok(());
        }
        let ink = match count {
            None => MUTED,
            Some(_) if share > 0.5 => PAPER,
            Some(_) => INK,
        };
        let letters = Letters::new(size).color(ink).around();
        canvas.text(&text, (left + column / 2, top + ROW / 2), letters)
    }
}

impl Part for Heat {
    fn height(&self) -> i32 {
        let lines = |lines: usize, height: i32| i32::try_from(lines).unwrap_or(0) * height;
        let heading = self.heading.as_ref().map_or(0, Heading::height);
        heading
            + LINE
            + self.head().0
            + lines(self.rows.len(), ROW)
            + 6
            + lines(self.notes.len(), LINE)
    }

    fn draw(&self, canvas: &Canvas<'_>, left: i32, top: i32) -> Drawing {
        let mut y = top;
        if let Some(heading) = &self.heading {
            heading.draw(canvas, left, y)?;
            y += heading.height();
        }
        let ((labels, column), (head, _)) = (self.widths(), self.head());
        let [_, name] = &self.names;
        canvas.text(name, (left + labels, y + LINE / 2), Letters::new(SMALL).color(MUTED))?;
        y += LINE + head;
        self.draw_head(canvas, left, y)?;
        let largest = self.counts.iter().flatten().flatten().copied().fold(0.0, f64::max);
        for (label, counts) in self.rows.iter().zip(&self.counts) {
            let label = cut(label, LETTERS, labels - 10);
            let at = (left + labels - 10, y + ROW / 2);
            canvas.text(&label, at, Letters::new(LETTERS).to())?;
            let mut x = left + labels;
            for count in counts {
                self.draw_count(canvas, *count, largest, (x, y), column)?;
                x += column;
            }
            y += ROW;
        }
        y += 6;
        for note in &self.notes {
            canvas.text(note, (left, y + LINE / 2), Letters::new(SMALL).color(MUTED))?;
            y += LINE;
        }
        Ok(())
    }
}

/// From light to dark.
fn shade(share: f64) -> RGBColor {
    let mix = |light: u8, dark: u8| {
        let (light, dark) = (f64::from(light), f64::from(dark));
        // Between two bytes, so that it is one.
        (light + (dark - light) * share).round() as u8
    };
    RGBColor(mix(0xed, 0x1f), mix(0xf4, 0x5f), mix(0xf9, 0x8b))
}
