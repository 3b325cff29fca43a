//! Histogram: upright bars over the edges of their bins.

use study::result::{Cell, StatisticResult};

use super::{
    canvas::{AXIS, Canvas, Drawing, EMPTY, GRID, INK, Letters, MARK, MUTED, SMALL, WHISKER},
    heading::Heading,
    lettering::{cut, widest, width},
    panel::Part,
    scale::{Scale, extent},
    value::{self, Range, WITHHELD},
};

/// The height between the axes.
const HEIGHT: i32 = 190;
/// What is above the highest bar: its number.
const ABOVE: i32 = 18;
/// The edges' numbers and the axis's name.
const BELOW: i32 = 42;
/// The least distance of two numbers at the upright axis.
const TICKS: i32 = 34;
/// The letters of the counts.
const COUNTS: i32 = 10;

/// The counts of one cell.
#[derive(Debug)]
pub struct Histogram {
    heading: Option<Heading>,
    edges: Vec<f64>,
    /// None where it is withheld.
    counts: Vec<Option<f64>>,
    intervals: Vec<Option<Range>>,
    axis: String,
    scale: Range,
    width: i32,
}

/// The smallest and the largest number of a statistic's histograms, and 0: all have one scale.
pub fn largest(statistic: &StatisticResult) -> Range {
    let counts = statistic.cells.iter().flat_map(|cell| {
        let counts = value::numbers(cell.value.as_ref().and_then(|value| value.get("counts")));
        let ends = intervals(cell).into_iter().flatten().flat_map(|(low, high)| [low, high]);
        counts.into_iter().flatten().chain(ends)
    });
    extent(counts.chain([0.0]))
}

fn intervals(cell: &Cell) -> Vec<Option<Range>> {
    let all = cell.ci95.as_ref().and_then(|interval| interval.get("counts")?.as_array());
    all.into_iter().flatten().map(value::interval).collect()
}

impl Histogram {
    /// The histogram of one cell, up to the largest number of all.
    pub fn new(statistic: &StatisticResult, cell: &Cell, scale: Range, width: i32) -> Self {
        let list = |key| value::numbers(cell.value.as_ref().and_then(|value| value.get(key)));
        let is_one = statistic.cells.len() == 1;
        Self {
            heading: (!is_one).then(|| Heading::of_part(&value::label(cell), width)),
            edges: list("edges").into_iter().flatten().collect(),
            counts: list("counts"),
            intervals: intervals(cell),
            axis: value::with_unit(&statistic.of.join(", "), statistic),
            scale,
            width,
        }
    }

    fn draw_counts_axis(
        &self,
        canvas: &Canvas<'_>,
        ticks: &[(i32, String)],
        from: i32,
        to: i32,
    ) -> Drawing {
        for (y, text) in ticks {
            canvas.line((from, *y), (to, *y), GRID)?;
            canvas.text(text, (from - 6, *y), Letters::new(SMALL).color(MUTED).to())?;
        }
        Ok(())
    }

    /// The edges' numbers, as many as have room; the last one always.
    fn draw_edges(&self, canvas: &Canvas<'_>, across: &Scale, bottom: i32) -> Drawing {
        let labels = self.edges.iter().map(|edge| {
            let text = edge.to_string();
            let (x, half) = (across.at(*edge), width(&text, SMALL) / 2);
            (x, half, text)
        });
        let mut shown: Vec<(i32, i32, String)> = Vec::new();
        let mut last = None;
        let is_free = |shown: &[(i32, i32, String)], x: i32, half: i32| {
            shown.last().is_none_or(|(other, reach, _)| x - half > other + reach + 5)
        };
        for (x, half, text) in labels {
            last = Some((x, half, text.clone()));
            if is_free(&shown, x, half) {
                shown.push((x, half, text));
            }
        }
        if let Some((x, half, text)) = last
            && shown.last().is_none_or(|(other, ..)| *other != x)
        {
            while !shown.is_empty() && !is_free(&shown, x, half) {
                shown.pop();
            }
            shown.push((x, half, text));
        }
        for (x, _, text) in shown {
            canvas.line((x, bottom), (x, bottom + 4), AXIS)?;
            canvas.text(&text, (x, bottom + 12), Letters::new(SMALL).color(MUTED).around())?;
        }
        Ok(())
    }

    /// A low box, so that it is not taken for a count.
    fn draw_withheld(&self, canvas: &Canvas<'_>, (from, to): (i32, i32), zero: i32) -> Drawing {
        let letters = Letters::new(COUNTS).color(MUTED).around();
        let needed = width(WITHHELD, COUNTS);
        let is_upright = needed > to - from;
        let height = if is_upright { needed + 6 } else { COUNTS + 6 };
        canvas.fill((from + 1, zero - height), (to, zero), EMPTY)?;
        let middle = ((from + to) / 2, zero - height / 2);
        match (is_upright, to - from >= COUNTS + 2) {
            (false, _) => canvas.text(WITHHELD, middle, letters),
            (true, true) => canvas.text(WITHHELD, middle, letters.upright()),
            (true, false) => Ok(()),
        }
    }

    fn draw_bin(
        &self,
        canvas: &Canvas<'_>,
        up: &Scale,
        (from, to): (i32, i32),
        place: usize,
    ) -> Drawing {
        let (middle, room) = ((from + to) / 2, to - from);
        let Some(count) = self.counts.get(place).copied().flatten() else {
            return self.draw_withheld(canvas, (from, to), up.at(0.0));
        };
        let gap = if room > 3 { 1 } else { 0 };
        let y = up.at(count);
        canvas.fill((from + gap, y), (to, up.at(0.0)), MARK)?;
        let mut above = y.min(up.at(0.0));
        if let Some((low, high)) = self.intervals.get(place).copied().flatten() {
            canvas.line((middle, up.at(low)), (middle, up.at(high)), WHISKER)?;
            for end in [low, high].map(|end| up.at(end)) {
                canvas.line((middle - 3, end), (middle + 3, end), WHISKER)?;
                above = above.min(end);
            }
        }
        let text = count.to_string();
        if width(&text, COUNTS) > room {
            return Ok(());
        }
        canvas.text(&text, (middle, above - 8), Letters::new(COUNTS).color(INK).around())
    }
}

impl Part for Histogram {
    fn height(&self) -> i32 {
        self.heading.as_ref().map_or(0, Heading::height) + ABOVE + HEIGHT + BELOW
    }

    fn draw(&self, canvas: &Canvas<'_>, left: i32, top: i32) -> Drawing {
        let mut top = top;
        if let Some(heading) = &self.heading {
            heading.draw(canvas, left, top)?;
            top += heading.height();
        }
        top += ABOVE;
        let bottom = top + HEIGHT;
        let up = Scale::new(self.scale, (bottom, top));
        let ticks = up.ticks(TICKS);
        let from = left + 20 + widest(ticks.iter().map(|(_, text)| text.as_str()), SMALL) + 8;
        // Half of the last edge's number is behind the axis.
        let last = self.edges.last().map_or(0, |edge| width(&edge.to_string(), SMALL) / 2 + 2);
        let to = left + self.width - last;
        canvas.text(
            "records",
            (left + 7, (top + bottom) / 2),
            Letters::new(SMALL).color(MUTED).around().upright(),
        )?;
        self.draw_counts_axis(canvas, &ticks, from, to)?;
        let across = Scale::new(extent(self.edges.iter().copied()), (from, to));
        for (place, pair) in self.edges.windows(2).enumerate() {
            if let [start, end] = *pair {
                let ends = (across.at(start), across.at(end));
                self.draw_bin(canvas, &up, ends, place)?;
            }
        }
        canvas.line((from, up.at(0.0)), (to, up.at(0.0)), AXIS)?;
        self.draw_edges(canvas, &across, bottom)?;
        let name = cut(&self.axis, SMALL, to - from);
        let letters = Letters::new(SMALL).color(MUTED).around();
        canvas.text(&name, ((from + to) / 2, bottom + 30), letters)
    }
}
