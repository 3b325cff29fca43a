//! Vectors: what pandas, SciPy and statsmodels say of real data, a study says too.
//!
//! README.md beside this file tells where the data and the answers come from.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod compare;

use flate2::read::GzDecoder;
use mpc::{Field128, circuit::Validity, sign::Signer};
use prio::{field::FieldElement, flp::Type};
use serde_json::Value;
use study::{
    Plan, Study, StudyContext, StudyResult, StudyServer, Totals,
    table::{Row, Table},
};

/// Records that are encoded and summed at once: a whole table in field elements fills the memory.
const BATCH: usize = 512;

#[test]
fn the_population_survey_is_answered_as_the_libraries_answer_it() {
    check(
        include_str!("cps2004.toml"),
        include_bytes!("../../../cli/data/cps2004.csv.gz"),
        include_str!("cps2004.expected.json"),
    );
}

#[test]
fn the_penguins_with_missing_values_are_answered_as_the_libraries_answer_them() {
    check(
        include_str!("penguins.toml"),
        include_bytes!("penguins.csv.gz"),
        include_str!("penguins.expected.json"),
    );
}

#[test]
fn the_election_study_with_an_empty_group_is_answered_as_the_libraries_answer_it() {
    check(
        include_str!("anes96.toml"),
        include_bytes!("anes96.csv.gz"),
        include_str!("anes96.expected.json"),
    );
}

/// Compares every cell of every statistic, and tells of all differences at once.
fn check(file: &str, data: &[u8], expected: &str) {
    let study = study(file);
    let expected: Value = serde_json::from_str(expected).unwrap();
    let result = answer(&study, data, expected["records"].as_u64().unwrap());
    let expected = expected["statistics"].as_object().unwrap();
    assert_eq!(result.statistics.len(), expected.len());
    let mut differences = Vec::new();
    for statistic in &result.statistics {
        let cells = expected[&statistic.name].as_array().unwrap();
        assert_eq!(statistic.cells.len(), cells.len(), "{}", statistic.name);
        for (cell, expected) in statistic.cells.iter().zip(cells) {
            let found = serde_json::json!({
                "by": cell.by,
                "count": cell.count,
                "value": cell.value,
            });
            assert_eq!(cell.value.is_none(), cell.reason.is_some(), "{}", statistic.name);
            let labels = cell.by.0.iter().map(|(_, label)| label.as_str());
            let place: Vec<_> = [statistic.name.as_str()].into_iter().chain(labels).collect();
            compare::note_differences(&place.join(" / "), &found, expected, &mut differences);
        }
    }
    let count = differences.len();
    differences.truncate(50);
    assert_eq!(count, 0, "differences:\n{}", differences.join("\n"));
}

/// The study of a file, run by two servers.
fn study(file: &str) -> Study {
    let key = |seed| Signer::from_seed(&[seed; 32]).public();
    let available = [("alpha", 1), ("beta", 2)]
        .map(|(name, seed)| StudyServer { name: name.into(), identity: key(seed) });
    let context = StudyContext { available: &available, analyst: key(9), nonce: [7; 16] };
    Study::from_file(file, "study.toml", context).unwrap_or_else(|error| panic!("{error}"))
}

/// The answers of a study over a compressed table.
fn answer(study: &Study, data: &[u8], records: u64) -> StudyResult {
    let plan = Plan::new(study).unwrap();
    let sums = sums(&plan, data, records);
    let mut values = vec![None; sums.len()];
    loop {
        let next = plan.next_opening(records, &values);
        if next.is_empty() {
            return plan.decode(&Totals { records, values });
        }
        for coordinate in next {
            let sum = u128::from(sums[coordinate]);
            values[coordinate] = Some(i128::try_from(sum).unwrap());
        }
    }
}

/// The outputs of the study's circuit, summed over all records of a table.
fn sums(plan: &Plan, data: &[u8], expected_records: u64) -> Vec<Field128> {
    let mut rows = Table::open(GzDecoder::new(data), "data.csv", plan.study()).unwrap();
    let mut sums = vec![Field128::zero(); plan.coordinates()];
    let mut all = 0;
    loop {
        let mut wires = Vec::new();
        let mut records = 0;
        for row in rows.by_ref().take(BATCH) {
            match row.unwrap() {
                Row::Valid(record) => plan.encode(&record, &mut wires).unwrap(),
                Row::Invalid(problems) => panic!("{}", problems[0]),
            }
            records += 1;
        }
        if records == 0 {
            assert_eq!(all, expected_records);
            return sums;
        }
        let outputs = Validity::new(plan.circuit().clone(), records).truncate(wires).unwrap();
        for (sum, output) in sums.iter_mut().zip(outputs) {
            *sum += output;
        }
        all += records as u64;
    }
}
