//! Bars: a table per cell with a bar per label, all on one scale.

use num_bigint::BigInt;
use num_traits::ToPrimitive as _;

use super::{
    Cell, DASH, Presentation, REACH_NOTE, StatisticResult, blocks, columns::Columns, heading,
    reach, with_unit, withheld_note,
};

/// Cells whose values are bars.
pub(super) fn write(statistic: &StatisticResult) -> String {
    let counts = statistic.cells.iter().flat_map(bars).filter_map(|(_, count)| number(count));
    let largest = counts.fold(0.0, f64::max);
    let cell = |cell: &Cell| match bars(cell) {
        [] => heading(cell),
        bars => heading(cell) + &table(statistic, cell, bars, largest),
    };
    let has_withheld = statistic.cells.iter().flat_map(bars).any(|(_, count)| count.is_none());
    let note = if has_withheld { withheld_note(statistic) } else { String::new() };
    let has_reach = statistic.cells.iter().any(|cell| cell.ci95.is_some());
    blocks(statistic.cells.iter().map(cell)) + &note + if has_reach { REACH_NOTE } else { "" }
}

fn bars(cell: &Cell) -> &[(String, Option<BigInt>)] {
    match &cell.shown {
        Some(Presentation::Bars(bars)) => bars,
        _ => &[],
    }
}

fn number(count: &Option<BigInt>) -> Option<f64> {
    count.as_ref().and_then(BigInt::to_f64)
}

fn table(
    statistic: &StatisticResult,
    cell: &Cell,
    bars: &[(String, Option<BigInt>)],
    largest: f64,
) -> String {
    let mut table = Columns::default();
    let labels: Vec<&str> = bars.iter().map(|(label, _)| label.as_str()).collect();
    table.texts(with_unit(&statistic.of.join(", "), statistic), aligned(&labels));
    let text = |count: &Option<BigInt>| match count {
        Some(count) => count.to_string(),
        None => DASH.into(),
    };
    table.numbers("count", bars.iter().map(|(_, count)| text(count)).collect());
    let interval = |place: usize| cell.ci95.as_ref()?.get("counts")?.get(place);
    if cell.ci95.is_some() {
        let reach = |place| interval(place).and_then(|interval| reach(interval, 0));
        table.numbers("±", (0..bars.len()).map(|place| reach(place).unwrap_or_default()).collect());
    }
    let counts: Vec<_> = bars.iter().map(|(_, count)| number(count)).collect();
    table.bars(&counts, largest);
    table.render()
}

/// Labels of intervals, `0 to <10`, with both ends aligned to the right; others as they are.
fn aligned(labels: &[&str]) -> Vec<String> {
    let ends: Option<Vec<_>> = labels.iter().map(|label| label.split_once(" to ")).collect();
    let Some(ends) = ends else { return labels.iter().map(|label| label.to_string()).collect() };
    let width = |text: &str| text.chars().count();
    let from = ends.iter().map(|(from, _)| width(from)).max().unwrap_or(0);
    let to = ends.iter().map(|(_, to)| width(to)).max().unwrap_or(0);
    ends.iter().map(|(start, end)| format!("{start:>from$} to {end:>to$}")).collect()
}
