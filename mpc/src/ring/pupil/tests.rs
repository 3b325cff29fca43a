//! A pupil's part holds whatever the order in which messages arrive, and answers nothing twice.

use proptest::prelude::*;
use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::*;
use crate::ring::play::{self, Played};

fn plan(protocol: Protocol, pupils: usize) -> Arc<Plan> {
    Arc::new(Plan::new(protocol, pupils).unwrap())
}

fn protocol() -> impl Strategy<Value = Protocol> {
    prop::sample::select(Protocol::ALL.to_vec())
}

fn drawn(plan: &Plan, values: &[u64], seed: u64) -> Vec<Secrets> {
    let mut rng = StdRng::seed_from_u64(seed);
    let seats = plan.seats().into_iter().zip(values);
    seats.map(|(seat, &value)| Secrets::draw(plan, seat, value, &mut rng)).collect()
}

/// Plays with pupils who start, receive and hear in a random order, each thing up to three times.
fn disordered(plan: &Arc<Plan>, secrets: &[Secrets], seed: u64) -> (Vec<View>, Vec<u64>) {
    enum Event {
        Start,
        Receive(Message),
        Hear(Announcement),
    }
    let mut rng = StdRng::seed_from_u64(seed);
    let seats = plan.seats();
    let pupil =
        |seat: &Seat| Pupil::with_secrets(Arc::clone(plan), *seat, &secrets[seat.index()]).unwrap();
    let mut pupils: Vec<Pupil> = seats.iter().map(pupil).collect();
    let mut events: Vec<(Seat, Event)> = seats.iter().map(|&seat| (seat, Event::Start)).collect();
    let mut totals = Vec::new();
    while !events.is_empty() {
        let (seat, event) = events.swap_remove(rng.random_range(0..events.len()));
        let pupil = &mut pupils[seat.index()];
        let actions = match &event {
            Event::Start => pupil.start(),
            Event::Receive(message) => pupil.receive(*message).unwrap(),
            Event::Hear(announcement) => pupil.hear(*announcement).unwrap(),
        };
        if rng.random_range(0..3) == 0 {
            events.push((seat, event));
        }
        for action in actions {
            match action {
                Action::Send(message) => events.push((message.lane.to, Event::Receive(message))),
                Action::Announce(said) => {
                    events.extend(seats.iter().map(|&seat| (seat, Event::Hear(said))));
                }
                Action::Learn(total) => totals.push(total),
            }
        }
    }
    (pupils.iter().map(|pupil| pupil.reveal_view().sorted()).collect(), totals)
}

proptest! {
    #[test]
    fn everybody_learns_the_sum_of_the_values(
        protocol in protocol(), values in prop::collection::vec(any::<u64>(), 3..12), seed: u64
    ) {
        let plan = plan(protocol, values.len());
        let rng = &mut StdRng::seed_from_u64(seed);
        let Played { messages, total, views, .. } = play::play(&plan, &values, rng).unwrap();
        prop_assert_eq!(total, values.iter().copied().fold(0, u64::wrapping_add));
        prop_assert_eq!(messages.len(), plan.lanes().len());
        for view in views {
            prop_assert_eq!(view.value, values[view.seat.index()]);
            prop_assert_eq!(view.shares.iter().copied().fold(0, u64::wrapping_add), view.value);
        }
    }

    #[test]
    fn the_order_of_arrival_and_repeats_change_nothing(
        protocol in protocol(), values in prop::collection::vec(any::<u64>(), 3..9), seed: u64
    ) {
        let plan = plan(protocol, values.len());
        let secrets = drawn(&plan, &values, seed);
        let played = play::play_with(&plan, &secrets).unwrap();
        let (views, totals) = disordered(&plan, &secrets, seed);
        prop_assert_eq!(totals, vec![played.total; values.len()]);
        let expected: Vec<_> = played.views.iter().map(View::sorted).collect();
        prop_assert_eq!(views, expected);
    }

    #[test]
    fn what_does_not_belong_to_the_round_is_refused_and_leaves_no_trace(
        protocol in protocol(), pupils in 3usize..8, ring in 0u16..5, from in 0u16..9, to in 0u16..9
    ) {
        let plan = plan(protocol, pupils);
        let mut pupil = Pupil::new(Arc::clone(&plan), Seat(1), 5, &mut StdRng::seed_from_u64(1));
        pupil.start();
        let before = pupil.reveal_view().clone();
        let lane = Lane { ring, from: Seat(from), to: Seat(to) };
        let answer = pupil.receive(Message { lane, value: 9 });
        if plan.lanes().contains(&lane) && lane.to == Seat(1) {
            prop_assert!(answer.is_ok());
            let again = pupil.receive(Message { lane, value: 8 });
            prop_assert_eq!(again, Err(Unexpected::Twice(lane)));
        } else {
            prop_assert_eq!(answer, Err(Unexpected::Lane(lane)));
            prop_assert!(*pupil.reveal_view() == before);
        }
    }
}

#[test]
fn nobody_speaks_for_another_pupil() {
    let rng = &mut StdRng::seed_from_u64(2);
    let mut first = Pupil::new(plan(Protocol::Ring, 3), Seat(0), 5, rng);
    let mut second = Pupil::new(plan(Protocol::Ring, 3), Seat(1), 5, rng);
    let said = |from: u16, value| Announcement { from: Seat(from), value };
    first.start();
    second.start();
    assert_eq!(first.hear(said(0, 7)), Err(Unexpected::Announcer(Seat(0))));
    assert_eq!(second.hear(said(2, 7)), Err(Unexpected::Announcer(Seat(2))));
    assert_eq!(second.hear(said(0, 7)), Ok(vec![Action::Learn(7)]));
    assert_eq!(second.hear(said(0, 7)), Ok(vec![]));
    assert_eq!(second.hear(said(0, 8)), Err(Unexpected::AnnouncedTwice(Seat(0))));
}

#[test]
fn all_rings_take_a_step_before_any_takes_the_next() {
    let plan = plan(Protocol::Rings, 7);
    let played = play::play(&plan, &[1, 2, 3, 4, 5, 6, 7], &mut StdRng::seed_from_u64(3)).unwrap();
    for (place, message) in played.messages.iter().enumerate() {
        let order = &plan.rings()[usize::from(message.lane.ring)];
        assert_eq!(usize::from(message.lane.ring), place % 3);
        assert_eq!(order[place / 3], message.lane.from);
    }
}

#[test]
fn a_mask_goes_with_the_first_message_and_comes_off_at_the_end() {
    let plan = plan(Protocol::Ring, 3);
    let secrets =
        |value, masks: &[u64]| Secrets { value, shares: vec![value], masks: masks.into() };
    let class = [secrets(763, &[u64::MAX]), secrets(754, &[]), secrets(671, &[])];
    let played = play::play_with(&plan, &class).unwrap();
    let values: Vec<u64> = played.messages.iter().map(|message| message.value).collect();
    assert_eq!(values, [762, 1516, 2187]);
    assert_eq!(played.announcements, [Announcement { from: Seat(0), value: 2188 }]);
}

#[test]
fn secrets_that_do_not_fit_the_seat_are_refused() {
    let plan = plan(Protocol::Rings, 5);
    let wrong = |shares: &[u64], masks: &[u64]| {
        let secrets = Secrets { value: 6, shares: shares.into(), masks: masks.into() };
        Pupil::with_secrets(Arc::clone(&plan), Seat(1), &secrets).err()
    };
    assert_eq!(wrong(&[2, 4], &[]), None);
    for refused in [wrong(&[2, 5], &[]), wrong(&[6], &[]), wrong(&[2, 4], &[1, 1])] {
        assert_eq!(refused, Some(WrongSecrets(Seat(1))));
    }
    let too_many = play::play(&plan, &[1; 6], &mut StdRng::seed_from_u64(4));
    assert_eq!(too_many.unwrap_err(), play::Unplayable::Number { given: 6, pupils: 5 });
}

#[test]
fn nothing_secret_is_shown_by_debug() {
    let rng = &mut StdRng::seed_from_u64(5);
    let mut pupil = Pupil::new(plan(Protocol::Rings, 5), Seat(0), 31_415_926, rng);
    let actions = pupil.start();
    let view = pupil.reveal_view();
    let secrets = Secrets { value: view.value, shares: view.shares.clone(), masks: vec![] };
    let shown = format!("{pupil:?} {view:?} {secrets:?}");
    let mut hidden = vec![view.value];
    hidden.extend(view.shares.iter().chain(&view.masks));
    for action in actions {
        if let Action::Send(message) = action {
            hidden.push(message.value);
        }
    }
    for number in hidden {
        assert!(!shown.contains(&number.to_string()), "{shown}");
    }
}
