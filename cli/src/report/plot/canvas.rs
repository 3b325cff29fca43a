//! Canvas: lines, boxes and letters on an SVG picture, in few colours.

use plotters::{
    coord::Shift,
    prelude::{
        Circle, DrawingArea, DrawingAreaErrorKind, EmptyElement, IntoDrawingArea as _,
        IntoFont as _, PathElement, RGBColor, Rectangle, SVGBackend,
    },
    style::{
        Color as _, FontStyle, FontTransform, ShapeStyle, TextStyle,
        text_anchor::{HPos, Pos, VPos},
    },
};

/// Whether a drawing succeeded.
pub type Drawing<T = ()> = Result<T, DrawingAreaErrorKind<std::io::Error>>;

/// A place on the picture: from the left, from the top.
pub type Point = (i32, i32);

/// Letters.
pub const INK: RGBColor = RGBColor(0x22, 0x2b, 0x36);
/// Letters of less weight.
pub const MUTED: RGBColor = RGBColor(0x67, 0x72, 0x7e);
/// Lines behind everything.
pub const GRID: RGBColor = RGBColor(0xe3, 0xe7, 0xeb);
/// Axes.
pub const AXIS: RGBColor = RGBColor(0x9a, 0xa5, 0xb1);
/// Bars and points.
pub const MARK: RGBColor = RGBColor(0x3d, 0x7e, 0xaa);
/// What is on bars: intervals.
pub const WHISKER: RGBColor = RGBColor(0x17, 0x36, 0x4d);
/// What is withheld.
pub const EMPTY: RGBColor = RGBColor(0xee, 0xf0, 0xf2);
/// Letters on dark marks.
pub const PAPER: RGBColor = RGBColor(0xff, 0xff, 0xff);

/// The size of most letters.
pub const LETTERS: i32 = 12;
/// The size of letters at axes.
pub const SMALL: i32 = 11;

/// Plotters writes sizes of letters divided by this.
const PLOTTERS_SIZE: f64 = 1.24;

/// A picture that is being drawn.
pub struct Canvas<'a> {
    area: DrawingArea<SVGBackend<'a>, Shift>,
}

/// How letters look. They stand in the middle of their line's height.
#[derive(Clone, Copy)]
pub struct Letters {
    /// Their size.
    pub size: i32,
    /// Their colour.
    pub color: RGBColor,
    /// Whether they are heavy.
    pub is_bold: bool,
    /// What of the text is at the point: its start, middle or end.
    pub at: HPos,
    /// Whether the text runs upwards.
    pub is_upright: bool,
}

impl Letters {
    /// Ink, from the point on.
    pub const fn new(size: i32) -> Self {
        Self { size, color: INK, is_bold: false, at: HPos::Left, is_upright: false }
    }

    /// In another colour.
    pub const fn color(mut self, color: RGBColor) -> Self {
        self.color = color;
        self
    }

    /// Heavier.
    pub const fn bold(mut self) -> Self {
        self.is_bold = true;
        self
    }

    /// Up to the point.
    pub const fn to(mut self) -> Self {
        self.at = HPos::Right;
        self
    }

    /// Around the point.
    pub const fn around(mut self) -> Self {
        self.at = HPos::Center;
        self
    }

    /// From the bottom to the top.
    pub const fn upright(mut self) -> Self {
        self.is_upright = true;
        self
    }
}

impl<'a> Canvas<'a> {
    /// A white picture.
    pub fn new(svg: &'a mut String, width: i32, height: i32) -> Drawing<Self> {
        let size = (width.unsigned_abs(), height.unsigned_abs());
        let area = SVGBackend::with_string(svg, size).into_drawing_area();
        area.fill(&PAPER)?;
        Ok(Self { area })
    }

    /// Ends the document.
    pub fn finish(self) -> Drawing {
        self.area.present()
    }

    /// A text whose middle height is at the point.
    pub fn text(&self, text: &str, at: Point, letters: Letters) -> Drawing {
        let style = if letters.is_bold { FontStyle::Bold } else { FontStyle::Normal };
        let mut font =
            ("sans-serif", f64::from(letters.size) * PLOTTERS_SIZE).into_font().style(style);
        if letters.is_upright {
            font = font.transform(FontTransform::Rotate270);
        }
        let style =
            TextStyle::from(font).color(&letters.color).pos(Pos::new(letters.at, VPos::Center));
        self.area.draw_text(text, &style, at)
    }

    /// A straight line.
    pub fn line(&self, from: Point, to: Point, color: RGBColor) -> Drawing {
        self.stroke(from, to, color, 1)
    }

    /// A straight line of a certain thickness.
    pub fn stroke(&self, from: Point, to: Point, color: RGBColor, width: u32) -> Drawing {
        self.area.draw(&PathElement::new(vec![from, to], color.stroke_width(width)))
    }

    /// A filled box between two corners.
    pub fn fill(&self, from: Point, to: Point, color: RGBColor) -> Drawing {
        let (left, right) = (from.0.min(to.0), from.0.max(to.0));
        let (top, bottom) = (from.1.min(to.1), from.1.max(to.1));
        self.area.draw(&Rectangle::new([(left, top), (right, bottom)], color.filled()))
    }

    /// A point that is seen.
    pub fn dot(&self, at: Point, radius: i32, color: RGBColor) -> Drawing {
        let style: ShapeStyle = color.filled();
        self.area.draw(&(EmptyElement::at(at) + Circle::new((0, 0), radius, style)))
    }
}
