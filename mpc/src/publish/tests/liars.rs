//! Servers that falsify one message after the other, signed as if it were true. Whatever an honest
//! server finds, a replay of what it heard finds, too: [`World::run`] sees to that.

#![allow(clippy::ptr_arg, reason = "one type for every change of a body")]

use super::*;
use crate::transcript::{Place, Step};

/// What S1 makes of the body of one of its messages, for one of its peers or for all.
fn falsify(round: u32, to: Option<Party>, change: fn(&mut Vec<u8>)) -> Tamper {
    Box::new(move |at, me, peer, message| {
        if at != round || to.is_some_and(|to| to != peer) {
            return Some(message);
        }
        let message = Message::decode_unverified(me, &message).expect("a message");
        let mut body = message.body.to_vec();
        change(&mut body);
        Some(message.falsified(&signers(8)[me.index()], place(), &body).encode())
    })
}

fn flip(body: &mut Vec<u8>) {
    *body.last_mut().expect("not empty") ^= 1;
}

fn cut(body: &mut Vec<u8>) {
    body.pop();
}

/// Flips a bit of the first integer sum of an opening, behind the salt.
fn other_sum(body: &mut Vec<u8>) {
    body[32 + Sum::BYTES - 1] ^= 1;
}

fn errors(world: World) -> Vec<PublishError> {
    let outcomes = world.run().into_iter().enumerate().filter(|(server, _)| *server != 1);
    outcomes.map(|(_, outcome)| outcome.expect_err("nothing is published")).collect()
}

fn noisy(n: usize) -> World {
    World::servers(n).noise(vec![Ok(vec![1, -1, 2]); n])
}

fn lacking_one(n: usize) -> World {
    let mut world = World::servers(n);
    world.lists[n - 1].pop();
    world
}

const LIAR: Party = Party(1);

#[test]
fn a_server_that_knows_its_lie_is_named_for_it_in_every_round() {
    let malformed = |step| PublishError::from(TranscriptError::Malformed { party: LIAR, step });
    let party = LIAR;
    for n in 2..=4 {
        type Case = (fn(usize) -> World, u32, fn(&mut Vec<u8>), PublishError);
        let cases: Vec<Case> = vec![
            (World::servers, 0, flip, PublishError::ListMismatch { party }),
            (lacking_one, 1, flip, malformed(Step::Lists)),
            (lacking_one, 1, |list| list[4 + 16] ^= 1, PublishError::ListMismatch { party }),
            (World::servers, 1, flip, PublishError::SetMismatch { party }),
            (lacking_one, 2, flip, PublishError::SetMismatch { party }),
            (World::servers, 2, cut, malformed(Step::Commit)),
            (World::servers, 2, flip, PublishError::OpeningMismatch { party }),
            (World::servers, 3, other_sum, PublishError::OpeningMismatch { party }),
            (World::servers, 4, flip, PublishError::ResultSignature { party }),
            (World::servers, 4, cut, malformed(Step::Result)),
            (noisy, 2, cut, malformed(Step::Noise)),
            (noisy, 3, flip, PublishError::OpeningMismatch { party }),
        ];
        for (number, (world, round, change, expected)) in cases.into_iter().enumerate() {
            let world = World { knowing: true, ..world(n).tamper(1, falsify(round, None, change)) };
            for error in errors(world) {
                assert_eq!(error, expected, "{n} servers, case {number}");
            }
        }
    }
}

#[test]
fn a_wrong_result_share_that_was_committed_to_names_its_server() {
    // With noise it is the same: a share with other noise than the one that was committed to.
    for n in 2..=4 {
        let suppress = |world| World { suppress_small: true, ..world };
        for world in [World::servers(n), noisy(n), suppress(World::servers(n)), suppress(noisy(n))]
        {
            for error in errors(World { adds_up_wrongly: Some(1), ..world }) {
                assert_eq!(error, PublishError::NotTheSum { party: LIAR }, "{n} servers");
            }
        }
    }
}

#[test]
fn two_words_to_two_peers_name_their_server_in_every_round_but_the_last() {
    for n in 3..=4 {
        for (make, rounds) in [(World::servers as fn(usize) -> World, 4), (noisy, 5)] {
            for round in 0..rounds {
                for knowing in [false, true] {
                    let tamper = falsify(round, Some(Party(2)), flip);
                    let world = World { knowing, ..make(n).tamper(1, tamper) };
                    for error in errors(world) {
                        let named = error.culprits();
                        // Whoever was told what cannot be says so at once, and falls silent.
                        let is_silence = matches!(
                            &error,
                            PublishError::Transcript(TranscriptError::Mesh(
                                MeshError::Missing { .. }
                            ))
                        );
                        assert!(named == [LIAR] || is_silence, "{n}, round {round}: {error}");
                    }
                }
            }
        }
    }
}

#[test]
fn two_sets_to_two_peers_name_their_server_at_every_honest_one() {
    for n in 3..=4 {
        for error in errors(World::servers(n).tamper(1, falsify(1, Some(Party(2)), flip))) {
            assert_eq!(error.culprits(), [LIAR], "{error}");
        }
    }
}

#[test]
fn a_false_signature_towards_one_peer_spoils_no_result_that_all_signed() {
    let outcomes = World::servers(3).tamper(1, falsify(4, Some(Party(2)), flip)).run();
    let (_, published) = outcomes[0].as_ref().expect("published");
    assert_eq!(published.verify(STUDY, &keys(3)), Ok(()));
    assert_eq!(outcomes[2], Err(PublishError::ResultSignature { party: LIAR }));
}

#[test]
fn a_message_of_another_run_names_its_sender_in_every_round() {
    for round in 0..5 {
        let tamper: Tamper = Box::new(move |at, me, _, message| {
            let said = Message::decode_unverified(me, &message).expect("a message");
            let other = Place { run: crate::ids::RunId([8; 16]), ..place() };
            let again = said.falsified(&signers(3)[me.index()], other, &said.body);
            Some(if at == round { again.encode() } else { message })
        });
        for error in errors(World::servers(3).tamper(1, tamper)) {
            let TranscriptError::Signature { party, .. } = (match error {
                PublishError::Transcript(error) => error,
                error => panic!("{error}"),
            }) else {
                panic!("round {round}")
            };
            assert_eq!(party, LIAR);
        }
    }
}

#[test]
fn a_message_under_a_false_signature_names_its_sender_in_every_round() {
    for round in 0..5 {
        let tamper: Tamper = Box::new(move |at, _, _, mut message| {
            message[40] ^= u8::from(at == round);
            Some(message)
        });
        for error in errors(World::servers(3).tamper(1, tamper)) {
            assert_eq!(error.culprits(), [LIAR], "round {round}");
        }
    }
}

#[test]
fn a_server_that_refuses_to_open_is_missing_and_nothing_is_published() {
    let silent: Tamper = Box::new(|at, _, _, message| (at < 3).then_some(message));
    for error in errors(World::servers(3).tamper(1, silent)) {
        let missing = MeshError::Missing { round: 3, parties: vec![LIAR] };
        assert_eq!(error, TranscriptError::from(missing).into());
        assert!(error.culprits().is_empty(), "it may have been cut off");
    }
}

#[test]
fn a_server_whose_memory_is_damaged_opens_nothing() {
    // It finds by itself that its sums do not fit, and does not look like a liar.
    let world = World { adds_up_wrongly: Some(1), notices: true, ..World::servers(3) };
    let ended = world.run_to_the_end();
    assert_eq!(ended[1].outcome, Err(PublishError::ShareDamaged));
    for honest in [0, 2] {
        let error = ended[honest].outcome.as_ref().expect_err("nothing is opened");
        assert!(error.culprits().is_empty(), "{error}");
    }
}
