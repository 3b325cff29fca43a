//! Properties that hold for every study and all of its records.

use num_traits::ToPrimitive as _;
use proptest::prelude::*;
use study::{Plan, Record, Study, Value};

use crate::{
    oracle::{self, Expected},
    random::cases,
    world,
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn answers_equal_the_plaintext_oracle(case in cases()) {
        let study = world::study(&case.file);
        let records = case.records(&study);
        let plan = Plan::new(&study).unwrap();
        let wires = world::encode(&plan, &records);
        prop_assert_eq!(wires.len(), records.len() * plan.cost().wires);
        prop_assert!(records.is_empty() || world::is_valid(&plan, &wires));
        let sums = world::sums(&plan, &wires);
        let bounds = plan.bounds(records.len() as u64);
        prop_assert_eq!(bounds.len(), sums.len());
        prop_assert!(sums.iter().zip(&bounds).all(|(sum, bound)| sum <= bound));
        let totals = world::open(&plan, &sums, records.len());
        let result = plan.decode(&totals);
        for (place, statistic) in result.statistics.iter().enumerate() {
            let expected = oracle::cells(&study, place, &records);
            prop_assert_eq!(statistic.cells.len(), expected.len());
            for (cell, (labels, expected)) in statistic.cells.iter().zip(expected) {
                prop_assert_eq!(&cell.by.0, &labels);
                // Which cells are withheld for the sake of others is another property's matter.
                if cell.reason.as_deref().is_some_and(|reason| reason.starts_with("withheld")) {
                    prop_assert!(cell.suppressed && study.privacy().min_cell > 1);
                    prop_assert_eq!((cell.count, &cell.value), (None, &None));
                    continue;
                }
                let found = match (cell.suppressed, cell.exact.clone(), cell.value.clone()) {
                    (true, None, None) => {
                        prop_assert_eq!(cell.count, None);
                        Expected::Suppressed
                    }
                    (false, None, None) => {
                        prop_assert_eq!(cell.count, Some(0));
                        Expected::NoRecords
                    }
                    (false, Some(exact), Some(value)) => {
                        prop_assert_eq!(value.as_f64(), exact.to_f64());
                        Expected::Answer { count: cell.count.unwrap(), value: exact }
                    }
                    _ => return Err(TestCaseError::fail(format!("{cell:?}"))),
                };
                prop_assert_eq!(found, expected, "{} {:?}\n{}", statistic.name, labels, case.file);
            }
        }
    }

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
