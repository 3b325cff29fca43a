//! The page itself, section by section.

use std::fmt::Write as _;

use serde_json::json;
use study::{
    limits,
    result::Cell,
    statistic::{self, Key, Kind},
};

use super::{
    answer::{self, COLUMNS, RECORDS},
    json,
};

/// Columns of running text.
const WIDTH: usize = 100;

/// The whole page.
pub fn page() -> String {
    let mut page = introduction();
    for kind in statistic::kinds() {
        section(&mut page, kind);
    }
    write!(page, "{}", data()).unwrap();
    page
}

fn introduction() -> String {
    let mut text = include_str!("intro.md").replace("{EMPTY}", &empty_cell());
    let thousands = |number: u64| {
        let digits = number.to_string();
        let groups = digits.as_bytes().rchunks(3).rev();
        let groups: Vec<_> = groups.map(|group| std::str::from_utf8(group).unwrap()).collect();
        groups.join(",")
    };
    let limits = [
        ("{CELLS}", limits::CELLS),
        ("{ANSWERS}", limits::ANSWERS),
        ("{COORDINATES}", limits::COORDINATES),
        ("{WIRES}", limits::WIRES),
        ("{STATISTICS}", limits::STATISTICS),
        ("{STEPS}", limits::STEPS),
        ("{PREDICTORS}", limits::PREDICTORS),
        ("{OF_COLUMNS}", limits::OF_COLUMNS),
        ("{BY_COLUMNS}", limits::BY_COLUMNS),
    ];
    for (name, limit) in limits {
        assert!(text.contains(name), "intro.md does not say {name}");
        text = text.replace(name, &thousands(limit as u64));
    }
    let paragraphs = text.split("\n\n").map(|paragraph| match paragraph.starts_with("**") {
        true => filled("", paragraph),
        false => paragraph.to_owned(),
    });
    text = paragraphs.collect::<Vec<_>>().join("\n\n");
    let kind = |kind: &dyn Kind| format!("| [`{0}`](#{0}) | {1} |\n", kind.name(), kind.summary());
    let kinds: String = statistic::kinds().map(kind).collect();
    text.replace("{KINDS}\n", &kinds)
}

/// What a result says of a group without records.
fn empty_cell() -> String {
    let statistic = "name = \"mean\"\nkind = \"mean\"\nof = \"earnings\"\n\
                     by = [\"region\", \"graduate\", \"hired\"]";
    let answer = answer::of(statistic);
    let empty = answer.cells.iter().find(|cell| cell.count == Some(0)).unwrap();
    json::shown(&json!(empty))
}

fn section(page: &mut String, kind: &dyn Kind) {
    let texts = kind.page();
    let answer = answer::of(texts.example);
    writeln!(page, "## {}\n\n{}.\n", kind.name(), sentence(kind.summary())).unwrap();
    writeln!(page, "```toml\n[[statistic]]\n{}\n```\n", texts.example).unwrap();
    for key in kind.keys() {
        writeln!(page, "{}", filled("- ", &described(key))).unwrap();
    }
    if !kind.keys().is_empty() {
        page.push('\n');
    }
    let cost = format!(
        "{}. This example: {}, {} a record.",
        sentence(texts.cost),
        counted(answer.cost.outputs, "sum"),
        counted(answer.cost.wires, "field element"),
    );
    let formula = match texts.formula.split(' ').next() {
        // Symbols keep their case, sentences begin with a capital.
        Some(word) if word == "the" || word.chars().count() > 3 => sentence(texts.formula),
        _ => texts.formula.to_owned(),
    };
    let formula = format!("{formula}.");
    let value = format!("{}.", sentence(texts.value));
    for (name, text) in [("Formula", formula), ("Value", value), ("Cost", cost)] {
        writeln!(page, "{}\n", filled("", &format!("**{name}.** {text}"))).unwrap();
    }
    let cells: Vec<_> = answer.cells.iter().map(cell).collect();
    writeln!(page, "```json\n{}\n```\n", json::shown(&json!(cells))).unwrap();
}

/// What a result says of a cell, except that it is not suppressed.
fn cell(cell: &Cell) -> serde_json::Value {
    json!({ "by": cell.by, "count": cell.count, "value": cell.value })
}

fn described(key: &Key) -> String {
    let optional = if key.is_optional { " (optional)" } else { "" };
    format!("`{}`{optional}: {}", key.name, key.summary)
}

fn data() -> String {
    format!(
        "## The records of the examples\n\nAll answers above are those of these columns and \
         records, by way of the same circuit and decoder\nas with servers.\n\n\
         ```toml\n{COLUMNS}```\n\n```csv\n{RECORDS}```\n"
    )
}

fn counted(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// Text in lines of the page's width; those after the first are indented like the first one's text.
fn filled(start: &str, text: &str) -> String {
    let indent = " ".repeat(start.len());
    let mut lines = vec![start.to_owned()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().unwrap();
        let is_empty = line.trim() == start.trim() || line.trim().is_empty();
        if is_empty {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= WIDTH {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(format!("{indent}{word}"));
        }
    }
    lines.join("\n")
}
