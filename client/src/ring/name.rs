//! Who is who: a pupil's number, which it keeps when others leave, and the name that it typed.

use std::fmt;

/// The longest name, in characters.
pub const MOST_CHARACTERS: usize = 24;

/// A pupil's number in the class, from 1, in the order of joining; shown as P1, P2, …
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PupilId(pub u16);

/// A pupil for messages: `P4 (Anna)`, or `P4` where it gave no name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The number.
    pub id: PupilId,
    /// The name, which may be empty.
    pub name: String,
}

impl Named {
    /// A pupil with what it typed as its name: without control and formatting characters, spaces
    /// joined, cut after [`MOST_CHARACTERS`].
    pub fn new(id: PupilId, typed: &str) -> Self {
        let shown = |c: char| !c.is_control() && !is_invisible(c);
        let words: Vec<String> = typed
            .split_whitespace()
            .map(|word| word.chars().filter(|&c| shown(c)).collect::<String>())
            .filter(|word| !word.is_empty())
            .collect();
        let name: String = words.join(" ").chars().take(MOST_CHARACTERS).collect();
        Self { id, name: name.trim_end().to_owned() }
    }
}

/// Words as in a sentence: `P3`, `P3 and P5`, `P3, P5 and P7`.
pub fn list(words: &[impl fmt::Display]) -> String {
    let words: Vec<String> = words.iter().map(ToString::to_string).collect();
    match words.split_last() {
        Some((last, first)) if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        _ => words.concat(),
    }
}

/// Characters that change how their neighbours are shown and have no shape of their own.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

impl fmt::Display for PupilId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "P{}", self.0)
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.as_str() {
            "" => self.id.fmt(f),
            name => write!(f, "{} ({name})", self.id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typed_name_cannot_disturb_what_is_shown() {
        let shown = |typed: &str| Named::new(PupilId(4), typed).to_string();
        assert_eq!(shown("  Anna \u{202e} Lena\n\u{1b}[31m"), "P4 (Anna Lena [31m)");
        assert_eq!(shown("\u{200b}"), "P4");
        assert_eq!(shown(&"x".repeat(99)), format!("P4 ({})", "x".repeat(MOST_CHARACTERS)));
    }

    #[test]
    fn words_are_listed_as_in_a_sentence() {
        assert_eq!(list(&["P3"]), "P3");
        assert_eq!(list(&[PupilId(3), PupilId(5)]), "P3 and P5");
        assert_eq!(list(&["P3", "P5", "P7"]), "P3, P5 and P7");
        assert_eq!(list(&[] as &[&str]), "");
    }
}
