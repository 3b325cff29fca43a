//! Sketch: bars of eighths of a character.

/// The first i eighths of a character, i from 1 to 7.
const EIGHTHS: [&str; 7] = ["▏", "▎", "▍", "▌", "▋", "▊", "▉"];
const FULL: &str = "█";

/// A bar for a number, where one for `largest` has `width` characters. A number above 0 is at least
/// an eighth of a character; one that is not above 0 has no bar.
pub(super) fn bar(number: f64, largest: f64, width: usize) -> String {
    let is_drawn = number > 0.0 && largest > 0.0;
    if !is_drawn {
        return String::new();
    }
    let most = 8 * width;
    // At most `most`, which is some hundred: it fits, and a number that is none becomes 0.
    let eighths = ((number / largest).min(1.0) * most as f64).round() as usize;
    let eighths = eighths.max(1);
    let rest = (eighths % 8).checked_sub(1).and_then(|rest| EIGHTHS.get(rest));
    FULL.repeat(eighths / 8) + rest.unwrap_or(&"")
}

/// The largest of some numbers if bars of them say something: there are at least two, none is below
/// 0 and not all are 0.
pub(super) fn scale(numbers: &[Option<f64>]) -> Option<f64> {
    let numbers: Vec<f64> = numbers.iter().copied().flatten().collect();
    let is_drawn = numbers.len() > 1 && numbers.iter().all(|number| *number >= 0.0);
    let largest = numbers.into_iter().fold(0.0, f64::max);
    (is_drawn && largest > 0.0 && largest.is_finite()).then_some(largest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_its_number() {
        assert_eq!(bar(10.0, 10.0, 4), "████");
        assert_eq!(bar(5.0, 10.0, 4), "██");
        assert_eq!(bar(5.0, 10.0, 3), "█▌");
        assert_eq!(bar(1.0, 32.0, 4), "▏");
        assert_eq!(bar(31.0, 32.0, 4), "███▉");
        assert_eq!(bar(31.9, 32.0, 4), "████");
    }

    #[test]
    fn what_is_small_is_seen_and_what_is_nothing_is_not() {
        assert_eq!(bar(1e-9, 10.0, 4), "▏");
        for number in [0.0, -1.0, f64::NAN] {
            assert_eq!(bar(number, 10.0, 4), "");
        }
        assert_eq!(bar(1.0, 0.0, 4), "");
    }

    #[test]
    fn one_number_or_negative_ones_have_no_bars() {
        assert_eq!(scale(&[Some(1.0), None, Some(3.0)]), Some(3.0));
        assert_eq!(scale(&[Some(3.0), None]), None);
        assert_eq!(scale(&[Some(3.0), Some(-1.0)]), None);
        assert_eq!(scale(&[Some(0.0), Some(0.0)]), None);
    }
}
