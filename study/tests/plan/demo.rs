//! The demo's study, wire by wire.

use mpc::Field128;
use prio::field::FieldElement;
use study::{Plan, Record, Value};

use crate::world;

const DEMO: &str = include_str!("demo.toml");

fn plan() -> Plan {
    Plan::new(&world::study(DEMO)).unwrap()
}

/// age, earnings, region, gender.
fn record(age: i128, earnings: i128, region: u32, gender: u32) -> Record {
    let values = vec![
        Value::Number(age),
        Value::Number(earnings),
        Value::Category(region),
        Value::Category(gender),
    ];
    Record { values }
}

#[test]
fn the_demo_takes_42_wires_and_20_sums() {
    let cost = plan().cost();
    assert_eq!((cost.wires, cost.bits, cost.products, cost.outputs), (42, 22 + 8, 12, 20));
}

#[test]
fn with_suppression_every_grouping_has_its_own_sums_from_the_same_wires() {
    let study = world::study(&DEMO.replace("min_cell = 1", "min_cell = 10"));
    let cost = Plan::new(&study).unwrap().cost();
    assert_eq!((cost.wires, cost.bits, cost.products), (42, 30, 12));
    assert_eq!(cost.outputs, (8 + 4 + 2) + (8 + 4 + 2) + 4);
}

#[test]
fn the_demo_answers_by_region_and_by_gender() {
    let study = world::study(DEMO);
    let records = [record(21, 2067, 2, 0), record(64, 50_000, 2, 1), record(40, 0, 3, 1)];
    let result = world::answer(&study, &records);
    let cell = |statistic: usize, cell: usize| {
        let cell = &result.statistics[statistic].cells[cell];
        (cell.count.unwrap(), cell.number())
    };
    assert_eq!(cell(0, 2), (2, Some(520.67 / 2.0)));
    assert_eq!(cell(0, 0), (0, None));
    assert_eq!(cell(1, 1), (2, Some(250.0)));
    assert_eq!(cell(2, 4), (1, Some(20.67)));
    assert_eq!(cell(3, 2), (2, Some(42.5)));
    assert_eq!(cell(3, 3), (1, Some(40.0)));
}

#[test]
fn two_groups_at_once_no_group_and_another_group_are_rejected() {
    let plan = plan();
    let honest = world::encode(&plan, &[record(30, 1234, 1, 1)]);
    assert!(world::is_valid(&plan, &honest));
    // The one-hot bits follow the 22 value bits.
    let set = (22..30).find(|&wire| honest[wire] == Field128::one()).unwrap();
    let other = if set == 22 { 23 } else { 22 };
    let changed = |changes: &[(usize, u128)]| {
        let mut bits = honest[..30].to_vec();
        for &(wire, value) in changes {
            bits[wire] = value.into();
        }
        let mut wires = Vec::new();
        plan.circuit().encode(&bits, &mut wires);
        world::is_valid(&plan, &wires)
    };
    assert!(!changed(&[(other, 1)]), "two groups");
    assert!(!changed(&[(set, 0)]), "no group");
    assert!(changed(&[(set, 0), (other, 1)]), "another group is another honest record");
    assert!(!changed(&[(0, 2)]), "a bit that is 2");
}

#[test]
fn a_missing_value_that_is_not_zero_is_rejected() {
    let text = "title = \"t\"\n[[column]]\nname = \"x\"\ntype = \"integer\"\nmin = 0\nmax = 5\n\
                missing = \"allowed\"\n[[statistic]]\nname = \"s\"\nkind = \"sum\"\nof = \"x\"\n";
    let plan = Plan::new(&world::study(text)).unwrap();
    let bits = |bits: [u128; 4]| bits.map(Field128::from);
    assert!(world::is_valid(&plan, &bits([1, 1, 1, 1])));
    assert!(world::is_valid(&plan, &bits([0, 0, 0, 0])));
    for place in 0..3 {
        let mut lie = [0; 4];
        lie[place] = 1;
        assert!(!world::is_valid(&plan, &bits(lie)), "bit {place}");
    }
}

#[test]
fn groupings_that_share_a_column_must_agree_on_it() {
    let text = "title = \"t\"\n\
        [[column]]\nname = \"a\"\ntype = \"category\"\nvalues = [\"0\", \"1\", \"2\"]\n\
        [[column]]\nname = \"b\"\ntype = \"category\"\nvalues = [\"0\", \"1\"]\n\
        [[column]]\nname = \"c\"\ntype = \"category\"\nvalues = [\"0\", \"1\"]\nmissing = \"allowed\"\n\
        [[statistic]]\nname = \"s\"\nkind = \"count\"\nby = [\"a\", \"b\"]\n\
        [[statistic]]\nname = \"t\"\nkind = \"count\"\nby = [\"c\", \"a\"]\n";
    let study = world::study(text);
    let plan = Plan::new(&study).unwrap();
    assert_eq!(plan.cost().bits, 6 + 9);
    for a in 0..3 {
        for other in 0..3 {
            let mut wires = vec![Field128::zero(); 15];
            wires[2 * a] = Field128::one();
            wires[6 + 3 * other + 2] = Field128::one();
            assert_eq!(world::is_valid(&plan, &wires), a == other, "{a} {other}");
        }
    }
}
