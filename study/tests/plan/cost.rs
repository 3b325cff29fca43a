//! What a study costs, and which statistic is responsible for how much of it.

use proptest::prelude::*;
use study::{Plan, plan::Used};

use crate::{random::cases, world};

const DEMO: &str = include_str!("demo.toml");

fn plan(text: &str) -> Plan {
    Plan::new(&world::study(text)).unwrap()
}

fn used(sums: usize, shared: usize) -> Used {
    Used { sums, shared }
}

#[test]
fn statistics_of_the_demo_share_what_both_need() {
    // 8 counts and 8 sums of earnings by region and gender, 4 sums of ages by region.
    let expected = [used(16, 16), used(16, 16), used(16, 16), used(12, 8)];
    assert_eq!(plan(DEMO).used(), expected);
}

#[test]
fn what_only_one_statistic_needs_is_gone_without_it() {
    let plan = plan(DEMO);
    let costs = |place| {
        let cost = plan.without(place).unwrap().cost();
        (cost.outputs, cost.wires, cost.products, cost.multiplications)
    };
    assert_eq!(plan.cost().multiplications, 42);
    // Region and gender together give each of them.
    assert_eq!(costs(0), (20, 42, 12, 42));
    assert_eq!(costs(1), (20, 42, 12, 42));
    // Without the cross of both: a vector of 4 and one of 2, with products of earnings.
    assert_eq!(costs(2), (4 + 4 + 2 + 2 + 4, 22 + 6 + 10, 10, 38));
    // Without ages: their 6 bits, 4 products and 4 sums.
    assert_eq!(costs(3), (16, 32, 8, 32));
}

#[test]
fn the_only_statistic_cannot_be_left_out() {
    let text = "title = \"t\"\n[[column]]\nname = \"x\"\ntype = \"boolean\"\n\
                [[statistic]]\nname = \"s\"\nkind = \"share\"\nof = \"x\"\n";
    assert!(plan(text).without(0).is_none());
}

#[test]
fn the_number_of_all_records_is_counted_for_the_statistics_that_wait_for_it() {
    let text = "title = \"t\"\n[privacy]\nmin_records = 2\nmin_cell = 5\n\
                [[column]]\nname = \"x\"\ntype = \"boolean\"\n\
                [[column]]\nname = \"c\"\ntype = \"category\"\nvalues = [\"a\", \"b\"]\n\
                [[statistic]]\nname = \"people\"\nkind = \"count\"\nby = \"c\"\n\
                [[statistic]]\nname = \"share\"\nkind = \"share\"\nof = \"x\"\n";
    assert_eq!(plan(text).used(), [used(2, 0), used(2, 0)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn every_coordinate_is_used_by_a_statistic(case in cases()) {
        let plan = plan(&case.file);
        let used = plan.used();
        let all: usize = used.iter().map(|used| used.sums).sum();
        let own: usize = used.iter().map(|used| used.sums - used.shared).sum();
        let shared: usize = used.iter().map(|used| used.shared).sum();
        prop_assert!(own <= plan.coordinates() && plan.coordinates() <= all);
        // Every shared coordinate is used twice at least.
        prop_assert!(2 * (plan.coordinates() - own) <= shared);
    }
}
