//! Properties that hold for every study and all of its records.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashSet},
    mem::{Discriminant, discriminant},
};

use proptest::{prelude::*, test_runner::TestRunner};
use serde_json::Value as Json;
use study::{
    Plan, Record, Study, StudyResult, Value,
    result::{Cell, Reason},
    statistic::kinds,
};

use crate::{
    compare::note_differences,
    oracle::{self, Expectation},
    random::{Case, cases},
    world,
};

/// Relative error of an interval's ends, to the larger of them: one may be near 0.
const INTERVAL: f64 = 1e-9;

/// What the cases were like.
#[derive(Debug, Default)]
struct Seen {
    kinds: BTreeMap<String, Tally>,
    /// Why there was no value.
    reasons: HashSet<Discriminant<Reason>>,
}

/// How many cells of a kind there were, had a value, and were passed over.
#[derive(Debug, Default)]
struct Tally {
    cells: usize,
    values: usize,
    withheld: usize,
}

#[test]
fn answers_equal_the_plaintext_oracle() {
    let config = ProptestConfig { source_file: Some(file!()), ..ProptestConfig::with_cases(1_000) };
    let seen = RefCell::new(Seen::default());
    let outcome = TestRunner::new(config).run(&cases(), |case| {
        let differences = differences_of(&case, &mut seen.borrow_mut());
        prop_assert!(differences.is_empty(), "{}", differences.join("\n"));
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    check_variety(&seen.into_inner());
}

/// Every kind was answered often enough to tell, and every reason that records can give was met.
fn check_variety(seen: &Seen) {
    for kind in kinds() {
        let tally = &seen.kinds[kind.name()];
        // The cells of a case are alike, so that shares differ much from run to run.
        let (name, is_often) = (kind.name(), tally.values * 20 > tally.cells);
        assert!(tally.values >= 20 && is_often, "{name}: {tally:?}");
        assert!(tally.withheld * 3 < tally.cells, "{name}: {tally:?}");
    }
    let group = String::new;
    for reason in [
        Reason::NoRecords,
        Reason::TooFew { needed: 2 },
        Reason::FewerThan(2),
        Reason::SmallGroup,
        Reason::EmptyGroup(group()),
        Reason::TooFewIn { group: group(), needed: 2 },
        Reason::OneGroup,
        Reason::ConstantInGroups(group()),
        Reason::Constant(group()),
        Reason::Collinear(group()),
    ] {
        assert!(seen.reasons.contains(&discriminant(&reason)), "never met: {reason}");
    }
}

/// One line for everything that a case's result says otherwise than the oracle.
fn differences_of(case: &Case, seen: &mut Seen) -> Vec<String> {
    let mut differences = Vec::new();
    let study = world::study(&case.file);
    let records = case.records(&study);
    let result = checked_answer(&study, &records);
    let may_withhold = study.privacy().min_cell > 1;
    for (place, statistic) in result.statistics.iter().enumerate() {
        let expected = oracle::cells(&study, place, &records, &statistic.cells, may_withhold);
        for (cell, expected) in statistic.cells.iter().zip(expected) {
            let tally = seen.kinds.entry(statistic.kind.clone()).or_default();
            tally.cells += 1;
            tally.values += usize::from(cell.value.is_some());
            // Which cells are withheld for the sake of others is another property's matter.
            if may_withhold && (is_withheld(cell, &expected) || has_withheld_rate(cell)) {
                tally.withheld += 1;
                continue;
            }
            seen.reasons.extend(expected.outcome.as_ref().err().map(discriminant));
            let name = format!("{} {} {:?}", statistic.name, statistic.kind, expected.labels);
            note_cell(&name, cell, &expected, &mut differences);
        }
    }
    if !differences.is_empty() {
        differences.extend(records.iter().map(|record| shown(&study, record)));
    }
    differences
}

/// The result of a study by way of its plan, which keeps to what it says of itself.
fn checked_answer(study: &Study, records: &[Record]) -> StudyResult {
    let plan = Plan::new(study).unwrap();
    let wires = world::encode(&plan, records);
    assert_eq!(wires.len(), records.len() * plan.cost().wires);
    assert!(records.is_empty() || world::is_valid(&plan, &wires), "an honest record is refused");
    let sums = world::sums(&plan, &wires);
    assert_eq!([sums.len(); 2], [plan.coordinates(), plan.cost().outputs]);
    let bounds = plan.bounds(records.len() as u64);
    assert_eq!(bounds.len(), sums.len());
    assert!(sums.iter().zip(&bounds).all(|(sum, bound)| sum <= bound), "{sums:?} {bounds:?}");
    let result = plan.decode(&world::open(&plan, &sums, records.len()));
    // For people and for programs: no text may fail, and no number may be lost on the way.
    assert!(!result.to_table().contains("NaN") && !result.to_csv().contains("NaN"));
    let json = serde_json::to_string(&result).unwrap();
    let read: StudyResult = serde_json::from_str(&json).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), json);
    result
}

/// Whether a cell is withheld, or made of one that is, because a smaller one would follow.
fn is_withheld(cell: &Cell, expected: &Expectation) -> bool {
    let is_reason = |reason: Reason| cell.reason.as_deref() == Some(&reason.to_string());
    let has_small_group = matches!(expected.outcome, Err(Reason::SmallGroup));
    let is_withheld =
        is_reason(Reason::Complement) || (is_reason(Reason::SmallGroup) && !has_small_group);
    is_withheld && cell.suppressed && cell.count.is_none() && cell.value.is_none()
}

/// Whether a group's rates are withheld, because few of its records are true, or false.
fn has_withheld_rate(cell: &Cell) -> bool {
    let groups = cell.value.as_ref().and_then(|value| value.get("groups")?.as_object());
    groups.is_some_and(|groups| {
        let is_null = |group: &Json, key: &str| group.get(key).is_some_and(Json::is_null);
        let rates = ["selection_rate", "tpr", "fpr"];
        groups.values().any(|group| rates.iter().any(|key| is_null(group, key)))
    })
}

fn note_cell(name: &str, found: &Cell, expected: &Expectation, differences: &mut Vec<String>) {
    let mut check = |what: &str, is_equal: bool| {
        if !is_equal {
            differences.push(format!("{name}: {what} differs: {found:?}, not {expected:?}"));
        }
    };
    check("by", found.by.0 == expected.labels);
    let count = i64::try_from(expected.count).unwrap();
    let (value, exact) = match &expected.outcome {
        Err(reason) => {
            let is_suppressed = matches!(reason, Reason::FewerThan(_) | Reason::SmallGroup);
            check("suppressed", found.suppressed == is_suppressed);
            check("count", found.count == (!is_suppressed).then_some(count));
            check("reason", found.reason == Some(reason.to_string()));
            check("value", found.value.is_none() && found.exact.is_none());
            check("shown", found.shown.is_none());
            return;
        }
        Ok(answer) => (&answer.value, &answer.exact),
    };
    check("suppressed", !found.suppressed);
    check("count", found.count == Some(count));
    check("reason", found.reason.is_none());
    check("exact", found.exact == *exact);
    check("shown", found.shown.is_some());
    let (Some(mut own), mut value) = (found.value.clone(), value.clone()) else {
        return check("value", false);
    };
    check("ci95", are_near(take_interval(&mut own), take_interval(&mut value)));
    note_differences(name, &own, &value, differences);
}

/// The interval of a value, taken out of it.
fn take_interval(value: &mut Json) -> Option<[f64; 2]> {
    let interval = value.as_object_mut()?.remove("ci95")?;
    Some([interval[0].as_f64()?, interval[1].as_f64()?])
}

fn are_near(found: Option<[f64; 2]>, expected: Option<[f64; 2]>) -> bool {
    let (Some(found), Some(expected)) = (found, expected) else {
        return found == expected;
    };
    let largest = expected[0].abs().max(expected[1].abs());
    found.iter().zip(expected).all(|(found, end)| (found - end).abs() <= INTERVAL * largest)
}

/// A record as a row of a table; the records here are nobody's.
fn shown(study: &Study, record: &Record) -> String {
    let value = |(column, value): (&study::Column, &Value)| match value {
        Value::Number(scaled) => study::decimal::format(*scaled, column.decimals().into()),
        Value::Boolean(boolean) => boolean.to_string(),
        Value::Category(place) => column.labels().unwrap()[*place as usize].clone(),
        Value::Missing => String::new(),
    };
    study.columns().iter().zip(&record.values).map(value).collect::<Vec<_>>().join(",")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_study_survives_its_canonical_encoding(case in cases()) {
        let study = world::study(&case.file);
        let decoded = Study::decode(&study.encode()).unwrap();
        prop_assert_eq!(&decoded, &study);
        prop_assert_eq!(decoded.id(), study.id());
        prop_assert_eq!(Study::claim(&study.encode()), Some((study.id(), study.analyst())));
        let (plan, again) = (Plan::new(&study).unwrap(), Plan::new(&decoded).unwrap());
        prop_assert_eq!(plan.circuit(), again.circuit());
    }

    #[test]
    fn a_changed_product_or_one_hot_bit_is_rejected(case in cases(), wire in any::<prop::sample::Index>()) {
        let study = world::study(&case.file);
        let records = case.records(&study);
        let plan = Plan::new(&study).unwrap();
        prop_assume!(!records.is_empty());
        let mut wires = world::encode(&plan, &records);
        let cost = plan.cost();
        let place = wire.index(wires.len());
        // A bit of a value may be another honest record; 2 is never a bit.
        let step = if place % cost.wires < cost.bits { 2u128 } else { 1 };
        wires[place] += step.into();
        prop_assert!(!world::is_valid(&plan, &wires), "{}", case.file);
    }
}

#[test]
fn every_value_of_a_small_range_is_encoded_and_decoded_to_itself() {
    for (min, max) in [(0, 0), (0, 1), (-3, 4), (5, 17), (-64, 64), (100, 163), (0, 64)] {
        for missing in ["refused", "allowed"] {
            let study = world::study(&format!(
                "title = \"t\"\n[privacy]\nmin_records = 1\n\
                 [[column]]\nname = \"x\"\ntype = \"integer\"\nmin = {min}\nmax = {max}\n\
                 missing = \"{missing}\"\n[[statistic]]\nname = \"s\"\nkind = \"sum\"\nof = \"x\"\n"
            ));
            let plan = Plan::new(&study).unwrap();
            for value in min..=max {
                let records = [Record { values: vec![Value::Number(value)] }];
                assert!(world::is_valid(&plan, &world::encode(&plan, &records)));
                let cell = &world::answer(&study, &records).statistics[0].cells[0];
                assert_eq!(*cell.exact.as_ref().unwrap().numer(), value.into(), "{min}..={max}");
            }
        }
    }
}

#[test]
fn records_that_are_not_of_the_study_are_refused_without_their_value() {
    let study = world::study(
        "title = \"t\"\n[[column]]\nname = \"x\"\ntype = \"integer\"\nmin = 0\nmax = 99\n\
         [[column]]\nname = \"g\"\ntype = \"category\"\nvalues = [\"a\", \"b\"]\n\
         [[statistic]]\nname = \"s\"\nkind = \"sum\"\nof = \"x\"\nby = \"g\"\n",
    );
    let plan = Plan::new(&study).unwrap();
    let refused = |values: Vec<Value>| {
        let mut wires = Vec::new();
        let error = plan.encode(&Record { values }, &mut wires).unwrap_err().to_string();
        assert!(wires.is_empty());
        assert!(!error.contains("271828"), "{error}");
        error
    };
    let a = Value::Category(0);
    assert!(refused(vec![Value::Number(271_828), a]).contains("\"x\""));
    assert!(refused(vec![Value::Number(-1), a]).contains("range"));
    assert!(refused(vec![Value::Number(i128::MAX), a]).contains("range"));
    assert!(refused(vec![Value::Boolean(true), a]).contains("type"));
    assert!(refused(vec![Value::Missing, a]).contains("missing"));
    assert!(refused(vec![Value::Number(1), Value::Category(2)]).contains("\"g\""));
    assert!(refused(vec![Value::Number(1), Value::Missing]).contains("missing"));
    assert!(refused(vec![Value::Number(1), Value::Number(1)]).contains("type"));
    assert!(refused(vec![a]).contains("1 values"));
}
