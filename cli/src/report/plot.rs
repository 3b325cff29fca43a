//! Plot: a result as one SVG picture, a panel per statistic below each other.
//!
//! What a panel shows follows from the values: numbers are bars, quantiles are points, counts per bin
//! a histogram, counts per pair of labels a map of shades, coefficients points with their errors, and
//! everything else a table. All sizes are in pixels.

use std::{fs, io, path::Path};

use study::StudyResult;

use crate::failure::Failure;

mod canvas;
mod coefficients;
mod heading;
mod heat;
mod histogram;
mod lettering;
mod panel;
mod rows;
mod scale;
mod tables;
#[cfg(test)]
mod tests;
mod value;

use canvas::{Canvas, Drawing};
use heading::Heading;
use panel::Panel;

/// The picture's width.
const WIDTH: i32 = 960;
/// What is empty around all.
const MARGIN: i32 = 28;
/// What is empty between two panels.
const GAP: i32 = 34;
/// Programs that show pictures take no more.
const MOST_HEIGHT: i32 = 30_000;

/// A picture of a result.
#[derive(Debug)]
pub struct Picture {
    /// The SVG document.
    pub svg: String,
    /// What is not in the picture, a line each.
    pub left_out: Vec<String>,
}

impl Picture {
    /// Draws all statistics under a title and a line about the study.
    pub fn new(title: &str, about: &str, result: &StudyResult) -> io::Result<Self> {
        let head = Heading::of_picture(title, about, WIDTH - 2 * MARGIN);
        let mut left_out = Vec::new();
        let mut height = MARGIN + head.height();
        let mut panels = Vec::new();
        for statistic in &result.statistics {
            let panel = Panel::new(statistic);
            if height + GAP + panel.height() + MARGIN > MOST_HEIGHT && !panels.is_empty() {
                let (drawn, all) = (panels.len(), result.statistics.len());
                left_out.push(format!("the picture has the first {drawn} of {all} statistics"));
                break;
            }
            height += GAP + panel.height();
            left_out.extend(panel.left_out());
            panels.push(panel);
        }
        let mut svg = String::new();
        let drawn = draw(&mut svg, height + MARGIN, &head, &panels);
        drawn.map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Self { svg, left_out })
    }

    /// Writes the picture to a file.
    pub fn write(&self, file: &Path) -> Result<(), Failure> {
        fs::write(file, &self.svg)
            .map_err(|error| Failure::Picture { file: file.to_owned(), error })
    }
}

fn draw(svg: &mut String, height: i32, head: &Heading, panels: &[Panel]) -> Drawing {
    let canvas = Canvas::new(svg, WIDTH, height)?;
    let mut top = MARGIN;
    head.draw(&canvas, MARGIN, top)?;
    top += head.height();
    for panel in panels {
        top += GAP;
        canvas.line((MARGIN, top - GAP / 2), (WIDTH - MARGIN, top - GAP / 2), canvas::GRID)?;
        panel.draw(&canvas, top)?;
        top += panel.height();
    }
    canvas.finish()
}
