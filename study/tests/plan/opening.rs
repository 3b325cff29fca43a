//! What may be opened, and when.

use study::{Plan, Record, Value};

use crate::world;

const STUDY: &str = "title = \"t\"\n[privacy]\nmin_records = 3\nmin_cell = 3\n\
    [[column]]\nname = \"x\"\ntype = \"integer\"\nmin = 0\nmax = 9\n\
    [[column]]\nname = \"g\"\ntype = \"category\"\nvalues = [\"a\", \"b\"]\n\
    [[statistic]]\nname = \"by g\"\nkind = \"mean\"\nof = \"x\"\nby = \"g\"\n\
    [[statistic]]\nname = \"all\"\nkind = \"mean\"\nof = \"x\"\n";

fn records(groups: &[u32]) -> Vec<Record> {
    let record = |&group: &u32| Record { values: vec![Value::Number(5), Value::Category(group)] };
    groups.iter().map(record).collect()
}

#[test]
fn without_suppression_everything_is_opened_at_once() {
    let plan = Plan::new(&world::study(&STUDY.replace("min_cell = 3", "min_cell = 1"))).unwrap();
    let all: Vec<_> = (0..plan.coordinates()).collect();
    assert_eq!(plan.next_opening(0, &vec![None; plan.coordinates()]), all);
    assert!(plan.next_opening(3, &vec![Some(1); plan.coordinates()]).is_empty());
    assert_eq!(plan.coordinates(), 4, "the sum over all follows from the groups");
}

#[test]
fn with_suppression_counts_come_first_and_small_cells_stay_closed() {
    let plan = Plan::new(&world::study(STUDY)).unwrap();
    assert_eq!(plan.coordinates(), 2 + 1 + 2);
    let mut opened = vec![None; 5];
    let counts = plan.next_opening(9, &opened);
    assert_eq!(counts.len(), 2);
    opened[counts[0]] = Some(0);
    assert_eq!(plan.next_opening(9, &opened), [counts[1]]);
    opened[counts[1]] = Some(9);
    let values = plan.next_opening(9, &opened);
    assert_eq!(values.len(), 2, "the large group and everyone");
    for value in values {
        opened[value] = Some(0);
    }
    assert!(plan.next_opening(9, &opened).is_empty());
    assert_eq!(opened.iter().filter(|value| value.is_none()).count(), 1);
}

#[test]
fn a_suppressed_cell_says_neither_count_nor_value() {
    let study = world::study(STUDY);
    let result = world::answer(&study, &records(&[0, 0, 1, 1, 1]));
    let [small, large] = &result.statistics[0].cells[..] else { panic!("two cells") };
    assert!(small.suppressed && small.count.is_none() && small.value.is_none());
    assert_eq!(small.reason.as_deref(), Some("fewer than 3 records"));
    // The mean of all less the mean of the large group would be that of the small one.
    assert!(large.suppressed && large.count.is_none() && large.value.is_none());
    assert!(large.reason.as_deref().unwrap().contains("a smaller cell would follow"));
    let all = &result.statistics[1].cells[0];
    assert_eq!((all.suppressed, all.count), (false, Some(5)));
}

#[test]
fn an_empty_cell_needs_no_other_to_be_withheld() {
    let study = world::study(STUDY);
    let result = world::answer(&study, &records(&[1, 1, 1]));
    let [empty, large] = &result.statistics[0].cells[..] else { panic!("two cells") };
    assert!(empty.suppressed && empty.count.is_none());
    assert_eq!((large.suppressed, large.count), (false, Some(3)));
}

#[test]
fn everyone_together_are_a_cell_too() {
    // Fewer records than min_cell are enough to publish: the number of all records decides.
    let text = STUDY.replace("min_records = 3", "min_records = 1");
    for (by, counts) in [("by = \"g\"", 3), ("", 1)] {
        let study = world::study(&text.replace("by = \"g\"", by));
        let plan = Plan::new(&study).unwrap();
        assert_eq!(plan.next_opening(0, &vec![None; plan.coordinates()]).len(), counts);
        let few = world::answer(&study, &records(&[0, 1]));
        assert!(few.statistics[1].cells[0].suppressed);
        let enough = world::answer(&study, &records(&[0, 1, 1]));
        assert_eq!(enough.statistics[1].cells[0].count, Some(3));
    }
}

#[test]
fn a_study_of_nothing_but_the_number_of_records_has_a_circuit() {
    let text = "title = \"t\"\n[privacy]\nmin_records = 1\n\
        [[column]]\nname = \"x\"\ntype = \"integer\"\nmin = 7\nmax = 7\n\
        [[statistic]]\nname = \"n\"\nkind = \"count\"\n\
        [[statistic]]\nname = \"m\"\nkind = \"mean\"\nof = \"x\"\n";
    let study = world::study(text);
    let plan = Plan::new(&study).unwrap();
    assert_eq!((plan.cost().wires, plan.cost().outputs), (1, 1));
    let records =
        [Record { values: vec![Value::Number(7)] }, Record { values: vec![Value::Number(7)] }];
    let wires = world::encode(&plan, &records);
    assert!(world::is_valid(&plan, &wires));
    assert_eq!(world::sums(&plan, &wires), [2]);
    assert!(!world::is_valid(&plan, &[0u128.into()]));
    let result = world::answer(&study, &records);
    assert_eq!(result.statistics[0].cells[0].count, Some(2));
    assert_eq!(result.statistics[1].cells[0].number(), Some(7.0));
}

#[test]
fn totals_that_were_never_opened_are_closed_cells_and_no_panic() {
    let study = world::study(STUDY);
    let plan = Plan::new(&study).unwrap();
    for values in [vec![], vec![None; 5], vec![Some(i128::MAX); 5], vec![Some(i128::MIN); 99]] {
        let totals = study::Totals { records: 4, values };
        let result = plan.decode(&totals);
        assert!(result.statistics[0].cells.iter().all(|cell| cell.suppressed));
    }
}
