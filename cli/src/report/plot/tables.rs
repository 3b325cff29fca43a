//! Tables: what has no picture of its own, in letters.

use study::result::{Cell, Presentation, Sheet};

use super::{
    canvas::{Canvas, Drawing, GRID, LETTERS, Letters, MUTED, SMALL},
    heading::Heading,
    lettering::{cut, widest, wrap},
    panel::Part,
    value::{self, WITHHELD},
};

/// The most rows that are written.
const MOST_ROWS: usize = 100;
/// The height of a row.
const ROW: i32 = 19;
/// The height of a note.
const LINE: i32 = 16;
/// What is empty between columns.
const BETWEEN: i32 = 26;

/// A sheet with its notes.
#[derive(Debug)]
pub struct Table {
    heading: Option<Heading>,
    sheet: Sheet,
    /// The widths of its columns.
    widths: Vec<i32>,
    notes: Vec<String>,
}

impl Table {
    /// One cell's sheet.
    pub fn of_cell(cell: &Cell, width: i32) -> Self {
        let heading = (!cell.by.0.is_empty()).then(|| Heading::of_part(&value::label(cell), width));
        match &cell.shown {
            Some(Presentation::Table(sheet)) => Self::new(heading, sheet.clone(), width),
            _ => {
                let text = cell.value.as_ref().map(|value| value.to_string());
                Self::of_notes(heading, text.into_iter().collect(), width)
            }
        }
    }

    /// Lines of words.
    pub fn of_notes(heading: Option<Heading>, notes: Vec<String>, width: i32) -> Self {
        Self::new(heading, Sheet { notes, ..Sheet::default() }, width)
    }

    fn new(heading: Option<Heading>, mut sheet: Sheet, width: i32) -> Self {
        if let Some(more) = sheet.rows.len().checked_sub(MOST_ROWS + 1) {
            sheet.rows.truncate(MOST_ROWS);
            sheet.notes.push(format!("and {} more rows", more + 1));
        }
        let numbers = sheet.rows.iter_mut().flat_map(|row| row.iter_mut().skip(1));
        for text in numbers.filter(|text| *text == "withheld") {
            *text = WITHHELD.into();
        }
        let columns = i32::try_from(sheet.header.len()).unwrap_or(1).max(1);
        let most = (width / columns - BETWEEN).max(60);
        for text in sheet.header.iter_mut().chain(sheet.rows.iter_mut().flatten()) {
            *text = cut(text, LETTERS, if columns > 3 { most } else { most.max(200) });
        }
        let column = |place: usize| {
            let texts = [&sheet.header].into_iter().chain(&sheet.rows);
            widest(texts.filter_map(|row| row.get(place).map(String::as_str)), LETTERS)
        };
        let widths = (0..sheet.header.len()).map(column).collect();
        let notes = sheet.notes.iter().flat_map(|note| wrap(note, LETTERS, width, 3)).collect();
        Self { heading, sheet, widths, notes }
    }

    fn draw_row(
        &self,
        canvas: &Canvas<'_>,
        row: &[String],
        (left, y): (i32, i32),
        letters: Letters,
    ) -> Drawing {
        let mut x = left;
        for (place, (text, width)) in row.iter().zip(&self.widths).enumerate() {
            match place {
                0 => canvas.text(text, (x, y), letters)?,
                _ => canvas.text(text, (x + width, y), letters.to())?,
            }
            x += width + BETWEEN;
        }
        Ok(())
    }
}

impl Part for Table {
    fn height(&self) -> i32 {
        let lines = |lines: usize, height: i32| i32::try_from(lines).unwrap_or(0) * height;
        let heading = self.heading.as_ref().map_or(0, Heading::height);
        let header = if self.sheet.header.is_empty() { 0 } else { ROW + 10 };
        heading + header + lines(self.sheet.rows.len(), ROW) + lines(self.notes.len(), LINE)
    }

    fn draw(&self, canvas: &Canvas<'_>, left: i32, top: i32) -> Drawing {
        let mut y = top;
        if let Some(heading) = &self.heading {
            heading.draw(canvas, left, y)?;
            y += heading.height();
        }
        if !self.sheet.header.is_empty() {
            let letters = Letters::new(SMALL).color(MUTED);
            self.draw_row(canvas, &self.sheet.header, (left, y + ROW / 2), letters)?;
            y += ROW;
            let right =
                left + self.widths.iter().map(|width| width + BETWEEN).sum::<i32>() - BETWEEN;
            canvas.line((left, y + 1), (right, y + 1), GRID)?;
            y += 4;
        }
        for row in &self.sheet.rows {
            self.draw_row(canvas, row, (left, y + ROW / 2), Letters::new(LETTERS))?;
            y += ROW;
        }
        y += if self.sheet.header.is_empty() { 0 } else { 6 };
        for note in &self.notes {
            canvas.text(note, (left, y + LINE / 2), Letters::new(LETTERS))?;
            y += LINE;
        }
        Ok(())
    }
}
