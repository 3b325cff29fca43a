//! Values: how often each comes, and which comes at a rank of the sorted ones.

use num_traits::{Signed as _, ToPrimitive as _};
use serde_json::{Map, Value as Json, json};
use study::result::Reason;

use super::{Answer, Asked, Cell, Exact, exact, level, whole};

/// Counts per bin; a bin has its lower edge, and the last one its upper edge as well.
pub fn histogram(cell: &Cell<'_>) -> Result<Answer, Reason> {
    let [of] = cell.asked.columns("of");
    let edges = edges(cell.asked, of);
    let values = cell.numbers(of);
    let [min, max] = cell.asked.range(of);
    let step = cell.asked.unscaled(of, 1);
    let count = |(place, ends): (usize, &[Exact])| {
        let is_last = place + 2 == edges.len();
        let [from, to] = ends else { panic!("two edges") };
        let is_in = |x: &&Exact| *x >= from && (*x < to || (is_last && *x == to));
        let count = values.iter().filter(is_in).count();
        let largest = if is_last { to.clone() } else { to - &step };
        // A bin that no value of the column falls into tells nothing.
        let is_possible = *from <= max && largest >= min;
        let is_hidden = is_possible && cell.is_hidden(count, &format!("/counts/{place}"));
        if is_hidden { Json::Null } else { count.into() }
    };
    let counts: Vec<_> = edges.windows(2).enumerate().map(count).collect();
    let edges: Vec<_> = edges.iter().map(|edge| cell.asked.json(of, edge)).collect();
    Ok(Answer::of(json!({ "edges": edges, "counts": counts })))
}

/// The edges as they are written, or a width apart from the column's minimum to its maximum.
pub fn edges(asked: &Asked<'_>, of: usize) -> Vec<Exact> {
    let edges = asked.numbers("bins");
    let [width] = &asked.numbers("width")[..] else { return edges };
    let [min, max] = asked.range(of);
    let mut edges = vec![min.clone()];
    while edges.len() < 2 || edges.last() < Some(&max) {
        let next = edges.last().unwrap() + width;
        edges.push(if next > max && min < max { max.clone() } else { next });
    }
    edges
}

/// Values at ranks: the smallest, the largest, and those that parts of the records do not exceed.
pub fn ranked(cell: &Cell<'_>) -> Result<Answer, Reason> {
    let [of] = cell.asked.columns("of");
    let mut values = cell.numbers(of);
    values.sort();
    let (Some(min), Some(max)) = (values.first(), values.last()) else {
        return Err(Reason::NoRecords);
    };
    let end = match cell.asked.statistic.kind.as_str() {
        "min" => min,
        "max" => max,
        _ => return Ok(quantiles(cell, of, &values)),
    };
    let has_width = !cell.asked.numbers("width").is_empty();
    let exact = (!has_width).then(|| end.clone());
    Ok(Answer { value: value_or_bin(cell, of, end), exact })
}

fn quantiles(cell: &Cell<'_>, of: usize, values: &[Exact]) -> Answer {
    let mut found = Map::new();
    for q in cell.asked.numbers("q") {
        // As many of the sorted values as q asks for, and one at least.
        let mut enough = 1;
        while whole(enough) < &q * whole(values.len()) {
            enough += 1;
        }
        found.insert(part(&q), value_or_bin(cell, of, &values[enough - 1]));
    }
    Answer::of(found.into())
}

/// A part as a result names it: `0.25`, `0`, `1`.
fn part(q: &Exact) -> String {
    let digits = (0..=9).find(|digits| (q * whole(10usize.pow(*digits))).is_integer()).unwrap();
    let name = format!("{:.places$}", q.to_f64().unwrap(), places = digits as usize);
    assert_eq!(exact(&name), *q);
    name
}

/// A value, or the bin that it is in: from a multiple of the width above the column's minimum to the
/// step below the next one.
fn value_or_bin(cell: &Cell<'_>, of: usize, value: &Exact) -> Json {
    let [width] = &cell.asked.numbers("width")[..] else { return cell.asked.json(of, value) };
    let [mut from, max] = cell.asked.range(of);
    assert!(width.is_positive());
    while from.clone() + width <= *value {
        from += width;
    }
    let to = (&from + width - cell.asked.unscaled(of, 1)).min(max);
    json!({ "from": cell.asked.json(of, &from), "to": cell.asked.json(of, &to) })
}

/// The most frequent label, and the first of several.
pub fn mode(cell: &Cell<'_>) -> Result<Answer, Reason> {
    let [of] = cell.asked.columns("of");
    let mut most: Option<(usize, String)> = None;
    for (place, label) in cell.asked.labels(of).into_iter().enumerate() {
        let is_here = |record: &&&study::Record| level(record, of) == Some(place);
        let count = cell.records.iter().filter(is_here).count();
        if count > most.as_ref().map_or(0, |(most, _)| *most) {
            most = Some((count, label));
        }
    }
    most.map(|(_, label)| Answer::of(label.into())).ok_or(Reason::NoRecords)
}
