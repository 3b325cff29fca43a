//! Ranked: the possible values of a number column in ascending order, of which sums of records tell
//! the one at a rank.

use num_bigint::BigInt;
use num_traits::ToPrimitive as _;
use serde_json::{Value, json};

use super::{
    Chosen, Key, Question, Refusal, Sums,
    bins::{check_count, check_width, range},
    number,
};
use crate::{
    decimal,
    error::Rule,
    limits,
    plan::{Axis, Request, Term},
    result::Reason,
};

/// The key for bins, of the kinds that look for a rank.
pub(super) const WIDTH: Key =
    Key::numbers("width", "the width of bins, where the column has more than 1,024 values")
        .optional();

/// The values of a column, one by one or in bins of one width from the column's minimum on.
#[derive(Debug)]
pub(super) struct Ranked {
    /// The column's place.
    pub(super) column: usize,
    decimals: u32,
    min: i128,
    max: i128,
    is_in_bins: bool,
    axis: Axis,
}

/// A value, or the smallest and the largest possible value of a bin; scaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    from: i128,
    to: i128,
    decimals: u32,
    is_bin: bool,
}

impl Ranked {
    /// The column of `of`, in bins of `width` if that is there.
    pub(super) fn read(question: &Question<'_>) -> Result<Self, Refusal> {
        let of = question.column("of", "integer or decimal", Chosen::is_number)?;
        let (min, max) = range(of);
        let width = question.number("width", of.column.decimals())?;
        let axis = match width {
            Some(width) => bins(of, width)?,
            None => of.steps().ok_or_else(|| too_many(of))?,
        };
        let (column, decimals) = (of.place, of.decimals());
        Ok(Self { column, decimals, min, max, is_in_bins: width.is_some(), axis })
    }

    /// Over which records it is.
    pub(super) fn counted(&self) -> Term {
        Term::present([self.column])
    }

    /// How many records there are per value or bin.
    pub(super) fn request(&self) -> Request {
        Request::split(self.counted(), vec![self.axis.clone()])
    }

    /// How many records there are, and how many up to each value or bin.
    pub(super) fn cumulated(&self, cell: &Sums<'_>) -> Result<(BigInt, Vec<BigInt>), Reason> {
        let mut n = BigInt::ZERO;
        let up_to = cell.all(0)?.into_iter().map(|count| {
            n += count;
            n.clone()
        });
        let cumulated = up_to.collect();
        if n <= BigInt::ZERO { Err(Reason::NoRecords) } else { Ok((n, cumulated)) }
    }

    /// The smallest value that at least `rank` records do not exceed; `rank` is at most their number.
    pub(super) fn at(&self, cumulated: &[BigInt], rank: &BigInt) -> Found {
        let level = cumulated.iter().position(|count| count >= rank).unwrap_or(0);
        let starts = self.axis.starts();
        let start = |level: usize| starts.get(level).map(|start| self.min + i128::from(*start));
        let from = start(level).unwrap_or(self.min);
        let to = start(level + 1).map_or(self.max, |next| next - 1);
        Found { from, to, decimals: self.decimals, is_bin: self.is_in_bins }
    }
}

impl Found {
    /// As JSON: a number, or `from` and `to`.
    pub(super) fn value(self) -> Result<Value, Reason> {
        let number = |scaled: i128| number::scaled_value(&scaled.into(), self.decimals);
        match self.is_bin {
            true => Ok(json!({ "from": number(self.from)?, "to": number(self.to)? })),
            false => number(self.from),
        }
    }

    /// For people: `12.30`, or `12.30 to 12.39`.
    pub(super) fn text(self) -> String {
        let text = |scaled| decimal::format(scaled, self.decimals);
        match self.is_bin {
            true => format!("{} to {}", text(self.from), text(self.to)),
            false => text(self.from),
        }
    }

    /// The one value, where it is one.
    pub(super) fn exact(self) -> Option<BigInt> {
        (!self.is_bin).then(|| self.from.into())
    }

    /// The decimals of the column.
    pub(super) fn decimals(self) -> u32 {
        self.decimals
    }
}

/// Bins of one width; the last one ends with the column.
fn bins(of: Chosen<'_>, width: i128) -> Result<Axis, Refusal> {
    check_width(width, of)?;
    let (min, max) = range(of);
    let bins = (max - min) / width + 1;
    check_count(bins, width, fitting(of), of)?;
    // Every start is within the column's range, below 2^62.
    let starts = (0..bins).map(|bin| (bin * width).to_u64().unwrap_or(u64::MAX));
    Ok(Axis::bins(of.place, starts.collect()))
}

/// The smallest width of which at most [`limits::STEPS`] bins hold all values.
fn fitting(of: Chosen<'_>) -> i128 {
    // A constant of 1,024.
    let most = i128::try_from(limits::STEPS).unwrap_or(i128::MAX);
    i128::from(of.column.span()) / most + 1
}

fn too_many(of: Chosen<'_>) -> Refusal {
    let width = decimal::format(fitting(of), of.decimals());
    let (column, steps) = (of.column.name.clone(), of.column.span() + 1);
    ("of", Rule::Steps { column, steps, width })
}
