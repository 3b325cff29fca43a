//! Notes: why something is not there, each reason once.

use super::{COUNT, Cell, DASH, StatisticResult};
use crate::result::Reason;

/// The reasons of a statistic's cells without a value.
pub(super) struct Notes {
    /// Each with the sign that stands in the place of the value.
    reasons: Vec<(String, String)>,
}

impl Notes {
    /// Every reason once, in the order of the cells.
    pub(super) fn of(statistic: &StatisticResult) -> Self {
        let mut reasons: Vec<&str> = Vec::new();
        for cell in statistic.cells.iter().filter(|cell| cell.shown.is_none()) {
            if !reasons.contains(&reason(cell)) {
                reasons.push(reason(cell));
            }
        }
        // Where the count is the value, that it is small is said in its place.
        let is_said = |reason: &str| statistic.kind == COUNT && is_small(statistic, reason);
        let dashes = reasons.iter().filter(|reason| !is_said(reason)).count();
        let mut dash = 0;
        let sign = |reason: &&str| {
            if is_said(reason) {
                return limit(statistic);
            }
            dash += 1;
            if dashes > 1 { format!("{DASH}{}", raised(dash)) } else { DASH.into() }
        };
        let signs: Vec<_> = reasons.iter().map(sign).collect();
        Self { reasons: reasons.into_iter().map(String::from).zip(signs).collect() }
    }

    /// What stands in the place of the value: a dash, with the number of its note where there are
    /// several.
    pub(super) fn sign(&self, cell: &Cell) -> String {
        let known = self.reasons.iter().find(|(known, _)| known == reason(cell));
        known.map_or_else(|| DASH.into(), |(_, sign)| sign.clone())
    }

    /// The notes, a line each.
    pub(super) fn lines(&self) -> String {
        self.reasons.iter().map(|(reason, sign)| format!("{sign}: {reason}\n")).collect()
    }
}

/// Whether a cell is not open because it has too few records.
pub(super) fn is_small(statistic: &StatisticResult, reason: &str) -> bool {
    statistic.min_cell > 1 && reason == Reason::FewerThan(statistic.min_cell).to_string()
}

/// What stands for the count of a cell that is small.
pub(super) fn limit(statistic: &StatisticResult) -> String {
    format!("<{}", statistic.min_cell)
}

/// Why a cell has no value.
pub(super) fn reason(cell: &Cell) -> &str {
    cell.reason.as_deref().unwrap_or("no value")
}

/// A number in raised digits.
fn raised(number: usize) -> String {
    let digits = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let raised = |digit: char| digits.get(usize::try_from(digit.to_digit(10)?).ok()?);
    number.to_string().chars().filter_map(raised).collect()
}
