//! Liars against the referee: whatever they say, sign and send, nobody honest is found guilty; and
//! what can be proved of them is.

use std::collections::BTreeSet;

use proptest::prelude::*;
use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::*;
use crate::{
    ring::{
        Protocol,
        inbox::{Inbox, Taken},
        slip::{BODY, sign_announcement},
    },
    sign::Signer,
};

const RUN: RunId = RunId([7; 16]);
const PUPILS: usize = 4;

fn signer(seat: Seat) -> Signer {
    Signer::from_seed(&[u8::try_from(seat.0).unwrap() + 1; 32])
}

fn keys() -> Vec<PublicKey> {
    (0..PUPILS as u16).map(|seat| signer(Seat(seat)).public()).collect()
}

/// A class of four whose pupils hold keys, with what an honest one would send on each lane.
struct Class {
    plan: Arc<Plan>,
    referee: Referee,
}

impl Class {
    fn new(protocol: Protocol) -> Self {
        let plan = Arc::new(Plan::new(protocol, PUPILS).unwrap());
        let referee = Referee::new(RUN, Arc::clone(&plan), keys()).unwrap();
        Self { plan, referee }
    }

    fn deliver(&mut self, lane: Lane) -> Ruling {
        let report = delivered(honest(lane), lane.to);
        self.referee.hear(lane.to, &report)
    }
}

/// The body that the honest sender of a lane sends.
fn body(lane: Lane) -> Vec<u8> {
    vec![(lane.ring * 16 + lane.from.0 * 4 + lane.to.0) as u8; BODY]
}

fn honest(lane: Lane) -> Signed {
    signed(RUN, lane, &body(lane), lane.from)
}

fn signed(run: RunId, lane: Lane, body: &[u8], by: Seat) -> Signed {
    let slip = Slip::new(run, lane, body);
    Signed { slip, signature: slip.sign(&signer(by)) }
}

fn delivered(sent: Signed, receiver: Seat) -> Report {
    let Signed { slip, signature } = sent;
    Report::Delivered { slip, signature, acknowledgement: slip.acknowledge(&signer(receiver)) }
}

fn garbage(sent: Signed, body: &[u8]) -> Report {
    let Signed { slip, signature } = sent;
    Report::Garbage { slip, signature, body: body.to_vec() }
}

fn announced(from: Seat, value: u64, by: Seat) -> SignedAnnouncement {
    let announcement = Announcement { from, value };
    let signature = sign_announcement(RUN, announcement, &signer(by));
    SignedAnnouncement { announcement, signature }
}

const LANE: Lane = Lane { ring: 0, from: Seat(1), to: Seat(2) };
const OFF: Lane = Lane { ring: 9, from: Seat(1), to: Seat(2) };

#[test]
fn a_pupil_that_sends_garbage_is_named() {
    for (sent, shown) in [
        (signed(RUN, LANE, b"hello", Seat(1)), &b"hello"[..]),
        (signed(RUN, OFF, &[1; BODY], Seat(1)), &[]),
    ] {
        let ruling = Class::new(Protocol::Ring).referee.hear(Seat(2), &garbage(sent, shown));
        assert_eq!(ruling, guilty(Seat(1), Offence::Garbage));
    }
}

#[test]
fn a_pupil_that_answers_twice_is_named() {
    let (first, second) = (honest(LANE), signed(RUN, LANE, &[9; BODY], Seat(1)));
    let mut class = Class::new(Protocol::Ring);
    let ruling = class.referee.hear(Seat(2), &Report::Twice { first, second });
    assert_eq!(ruling, guilty(Seat(1), Offence::Twice(Seat(2))));
    assert_eq!(class.deliver(LANE), Ruling::Passed(LANE));
    assert_eq!(class.deliver(LANE), Ruling::Noted);
    let ruling = class.referee.hear(Seat(1), &delivered(second, Seat(2)));
    assert_eq!(ruling, guilty(Seat(1), Offence::Twice(Seat(2))));
}

#[test]
fn a_pupil_that_announces_twice_is_named() {
    let (first, second) = (announced(Seat(0), 5, Seat(0)), announced(Seat(0), 6, Seat(0)));
    let mut class = Class::new(Protocol::Ring);
    let ruling = class.referee.hear(Seat(2), &Report::AnnouncedTwice { first, second });
    assert_eq!(ruling, guilty(Seat(0), Offence::AnnouncedTwice));
    assert_eq!(class.referee.announce(Seat(0), first), Ruling::Announced(first.announcement));
    assert_eq!(class.referee.announce(Seat(0), first), Ruling::Noted);
    let ruling = class.referee.announce(Seat(0), second);
    assert_eq!(ruling, guilty(Seat(0), Offence::AnnouncedTwice));
}

#[test]
fn nobody_announces_for_another_or_without_having_to() {
    let mut class = Class::new(Protocol::Ring);
    for (by, said) in [
        (Seat(1), announced(Seat(0), 5, Seat(1))),
        (Seat(0), announced(Seat(0), 5, Seat(1))),
        (Seat(1), announced(Seat(1), 5, Seat(1))),
    ] {
        assert_eq!(class.referee.announce(by, said), guilty(by, Offence::Garbage));
    }
}

#[test]
fn a_pupil_that_lies_about_its_neighbour_is_named() {
    let other = signed(RUN, LANE, &[9; BODY], Seat(2));
    let lies = [
        garbage(honest(LANE), &body(LANE)),
        garbage(honest(LANE), b"hello"),
        garbage(honest(LANE), &[0; MOST + 1]),
        garbage(signed(RUN, LANE, b"hello", Seat(2)), b"hello"),
        Report::Twice { first: honest(LANE), second: honest(LANE) },
        Report::Twice { first: honest(LANE), second: other },
        Report::Missing(LANE),
    ];
    for lie in lies {
        let mut class = Class::new(Protocol::Ring);
        class.deliver(LANE);
        let verdict = guilty(Seat(2), Offence::FalseAccusation(Seat(1)));
        assert_eq!(class.referee.hear(Seat(2), &lie), verdict, "{lie:?}");
    }
    let (first, second) = (announced(Seat(0), 5, Seat(0)), announced(Seat(0), 6, Seat(2)));
    let lie = Report::AnnouncedTwice { first, second };
    let ruling = Class::new(Protocol::Ring).referee.hear(Seat(2), &lie);
    assert_eq!(ruling, guilty(Seat(2), Offence::FalseAccusation(Seat(0))));
}

#[test]
fn who_says_that_nothing_came_is_named_when_the_sender_shows_its_acknowledgement() {
    let mut class = Class::new(Protocol::Ring);
    assert_eq!(class.referee.hear(Seat(2), &Report::Missing(LANE)), Ruling::Noted);
    let ruling = class.referee.hear(Seat(1), &delivered(honest(LANE), Seat(2)));
    assert_eq!(ruling, guilty(Seat(2), Offence::FalseAccusation(Seat(1))));
}

#[test]
fn of_two_who_say_different_things_neither_is_convicted() {
    let mut class = Class::new(Protocol::Ring);
    assert_eq!(class.referee.settle(), None);
    assert_eq!(class.referee.hear(Seat(1), &Report::Refused(LANE)), Ruling::Noted);
    assert_eq!(class.referee.settle(), Some(Verdict::Undecided(LANE)));
    let ruling = class.referee.hear(Seat(2), &Report::Missing(LANE));
    assert_eq!(ruling, Ruling::Stopped(Verdict::Undecided(LANE)));
}

#[test]
fn that_nothing_came_counts_only_where_something_was_to_be_sent() {
    let mut class = Class::new(Protocol::Ring);
    assert_eq!(class.referee.hear(Seat(2), &Report::Missing(LANE)), Ruling::Noted);
    assert_eq!(class.referee.settle(), None);
    class.deliver(Lane { ring: 0, from: Seat(0), to: Seat(1) });
    assert_eq!(class.referee.settle(), Some(Verdict::Undecided(LANE)));
}

#[test]
fn a_message_that_the_receiver_reports_has_passed_although_the_sender_knows_nothing_of_it() {
    let mut class = Class::new(Protocol::Ring);
    assert_eq!(class.referee.hear(Seat(1), &Report::Refused(LANE)), Ruling::Noted);
    assert_eq!(class.deliver(LANE), Ruling::Passed(LANE));
    assert_eq!(class.referee.settle(), None);
    assert_eq!(class.referee.hear(Seat(1), &Report::Refused(LANE)), Ruling::Noted);
}

#[test]
fn what_comes_late_from_another_round_convicts_nobody() {
    let late = signed(RunId([8; 16]), LANE, b"hello", Seat(1));
    let reports = [
        delivered(late, Seat(2)),
        garbage(late, b"hello"),
        Report::Twice { first: late, second: honest(LANE) },
    ];
    for report in reports {
        let ruling = Class::new(Protocol::Ring).referee.hear(Seat(2), &report);
        assert_eq!(ruling, Ruling::Noted);
    }
}

#[test]
fn a_referee_needs_the_keys_of_all() {
    let plan = Arc::new(Plan::new(Protocol::Ring, 4).unwrap());
    let error = Referee::new(RUN, plan, keys()[1..].to_vec()).unwrap_err();
    assert_eq!(error, WrongKeys { keys: 3, pupils: 4 });
}

/// Everything that liars could make of what they hold: slips for any lane with good and bad bodies,
/// signed by themselves, and the honest ones' true slips.
fn pool(plan: &Plan, liars: &[Seat]) -> Vec<(Signed, Vec<u8>)> {
    let mut lanes = plan.lanes();
    let off = lanes.clone().into_iter().map(|lane| Lane { ring: 7, ..lane });
    lanes.extend(off.collect::<Vec<_>>());
    lanes.push(Lane { ring: 0, from: Seat(8), to: Seat(2) });
    let mut pool: Vec<_> =
        plan.lanes().into_iter().map(|lane| (honest(lane), body(lane))).collect();
    for lane in lanes {
        for body in [body(lane), vec![9; BODY], b"hello".to_vec(), vec![9; MOST + 1]] {
            let own = liars.iter().map(|&by| (signed(RUN, lane, &body, by), body.clone()));
            pool.extend(own);
        }
    }
    pool
}

/// A report that a liar may make up.
fn lie(rng: &mut StdRng, pool: &[(Signed, Vec<u8>)], liars: &[Seat]) -> Report {
    let mut pick = || pool[rng.random_range(0..pool.len())].clone();
    let ((first, body), (second, other)) = (pick(), pick());
    let lane = first.slip.lane;
    let liar = liars[rng.random_range(0..liars.len())];
    // An honest receiver's acknowledgement can be had where it took an honest message.
    let true_one = honest(lane).slip == first.slip && rng.random_bool(0.5);
    let seats = || (0..PUPILS as u16).map(Seat);
    let announcement = |rng: &mut StdRng| {
        let from = seats().nth(rng.random_range(0..PUPILS)).unwrap();
        let by = if rng.random_bool(0.5) { liar } else { from };
        // What an honest pupil signs is always the same.
        let value = if by == from && !liars.contains(&by) { 5 } else { rng.random_range(4..7) };
        announced(from, value, by)
    };
    match rng.random_range(0..7) {
        0 => delivered(first, if true_one { lane.to } else { liar }),
        1 => garbage(first, &body),
        2 => garbage(first, &other),
        3 => Report::Twice { first, second },
        4 => Report::AnnouncedTwice { first: announcement(rng), second: announcement(rng) },
        5 => Report::Missing(lane),
        _ => Report::Refused(lane),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Honest pupils send, take, give up and report as the rules say; the others send and say
    /// whatever they like, in any order.
    #[test]
    fn no_honest_pupil_is_found_guilty_whatever_the_others_say(
        protocol in prop::sample::select(Protocol::ALL.to_vec()),
        liars in prop::sample::subsequence(vec![0u16, 1, 2, 3], 1..=3), seed: u64
    ) {
        let liars: Vec<Seat> = liars.into_iter().map(Seat).collect();
        let rng = &mut StdRng::seed_from_u64(seed);
        let mut class = Class::new(protocol);
        let pool = pool(&class.plan, &liars);
        let is_liar = |seat: Seat| liars.contains(&seat);
        let mut inboxes: Vec<_> =
            class.plan.seats().into_iter().map(|seat| Inbox::new(RUN, &class.plan, seat, keys())).collect();
        let mut acknowledged = BTreeSet::new();
        let lanes = class.plan.lanes();
        for _ in 0..60 {
            let lane = lanes[rng.random_range(0..lanes.len())];
            // Said by whom, what, and whether it must convict a liar.
            let (by, report, is_proof) = match rng.random_range(0..4) {
                // A message to an honest pupil, from an honest one or made up.
                0 if !is_liar(lane.to) => {
                    let (sent, body) = match is_liar(lane.from) {
                        false => (honest(lane), body(lane)),
                        true => pool[rng.random_range(0..pool.len())].clone(),
                    };
                    let inbox = &mut inboxes[lane.to.index()];
                    match inbox.take(sent, &body, &signer(lane.to)) {
                        Taken::New { report, .. } => {
                            acknowledged.insert(lane);
                            (lane.to, report, false)
                        }
                        Taken::Proof(report) => (lane.to, report, true),
                        Taken::Again { .. } | Taken::Nothing => continue,
                    }
                }
                1 if !is_liar(lane.to) && is_liar(lane.from) => {
                    match inboxes[lane.to.index()].give_up(lane) {
                        Some(report) => (lane.to, report, false),
                        None => continue,
                    }
                }
                1 if !is_liar(lane.from) && is_liar(lane.to) => {
                    (lane.from, Report::Refused(lane), false)
                }
                _ => {
                    let lie = lie(rng, &pool, &liars);
                    // The liars hold no acknowledgement that was not given.
                    if let Report::Delivered { slip, .. } = &lie
                        && !is_liar(slip.lane.to) && !acknowledged.contains(&slip.lane)
                    {
                        continue;
                    }
                    (liars[rng.random_range(0..liars.len())], lie, false)
                }
            };
            let ruling = class.referee.hear(by, &report);
            match ruling {
                Ruling::Stopped(Verdict::Guilty { who, .. }) => {
                    prop_assert!(is_liar(who), "{:?} of {:?} by {:?}", ruling, report, by);
                }
                Ruling::Stopped(Verdict::Undecided(lane)) => {
                    prop_assert!(is_liar(lane.from) || is_liar(lane.to), "{:?}", report);
                }
                _ => prop_assert!(!is_proof, "{:?} proves nothing", report),
            }
            if let Some(Verdict::Undecided(lane)) = class.referee.settle() {
                prop_assert!(is_liar(lane.from) || is_liar(lane.to), "{:?}", report);
            }
        }
    }
}
