//! Tests of a round as the host knows it: what is due, who is waited for, and why it stops.

use mpc::ring::play;
use rand::{SeedableRng, rngs::StdRng};

use super::*;

fn round(protocol: Protocol) -> Round {
    let scale = Scale::new("0", "100", 1).unwrap();
    let named = |(number, name)| Named::new(PupilId(number), name);
    let pupils = [(1, "Anna"), (3, "Ben"), (4, "Cem"), (7, "Dana")].map(named);
    Round::new(RunId([1; 16]), protocol, scale, pupils.to_vec()).unwrap()
}

fn lane(ring: u16, from: u16, to: u16) -> Lane {
    Lane { ring, from: Seat(from), to: Seat(to) }
}

#[test]
fn a_whole_round_passes_in_the_order_of_play_and_comes_to_its_average() {
    for protocol in Protocol::ALL {
        let mut round = round(protocol);
        let values = [763, 754, 671, 635];
        let played = play(round.plan(), &values, &mut StdRng::seed_from_u64(1)).unwrap();
        for message in &played.messages {
            assert!(round.due().contains(&message.lane), "{:?}", message.lane);
            round.pass(message.lane).unwrap();
        }
        assert!(round.due().is_empty());
        let said = played.announcements.iter().map(|said| round.announce(*said).unwrap());
        let outcome = said.last().flatten().unwrap();
        assert_eq!((outcome.pupils, outcome.total, outcome.average), (4, 2823, 70.575));
    }
}

#[test]
fn what_passes_too_early_twice_or_elsewhere_stops_the_round_and_names_its_sender() {
    let who = |seat: u16| round(Protocol::Ring).pupil(Seat(seat));
    let mut ring = round(Protocol::Ring);
    assert_eq!(ring.pass(lane(0, 1, 2)), Err(Stop::Garbage { who: who(1) }));
    assert_eq!(ring.pass(lane(0, 0, 2)), Err(Stop::Garbage { who: who(0) }));
    assert_eq!(ring.pass(lane(1, 0, 1)), Err(Stop::Garbage { who: who(0) }));
    ring.pass(lane(0, 0, 1)).unwrap();
    assert_eq!(ring.pass(lane(0, 0, 1)), Err(Stop::Twice { who: who(0), to: who(1) }));
}

#[test]
fn those_are_waited_for_whose_turn_it_is() {
    let mut ring = round(Protocol::Ring);
    let names =
        |round: &Round| round.waiting_for().iter().map(ToString::to_string).collect::<Vec<_>>();
    for (from, to, waited) in [(0, 1, "P1 (Anna)"), (1, 2, "P3 (Ben)"), (2, 3, "P4 (Cem)")] {
        assert_eq!(names(&ring), [waited]);
        ring.pass(lane(0, from, to)).unwrap();
    }
    ring.pass(lane(0, 3, 0)).unwrap();
    assert_eq!(names(&ring), ["P1 (Anna)"]);
    let silent = "nothing came from P1 (Anna): the round waited for it";
    assert_eq!(ring.silent().to_string(), silent);
}

#[test]
fn an_announcement_that_is_early_another_ones_or_changed_names_who_made_it() {
    let said = |from, value| Announcement { from: Seat(from), value };
    let mut shares = round(Protocol::Shares);
    let who = shares.pupil(Seat(1));
    assert_eq!(shares.announce(said(1, 5)), Err(Stop::Garbage { who: who.clone() }));
    for lane in shares.plan().lanes() {
        shares.pass(lane).unwrap();
    }
    assert_eq!(shares.announce(said(1, 5)), Ok(None));
    assert_eq!(shares.announce(said(1, 5)), Ok(None));
    assert_eq!(shares.announce(said(1, 6)), Err(Stop::AnnouncedTwice { who }));
    let mut ring = round(Protocol::Ring);
    let who = ring.pupil(Seat(1));
    assert_eq!(ring.announce(said(1, 5)), Err(Stop::Garbage { who }));
}

#[test]
fn a_total_that_no_class_can_have_stops_the_round_and_accuses_nobody() {
    let mut ring = round(Protocol::Ring);
    for lane in ring.plan().lanes() {
        ring.pass(lane).unwrap();
    }
    let stop = ring.announce(Announcement { from: Seat(0), value: 4001 }).unwrap_err();
    assert_eq!(stop.kind(), "impossible-total");
    assert_eq!(stop.suspects(), []);
}

#[test]
fn a_verdict_names_pupils_as_the_class_knows_them() {
    let round = round(Protocol::Ring);
    let guilty = |offence| round.convict(Verdict::Guilty { who: Seat(2), offence });
    for (stop, text) in [
        (guilty(Offence::Garbage), "P4 (Cem) sent something that is not a number of this round"),
        (
            guilty(Offence::Twice(Seat(3))),
            "P4 (Cem) answered twice: it sent P7 (Dana) two different numbers",
        ),
        (guilty(Offence::AnnouncedTwice), "P4 (Cem) announced two different numbers"),
    ] {
        assert_eq!(stop.to_string(), text);
        assert_eq!(stop.suspects(), [PupilId(4)]);
    }
    let stop = guilty(Offence::FalseAccusation(Seat(1)));
    assert_eq!((stop.kind(), stop.suspects()), ("false-accusation", vec![PupilId(4)]));
    let stop = round.convict(Verdict::Undecided(lane(0, 1, 2)));
    assert_eq!((stop.kind(), stop.suspects()), ("disagree", vec![PupilId(3), PupilId(4)]));
}
