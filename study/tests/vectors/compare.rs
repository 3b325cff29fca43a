//! Compare: two JSON values, number by number.

use serde_json::{Number, Value};

/// Relative error of numbers that have a closed form.
const CLOSED_FORM: f64 = 1e-9;
/// Relative error of what is under a key `p`.
const P_VALUE: f64 = 1e-6;
/// What is 0 in the vectors may be as large as this: smaller p-values are written as 0.
const ZERO: f64 = 1e-300;

/// Appends one line for every place at which `found` is not what is expected.
pub fn note_differences(
    place: &str,
    found: &Value,
    expected: &Value,
    differences: &mut Vec<String>,
) {
    note(place, found, expected, CLOSED_FORM, differences);
}

fn note(
    place: &str,
    found: &Value,
    expected: &Value,
    tolerance: f64,
    differences: &mut Vec<String>,
) {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            for key in found.keys().filter(|key| !expected.contains_key(*key)) {
                differences.push(format!("{place} / {key}: is not expected"));
            }
            for (key, expected) in expected {
                let tolerance = if key == "p" { P_VALUE } else { tolerance };
                let place = format!("{place} / {key}");
                match found.get(key) {
                    Some(found) => note(&place, found, expected, tolerance, differences),
                    None => differences.push(format!("{place}: is not there")),
                }
            }
        }
        (Value::Array(found), Value::Array(expected)) if found.len() == expected.len() => {
            for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
                note(&format!("{place} / {at}"), found, expected, tolerance, differences);
            }
        }
        (Value::Number(found), Value::Number(expected)) => {
            if !are_close(found, expected, tolerance) {
                differences.push(format!("{place}: {found} is not {expected}"));
            }
        }
        _ if found == expected => {}
        _ => differences.push(format!("{place}: {found} is not {expected}")),
    }
}

/// Whole numbers are equal; others are near each other.
fn are_close(found: &Number, expected: &Number, tolerance: f64) -> bool {
    let is_whole = !expected.is_f64();
    let (Some(found), Some(expected)) = (found.as_f64(), expected.as_f64()) else { return false };
    if is_whole {
        found == expected
    } else if expected == 0.0 {
        found.abs() <= ZERO
    } else {
        (found - expected).abs() <= tolerance * expected.abs()
    }
}

#[test]
fn what_differs_is_told_and_what_is_near_is_not() {
    let expected = serde_json::json!({
        "t": 2.0, "p": {"age": 0.5, "gender[male]": 0.0}, "n": 7, "sides": ["a", "b"], "f": null,
    });
    let differs = |key: &str, found: Value| {
        let mut changed = expected.clone();
        changed[key] = found;
        let mut differences = Vec::new();
        note_differences("x", &changed, &expected, &mut differences);
        differences.len()
    };
    assert_eq!(differs("t", 2.000_000_001.into()), 0);
    assert_eq!(differs("t", 2.000_000_01.into()), 1);
    assert_eq!(differs("p", serde_json::json!({"age": 0.500_000_1, "gender[male]": 1e-301})), 0);
    assert_eq!(differs("p", serde_json::json!({"age": 0.500_001, "gender[male]": 1e-299})), 2);
    assert_eq!(differs("p", serde_json::json!({"age": 0.5})), 1);
    assert_eq!(differs("n", 7.0.into()), 0);
    assert_eq!(differs("n", 7.000_000_001.into()), 1);
    assert_eq!(differs("sides", serde_json::json!(["a"])), 1);
    assert_eq!(differs("sides", serde_json::json!(["a", "c"])), 1);
    assert_eq!(differs("f", 0.into()), 1);
    assert_eq!(differs("t", Value::Null), 1);
    assert_eq!(differs("more", 1.into()), 1);
}
