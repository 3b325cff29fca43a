//! Interval: how far noise may have moved each number of a value, from repeated draws of it.

use serde_json::{Map, Value};

/// The part of the draws that is left out at either end: 95 % are within.
const TAIL: f64 = 0.025;

/// A 95 % interval for every number of a value that noise moves, in the shape of the value: [low,
/// high] in the place of a number. `repeated` are values of the same cell with the noise drawn
/// again, on top of what is in them: what it moves them by is how far the value may be from the
/// one without noise. None where nothing moves, or half of the draws or more gave no value.
pub(crate) fn interval(value: &Value, repeated: &[Option<&Value>]) -> Option<Value> {
    match value {
        Value::Number(number) => of_number(number.as_f64()?, repeated),
        Value::Array(values) => {
            let at = |(place, value): (usize, &Value)| {
                let repeated: Vec<_> = repeated.iter().map(|own| own.as_ref()?.get(place)).collect();
                interval(value, &repeated)
            };
            let intervals: Vec<_> = values.iter().enumerate().map(at).collect();
            let intervals = intervals.iter().any(Option::is_some).then_some(intervals)?;
            Some(intervals.into_iter().map(|own| own.unwrap_or(Value::Null)).collect())
        }
        Value::Object(fields) => {
            let at = |(key, value): (&String, &Value)| {
                let repeated: Vec<_> = repeated.iter().map(|own| own.as_ref()?.get(key)).collect();
                Some((key.clone(), interval(value, &repeated)?))
            };
            let intervals: Map<_, _> = fields.iter().filter_map(at).collect();
            (!intervals.is_empty()).then_some(Value::Object(intervals))
        }
        _ => None,
    }
}

fn of_number(number: f64, repeated: &[Option<&Value>]) -> Option<Value> {
    let moves = repeated.iter().filter_map(|own| Some(own.as_ref()?.as_f64()? - number));
    let mut moves: Vec<f64> = moves.collect();
    let moved = moves.iter().any(|by| *by != 0.0);
    if !moved || 2 * moves.len() <= repeated.len() {
        return None;
    }
    moves.sort_by(f64::total_cmp);
    // At most the number of draws, which is small.
    let cut = (TAIL * moves.len() as f64).floor() as usize;
    let (low, high) = (moves.get(cut)?, moves.get(moves.len() - 1 - cut)?);
    Some(Value::from(vec![number - high, number - low]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn repeat(values: impl IntoIterator<Item = Value>, of: &Value) -> Option<Value> {
        let values: Vec<Value> = values.into_iter().collect();
        let repeated: Vec<_> = values.iter().map(|value| Some(value).filter(|v| !v.is_null())).collect();
        interval(of, &repeated)
    }

    #[test]
    fn the_shape_is_that_of_the_value_and_what_does_not_move_is_left_out() {
        let value = json!({"edges": [0, 5, 9], "counts": [10, 20], "label": "x", "n": null});
        let draw = |by: i64| json!({"edges": [0, 5, 9], "counts": [10 + by, 20], "label": "y"});
        let found = repeat((-100..=100).map(draw), &value);
        assert_eq!(found, Some(json!({"counts": [[-85.0, 105.0], null]})));
    }

    #[test]
    fn the_interval_lies_where_the_value_without_noise_may_be() {
        // Noise here moves up more often than down: the value without it is rather lower.
        let draws = (0..=40).map(|by| json!(100.0 + f64::from(by)));
        assert_eq!(repeat(draws, &json!(100.0)), Some(json!([61.0, 99.0])));
    }

    #[test]
    fn where_half_of_the_draws_have_no_value_there_is_no_interval() {
        let draws = (0..10).map(|place| if place < 5 { json!(place) } else { Value::Null });
        assert_eq!(repeat(draws, &json!(0)), None);
    }
}
