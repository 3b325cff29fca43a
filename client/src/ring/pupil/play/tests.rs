//! What a pupil does with what comes, message by message.

use mpc::ring::{Announcement, Protocol, referee::Signed, slip::Slip};
use proto::pin::Pin;
use rand::{SeedableRng as _, rngs::StdRng};

use super::*;
use crate::ring::name::PupilId;

const RUN: RunId = RunId([7; 16]);

fn signer(seat: u8) -> Signer {
    Signer::from_seed(&[seat + 1; 32])
}

fn roster(pupils: u8) -> Vec<(Named, Contact)> {
    let pupil = |seat: u8| {
        let contact = Contact {
            address: format!("127.0.0.1:{}", 1000 + u16::from(seat)),
            pin: Pin([seat; 32]),
            key: signer(seat).public(),
        };
        (Named::new(PupilId(u16::from(seat) + 1), ""), contact)
    };
    (0..pupils).map(pupil).collect()
}

fn seats(protocol: Protocol, pupils: Vec<(Named, Contact)>) -> Seats {
    Seats { run: RUN, protocol, pupils, stepped: false }
}

fn play(protocol: Protocol, seat: usize) -> Play {
    let roster = roster(3);
    let (named, contact) = roster[seat].clone();
    let rng = &mut StdRng::seed_from_u64(1);
    Play::new(seats(protocol, roster), (&named, &contact), 100, rng).unwrap()
}

fn parcel(from: u8, to: u8, value: u64) -> Parcel {
    let lane = Lane { ring: 0, from: Seat(from.into()), to: Seat(to.into()) };
    let body = slip::body(value, &mut StdRng::seed_from_u64(value)).to_vec();
    let slip = Slip::new(RUN, lane, &body);
    Parcel { signed: Signed { slip, signature: slip.sign(&signer(from)) }, body: body.into() }
}

fn said(from: u8, value: u64) -> SignedAnnouncement {
    let announcement = Announcement { from: Seat(from.into()), value };
    let signature = slip::sign_announcement(RUN, announcement, &signer(from));
    SignedAnnouncement { announcement, signature }
}

fn reports(effects: &[Effect]) -> Vec<&Report> {
    let report = |effect| match effect {
        &Effect::Tell(About::Report(ref report)) => Some(report),
        _ => None,
    };
    effects.iter().filter_map(report).collect()
}

fn sends(effects: &[Effect]) -> usize {
    effects.iter().filter(|effect| matches!(effect, Effect::Deliver(_))).count()
}

#[test]
fn a_number_that_comes_again_is_acknowledged_again_and_changes_nothing() {
    let mut play = play(Protocol::Ring, 1);
    play.begin(&signer(1));
    let number = parcel(0, 1, 5);
    let (first, effects) = play.receive(&number, &signer(1));
    assert_eq!((first.is_some(), sends(&effects), reports(&effects).len()), (true, 1, 1));
    let (again, effects) = play.receive(&number, &signer(1));
    assert_eq!((again, effects.len()), (first, 0));
}

#[test]
fn the_host_hears_of_a_number_before_it_is_sent_on() {
    let mut play = play(Protocol::Ring, 1);
    play.begin(&signer(1));
    let (_, effects) = play.receive(&parcel(0, 1, 5), &signer(1));
    let told = effects.iter().position(|effect| matches!(effect, Effect::Tell(_)));
    let sent = effects.iter().position(|effect| matches!(effect, Effect::Deliver(_)));
    assert!(told.unwrap() < sent.unwrap());
}

#[test]
fn a_number_that_comes_before_the_round_begins_waits_for_it() {
    let mut play = play(Protocol::Ring, 1);
    let (answer, effects) = play.receive(&parcel(0, 1, 5), &signer(1));
    assert_eq!((answer.is_some(), sends(&effects)), (true, 0));
    assert_eq!(sends(&play.begin(&signer(1))), 1);
}

#[test]
fn two_numbers_on_one_lane_are_proved_to_the_host() {
    let mut play = play(Protocol::Ring, 1);
    play.begin(&signer(1));
    play.receive(&parcel(0, 1, 5), &signer(1));
    let (answer, effects) = play.receive(&parcel(0, 1, 6), &signer(1));
    assert_eq!(answer, None);
    assert!(matches!(reports(&effects)[..], [Report::Twice { .. }]));
}

#[test]
fn two_totals_of_one_pupil_are_proved_to_the_host_even_when_the_host_tells_the_second() {
    let mut play = play(Protocol::Ring, 1);
    play.begin(&signer(1));
    assert!(play.hear(said(0, 5), &signer(1)).is_some());
    assert_eq!(play.hear(said(0, 5), &signer(1)).unwrap().len(), 0);
    let effects = play.finish(vec![said(0, 6)], &signer(1));
    assert!(matches!(reports(&effects)[..], [Report::AnnouncedTwice { .. }]));
}

#[test]
fn an_announcement_in_another_s_name_is_not_heard() {
    let mut play = play(Protocol::Ring, 1);
    let forged = SignedAnnouncement { signature: said(2, 5).signature, ..said(0, 5) };
    assert!(play.hear(forged, &signer(1)).is_none());
    // Only the first pupil of a ring announces.
    assert!(play.hear(said(2, 5), &signer(1)).is_none());
}

#[test]
fn what_was_missed_is_taken_from_the_host_at_the_end() {
    let mut play = play(Protocol::Ring, 1);
    let scale = Scale::new("0", "100", 1).unwrap();
    play.begin(&signer(1));
    assert!(play.conclusion(&scale).is_none());
    play.finish(vec![said(0, 600)], &signer(1));
    let (total, learned) = play.conclusion(&scale).unwrap();
    assert_eq!((total, learned.outcome.total, learned.outcome.pupils), (600, 600, 3));
}

#[test]
fn a_total_is_nothing_yet_before_the_host_has_heard_everything() {
    let mut play = play(Protocol::Ring, 1);
    play.begin(&signer(1));
    play.hear(said(0, 600), &signer(1)).unwrap();
    assert!(play.conclusion(&Scale::new("0", "100", 1).unwrap()).is_none());
}

#[test]
fn who_was_asked_for_a_number_that_did_not_come_takes_it_no_more() {
    let mut play = play(Protocol::Ring, 1);
    play.begin(&signer(1));
    let number = parcel(0, 1, 5);
    let effects = play.asked(number.signed.slip.lane);
    assert!(matches!(reports(&effects)[..], [Report::Missing(_)]));
    assert_eq!(play.receive(&number, &signer(1)).0, None);
}

#[test]
fn with_steps_a_number_waits_until_it_is_released() {
    let roster = roster(3);
    let (named, contact) = roster[0].clone();
    let stepped = Seats { stepped: true, ..seats(Protocol::Ring, roster) };
    let rng = &mut StdRng::seed_from_u64(1);
    let mut play = Play::new(stepped, (&named, &contact), 100, rng).unwrap();
    let effects = play.begin(&signer(0));
    let [Effect::Tell(About::Held(lane))] = effects[..] else { panic!("{effects:?}") };
    assert_eq!(sends(&play.release(Lane { ring: 1, ..lane })), 0);
    assert_eq!(sends(&play.release(lane)), 1);
    assert_eq!(sends(&play.release(lane)), 0);
}

#[test]
fn a_roster_that_is_not_right_is_not_played() {
    let own = roster(3)[1].clone();
    let refuses = |pupils: Vec<(Named, Contact)>| {
        let rng = &mut StdRng::seed_from_u64(1);
        Play::new(seats(Protocol::Ring, pupils), (&own.0, &own.1), 100, rng).is_err()
    };
    assert!(!refuses(roster(3)));
    assert!(refuses(roster(2)), "two pupils would know each other's values");
    let [anna, ben, cem]: [_; 3] = roster(3).try_into().unwrap();
    assert!(refuses(vec![anna.clone(), cem.clone(), roster(4)[3].clone()]), "without us");
    assert!(refuses(vec![anna.clone(), ben.clone(), anna.clone()]), "one pupil in two seats");
    let twin = (Named::new(PupilId(9), ""), anna.1.clone());
    assert!(refuses(vec![anna.clone(), ben.clone(), twin]), "one key in two seats");
    let other = Contact { key: signer(9).public(), ..ben.1 };
    assert!(refuses(vec![anna, (ben.0, other), cem]), "another key in our name");
}
