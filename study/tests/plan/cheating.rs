//! Cheating: of all that a provider could send, the circuit accepts exactly what some record gives.
//!
//! The studies here are small enough to try every assignment of a record's bits. Products follow
//! from the bits; each of them is changed by itself as well.

use std::collections::BTreeSet;

use mpc::Field128;
use prio::field::FieldElement;
use study::{ColumnType, Plan, Record, Study, Value};

use crate::world;

const X: &str = "[[column]]\nname = \"x\"\ntype = \"integer\"\nmin = -1\nmax = 4\n";
const Y: &str = "[[column]]\nname = \"y\"\ntype = \"integer\"\nmin = 0\nmax = 2\n";
const B: &str = "[[column]]\nname = \"b\"\ntype = \"boolean\"\n";
const G: &str = "[[column]]\nname = \"g\"\ntype = \"category\"\nvalues = [\"a\", \"b\"]\n";
const MISSING: &str = "missing = \"allowed\"\n";

fn study(columns: &[&str], statistics: &[&str]) -> Study {
    let mut text = format!("title = \"t\"\n[privacy]\nmin_records = 1\n{}", columns.concat());
    for (place, statistic) in statistics.iter().enumerate() {
        text += &format!("[[statistic]]\nname = \"s{place}\"\n{statistic}\n");
    }
    world::study(&text)
}

/// Every record that there is.
fn all_records(study: &Study) -> Vec<Record> {
    let mut records = vec![Vec::new()];
    for column in study.columns() {
        let mut values: Vec<Value> = match &column.holds {
            ColumnType::Boolean => vec![Value::Boolean(false), Value::Boolean(true)],
            ColumnType::Category { values } => {
                (0..values.len() as u32).map(Value::Category).collect()
            }
            ColumnType::Integer { min, max } | ColumnType::Decimal { min, max, .. } => {
                (*min..=*max).map(|number| Value::Number(number.into())).collect()
            }
        };
        values.extend(column.missing_allowed.then_some(Value::Missing));
        let longer = |start: &Vec<Value>| {
            let start = start.clone();
            let longer = values.iter().map(move |value| [start.clone(), vec![*value]].concat());
            longer.collect::<Vec<_>>()
        };
        records = records.iter().flat_map(longer).collect();
    }
    records.into_iter().map(|values| Record { values }).collect()
}

/// Tries every assignment of bits, and every change of a product.
fn check_exactly_the_records(columns: &[&str], statistics: &[&str]) {
    let study = study(columns, statistics);
    let plan = Plan::new(&study).unwrap();
    let mut honest = BTreeSet::new();
    for record in all_records(&study) {
        let wires = world::encode(&plan, &[record]);
        assert!(world::is_valid(&plan, &wires), "an honest record is refused");
        honest.insert(world::sums(&plan, &wires));
        for product in plan.cost().bits..plan.cost().wires {
            let mut changed = wires.clone();
            changed[product] += Field128::one();
            assert!(!world::is_valid(&plan, &changed), "product {product} is not proved");
        }
    }
    let bits = plan.cost().bits;
    assert!(bits <= 16, "{bits} bits are too many to try");
    let mut accepted = BTreeSet::new();
    for assignment in 0u32..1 << bits {
        let bits: Vec<_> =
            (0..bits).map(|bit| Field128::from(u128::from(assignment >> bit & 1))).collect();
        let mut wires = Vec::new();
        plan.circuit().encode(&bits, &mut wires);
        if world::is_valid(&plan, &wires) {
            let sums = world::sums(&plan, &wires);
            assert!(honest.contains(&sums), "{assignment:b} adds {sums:?}, which no record does");
            accepted.insert(sums);
        }
    }
    assert_eq!(accepted, honest);
}

#[test]
fn a_false_square_is_rejected() {
    let missing = format!("{X}{MISSING}");
    check_exactly_the_records(&[X, G], &["kind = \"variance\"\nof = \"x\"\nby = \"g\""]);
    check_exactly_the_records(&[&missing, G], &["kind = \"stddev\"\nof = \"x\"\nby = \"g\""]);
}

#[test]
fn a_false_product_of_two_columns_is_rejected() {
    let missing = format!("{Y}{MISSING}");
    check_exactly_the_records(&[X, &missing], &["kind = \"covariance\"\nof = [\"x\", \"y\"]"]);
}

#[test]
fn a_level_and_a_value_that_contradict_each_other_are_rejected() {
    let bins = "kind = \"histogram\"\nof = \"x\"\nbins = [-1, 2, 4]\nby = \"g\"";
    let missing = format!("{X}{MISSING}");
    for x in [X, &missing] {
        check_exactly_the_records(&[x, G], &[bins, "kind = \"mean\"\nof = \"x\""]);
    }
}

#[test]
fn two_divisions_of_a_column_that_contradict_each_other_are_rejected() {
    let one = "kind = \"histogram\"\nof = \"x\"\nbins = [-1, 1, 4]\nby = \"g\"";
    let other = "kind = \"histogram\"\nof = \"x\"\nbins = [-1, 2, 4]";
    let finer = "kind = \"histogram\"\nof = \"x\"\nwidth = 1";
    let missing = format!("{X}{MISSING}");
    for x in [X, &missing] {
        check_exactly_the_records(&[x, G], &[one, other]);
        check_exactly_the_records(&[x, G], &[one, finer]);
    }
}

#[test]
fn presence_that_contradicts_a_value_or_a_label_is_rejected() {
    let (y, g) = (format!("{Y}{MISSING}"), format!("{G}{MISSING}"));
    let b = format!("{B}{MISSING}");
    let regression = "kind = \"regression\"\ny = \"y\"\nx = [\"b\", \"g\"]";
    check_exactly_the_records(&[&y, &b, &g], &[regression]);
    check_exactly_the_records(
        &[Y, &b, G],
        &[regression, "kind = \"share\"\nof = \"b\"\nby = \"g\""],
    );
}

#[test]
fn every_step_and_the_value_agree() {
    let quantile = "kind = \"quantile\"\nof = \"x\"\nq = 0.5\nby = \"g\"";
    check_exactly_the_records(&[X, G], &[quantile, "kind = \"variance\"\nof = \"x\""]);
}

#[test]
fn groups_outcomes_and_labels_agree() {
    let (outcome, label) = (B, B.replace("\"b\"", "\"l\""));
    let fairness = "kind = \"fairness\"\noutcome = \"b\"\ngroup = \"g\"\nlabel = \"l\"";
    let share = "kind = \"share\"\nof = \"b\"";
    check_exactly_the_records(&[outcome, &label, G], &[fairness, share]);
}
