//! Tables of records, as a provider's own program reads them.

use std::fmt::Write as _;

use mpc::{Field128, circuit::Validity};
use prio::{field::FieldElement as _, flp::Flp as _};
use study::{
    ColumnType, Plan, Record, Value, decimal,
    table::{self, PROBLEMS_KEPT, Row, Table},
};

use crate::{check_line, fixture};

/// Rows whose records are looked at one by one.
const LOOKED_AT: usize = 8;

pub(crate) fn check(data: &[u8]) {
    let fixture::Fixture { study, plan, .. } = fixture::get();
    let report = table::check(data, "records.csv", study);
    let table = match Table::open(data, "records.csv", study) {
        Ok(table) => table,
        Err(error) => {
            assert!(report.is_err());
            return check_line(&error.to_string());
        }
    };
    let (mut valid, mut invalid, mut problems) = (0, 0, 0);
    let mut records = Vec::new();
    for row in table {
        match row {
            Ok(Row::Valid(record)) => {
                valid += 1;
                if records.len() < LOOKED_AT {
                    records.push(record);
                }
            }
            Ok(Row::Invalid(found)) => {
                assert!(!found.is_empty(), "a bad row has a reason");
                found
                    .iter()
                    .take(PROBLEMS_KEPT)
                    .for_each(|problem| check_line(&problem.to_string()));
                invalid += 1;
                problems += found.len() as u64;
            }
            Err(error) => {
                assert!(report.is_err());
                return check_line(&error.to_string());
            }
        }
    }
    match report {
        Ok(report) => {
            assert_eq!((report.valid, report.invalid), (valid, invalid));
            assert_eq!(report.problem_count, problems);
            assert!(report.problems.len() <= PROBLEMS_KEPT);
        }
        Err(error) => {
            assert_eq!(valid + invalid, 0, "{error}");
            check_line(&error.to_string());
        }
    }
    records
        .iter()
        .for_each(|record| assert!(is_valid(plan, record), "a record that servers refuse"));
    write_again(&records);
}

/// Whether the circuit takes a record.
fn is_valid(plan: &Plan, record: &Record) -> bool {
    let mut wires = Vec::new();
    plan.encode(record, &mut wires).expect("a record of the study");
    let validity = Validity::new(plan.circuit().clone(), 1);
    let mut random = Field128::from(0x9e37_79b9_7f4a_7c15);
    let joint_rand: Vec<_> = (0..validity.joint_rand_len())
        .map(|_| {
            random = random * random + Field128::one();
            random
        })
        .collect();
    let valid = validity.valid(&mut validity.gadget(), &wires, &joint_rand, 1);
    valid.is_ok_and(|outputs| outputs.iter().all(|output| *output == Field128::zero()))
}

/// Records that are written as a table are read as the same records.
fn write_again(records: &[Record]) {
    let study = &fixture::get().study;
    let mut text =
        study.columns().iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(",");
    text.push('\n');
    for record in records {
        for (column, value) in study.columns().iter().zip(&record.values) {
            let cell = match (value, &column.holds) {
                (Value::Number(number), _) => decimal::format(*number, column.decimals().into()),
                (Value::Boolean(boolean), _) => boolean.to_string(),
                (Value::Category(place), ColumnType::Category { values }) => {
                    values[*place as usize].replace('"', "\"\"")
                }
                (Value::Missing, _) if column.missing_allowed => String::new(),
                _ => panic!("a value of another type than its column"),
            };
            write!(text, "\"{cell}\",").expect("a string grows");
        }
        text.pop();
        text.push('\n');
    }
    let rows = Table::open(text.as_bytes(), "again.csv", study).expect("a table");
    let again: Vec<Row> = rows.collect::<Result<_, _>>().expect("whole rows");
    assert!(again == records.iter().cloned().map(Row::Valid).collect::<Vec<_>>(), "other records");
}
