//! What is said in a class: by pupils, hosts and pages, whoever they are.

use std::sync::Arc;

use client::testing;
use mpc::ring::{
    Announcement, Lane, Message as Number, Protocol, Seat,
    plan::Plan,
    pupil::{Action, Pupil, Unexpected},
};
use prost::Message as _;
use proto::v1;
use rand::{SeedableRng, rngs::StdRng};

use crate::choice;

pub(crate) fn check(data: &[u8]) {
    let (how, rest) = choice(data);
    match how % 10 {
        0 => idempotent(v1::PupilSays::decode(rest).ok(), testing::pupil_says),
        1 => idempotent(v1::HostSays::decode(rest).ok(), testing::host_says),
        2 => idempotent(v1::MaskedNumber::decode(rest).ok(), testing::masked_number),
        3 => idempotent(v1::RingAnnouncement::decode(rest).ok(), testing::announcement),
        4 => page(rest, testing::page_joins),
        5 => page(rest, testing::page_of_pupil),
        6 => page(rest, testing::page_of_teacher),
        7 => page(rest, testing::page_of_example),
        8 => pupil(rest),
        _ => idempotent(v1::Acknowledgement::decode(rest).ok(), testing::acknowledgement),
    }
}

/// What is taken, is written as what is taken as the same.
fn idempotent<M: Clone + PartialEq + std::fmt::Debug>(
    message: Option<M>,
    through: fn(M) -> Option<M>,
) {
    let Some(taken) = message.and_then(through) else { return };
    assert_eq!(through(taken.clone()), Some(taken));
}

/// A request with a field more is none.
fn page(bytes: &[u8], is_taken: fn(&[u8]) -> bool) {
    if !is_taken(bytes) {
        return;
    }
    let end = bytes.iter().rposition(|byte| *byte == b'}').expect("an object");
    let more = [&bytes[..end], br#","another":0}"#].concat();
    assert!(!is_taken(&more), "an unknown field");
    let spaced = [b" ", bytes, b"\n"].concat();
    assert!(is_taken(&spaced), "spaces mean nothing");
}

/// A pupil whom anybody may tell anything: it learns a total once, sends nothing twice, and says
/// what does not belong.
fn pupil(bytes: &[u8]) {
    let Some(([protocol, pupils, seat], rest)) = bytes.split_first_chunk() else { return };
    let protocol = Protocol::ALL[usize::from(protocol % 3)];
    let Ok(plan) = Plan::new(protocol, usize::from(pupils % 12)) else { return };
    let seat = Seat(u16::from(*seat) % plan.pupils() as u16);
    let plan = Arc::new(plan);
    let mut pupil = Pupil::new(plan.clone(), seat, 5, &mut StdRng::seed_from_u64(1));
    let mut done = Vec::new();
    for word in rest.chunks_exact(5) {
        let [what, ring, from, to, value] = *word else { continue };
        let value = u64::from(value);
        match what % 3 {
            0 => done.extend(pupil.start()),
            1 => {
                let (ring, from, to) = (u16::from(ring), Seat(from.into()), Seat(to.into()));
                let lane = Lane { ring, from, to };
                let number = Number { lane, value };
                match pupil.receive(number) {
                    Ok(actions) => {
                        done.extend(actions);
                        assert!(plan.incoming(seat).contains(&lane));
                        assert_eq!(pupil.receive(number), Ok(Vec::new()), "the same again");
                        let other = Number { lane, value: value + 1 };
                        assert_eq!(pupil.receive(other), Err(Unexpected::Twice(lane)));
                    }
                    Err(Unexpected::Lane(_)) => assert!(!plan.incoming(seat).contains(&lane)),
                    Err(error) => assert_eq!(error, Unexpected::Twice(lane)),
                }
            }
            _ => {
                let said = Announcement { from: Seat(from.into()), value };
                if let Ok(actions) = pupil.hear(said) {
                    done.extend(actions);
                    assert_eq!(pupil.hear(said), Ok(Vec::new()), "the same again");
                }
            }
        }
    }
    let of = |is: fn(&&Action) -> bool| done.iter().filter(is).count();
    assert!(of(|action| matches!(action, Action::Learn(_))) <= 1, "two totals");
    assert!(of(|action| matches!(action, Action::Announce(_))) <= 1, "two announcements");
    let mut sent: Vec<Lane> = done
        .iter()
        .filter_map(|action| match action {
            Action::Send(number) => Some(number.lane),
            _ => None,
        })
        .collect();
    let all = sent.len();
    sent.sort_unstable();
    sent.dedup();
    assert_eq!(sent.len(), all, "a lane is used once");
    assert!(sent.iter().all(|lane| plan.outgoing(seat).contains(lane)));
}
