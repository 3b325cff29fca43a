//! The criterion against the oracle: all coalitions of small classes, and random ones of larger.

use std::sync::Arc;

use proptest::prelude::*;
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::SliceRandom};

use super::{oracle::Symbolic, *};
use crate::ring::{play, pupil::Secrets};

fn seats(places: impl IntoIterator<Item = u16>) -> Vec<Seat> {
    places.into_iter().map(Seat).collect()
}

/// All coalitions of so many pupils, from nobody to everybody.
fn coalitions(pupils: usize) -> impl Iterator<Item = Vec<Seat>> {
    (0..1u32 << pupils)
        .map(move |set| seats((0..pupils as u16).filter(|place| set >> place & 1 == 1)))
}

/// All rings through so many pupils, from P_1 on: every direction and order.
fn orders(pupils: usize) -> Vec<Vec<Seat>> {
    let mut orders = vec![vec![Seat(0)]];
    for place in 1..pupils as u16 {
        let insert = |order: &Vec<Seat>| {
            let longer = |at| {
                let mut order = order.clone();
                order.insert(at, Seat(place));
                order
            };
            (1..=order.len()).map(longer).collect::<Vec<_>>()
        };
        orders = orders.iter().flat_map(insert).collect();
    }
    orders
}

fn random_ring(pupils: usize, rng: &mut StdRng) -> Vec<Seat> {
    let mut ring = seats(0..pupils as u16);
    ring[1..].shuffle(rng);
    ring
}

fn random_coalition(pupils: usize, size: usize, rng: &mut StdRng) -> Vec<Seat> {
    let mut seats = seats(0..pupils as u16);
    seats.shuffle(rng);
    seats.truncate(size);
    seats
}

fn check(rings: &[Vec<Seat>], coalition: &[Seat], oracle: &Symbolic) {
    let groups = groups(rings, coalition);
    let (learned, dimension) = oracle.learned(coalition);
    assert_eq!(groups, learned, "{rings:?} {coalition:?}");
    assert_eq!(groups.len(), dimension, "{rings:?} {coalition:?}");
}

fn check_all_coalitions(rings: &[Vec<Seat>]) {
    let oracle = Symbolic::rings(rings);
    for coalition in coalitions(rings[0].len()) {
        check(rings, &coalition, &oracle);
    }
}

#[test]
fn one_ring_shows_what_the_oracle_computes_to_every_coalition() {
    for pupils in 3..=7 {
        check_all_coalitions(&[seats(0..pupils)]);
    }
}

#[test]
fn every_choice_of_waleckis_rings_shows_what_the_oracle_computes_to_every_coalition() {
    for pupils in 3..=7 {
        let plan = Plan::new(Protocol::Rings, pupils).unwrap();
        for choice in 1u32..1 << plan.rings().len() {
            let rings = plan.rings().iter().enumerate();
            let chosen = rings.filter(|(number, _)| choice >> number & 1 == 1);
            check_all_coalitions(&chosen.map(|(_, ring)| ring.clone()).collect::<Vec<_>>());
        }
    }
}

/// With the first ring in seat order, which a renaming of the other pupils brings about.
#[test]
fn every_pair_of_rings_shows_what_the_oracle_computes_to_every_coalition() {
    for pupils in 3..=7 {
        for second in orders(pupils) {
            check_all_coalitions(&[seats(0..pupils as u16), second]);
        }
    }
}

#[test]
fn every_three_rings_of_five_show_what_the_oracle_computes_to_every_coalition() {
    for pupils in 3..=5 {
        for second in orders(pupils) {
            for third in orders(pupils) {
                check_all_coalitions(&[seats(0..pupils as u16), second.clone(), third]);
            }
        }
    }
}

#[test]
fn shares_show_what_the_oracle_computes_to_every_coalition() {
    for pupils in 3..=7 {
        let plan = Plan::new(Protocol::Shares, pupils).unwrap();
        let oracle = Symbolic::shares(pupils);
        for coalition in coalitions(pupils) {
            let groups = groups_of(&plan, &coalition);
            assert_eq!((groups.clone(), groups.len()), oracle.learned(&coalition));
        }
    }
}

#[test]
fn the_same_ring_many_times_shows_as_much_as_once() {
    for pupils in 3..=7 {
        let once = [seats(0..pupils)];
        for times in 2..=4 {
            let again = vec![once[0].clone(); times];
            check_all_coalitions(&again);
            for coalition in coalitions(pupils.into()) {
                assert_eq!(groups(&again, &coalition), groups(&once, &coalition));
            }
        }
    }
    let around = [Seat(2), Seat(4)];
    assert!(groups(&vec![seats(0..7); 3], &around).contains(&vec![Seat(3)]));
}

#[test]
fn waleckis_rings_are_safe_exactly_because_all_of_them_together_join_every_pair() {
    let plan = Plan::new(Protocol::Rings, 7).unwrap();
    assert!(coalitions(7).all(|coalition| is_safe(plan.rings(), &coalition)));
    let fewer = &plan.rings()[1..];
    assert!(coalitions(7).any(|coalition| !is_safe(fewer, &coalition)));
}

/// Ties the oracle to the program: what it says each message is, the pupils send.
#[test]
fn the_oracles_messages_are_those_that_pupils_send() {
    let rng = &mut StdRng::seed_from_u64(1);
    for (protocol, pupils) in Protocol::ALL.into_iter().flat_map(|p| (3..=8).map(move |n| (p, n))) {
        let plan = Arc::new(Plan::new(protocol, pupils).unwrap());
        let oracle = match protocol {
            Protocol::Shares => Symbolic::shares(pupils),
            _ => Symbolic::rings(plan.rings()),
        };
        let secrets: Vec<_> = plan
            .seats()
            .iter()
            .map(|&seat| Secrets::draw(&plan, seat, rng.random(), rng))
            .collect();
        let shares = secrets.iter().flat_map(|secrets| secrets.shares.clone());
        let unknowns: Vec<u64> = shares.chain(secrets[0].masks.clone()).collect();
        let played = play::play_with(&plan, &secrets).unwrap();
        let number = |row: &Vec<u64>| {
            let terms = row.iter().zip(&unknowns).map(|(one, other)| one.wrapping_mul(*other));
            terms.fold(0, u64::wrapping_add)
        };
        let mut expected: Vec<_> =
            oracle.messages.iter().map(|(from, to, row)| (*from, *to, number(row))).collect();
        let sent = played.messages.iter();
        let mut sent: Vec<_> = sent.map(|one| (one.lane.from, one.lane.to, one.value)).collect();
        expected.sort_unstable();
        sent.sort_unstable();
        assert_eq!(sent, expected);
        let said: Vec<u64> = played.announcements.iter().map(|said| said.value).collect();
        assert_eq!(said, oracle.announced.iter().map(number).collect::<Vec<_>>());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn random_rings_show_what_the_oracle_computes(
        pupils in 8usize..26, count in 1usize..5, seed: u64
    ) {
        let rng = &mut StdRng::seed_from_u64(seed);
        let rings: Vec<_> = (0..count).map(|_| random_ring(pupils, rng)).collect();
        let oracle = Symbolic::rings(&rings);
        // Few honest pupils are seldom connected, and many nearly always.
        let size = rng.random_range(0..=pupils);
        let coalition = random_coalition(pupils, size, rng);
        check(&rings, &coalition, &oracle);
    }

    #[test]
    fn waleckis_rings_show_nothing_to_any_coalition_that_leaves_two(
        pupils in 3usize..41, seed: u64
    ) {
        let rng = &mut StdRng::seed_from_u64(seed);
        let plan = Plan::new(Protocol::Rings, pupils).unwrap();
        let size = rng.random_range(0..=pupils - 2);
        for size in [size, pupils - 2] {
            let coalition = random_coalition(pupils, size, rng);
            let groups = groups(plan.rings(), &coalition);
            prop_assert_eq!(groups.len(), 1);
            prop_assert_eq!(groups[0].len(), pupils - size);
        }
    }

    #[test]
    fn two_neighbours_in_one_ring_learn_who_sits_between_them(pupils in 4u16..101, place in 0u16..100) {
        let at = |offset| Seat((place + offset) % pupils);
        let groups = groups(&[seats(0..pupils)], &[at(0), at(2)]);
        prop_assert!(groups.contains(&vec![at(1)]));
        prop_assert_eq!(groups.len(), 2);
    }
}
