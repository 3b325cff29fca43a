//! Heading: a title and what is to be said of it, above a panel or the whole picture.

use super::{
    canvas::{Canvas, Drawing, INK, Letters, MUTED, SMALL},
    lettering::wrap,
};

/// Lines of letters, the first ones larger.
#[derive(Debug)]
pub struct Heading {
    title: Vec<String>,
    about: Vec<String>,
    size: i32,
}

impl Heading {
    /// Above the picture.
    pub fn of_picture(title: &str, about: &str, width: i32) -> Self {
        let size = 20;
        Self { title: wrap(title, size + 2, width, 4), about: wrap(about, 12, width, 4), size }
    }

    /// Above a panel.
    pub fn of_panel(title: &str, about: &str, width: i32) -> Self {
        let size = 14;
        Self { title: wrap(title, size + 1, width, 3), about: wrap(about, 12, width, 3), size }
    }

    /// Above one of several parts of a panel.
    pub fn of_part(title: &str, width: i32) -> Self {
        Self { title: wrap(title, SMALL + 2, width, 2), about: Vec::new(), size: 12 }
    }

    /// Its height with the space below it.
    pub fn height(&self) -> i32 {
        let lines = |lines: &[String]| i32::try_from(lines.len()).unwrap_or(0);
        lines(&self.title) * (self.size + 5) + lines(&self.about) * 16 + 8
    }

    /// Draws it from a corner on.
    pub fn draw(&self, canvas: &Canvas<'_>, left: i32, top: i32) -> Drawing {
        let mut y = top;
        for line in &self.title {
            let letters = Letters::new(self.size).color(INK).bold();
            canvas.text(line, (left, y + (self.size + 5) / 2), letters)?;
            y += self.size + 5;
        }
        for line in &self.about {
            canvas.text(line, (left, y + 8), Letters::new(12).color(MUTED))?;
            y += 16;
        }
        Ok(())
    }
}
