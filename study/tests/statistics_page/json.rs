//! JSON as people read it: what fits a line stays on it, and numbers are shortened.

use serde_json::Value;

/// Columns of the page.
const WIDTH: usize = 96;

/// A value at the left.
pub fn shown(value: &Value) -> String {
    after(value, 0, 0)
}

/// A value at so many columns from the left, behind a key.
fn after(value: &Value, indent: usize, key: usize) -> String {
    let line = line(value);
    if indent + key + line.chars().count() <= WIDTH {
        return line;
    }
    let inner = indent + 2;
    let (open, parts, close) = match value {
        Value::Array(values) => {
            ('[', values.iter().map(|value| after(value, inner, 0)).collect::<Vec<_>>(), ']')
        }
        Value::Object(values) => {
            let part = |(key, value): (&String, &Value)| {
                let key = format!("{}: ", Value::from(key.as_str()));
                let value = after(value, inner, key.chars().count());
                format!("{key}{value}")
            };
            ('{', values.iter().map(part).collect(), '}')
        }
        _ => return line,
    };
    let parts: Vec<_> = parts.into_iter().map(|part| format!("{:inner$}{part}", "")).collect();
    format!("{open}\n{}\n{:indent$}{close}", parts.join(",\n"), "")
}

/// A value in one line.
fn line(value: &Value) -> String {
    match value {
        Value::Array(values) => {
            let values: Vec<_> = values.iter().map(line).collect();
            format!("[{}]", values.join(", "))
        }
        Value::Object(values) => {
            let part = |(key, value): (&String, &Value)| {
                format!("{}: {}", Value::from(key.as_str()), line(value))
            };
            let values: Vec<_> = values.iter().map(part).collect();
            format!("{{{}}}", values.join(", "))
        }
        Value::Number(number) if number.is_f64() => short(number.as_f64().unwrap()).to_string(),
        _ => value.to_string(),
    }
}

/// Ten digits are enough for a page, and the same on every machine.
fn short(number: f64) -> Value {
    format!("{number:.9e}").parse::<f64>().unwrap().into()
}
