//! Bins: the values of a number column in intervals, as edges for people and as an axis of sums.

use std::ops::Range;

use num_bigint::BigInt;
use num_traits::ToPrimitive as _;

use super::{Chosen, Question, Refusal};
use crate::{decimal, error::Rule, limits, plan::Axis};

/// Intervals that cover a column: bin i holds the values from edge i to below edge i + 1, and the
/// last one its upper edge as well.
#[derive(Debug)]
pub(super) struct Bins {
    /// One more than there are bins, scaled, ascending.
    pub(super) edges: Vec<i128>,
    /// The bins that hold possible values of the column.
    possible: Range<usize>,
    /// A level per bin that holds possible values.
    pub(super) axis: Axis,
}

impl Bins {
    /// The bins that the keys `bins` or `width` describe; exactly one of them has to be there.
    pub(super) fn read(question: &Question<'_>, of: Chosen<'_>) -> Result<Self, Refusal> {
        let edges = question.numbers("bins", of.column.decimals())?;
        let width = question.number("width", of.column.decimals())?;
        let edges = match (&edges[..], width) {
            ([], None) => {
                let example = "bins = [0, 10, 50, 100], or width = 10";
                return Err(("bins", Rule::MissingKey { key: "bins", example }));
            }
            ([_, ..], Some(_)) => {
                return Err(("width", Rule::EitherKey { keep: "bins", other: "width" }));
            }
            (_, Some(width)) => of_width(of, width)?,
            _ => {
                check(&edges, of)?;
                edges
            }
        };
        Ok(Self::new(edges, of))
    }

    /// How many bins there are.
    pub(super) fn len(&self) -> usize {
        self.edges.len().saturating_sub(1)
    }

    /// A count per bin of the counts of the axis's levels: 0 where no value is possible.
    pub(super) fn counts(&self, levels: &[Option<BigInt>]) -> Vec<Option<BigInt>> {
        let level = |bin: usize| match bin.checked_sub(self.possible.start) {
            Some(level) if self.possible.contains(&bin) => levels.get(level).cloned().flatten(),
            _ => Some(BigInt::ZERO),
        };
        (0..self.len()).map(level).collect()
    }

    /// A label per bin: `10 to <20`, and `50 to 100` for the last.
    pub(super) fn labels(&self, decimals: u32) -> Vec<String> {
        let text = |edge: &i128| decimal::format(*edge, decimals);
        let label = |(place, edges): (usize, &[i128])| match edges {
            [from, to] if place + 1 == self.len() => format!("{} to {}", text(from), text(to)),
            [from, to] => format!("{} to <{}", text(from), text(to)),
            _ => String::new(),
        };
        self.edges.windows(2).enumerate().map(label).collect()
    }

    /// Bins of edges that cover the column.
    fn new(edges: Vec<i128>, of: Chosen<'_>) -> Self {
        let (min, max) = range(of);
        let starts = edges.get(..edges.len().saturating_sub(1)).unwrap_or_default();
        // The bin of a value is the last one that starts at or below it.
        let bin_of =
            |value: i128| starts.partition_point(|start| *start <= value).saturating_sub(1);
        let possible = bin_of(min)..bin_of(max) + 1;
        let held = starts.get(possible.clone()).unwrap_or_default();
        // An edge within the column's range is less than 2^62 above its minimum.
        let offset = |start: &i128| (*start - min).max(0).to_u64().unwrap_or(0);
        let axis = Axis::bins(of.place, held.iter().map(offset).collect());
        Self { edges, possible, axis }
    }
}

/// The smallest and the largest value of a number column, scaled.
pub(super) fn range(of: Chosen<'_>) -> (i128, i128) {
    let (min, max) = of.column.range().unwrap_or_default();
    (min.into(), max.into())
}

/// The width of a key, if it is one.
pub(super) fn check_width(width: i128, of: Chosen<'_>) -> Result<(), Refusal> {
    if width > 0 {
        return Ok(());
    }
    let problem = "not above 0; write a positive number".into();
    let found = decimal::format(width, of.decimals());
    Err(("width", Rule::Setting { key: "width", found, problem }))
}

/// Refuses bins that are too many, with the width that would fit.
pub(super) fn check_count(
    bins: i128,
    width: i128,
    fitting: i128,
    of: Chosen<'_>,
) -> Result<(), Refusal> {
    if usize::try_from(bins).is_ok_and(|bins| bins <= limits::STEPS) {
        return Ok(());
    }
    let text = |width| decimal::format(width, of.decimals());
    // A column has fewer than 2^62 values.
    let bins = bins.to_u64().unwrap_or(u64::MAX);
    Err(("width", Rule::Narrow { found: text(width), bins, width: text(fitting) }))
}

/// Edges from the column's minimum on, a width apart, up to its maximum.
fn of_width(of: Chosen<'_>, width: i128) -> Result<Vec<i128>, Refusal> {
    check_width(width, of)?;
    let (min, max) = range(of);
    // The span is below 2^62, and no width is above 10^37.
    let bins = |width: i128| ((max - min + width - 1) / width).max(1);
    // A constant of 1,024, and the smallest width with at most as many bins.
    let most = i128::try_from(limits::STEPS).unwrap_or(i128::MAX);
    check_count(bins(width), width, (max - min + most - 1) / most, of)?;
    let last = if min == max { min + width } else { max };
    let edges = (0..bins(width)).map(|bin| min + bin * width);
    Ok(edges.chain([last]).collect())
}

/// Edges as they are written: at least two, ascending, and around every value of the column.
fn check(edges: &[i128], of: Chosen<'_>) -> Result<(), Refusal> {
    let (key, text) = ("bins", |edge: i128| decimal::format(edge, of.decimals()));
    let found = edges.len().saturating_sub(1);
    if found > limits::STEPS {
        return Err((key, Rule::TooMany { what: "bins", found, limit: limits::STEPS }));
    }
    let (min, max) = range(of);
    let (Some(&from), Some(&to), 1..) = (edges.first(), edges.last(), found) else {
        let problem =
            "one edge only; write where each bin starts and where the last one ends".into();
        let found = edges.iter().map(|&edge| text(edge)).collect();
        return Err((key, Rule::Setting { key, found, problem }));
    };
    for pair in edges.windows(2) {
        if let [before, found] = *pair
            && before >= found
        {
            return Err((key, Rule::Edges { key, before: text(before), found: text(found) }));
        }
    }
    if from > min || to < max {
        let span = |from, to| format!("from {} to {}", text(from), text(to));
        let (edges, column, range) = (span(from, to), of.column.name.clone(), span(min, max));
        return Err((key, Rule::Uncovered { edges, column, range }));
    }
    Ok(())
}
