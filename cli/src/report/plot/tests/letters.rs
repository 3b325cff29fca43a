//! Letters: where the texts and boxes of a picture are.

use plotters::style::RGBColor;
use roxmltree::{Document, Node};

use crate::report::plot::lettering;

/// A part of the picture.
#[derive(Debug, Clone, Copy)]
pub struct Box {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
}

impl Box {
    /// Whether two parts have something in common.
    pub fn meets(&self, other: &Self) -> bool {
        self.left < other.right && other.left < self.right && self.meets_rows(other)
    }

    /// Whether there is a line through both.
    pub fn meets_rows(&self, other: &Self) -> bool {
        self.top < other.bottom && other.top < self.bottom
    }

    pub fn is_within(&self, other: &Self) -> bool {
        self.left >= other.left
            && self.right <= other.right
            && self.top >= other.top
            && self.bottom <= other.bottom
    }
}

/// A text with the area that it takes.
#[derive(Debug)]
pub struct Text {
    pub text: String,
    pub anchor: String,
    pub y: f64,
    pub area: Box,
}

/// The whole picture.
pub fn size(svg: &str) -> Box {
    let document = Document::parse(svg).unwrap();
    let root = document.root_element();
    Box { left: 0.0, top: 0.0, right: of(root, "width"), bottom: of(root, "height") }
}

/// All boxes of a colour.
pub fn boxes(svg: &str, RGBColor(red, green, blue): RGBColor) -> Vec<Box> {
    let document = Document::parse(svg).unwrap();
    let fill = format!("#{red:02X}{green:02X}{blue:02X}");
    let boxes = document
        .descendants()
        .filter(|node| node.has_tag_name("rect") && node.attribute("fill") == Some(fill.as_str()));
    let area = |node: Node<'_, '_>| {
        let (left, top) = (of(node, "x"), of(node, "y"));
        Box { left, top, right: left + of(node, "width"), bottom: top + of(node, "height") }
    };
    boxes.map(area).collect()
}

/// All texts.
pub fn texts(svg: &str) -> Vec<Text> {
    let document = Document::parse(svg).unwrap();
    document.descendants().filter(|node| node.has_tag_name("text")).map(text).collect()
}

fn text(node: Node<'_, '_>) -> Text {
    let text = node.text().unwrap_or_default().trim().to_string();
    let (x, y, size) = (of(node, "x"), of(node, "y"), of(node, "font-size"));
    assert_eq!(node.attribute("dy"), Some("0.5ex"), "y is the middle");
    let width = f64::from(lettering::width(&text, size.round() as i32));
    let anchor = node.attribute("text-anchor").unwrap().to_string();
    let start = match anchor.as_str() {
        "start" => 0.0,
        "middle" => -width / 2.0,
        _ => -width,
    };
    // Capitals and what hangs below the line take about the size.
    let half = size / 2.0;
    let area = match node.attribute("transform") {
        None => Box { left: x + start, right: x + start + width, top: y - half, bottom: y + half },
        Some(turned) => {
            assert!(turned.starts_with("rotate(270"), "{turned}");
            let (top, bottom) = (y - start - width, y - start);
            Box { left: x - half, right: x + half, top, bottom }
        }
    };
    Text { text, anchor, y, area }
}

fn of(node: Node<'_, '_>, name: &str) -> f64 {
    let text = node.attribute(name).unwrap_or_else(|| panic!("{name} of {node:?}"));
    text.parse().unwrap_or_else(|_| panic!("{name} = {text}"))
}
