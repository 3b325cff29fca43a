//! Lettering: how wide a text is, about, and how it is broken into lines.
//!
//! A picture is shown in fonts that nobody knows here: widths are those of a wide one, so that what
//! fits by them fits in most.

/// The width of a text of this size.
pub fn width(text: &str, size: i32) -> i32 {
    let hundredths: i32 = text.chars().map(char_width).sum();
    hundredths.saturating_mul(size) / 100 + 1
}

/// The width of the widest of some texts.
pub fn widest<'a>(texts: impl IntoIterator<Item = &'a str>, size: i32) -> i32 {
    texts.into_iter().map(|text| width(text, size)).max().unwrap_or(0)
}

/// In hundredths of the letters' size.
fn char_width(c: char) -> i32 {
    match c {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | ' ' => 36,
        'f' | 'r' | 't' | '(' | ')' | '[' | ']' | '/' | '-' => 45,
        'm' | 'w' | 'M' | 'W' | '%' | '@' => 100,
        'A'..='Z' | '<' | '>' | '=' | '+' | '±' | '~' | '–' | '…' => 84,
        '\u{2e80}'.. => 104,
        '\u{250}'.. => 75,
        _ => 66,
    }
}

/// A text in at most so many lines of a width, between words where it can be. What is left over at
/// the end of the last line is cut off and marked with an ellipsis.
pub fn wrap(text: &str, size: i32, most: i32, lines: usize) -> Vec<String> {
    let mut rest = text.trim();
    let mut wrapped = Vec::new();
    while !rest.is_empty() && wrapped.len() < lines {
        if width(rest, size) <= most {
            wrapped.push(rest.to_string());
            return wrapped;
        }
        if wrapped.len() + 1 == lines {
            wrapped.push(cut(rest, size, most));
            return wrapped;
        }
        let fitting = fitting(rest, size, most);
        let at = rest.get(..fitting).and_then(|start| start.rfind(' ')).unwrap_or(fitting);
        let (line, more) = rest.split_at(at);
        wrapped.push(line.trim_end().to_string());
        rest = more.trim_start();
    }
    wrapped
}

/// A text in one line, cut off with an ellipsis where it is too long.
pub fn cut(text: &str, size: i32, most: i32) -> String {
    if width(text, size) <= most {
        return text.to_string();
    }
    let end = fitting(text, size, most - width("…", size));
    format!("{}…", text.get(..end).unwrap_or_default().trim_end())
}

/// The bytes of as many characters as fit, at least one.
fn fitting(text: &str, size: i32, most: i32) -> usize {
    let mut used = 0;
    for (place, c) in text.char_indices() {
        used += char_width(c) * size;
        if place > 0 && used / 100 >= most {
            return place;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words_and_fit() {
        let text = "Professional, scientific and technical services of every size and form";
        let lines = wrap(text, 12, 200, 9);
        assert!(lines.len() > 2);
        assert!(lines.iter().all(|line| width(line, 12) <= 200), "{lines:?}");
        assert_eq!(lines.join(" "), text);
        assert_eq!(wrap("short", 12, 200, 2), ["short"]);
        assert!(wrap("", 12, 200, 2).is_empty());
    }

    #[test]
    fn words_that_do_not_fit_are_broken_and_the_rest_is_marked() {
        let lines = wrap(&"x".repeat(100), 12, 200, 2);
        assert_eq!(lines.len(), 2);
        assert!(lines[1].ends_with('…') && lines.iter().all(|line| width(line, 12) <= 200));
        assert_eq!(wrap(&"x".repeat(100), 12, 0, 1), ["x…"], "always something");
        let wide = wrap("北海道札幌市中央区北海道札幌市中央区", 12, 100, 9);
        assert_eq!(wide.concat(), "北海道札幌市中央区北海道札幌市中央区");
    }
}
