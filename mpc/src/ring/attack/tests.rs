//! The attack finds what the criterion says and no more, and believes no view that cannot be.

use std::sync::Arc as Shared;

use proptest::prelude::*;
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::SliceRandom};

use super::*;
use crate::ring::{Announcement, leak, play::Played, play::play};

const GRADES: RangeInclusive<i64> = 0..=1000;

fn seats(places: &[u16]) -> Vec<Seat> {
    places.iter().copied().map(Seat).collect()
}

fn played(plan: &Plan, values: &[i64], seed: u64) -> Played {
    let values: Vec<u64> = values.iter().map(|value| value.cast_unsigned()).collect();
    play(&Shared::new(plan.clone()), &values, &mut StdRng::seed_from_u64(seed)).unwrap()
}

fn views(played: &Played, coalition: &[Seat]) -> Vec<View> {
    coalition.iter().map(|seat| played.views[seat.index()].clone()).collect()
}

fn grades(pupils: usize, seed: u64) -> Vec<i64> {
    let mut rng = StdRng::seed_from_u64(seed);
    (0..pupils).map(|_| rng.random_range(GRADES)).collect()
}

/// A class of grades, what a coalition has seen of it, and the values themselves.
fn class(
    protocol: Protocol,
    pupils: usize,
    coalition: &[u16],
    seed: u64,
) -> (Plan, Vec<View>, Vec<i64>) {
    let plan = Plan::new(protocol, pupils).unwrap();
    let values = grades(pupils, seed);
    let views = views(&played(&plan, &values, seed), &seats(coalition));
    (plan, views, values)
}

fn sum(values: &[i64], of: &[Seat]) -> u64 {
    of.iter().map(|seat| values[seat.index()]).sum::<i64>().cast_unsigned()
}

/// What to say of a long list when it is another one.
fn ends(values: &[i64]) -> (usize, Option<i64>, Option<i64>) {
    (values.len(), values.first().copied(), values.last().copied())
}

#[test]
fn two_neighbours_of_a_pupil_recover_its_value_exactly() {
    for (around, target) in [([2, 4], 3), ([4, 2], 3), ([19, 1], 0), ([0, 2], 1), ([18, 0], 19)] {
        let (plan, views, values) = class(Protocol::Ring, 20, &around, 1);
        let target = Seat(target);
        let value = values[target.index()];
        let known = knowledge(&plan, &views).unwrap();
        let group = Group { members: vec![target], sum: value.cast_unsigned() };
        assert!(known.groups.contains(&group), "{known:?}");
        assert_eq!(consistent(&plan, &views, target, GRADES), Ok(vec![value]));
    }
}

#[test]
fn of_a_run_between_two_members_they_know_the_sum_and_nothing_else() {
    let (plan, views, values) = class(Protocol::Ring, 9, &[2, 5], 2);
    let known = knowledge(&plan, &views).unwrap();
    let between = seats(&[3, 4]);
    let group = Group { members: between.clone(), sum: sum(&values, &between) };
    assert!(known.groups.contains(&group));
    let both = values[3] + values[4];
    let allowed: Vec<i64> = GRADES.filter(|value| GRADES.contains(&(both - value))).collect();
    let open = consistent(&plan, &views, Seat(3), GRADES).unwrap();
    assert!(open == allowed, "{:?} {:?}", ends(&open), ends(&allowed));
}

#[test]
fn the_repair_leaves_every_grade_possible() {
    for protocol in [Protocol::Rings, Protocol::Shares] {
        for pupils in [5, 6, 20] {
            let (plan, views, _) = class(protocol, pupils, &[2, 4], 3);
            let open = consistent(&plan, &views, Seat(3), 300..=700).unwrap();
            let allowed = allowed_by_total(&plan, &views, 300..=700).unwrap();
            assert_eq!(ends(&open), ends(&allowed), "{protocol} {pupils}");
            let open = consistent(&plan, &views, Seat(3), GRADES).unwrap();
            let all = (1001, Some(0), Some(1000));
            assert!(pupils < 20 || ends(&open) == all, "{protocol} {:?}", ends(&open));
        }
    }
}

#[test]
fn all_but_two_learn_from_the_repair_what_the_total_tells_them() {
    for protocol in [Protocol::Rings, Protocol::Shares] {
        for pupils in 3u16..=9 {
            for (one, other) in [(0, 1), (0, pupils - 1), (1, 2), (1, pupils - 1)] {
                let coalition: Vec<u16> =
                    (0..pupils).filter(|seat| ![one, other].contains(seat)).collect();
                let (plan, views, values) = class(protocol, pupils.into(), &coalition, 4);
                let honest = seats(&[one, other]);
                let known = knowledge(&plan, &views).unwrap();
                let group = Group { sum: sum(&values, &honest), members: honest };
                assert_eq!(known.groups, [group]);
                let allowed = allowed_by_total(&plan, &views, GRADES).unwrap();
                for target in [one, other] {
                    let open = consistent(&plan, &views, Seat(target), GRADES).unwrap();
                    assert_eq!(ends(&open), ends(&allowed));
                }
            }
        }
    }
}

#[test]
fn all_but_one_know_the_last_value_from_the_total() {
    for protocol in Protocol::ALL {
        for honest in 0..5 {
            let coalition: Vec<u16> = (0..5).filter(|seat| *seat != honest).collect();
            let (plan, views, values) = class(protocol, 5, &coalition, 5);
            let value = values[usize::from(honest)];
            assert_eq!(consistent(&plan, &views, Seat(honest), GRADES), Ok(vec![value]));
            assert_eq!(allowed_by_total(&plan, &views, GRADES), Ok(vec![value]));
        }
    }
}

#[test]
fn all_together_have_nothing_to_find_out() {
    let (plan, views, _) = class(Protocol::Rings, 5, &[0, 1, 2, 3, 4], 6);
    let known = knowledge(&plan, &views).unwrap();
    assert_eq!((known.arcs, known.groups), (vec![], vec![]));
    assert_eq!(allowed_by_total(&plan, &views, GRADES), Ok(vec![]));
}

#[test]
fn values_below_nought_are_found_like_others() {
    let plan = Plan::new(Protocol::Ring, 4).unwrap();
    let views = views(&played(&plan, &[-5, 3, -2, 5], 7), &seats(&[1, 3]));
    assert_eq!(consistent(&plan, &views, Seat(2), -5..=5), Ok(vec![-2]));
    assert_eq!(consistent(&plan, &views, Seat(0), -5..=5), Ok(vec![-5]));
}

#[test]
fn a_sum_that_no_values_of_the_range_have_leaves_none() {
    let plan = Plan::new(Protocol::Ring, 5).unwrap();
    let views = views(&played(&plan, &[5, 5, 2000, 5, 5], 8), &seats(&[1, 3]));
    // Whoever adds 2000 where 1000 is the most leaves no class that looks the same.
    assert_eq!(consistent(&plan, &views, Seat(0), GRADES), Ok(vec![]));
    assert_eq!(consistent(&plan, &views, Seat(2), GRADES), Ok(vec![]));
}

#[test]
fn a_large_class_and_a_fine_scale_are_searched_through() {
    let (plan, views, _) = class(Protocol::Rings, 100, &[2, 4], 9);
    let open = consistent(&plan, &views, Seat(3), 0..=5_000).unwrap();
    assert_eq!(ends(&open), (5_001, Some(0), Some(5_000)));
    assert!(open == allowed_by_total(&plan, &views, 0..=5_000).unwrap());
}

fn error(plan: &Plan, views: &[View]) -> Contradiction {
    let error = knowledge(plan, views).unwrap_err();
    assert_eq!(consistent(plan, views, Seat(3), GRADES), Err(error));
    assert_eq!(allowed_by_total(plan, views, GRADES), Err(error));
    error
}

#[test]
fn a_view_that_cannot_be_is_not_believed_and_its_pupil_is_named() {
    for protocol in Protocol::ALL {
        let (plan, views, _) = class(protocol, 6, &[2, 4], 10);
        let spoilt = |spoil: &dyn Fn(&mut View)| {
            let mut views = views.clone();
            spoil(&mut views[1]);
            error(&plan, &views)
        };
        let seat = Seat(4);
        assert_eq!(spoilt(&|view| view.seat = Seat(6)), Contradiction::Stranger(Seat(6)));
        assert_eq!(spoilt(&|view| *view = views[0].clone()), Contradiction::Again(Seat(2)));
        assert_eq!(spoilt(&|view| view.value += 1), Contradiction::Secrets(seat));
        assert_eq!(spoilt(&|view| view.shares.push(0)), Contradiction::Secrets(seat));
        assert_eq!(spoilt(&|view| view.masks.push(0)), Contradiction::Secrets(seat));
        assert_eq!(spoilt(&|view| view.sent.clear()), Contradiction::Messages(seat));
        assert_eq!(spoilt(&|view| view.received.clear()), Contradiction::Messages(seat));
        let again = |view: &mut View| view.received.push(view.received[0]);
        assert_eq!(spoilt(&again), Contradiction::Messages(seat));
        let elsewhere = |view: &mut View| view.received[0].lane.from = Seat(4);
        assert_eq!(spoilt(&elsewhere), Contradiction::Messages(seat));
        assert_eq!(spoilt(&|view| view.sent[0].value ^= 1), Contradiction::Arithmetic(seat));
        assert_eq!(spoilt(&|view| view.announced.clear()), Contradiction::Arithmetic(seat));
        let stranger = Announcement { from: Seat(9), value: 1 };
        let more = |view: &mut View| view.announced.push(stranger);
        assert_eq!(spoilt(&more), Contradiction::Arithmetic(seat));
        let heard = |view: &mut View| {
            let first = view.announced.iter_mut().find(|said| said.from == Seat(0)).unwrap();
            first.value ^= 1;
        };
        assert_eq!(spoilt(&heard), Contradiction::Announced(Seat(2), seat));
    }
    let plan = Plan::new(Protocol::Ring, 6).unwrap();
    assert_eq!(error(&plan, &[]), Contradiction::Nobody);
}

#[test]
fn views_of_two_rounds_do_not_fit_together() {
    let (plan, mut views, _) = class(Protocol::Ring, 6, &[2, 3], 11);
    views[1] = class(Protocol::Ring, 6, &[3], 12).1.remove(0);
    views[1].announced = views[0].announced.clone();
    assert_eq!(error(&plan, &views), Contradiction::Between(Seat(2), Seat(3)));
}

#[test]
fn of_a_member_or_a_stranger_there_is_nothing_to_ask() {
    let (plan, views, _) = class(Protocol::Ring, 6, &[2, 4], 13);
    for seat in [Seat(2), Seat(6)] {
        assert_eq!(consistent(&plan, &views, seat, GRADES), Err(Contradiction::Target(seat)));
    }
}

/// A plan of one of the protocols, or over rings that nobody would choose.
fn any_plan() -> impl Strategy<Value = Plan> {
    (3usize..12, 0usize..4, any::<u64>()).prop_map(|(pupils, kind, seed)| {
        if let Some(&protocol) = Protocol::ALL.get(kind) {
            return Plan::new(protocol, pupils).unwrap();
        }
        let rng = &mut StdRng::seed_from_u64(seed);
        let ring = |rng: &mut StdRng| {
            let mut ring: Vec<Seat> = (0..pupils as u16).map(Seat).collect();
            ring[1..].shuffle(rng);
            ring
        };
        let rings = (0..rng.random_range(1..4)).map(|_| ring(rng)).collect();
        Plan::over(Protocol::Rings, pupils, rings)
    })
}

proptest! {
    #[test]
    fn what_is_computed_from_views_is_what_the_criterion_says_and_is_true(
        plan in any_plan(), seed: u64
    ) {
        let rng = &mut StdRng::seed_from_u64(seed);
        let values = grades(plan.pupils(), seed);
        let mut coalition = plan.seats();
        coalition.shuffle(rng);
        coalition.truncate(rng.random_range(1..=plan.pupils()));
        let known = knowledge(&plan, &views(&played(&plan, &values, seed), &coalition)).unwrap();
        let groups: Vec<_> = known.groups.iter().map(|group| group.members.clone()).collect();
        prop_assert_eq!(groups, leak::groups_of(&plan, &coalition));
        for group in known.groups {
            prop_assert_eq!(group.sum, sum(&values, &group.members));
        }
    }

    #[test]
    fn a_value_is_consistent_exactly_when_its_groups_sum_allows_it(
        plan in any_plan(), seed: u64
    ) {
        let range = -3..=6;
        let rng = &mut StdRng::seed_from_u64(seed);
        let values: Vec<i64> =
            (0..plan.pupils()).map(|_| rng.random_range(range.clone())).collect();
        let mut coalition = plan.seats();
        coalition.shuffle(rng);
        coalition.truncate(rng.random_range(1..plan.pupils()));
        let views = views(&played(&plan, &values, seed), &coalition);
        for group in leak::groups_of(&plan, &coalition) {
            for &target in &group {
                let others = group.len() as i64 - 1;
                let rest = sum(&values, &group).cast_signed();
                let fits = |value: &i64| (others * -3..=others * 6).contains(&(rest - value));
                let expected: Vec<i64> = range.clone().filter(fits).collect();
                prop_assert_eq!(consistent(&plan, &views, target, range.clone()), Ok(expected));
            }
        }
    }

    #[test]
    fn every_class_that_is_made_looks_the_same_when_all_of_it_is_played_again(
        plan in any_plan(), seed: u64
    ) {
        let rng = &mut StdRng::seed_from_u64(seed);
        let values = grades(plan.pupils(), seed);
        let mut coalition = plan.seats();
        coalition.shuffle(rng);
        let target = coalition.pop().unwrap();
        coalition.truncate(rng.random_range(1..plan.pupils()));
        let views = views(&played(&plan, &values, seed), &coalition);
        let coalition = Coalition::new(&plan, &views).unwrap();
        let known = learn(&coalition);
        let value = values[target.index()];
        let range = value.saturating_sub(20).max(0)..=(value + 20).min(1000);
        if let Some(mut class) = Imagined::new(&coalition, &known.groups, target, range) {
            while class.next().is_some() {
                prop_assert!(class.looks_the_same());
            }
        }
    }
}
