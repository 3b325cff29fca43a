//! Example: the columns of the documentation's examples, and answers over a few records in the
//! clear, for the tests of the kinds.

use std::collections::BTreeMap;

use mpc::{circuit::Validity, sign::Signer};
use num_bigint::BigInt;
use prio::flp::Type as _;
use serde_json::Value;

use super::{Answer, Formula, Question, Sums};
use crate::{
    Plan, StudyResult, Totals, decimal,
    plan::{Request, Term},
    record::{Record, Value as RecordValue},
    result::Reason,
    study::{Column, ColumnType, Study, StudyContext, StudyServer},
};

const COLUMNS: &str = r#"
title = "Documentation"
max_records = 1000
[[column]]
name = "age"
type = "integer"
min = 18
max = 80
[[column]]
name = "earnings"
type = "decimal"
decimals = 2
min = 0
max = 100
missing = "allowed"
[[column]]
name = "region"
type = "category"
values = ["North", "South", "West"]
[[column]]
name = "gender"
type = "category"
values = ["female", "male"]
[[column]]
name = "graduate"
type = "boolean"
[[column]]
name = "hired"
type = "boolean"
[[column]]
name = "score"
type = "integer"
min = 0
max = 10
"#;

/// The example with one statistic: its keys after `[[statistic]]`.
pub(super) fn study(statistic: &str) -> Study {
    read(statistic).unwrap_or_else(|error| panic!("{error}\n{statistic}"))
}

/// Why a statistic of this kind with these keys is refused.
pub(super) fn refusal(kind: &str, keys: &str) -> String {
    read(&named(kind, keys)).expect_err(keys).to_string()
}

/// The answer over some records, each `column=value,column=value`; a column that is not there has
/// no value.
pub(super) fn answer(kind: &str, keys: &str, records: &[&str]) -> Result<Answer, Reason> {
    over(&study(&named(kind, keys)), records, |_, sum| Some(sum))
}

/// The value of the answer.
pub(super) fn value(kind: &str, keys: &str, records: &[&str]) -> Result<Value, Reason> {
    answer(kind, keys, records).map(|answer| answer.value)
}

/// The value where sums of fewer than `min_cell` records are withheld.
pub(super) fn withheld(
    kind: &str,
    keys: &str,
    records: &[&str],
    min_cell: i32,
) -> Result<Value, Reason> {
    let open = |sum: Sum| {
        let is_small = sum.records < min_cell && (sum.is_shown || sum.is_of_values);
        (!is_small).then_some(sum)
    };
    over(&study(&named(kind, keys)), records, |_, sum| open(sum)).map(|answer| answer.value)
}

/// A sum of one request over the records of one combination of its axes' levels.
#[derive(Clone)]
pub(super) struct Sum {
    /// The sum.
    pub(super) total: BigInt,
    records: i32,
    is_shown: bool,
    is_of_values: bool,
}

/// The answer of a study's one statistic over records, after `change` has seen every sum with its
/// running number.
pub(super) fn over(
    study: &Study,
    records: &[&str],
    mut change: impl FnMut(usize, Sum) -> Option<Sum>,
) -> Result<Answer, Reason> {
    let records: Vec<_> = records.iter().map(|record| values(study, record)).collect();
    let formula = formula(study);
    let mut place = 0;
    let mut changed = |sum: Sum| {
        place += 1;
        change(place - 1, sum).map(|sum| sum.total)
    };
    let counted = Request::total(formula.counted());
    let count = sums(study, &counted, &records).into_iter().map(&mut changed).next();
    let count = count.flatten().expect("a cell has a count");
    let totals: Vec<Vec<_>> = formula
        .requests()
        .iter()
        .map(|request| sums(study, request, &records).into_iter().map(&mut changed).collect())
        .collect();
    let count = i64::try_from(count).expect("a count is small");
    formula.answer(&Sums { count, totals: &totals })
}

/// The formula of a study's one statistic.
pub(super) fn formula(study: &Study) -> Box<dyn Formula> {
    let statistic = &study.statistics()[0];
    let kind = super::find(&statistic.kind).expect("the kind exists");
    kind.formula(&Question { study, statistic }).expect("the study has been checked")
}

fn named(kind: &str, keys: &str) -> String {
    format!("name = \"example\"\nkind = \"{kind}\"\n{keys}")
}

fn read(statistic: &str) -> Result<Study, crate::StudyError> {
    let key = |seed| Signer::from_seed(&[seed; 32]).public();
    let server = |(name, seed): (&str, u8)| StudyServer { name: name.into(), identity: key(seed) };
    let available = [("alpha", 1), ("beta", 2)].map(server);
    let context = StudyContext { available: &available, analyst: key(3), nonce: [0; 16] };
    Study::from_file(&format!("{COLUMNS}[[statistic]]\n{statistic}"), "example.toml", context)
}

/// The scaled values of a record by column; a category's is the place of its label.
fn values(study: &Study, record: &str) -> BTreeMap<usize, i128> {
    let field = |field: &str| {
        let (name, text) = field.split_once('=').expect(field);
        let place = study.column_index(name).expect(name);
        (place, value(&study.columns()[place], text))
    };
    fn value(column: &Column, text: &str) -> i128 {
        match column.levels() {
            Some(levels) => levels.iter().position(|level| *level == text).expect(text) as i128,
            None => decimal::parse(text, column.decimals()).expect(text),
        }
    }
    record.split_terminator(',').map(field).collect()
}

/// The sums of a request, from its definition.
fn sums(study: &Study, request: &Request, records: &[BTreeMap<usize, i128>]) -> Vec<Sum> {
    let levels = request.axes.iter().map(|axis| axis.starts().len());
    let sum = Sum {
        total: BigInt::ZERO,
        records: 0,
        is_shown: request.is_shown,
        is_of_values: !request.term.values().is_empty(),
    };
    let mut sums = vec![sum; levels.product()];
    for record in records {
        let Some(product) = product(&request.term, record) else { continue };
        let place = request.axes.iter().try_fold(0, |place, axis| {
            let offset = record.get(&axis.column)? - i128::from(study.columns()[axis.column].min());
            Some(place * axis.starts().len() + axis.level_of(offset.try_into().ok()?))
        });
        let Some(place) = place else { continue };
        sums[place].total += product;
        sums[place].records += 1;
    }
    sums
}

fn product(term: &Term, record: &BTreeMap<usize, i128>) -> Option<i128> {
    let is_there = term.required().iter().all(|place| record.contains_key(place));
    is_there.then(|| term.values().iter().map(|place| record[place]).product())
}

/// A record as a provider encodes it.
fn record(study: &Study, text: &str) -> Record {
    let values = values(study, text);
    let value = |(place, column): (usize, &Column)| match (values.get(&place), &column.holds) {
        (None, _) => RecordValue::Missing,
        (Some(&value), ColumnType::Boolean) => RecordValue::Boolean(value == 1),
        (Some(&value), ColumnType::Category { .. }) => RecordValue::Category(value as u32),
        (Some(&value), _) => RecordValue::Number(value),
    };
    Record { values: study.columns().iter().enumerate().map(value).collect() }
}

/// The answers to a study's statistics by way of its plan and circuit.
fn by_plan(study: &Study, records: &[&str]) -> StudyResult {
    let plan = Plan::new(study).unwrap();
    let mut wires = Vec::new();
    for text in records {
        plan.encode(&record(study, text), &mut wires).unwrap();
    }
    let sums = Validity::new(plan.circuit().clone(), records.len()).truncate(wires).unwrap();
    let values = sums.into_iter().map(|sum| i128::try_from(u128::from(sum)).ok()).collect();
    plan.decode(&Totals { records: records.len() as u64, values })
}

mod tests {
    use serde_json::Value;

    use super::*;
    use crate::statistic::kinds;

    const RECORDS: &[&str] = &[
        "age=20,earnings=12.50,region=North,gender=female,graduate=true,hired=true,score=3",
        "age=31,earnings=20.67,region=South,gender=male,graduate=false,hired=true,score=7",
        "age=45,earnings=33.10,region=West,gender=female,graduate=true,hired=false,score=10",
        "age=52,region=North,gender=male,graduate=true,hired=true,score=0",
        "age=64,earnings=0.05,region=South,gender=female,graduate=false,hired=false,score=5",
        "age=27,earnings=55.00,region=West,gender=male,graduate=false,hired=true,score=6",
        "age=80,earnings=99.99,region=North,gender=female,graduate=true,hired=true,score=9",
        "age=18,earnings=10.01,region=South,gender=male,graduate=false,hired=false,score=2",
    ];

    #[test]
    fn every_kinds_example_has_an_answer_that_is_finite_json() {
        for kind in kinds() {
            let answer = over(&study(kind.page().example), RECORDS, |_, sum| Some(sum));
            let answer = answer.unwrap_or_else(|reason| panic!("{}: {reason}", kind.name()));
            let text = answer.value.to_string();
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), answer.value, "{text}");
        }
    }

    /// The plan encodes values less their minimum and opens sums of those; a kind sees neither.
    #[test]
    fn every_kinds_example_has_the_same_answer_by_way_of_the_plan() {
        for kind in kinds() {
            let study = study(kind.page().example);
            for cell in &by_plan(&study, RECORDS).statistics[0].cells {
                let labels = &cell.by.0;
                let is_in = |record: &&&str| {
                    let has = |(column, label): &(String, String)| {
                        record.split(',').any(|field| field == format!("{column}={label}"))
                    };
                    labels.iter().all(has)
                };
                let records: Vec<_> = RECORDS.iter().filter(is_in).copied().collect();
                let (value, reason) = match over(&study, &records, |_, sum| Some(sum)) {
                    Ok(answer) => (Some(answer.value), None),
                    Err(reason) => (None, Some(reason.to_string())),
                };
                assert_eq!((&cell.value, &cell.reason), (&value, &reason), "{}", kind.name());
            }
        }
    }

    #[test]
    fn no_records_and_one_record_are_answers_or_reasons() {
        for kind in kinds() {
            for count in 0..=RECORDS.len() {
                let _ = over(&study(kind.page().example), &RECORDS[..count], |_, sum| Some(sum));
            }
        }
    }

    /// Noise of any size, positive and negative, on every sum and on the count.
    #[test]
    fn noise_of_any_size_is_an_answer_or_a_reason() {
        let mut random = 1u64;
        let mut next = || {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            i64::try_from(random >> 33).unwrap() - (1 << 30)
        };
        for kind in kinds() {
            let study = study(kind.page().example);
            for round in 0..300 {
                let shift = 3 * (round % 11);
                let _ = over(&study, &RECORDS[..round % 9], |_, mut sum| {
                    sum.total += next() >> shift;
                    Some(sum)
                });
            }
        }
    }
}
