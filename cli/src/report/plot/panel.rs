//! Panel: one statistic on the picture, in one part or a part per cell.

use study::result::{Cell, StatisticResult};

use super::{
    MARGIN, WIDTH,
    canvas::{Canvas, Drawing, Letters, MUTED, SMALL},
    coefficients,
    heading::Heading,
    heat,
    histogram::{self, Histogram},
    lettering::wrap,
    rows,
    tables::Table,
    value::{self, Shape},
};

/// The most parts of a panel.
const MOST_PARTS: usize = 24;
/// The width of a panel.
const ACROSS: i32 = WIDTH - 2 * MARGIN;
/// What is empty between parts, in both directions.
const BETWEEN: i32 = 18;
/// The height of a line of notes.
const NOTE: i32 = 15;

/// What lines on bars and points mean.
const INTERVALS: &str = "dark lines: 95 % interval for the value without noise";

/// A drawing with a height of its own.
pub trait Part {
    /// Its height.
    fn height(&self) -> i32;

    /// Draws it from a corner on.
    fn draw(&self, canvas: &Canvas<'_>, left: i32, top: i32) -> Drawing;
}

/// A statistic's place on the picture.
pub struct Panel {
    heading: Heading,
    parts: Vec<Box<dyn Part>>,
    /// Parts beside each other.
    columns: i32,
    /// What of the statistic is not drawn.
    left_out: Option<String>,
    notes: Vec<String>,
}

impl Panel {
    /// Decides how a statistic is drawn.
    pub fn new(statistic: &StatisticResult) -> Self {
        let shape = value::shape(statistic);
        let heading = Heading::of_panel(&statistic.name, &about(statistic, shape), ACROSS);
        match shape {
            Shape::Single | Shape::Ranges => {
                let (rows, left_out) = rows::of_cells(statistic, ACROSS);
                let (parts, notes): (Vec<Box<dyn Part>>, _) = (vec![Box::new(rows)], Vec::new());
                Self { heading, parts, columns: 1, left_out, notes }.noted(statistic)
            }
            _ => Self::of_parts(heading, statistic, shape).noted(statistic),
        }
    }

    /// A part per cell that has a value.
    fn of_parts(heading: Heading, statistic: &StatisticResult, shape: Shape) -> Self {
        let filled: Vec<&Cell> =
            statistic.cells.iter().filter(|cell| cell.value.is_some()).collect();
        let columns = if shape == Shape::Histogram && filled.len() > 1 { 2 } else { 1 };
        let width = (ACROSS - (columns - 1) * BETWEEN) / columns;
        let largest = histogram::largest(statistic);
        let part = |cell: &&Cell| -> Box<dyn Part> {
            match shape {
                Shape::Histogram => Box::new(Histogram::new(statistic, cell, largest, width)),
                Shape::Pairs => heat::part(statistic, cell, width),
                Shape::Coefficients => coefficients::part(statistic, cell, width),
                _ => Box::new(Table::of_cell(cell, width)),
            }
        };
        let parts = filled.iter().take(MOST_PARTS).map(part).collect();
        let is_cut = filled.len() > MOST_PARTS;
        let left_out = is_cut.then(|| left_out(statistic, MOST_PARTS, filled.len()));
        let notes = value::withheld(statistic).into_iter().chain(reasons(statistic)).collect();
        Self { heading, parts, columns, left_out, notes }
    }

    /// The same, with all notes in lines.
    fn noted(mut self, statistic: &StatisticResult) -> Self {
        let has_intervals = statistic.cells.iter().any(|cell| cell.ci95.is_some());
        let intervals = has_intervals.then(|| INTERVALS.to_string());
        let notes = self.left_out.iter().chain(&intervals).chain(&self.notes);
        self.notes = notes.flat_map(|note| wrap(note, SMALL, ACROSS, 6)).collect();
        self
    }

    /// What of the statistic is not drawn.
    pub fn left_out(&self) -> Option<String> {
        self.left_out.clone()
    }

    /// The panel's height.
    pub fn height(&self) -> i32 {
        let rows: i32 = self.rows().map(|row| row_height(row) + BETWEEN).sum();
        let notes = i32::try_from(self.notes.len()).unwrap_or(0) * NOTE;
        self.heading.height() + (rows - BETWEEN).max(0) + notes
    }

    fn rows(&self) -> impl Iterator<Item = &[Box<dyn Part>]> {
        self.parts.chunks(usize::try_from(self.columns).unwrap_or(1))
    }

    /// Draws the panel at its height on the picture.
    pub fn draw(&self, canvas: &Canvas<'_>, top: i32) -> Drawing {
        self.heading.draw(canvas, MARGIN, top)?;
        let bottom = top + self.height();
        let mut y = top + self.heading.height();
        for row in self.rows() {
            let mut left = MARGIN;
            for part in row {
                part.draw(canvas, left, y)?;
                left += (ACROSS + BETWEEN) / self.columns;
            }
            y += row_height(row) + BETWEEN;
        }
        let mut y = bottom - i32::try_from(self.notes.len()).unwrap_or(0) * NOTE;
        for note in &self.notes {
            canvas.text(note, (MARGIN, y + NOTE / 2 + 2), Letters::new(SMALL).color(MUTED))?;
            y += NOTE;
        }
        Ok(())
    }
}

/// What is said of a statistic with more groups than are drawn.
pub fn left_out(statistic: &StatisticResult, drawn: usize, all: usize) -> String {
    format!("{}: the picture has the first {drawn} of {all} groups", statistic.name)
}

fn row_height(parts: &[Box<dyn Part>]) -> i32 {
    parts.iter().map(|part| part.height()).max().unwrap_or(0)
}

/// What the statistic is, and how it is drawn where that is not plain.
fn about(statistic: &StatisticResult, shape: Shape) -> String {
    let description = statistic.description();
    match shape {
        Shape::Ranges => {
            let first = statistic.cells.iter().find_map(|cell| cell.value.as_ref()?.as_object());
            let ranges = first.and_then(value::ranges).unwrap_or_default();
            let names = ranges.iter().map(|(name, _)| *name).filter(|name| !name.is_empty());
            match names.collect::<Vec<_>>()[..] {
                [] => description,
                ref names => format!("{description}: {}", names.join(", ")),
            }
        }
        Shape::Coefficients => {
            format!("{description}; lines reach 1.96 standard errors to both sides")
        }
        Shape::Other => match &statistic.unit {
            Some(unit) => format!("{description}, in {unit}"),
            None => description,
        },
        _ => description,
    }
}

/// Each reason of cells without a value, with their labels.
fn reasons(statistic: &StatisticResult) -> Vec<String> {
    let mut reasons: Vec<(String, Vec<String>)> = Vec::new();
    for cell in statistic.cells.iter().filter(|cell| cell.value.is_none()) {
        let (reason, label) = (value::reason(cell), value::label(cell));
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, labels)) => labels.push(label),
            None => reasons.push((reason, vec![label])),
        }
    }
    reasons.iter().map(|(reason, labels)| format!("{reason}: {}", labels.join("; "))).collect()
}
