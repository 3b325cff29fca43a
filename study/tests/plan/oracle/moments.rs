//! Moments: counts, sums, means, and how values are spread about their means.

use num_traits::Zero as _;
use study::result::Reason;

use super::{Answer, Cell, Exact, double, whole};

/// The mean of some values; there is at least one.
pub fn mean(values: &[Exact]) -> Exact {
    values.iter().sum::<Exact>() / whole(values.len())
}

/// Σ (x − x̄)(y − ȳ).
pub fn joint_deviation(x: &[Exact], y: &[Exact]) -> Exact {
    let (mean_x, mean_y) = (mean(x), mean(y));
    x.iter().zip(y).map(|(x, y)| (x - &mean_x) * (y - &mean_y)).sum()
}

/// The sample covariance of at least two pairs.
pub fn covariance(x: &[Exact], y: &[Exact]) -> Exact {
    joint_deviation(x, y) / whole(x.len() - 1)
}

/// The kinds of one column, and the count, which is of none.
pub fn of_one(cell: &Cell<'_>) -> Result<Answer, Reason> {
    let kind = cell.asked.statistic.kind.as_str();
    if kind == "count" {
        let count = cell.records.len();
        return Ok(Answer { value: count.into(), exact: Some(whole(count)) });
    }
    let [of] = cell.asked.columns("of");
    let values = cell.numbers(of);
    match (kind, values.len()) {
        ("sum", _) => {
            let sum: Exact = values.iter().sum();
            Ok(Answer { value: cell.asked.json(of, &sum), exact: Some(sum) })
        }
        (_, 0) => Err(Reason::NoRecords),
        ("mean" | "share", _) => Ok(Answer::exactly(mean(&values))),
        (_, 1) => Err(Reason::TooFew { needed: 2 }),
        ("variance", _) => Ok(Answer::exactly(covariance(&values, &values))),
        _ => Ok(Answer::of(double(&covariance(&values, &values)).sqrt().into())),
    }
}

/// The kinds of two columns.
pub fn of_two(cell: &Cell<'_>) -> Result<Answer, Reason> {
    let of: [usize; 2] = cell.asked.columns("of");
    let [x, y] = of.map(|column| cell.numbers(column));
    match x.len() {
        0 => return Err(Reason::NoRecords),
        1 => return Err(Reason::TooFew { needed: 2 }),
        _ => {}
    }
    let covariance_xy = covariance(&x, &y);
    if cell.asked.statistic.kind == "covariance" {
        return Ok(Answer::exactly(covariance_xy));
    }
    let mut spread = 1.0;
    for (values, column) in [&x, &y].into_iter().zip(of) {
        let variance = covariance(values, values);
        if variance.is_zero() {
            return Err(Reason::Constant(cell.asked.name(column)));
        }
        spread *= double(&variance).sqrt();
    }
    Ok(Answer::of((double(&covariance_xy) / spread).into()))
}
