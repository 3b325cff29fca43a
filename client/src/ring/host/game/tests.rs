//! What the host makes of reports that come early, late, or not at all.

use mpc::{
    ring::{
        Announcement,
        slip::{self, Slip},
    },
    sign::Signer,
};
use proto::pin::Pin;

use super::*;

const RUN: RunId = RunId([7; 16]);

fn signer(seat: u16) -> Signer {
    Signer::from_seed(&[u8::try_from(seat).unwrap() + 1; 32])
}

fn game(protocol: Protocol) -> Game {
    let pupil = |seat: u16| {
        let contact = Contact {
            address: "127.0.0.1:1".into(),
            pin: Pin([0; 32]),
            key: signer(seat).public(),
        };
        (Named::new(PupilId(seat + 1), ""), contact)
    };
    let roster: Vec<_> = (0..3).map(pupil).collect();
    let mut game = Game::new(RUN, protocol, Scale::new("0", "100", 1).unwrap(), &roster).unwrap();
    for seat in 0..3 {
        game.hear(Seat(seat), About::Seated).unwrap();
    }
    game
}

fn lane(from: u16, to: u16) -> Lane {
    Lane { ring: 0, from: Seat(from), to: Seat(to) }
}

fn delivered(lane: Lane) -> About {
    let slip = Slip::new(RUN, lane, b"a body");
    let signature = slip.sign(&signer(lane.from.0));
    let acknowledgement = slip.acknowledge(&signer(lane.to.0));
    About::Report(Report::Delivered { slip, signature, acknowledgement })
}

fn announced(from: u16, value: u64) -> About {
    let announcement = Announcement { from: Seat(from), value };
    let signature = slip::sign_announcement(RUN, announcement, &signer(from));
    About::Announced(SignedAnnouncement { announcement, signature })
}

fn suspects(stop: &Stop) -> Vec<u16> {
    stop.suspects().iter().map(|id| id.0).collect()
}

#[test]
fn reports_in_any_order_lead_to_the_same_result() {
    let mut game = game(Protocol::Ring);
    let early = game.hear(Seat(0), announced(0, 600)).unwrap();
    assert_eq!(early, progress(None));
    for late in [lane(2, 0), lane(1, 2)] {
        let noted = game.hear(late.to, delivered(late)).unwrap();
        assert_eq!(noted, progress(None), "not before what leads to it");
    }
    let Consequence::Progress { passed, order } =
        game.hear(Seat(1), delivered(lane(0, 1))).unwrap()
    else {
        panic!("no progress")
    };
    assert_eq!(passed, [lane(0, 1), lane(1, 2), lane(2, 0)]);
    assert!(matches!(order, Some(Instruction::Finished(_))));
    // Either end reports; the second one is nothing new.
    assert_eq!(game.hear(Seat(0), delivered(lane(0, 1))), Ok(Consequence::Nothing));
    for seat in 0..3 {
        assert_eq!(game.result(), None);
        game.hear(Seat(seat), About::Learned(600)).unwrap();
    }
    assert_eq!(game.result().unwrap().total, 600);
}

#[test]
fn who_reports_another_total_than_was_announced_is_named() {
    let mut game = game(Protocol::Ring);
    assert_eq!(suspects(&game.hear(Seat(1), About::Learned(600)).unwrap_err()), [2]);
}

#[test]
fn a_total_that_no_grades_have_stops_the_round_and_names_nobody() {
    let mut game = game(Protocol::Ring);
    for lane in [lane(0, 1), lane(1, 2), lane(2, 0)] {
        game.hear(lane.to, delivered(lane)).unwrap();
    }
    let stop = game.hear(Seat(0), announced(0, 3001)).unwrap_err();
    assert!(matches!(stop, Stop::ImpossibleTotal { .. }), "{stop}");
    assert_eq!(suspects(&stop), [0u16; 0]);
}

#[test]
fn a_receiver_that_does_not_answer_a_complaint_is_named_alone() {
    let mut game = game(Protocol::Ring);
    let refused = About::Report(Report::Refused(lane(0, 1)));
    assert_eq!(game.hear(Seat(0), refused), Ok(Consequence::Complaint(lane(0, 1))));
    assert_eq!(suspects(&game.unanswered(lane(0, 1)).unwrap()), [2]);
}

#[test]
fn every_complaint_is_decided_for_itself() {
    let mut game = game(Protocol::Shares);
    for (seat, lane) in [(0, lane(0, 1)), (1, lane(1, 2))] {
        game.hear(Seat(seat), About::Report(Report::Refused(lane))).unwrap();
    }
    game.hear(Seat(1), delivered(lane(0, 1))).unwrap();
    assert_eq!(game.unanswered(lane(0, 1)), None);
    assert_eq!(suspects(&game.unanswered(lane(1, 2)).unwrap()), [3]);
}

#[test]
fn two_who_say_different_things_are_both_named() {
    let mut game = game(Protocol::Ring);
    game.hear(Seat(0), About::Report(Report::Refused(lane(0, 1)))).unwrap();
    let stop = game.hear(Seat(1), About::Report(Report::Missing(lane(0, 1)))).unwrap_err();
    assert_eq!((suspects(&stop), stop.kind()), (vec![1, 2], "disagree"));
}

#[test]
fn a_complaint_is_over_when_the_number_has_come() {
    let mut game = game(Protocol::Ring);
    game.hear(Seat(0), About::Report(Report::Refused(lane(0, 1)))).unwrap();
    game.hear(Seat(1), delivered(lane(0, 1))).unwrap();
    assert_eq!(game.unanswered(lane(0, 1)), None);
}

#[test]
fn who_is_waited_for_is_who_has_not_done_what_was_due() {
    let mut game = game(Protocol::Ring);
    assert_eq!(suspects(&game.silent().unwrap()), [1]);
    game.hear(Seat(1), delivered(lane(0, 1))).unwrap();
    assert_eq!(suspects(&game.silent().unwrap()), [2]);
    for lane in [lane(1, 2), lane(2, 0)] {
        game.hear(lane.to, delivered(lane)).unwrap();
    }
    assert_eq!(suspects(&game.silent().unwrap()), [1], "the announcement");
    game.hear(Seat(0), announced(0, 600)).unwrap();
}

#[test]
fn who_leaves_or_is_silent_after_the_announcement_does_not_stop_the_round() {
    let mut game = game(Protocol::Ring);
    assert!(game.left(PupilId(3)).is_some(), "before it, it does");
    for lane in [lane(0, 1), lane(1, 2), lane(2, 0)] {
        game.hear(lane.to, delivered(lane)).unwrap();
    }
    game.hear(Seat(0), announced(0, 600)).unwrap();
    assert_eq!(game.silent(), None);
    assert_eq!(game.left(PupilId(3)), None);
    assert_eq!((game.result(), game.outcome().unwrap().total), (None, 600));
    for seat in [0, 1] {
        game.hear(Seat(seat), About::Learned(600)).unwrap();
    }
    assert_eq!(game.result().unwrap().total, 600);
}

#[test]
fn a_number_is_the_teacher_s_turn_when_it_is_held_and_nothing_is_under_way() {
    let mut game = game(Protocol::Shares);
    assert_eq!(game.turn(), None);
    // The first step is P1's: until it is held nobody else's number is offered.
    game.hear(Seat(1), About::Held(lane(1, 0))).unwrap();
    assert_eq!(game.turn(), None);
    game.hear(Seat(0), About::Held(lane(0, 1))).unwrap();
    assert_eq!(game.turn(), Some(lane(0, 1)));
    game.release(lane(0, 1));
    assert_eq!(game.turn(), None);
    game.hear(Seat(0), About::Held(lane(0, 2))).unwrap();
    game.hear(Seat(1), delivered(lane(0, 1))).unwrap();
    assert_eq!(game.turn(), Some(lane(0, 2)));
    let stop = game.hear(Seat(2), About::Held(lane(0, 1))).unwrap_err();
    assert_eq!(suspects(&stop), [3], "another one's number");
}
