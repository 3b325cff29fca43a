//! Scale: from numbers to places on the picture, and round numbers to be written at an axis.

use plotters::coord::ranged1d::Ranged;
use plotters::coord::types::RangedCoordf64;

/// A linear axis.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    low: f64,
    high: f64,
    from: i32,
    to: i32,
}

impl Scale {
    /// An axis of the numbers from `low` to `high` between two places. One without an extent is
    /// given one.
    pub fn new((low, high): (f64, f64), (from, to): (i32, i32)) -> Self {
        let is_wide = high - low > 1e-12 * low.abs().max(high.abs());
        let spare = if is_wide { 0.0 } else { low.abs().max(1.0) / 2.0 };
        Self { low: low - spare, high: high + spare, from, to }
    }

    /// The place of a number.
    pub fn at(&self, number: f64) -> i32 {
        RangedCoordf64::from(self.low..self.high).map(&number, (self.from, self.to))
    }

    /// Round numbers at least so far apart, with their places.
    pub fn ticks(&self, distance: i32) -> Vec<(i32, String)> {
        let most = ((self.to - self.from).abs() / distance).max(2);
        let points = RangedCoordf64::from(self.low..self.high)
            .key_points(usize::try_from(most).unwrap_or(2));
        let step = match points[..] {
            [first, second, ..] => second - first,
            _ => 1.0,
        };
        points.into_iter().map(|point| (self.at(point), rounded(point, step))).collect()
    }
}

/// The extent of some numbers; that of 0 where there are none.
pub fn extent(numbers: impl Iterator<Item = f64>) -> (f64, f64) {
    let extent = numbers.filter(|number| number.is_finite()).fold(None, |extent, number| {
        let (low, high) = extent.unwrap_or((number, number));
        Some((f64::min(low, number), f64::max(high, number)))
    });
    extent.unwrap_or((0.0, 0.0))
}

/// A multiple of a step, with as many decimals as the step has.
fn rounded(number: f64, step: f64) -> String {
    let number = if number.abs() < step.abs() / 1e6 { 0.0 } else { number };
    if step >= 1e15 || (step < 1e-9 && step > 0.0) {
        return format!("{number:e}");
    }
    let has = |decimals: usize| {
        let scaled = step * 10f64.powi(i32::try_from(decimals).unwrap_or(0));
        (scaled - scaled.round()).abs() < 1e-6 * scaled.max(1.0)
    };
    let decimals = (0..10).find(|decimals| has(*decimals)).unwrap_or(10);
    format!("{number:.decimals$}")
}

/// A number with four significant digits, as where people compare numbers.
pub fn significant(number: f64) -> String {
    let scientific = format!("{number:.3e}");
    let exponent =
        scientific.split_once('e').and_then(|(_, exponent)| exponent.parse::<i32>().ok());
    match exponent {
        _ if number == 0.0 => "0".into(),
        Some(exponent @ -4..=8) => {
            let decimals = usize::try_from(3 - exponent).unwrap_or(0);
            format!("{number:.decimals$}")
        }
        _ => scientific,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_places_in_proportion() {
        let scale = Scale::new((0.0, 10.0), (100, 300));
        assert_eq!([0.0, 5.0, 10.0].map(|number| scale.at(number)), [100, 200, 300]);
        let upwards = Scale::new((0.0, 10.0), (300, 100));
        assert_eq!(upwards.at(2.5), 250);
    }

    #[test]
    fn ticks_are_round_and_not_too_near() {
        for (range, expected) in
            [((0.0, 20.0), "20"), ((0.0, 0.0021), "0.002"), ((-3.0, 1.0), "-1")]
        {
            let ticks = Scale::new(range, (0, 500)).ticks(60);
            assert!(ticks.iter().any(|(_, text)| text.starts_with(expected)), "{ticks:?}");
            assert!(ticks.windows(2).all(|pair| pair[1].0 - pair[0].0 >= 60), "{ticks:?}");
        }
    }

    #[test]
    fn equal_numbers_and_none_have_an_axis() {
        for range in [(5.0, 5.0), extent([].into_iter()), (-2.0, -2.0)] {
            let scale = Scale::new(range, (0, 500));
            assert!((0..=500).contains(&scale.at(range.0)));
            assert!(!scale.ticks(60).is_empty());
        }
    }

    #[test]
    fn four_digits_are_shown() {
        for (number, shown) in
            [(0.0, "0"), (20.486071, "20.49"), (-478.336, "-478.3"), (1e-9, "1.000e-9")]
        {
            assert_eq!(significant(number), shown);
        }
    }
}
