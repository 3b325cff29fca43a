//! Rows: a bar, some points or a text per label, with the labels on the left and one axis below.

use study::result::{Cell, Presentation, StatisticResult};

use super::{
    canvas::{
        AXIS, Canvas, Drawing, GRID, INK, LETTERS, Letters, MARK, MUTED, PAPER, SMALL, WHISKER,
    },
    heading::Heading,
    lettering::{cut, widest, width, wrap},
    panel::{self, Part},
    scale::{Scale, extent},
    value::{self, Range},
};

/// The most rows of a panel.
const MOST_ROWS: usize = 200;
/// From this number on, rows are lower.
const MANY: usize = 30;
/// The most that labels take of the width.
const LABELS: i32 = 300;
/// The height of a label's line.
const LINE: i32 = 15;
/// The height of the axis with its name.
const BELOW: i32 = 42;
/// The least distance of two numbers at the axis.
const TICKS: i32 = 90;

/// One label and what it has.
#[derive(Debug, Default)]
pub struct Row {
    /// The label.
    pub label: String,
    /// What is drawn.
    pub mark: Mark,
    /// An interval around it.
    pub interval: Option<Range>,
    /// What is written behind it.
    pub text: String,
    /// Whether the text says why there is nothing.
    pub is_reason: bool,
}

/// What is drawn in a row.
#[derive(Debug, Default)]
pub enum Mark {
    /// Nothing.
    #[default]
    None,
    /// A bar from 0 on.
    Bar(f64),
    /// Points on a line; a range that is none is a thick line.
    Points(Vec<Range>),
}

/// Rows with their layout.
#[derive(Debug)]
pub struct Rows {
    heading: Option<Heading>,
    rows: Vec<Row>,
    /// Per row the lines of its label.
    labels: Vec<Vec<String>>,
    axis: String,
    width: i32,
    notes: Vec<String>,
}

/// A row per cell, and what is left out.
pub fn of_cells(statistic: &StatisticResult, width: i32) -> (Rows, Option<String>) {
    let all = statistic.cells.len();
    let left_out = (all > MOST_ROWS).then(|| panel::left_out(statistic, MOST_ROWS, all));
    let rows = statistic.cells.iter().take(MOST_ROWS).map(row);
    let axis = value::with_unit(&statistic.kind, statistic);
    (Rows::new(None, rows.collect(), axis, width, Vec::new()), left_out)
}

fn row(cell: &Cell) -> Row {
    let label = value::label(cell);
    let Some(found) = &cell.value else {
        return Row { label, text: value::reason(cell), is_reason: true, ..Row::default() };
    };
    if let Some(ranges) = found.as_object().and_then(value::ranges) {
        let text = ranges_text(cell, &ranges);
        let points = ranges.into_iter().map(|(_, range)| range).collect();
        return Row { label, mark: Mark::Points(points), text, ..Row::default() };
    }
    let mark = found.as_f64().map_or(Mark::None, Mark::Bar);
    let interval = cell.ci95.as_ref().and_then(value::interval);
    Row { label, mark, interval, text: value::shown(cell).unwrap_or_default(), is_reason: false }
}

/// Values as the table has them; of many the first and the last.
fn ranges_text(cell: &Cell, ranges: &[(&str, Range)]) -> String {
    let texts: Vec<String> = match &cell.shown {
        Some(Presentation::Number(text)) => vec![text.clone()],
        Some(Presentation::Table(sheet)) if sheet.rows.len() == ranges.len() => {
            sheet.rows.iter().filter_map(|row| row.get(1).cloned()).collect()
        }
        _ => ranges.iter().map(|(_, (from, to))| range_text(*from, *to)).collect(),
    };
    match texts.as_slice() {
        [first, .., last] if texts.len() > 5 => format!("{first} … {last}"),
        _ => texts.join(" · "),
    }
}

fn range_text(from: f64, to: f64) -> String {
    if from == to { from.to_string() } else { format!("{from} to {to}") }
}

impl Rows {
    /// Rows in a width, with a name at their axis.
    pub fn new(
        heading: Option<Heading>,
        rows: Vec<Row>,
        axis: String,
        width: i32,
        notes: Vec<String>,
    ) -> Self {
        let most = LABELS.min(width * 2 / 5);
        let labels = rows.iter().map(|row| wrap(&row.label, LETTERS, most, 3)).collect();
        let notes = notes.iter().flat_map(|note| wrap(note, SMALL, width, 2)).collect();
        Self { heading, rows, labels, axis, width, notes }
    }

    fn has_marks(&self) -> bool {
        self.rows.iter().any(|row| !matches!(row.mark, Mark::None))
    }

    fn row_height(&self, label: &[String]) -> i32 {
        let least = if self.rows.len() > MANY { 19 } else { 24 };
        let lines = i32::try_from(label.len()).unwrap_or(1);
        least.max(lines * LINE + 8)
    }

    fn scale(&self, from: i32, to: i32) -> Scale {
        let is_bar = self.rows.iter().any(|row| matches!(row.mark, Mark::Bar(_)));
        let numbers = self.rows.iter().flat_map(|row| row.numbers());
        let (low, high) = extent(numbers.chain(is_bar.then_some(0.0)));
        // Points do not stand on the edge.
        let spare = if is_bar { 0.0 } else { (high - low) * 0.04 };
        Scale::new((low - spare, high + spare), (from, to))
    }

    fn rows_height(&self) -> i32 {
        self.labels.iter().map(|label| self.row_height(label)).sum()
    }

    fn draw_axis(
        &self,
        canvas: &Canvas<'_>,
        scale: &Scale,
        (from, to): (i32, i32),
        (top, bottom): (i32, i32),
    ) -> Drawing {
        for (x, text) in scale.ticks(TICKS) {
            canvas.line((x, top), (x, bottom), GRID)?;
            canvas.text(&text, (x, bottom + 11), Letters::new(SMALL).color(MUTED).around())?;
        }
        let zero = scale.at(0.0);
        if (from..=to).contains(&zero) {
            canvas.line((zero, top), (zero, bottom), AXIS)?;
        }
        let name = cut(&self.axis, SMALL, self.width);
        let half = width(&name, SMALL) / 2;
        // In the middle of the axis, and not beyond the end of it.
        let x = ((from + to) / 2).min(to + half).max(from + half.min((to - from) / 2));
        canvas.text(&name, (x, bottom + 29), Letters::new(SMALL).color(MUTED).around())
    }
}

impl Part for Rows {
    fn height(&self) -> i32 {
        let heading = self.heading.as_ref().map_or(0, Heading::height);
        let axis = if self.has_marks() { BELOW } else { 0 };
        let notes = i32::try_from(self.notes.len()).unwrap_or(0) * LINE;
        heading + self.rows_height() + axis + notes
    }

    fn draw(&self, canvas: &Canvas<'_>, left: i32, top: i32) -> Drawing {
        let mut top = top;
        if let Some(heading) = &self.heading {
            heading.draw(canvas, left, top)?;
            top += heading.height();
        }
        let labels = widest(self.labels.iter().flatten().map(String::as_str), LETTERS);
        let drawn = self.rows.iter().filter(|row| !row.is_reason);
        let texts = widest(drawn.map(|row| row.text.as_str()), LETTERS) + 14;
        let from = left + labels + 10;
        let to = (left + self.width - texts).max(from + 100);
        let bottom = top + self.rows_height();
        let scale = self.scale(from, to);
        if self.has_marks() {
            self.draw_axis(canvas, &scale, (from, to), (top, bottom))?;
        }
        let mut y = top;
        for (row, label) in self.rows.iter().zip(&self.labels) {
            let height = self.row_height(label);
            let middle = y + height / 2;
            let lines = i32::try_from(label.len()).unwrap_or(1);
            let mut line_y = middle - (lines - 1) * LINE / 2;
            for line in label {
                canvas.text(line, (from - 10, line_y), Letters::new(LETTERS).to())?;
                line_y += LINE;
            }
            row.draw(canvas, &scale, (from, left + self.width), (middle, height.min(24)))?;
            y += height;
        }
        let mut y = top + self.rows_height() + if self.has_marks() { BELOW } else { 0 };
        for note in &self.notes {
            canvas.text(note, (left, y + LINE / 2), Letters::new(SMALL).color(MUTED))?;
            y += LINE;
        }
        Ok(())
    }
}

impl Row {
    /// All numbers that have to be on the axis.
    fn numbers(&self) -> Vec<f64> {
        let mut numbers = match &self.mark {
            Mark::None => Vec::new(),
            Mark::Bar(number) => vec![*number],
            Mark::Points(points) => points.iter().flat_map(|(from, to)| [*from, *to]).collect(),
        };
        numbers.extend(self.interval.into_iter().flat_map(|(low, high)| [low, high]));
        numbers
    }

    /// Draws it between two ends, at a height, as high as that.
    fn draw(
        &self,
        canvas: &Canvas<'_>,
        scale: &Scale,
        (from, end): (i32, i32),
        (y, height): (i32, i32),
    ) -> Drawing {
        match &self.mark {
            Mark::None => {}
            Mark::Bar(number) => {
                let half = height * 3 / 10;
                canvas.fill((scale.at(0.0), y - half), (scale.at(*number), y + half), MARK)?;
            }
            Mark::Points(points) => self.draw_points(canvas, scale, points, y)?,
        }
        if let Some((low, high)) = self.interval {
            let (low, high) = (scale.at(low), scale.at(high));
            canvas.line((low, y), (high, y), WHISKER)?;
            for end in [low, high] {
                canvas.line((end, y - 4), (end, y + 4), WHISKER)?;
            }
        }
        let zero = matches!(self.mark, Mark::Bar(_)).then(|| scale.at(0.0));
        let ends = self.numbers().into_iter().map(|number| scale.at(number)).chain(zero);
        let x = ends.max().unwrap_or(from) + 8;
        let color = if self.is_reason { MUTED } else { INK };
        let text = cut(&self.text, LETTERS, end - x);
        // The lines of the axis end at the letters.
        let wide = width(&text, LETTERS);
        canvas.fill((x - 3, y - LINE / 2), (x + wide, y + LINE / 2), PAPER)?;
        canvas.text(&text, (x, y), Letters::new(LETTERS).color(color))
    }

    fn draw_points(&self, canvas: &Canvas<'_>, scale: &Scale, points: &[Range], y: i32) -> Drawing {
        let (low, high) = extent(points.iter().flat_map(|(from, to)| [*from, *to]));
        if self.interval.is_none() {
            canvas.line((scale.at(low), y), (scale.at(high), y), MARK)?;
        }
        for (from, to) in points {
            match from == to {
                true => canvas.dot((scale.at(*from), y), 4, MARK)?,
                false => canvas.fill((scale.at(*from), y - 4), (scale.at(*to), y + 4), MARK)?,
            }
        }
        Ok(())
    }
}
