//! Coefficients: those of a regression, each with the interval that its standard error gives.

use serde_json::{Map, Value};
use study::result::{Cell, Presentation, StatisticResult};

use super::{
    heading::Heading,
    panel::Part,
    rows::{Mark, Row, Rows},
    scale::significant,
    value,
};

/// So many standard errors to both sides of a normal estimate are an interval of 95 %.
const ERRORS: f64 = 1.96;
/// The coefficient that has another meaning than the others, and mostly another size.
const INTERCEPT: &str = "intercept";

/// One cell's coefficients but the intercept, which is a note.
pub fn part(statistic: &StatisticResult, cell: &Cell, width: i32) -> Box<dyn Part> {
    let object = |key| cell.value.as_ref()?.get(key)?.as_object();
    let empty = Map::new();
    let coefficients = object("coefficients").unwrap_or(&empty);
    let errors = object("std_errors").unwrap_or(&empty);
    let error = |name: &str| errors.get(name).and_then(Value::as_f64);
    let (mut rows, mut notes) = (Vec::new(), Vec::new());
    for (name, coefficient) in coefficients {
        let Some(number) = coefficient.as_f64() else { continue };
        let reach = error(name).map(|error| ERRORS * error);
        let text = match reach {
            Some(reach) => format!("{} ± {}", significant(number), significant(reach)),
            None => significant(number),
        };
        match name == INTERCEPT && coefficients.len() > 1 {
            true => notes.push(format!("{INTERCEPT} {text}, not drawn")),
            false => rows.push(Row {
                label: name.clone(),
                mark: Mark::Points(vec![(number, number)]),
                interval: reach.map(|reach| (number - reach, number + reach)),
                text,
                is_reason: false,
            }),
        }
    }
    if let Some(Presentation::Table(sheet)) = &cell.shown {
        notes.extend(sheet.notes.iter().cloned());
    }
    let heading = (!cell.by.0.is_empty()).then(|| Heading::of_part(&value::label(cell), width));
    let axis = value::with_unit("coefficient", statistic);
    Box::new(Rows::new(heading, rows, axis, width, notes))
}
