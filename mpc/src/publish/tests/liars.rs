//! Servers that falsify one message after the other, signed as if it were true.

use super::*;

/// Flips a bit of the body of S1's message in `round`, re-signed so that only its content is false.
fn falsify(round: u32, to: Option<Party>) -> Tamper {
    Box::new(move |at, me, peer, message| {
        if at != round || to.is_some_and(|to| to != peer) {
            return Some(message);
        }
        let message = Message::decode_unverified(me, &message).expect("a message");
        let mut body = message.body.to_vec();
        *body.last_mut().expect("not empty") ^= 1;
        Some(message.falsified(&signers(3)[me.index()], PLACE, &body).encode())
    })
}

fn culprits(outcome: &Outcome) -> Vec<Party> {
    outcome.as_ref().expect_err("nothing is published").culprits()
}

#[test]
fn a_server_that_opens_another_share_than_it_committed_to_is_named() {
    let outcomes = World::servers(3).tamper(1, falsify(3, None)).run();
    assert_eq!(culprits(&outcomes[0]), [Party(1)]);
    assert_eq!(culprits(&outcomes[2]), [Party(1)]);
}

#[test]
fn a_server_that_signs_another_set_is_named() {
    let outcomes = World::servers(3).tamper(1, falsify(1, None)).run();
    assert_eq!(culprits(&outcomes[0]), [Party(1)]);
}

#[test]
fn a_server_whose_result_signature_is_false_is_named() {
    let outcomes = World::servers(3).tamper(1, falsify(4, None)).run();
    assert_eq!(culprits(&outcomes[0]), [Party(1)]);
}

#[test]
fn a_list_that_is_not_the_one_under_its_root_names_its_server() {
    let mut world = World::servers(3);
    world.lists[2].pop();
    let outcomes = world.tamper(1, falsify(1, None)).run();
    let error = outcomes[0].as_ref().expect_err("aborts");
    assert!(
        matches!(error, PublishError::ListMismatch { party: Party(1) })
            || matches!(
                error,
                PublishError::Transcript(TranscriptError::Malformed { party: Party(1), .. })
            ),
        "{error:?}"
    );
}

#[test]
fn a_message_under_a_false_signature_names_its_sender_in_every_round() {
    for round in 0..5 {
        let tamper: Tamper = Box::new(move |at, _, _, mut message| {
            message[40] ^= u8::from(at == round);
            Some(message)
        });
        let outcomes = World::servers(3).tamper(1, tamper).run();
        assert_eq!(culprits(&outcomes[0]), [Party(1)], "round {round}");
        assert_eq!(culprits(&outcomes[2]), [Party(1)], "round {round}");
    }
}

#[test]
fn different_words_to_different_peers_abort_without_naming_an_honest_server() {
    for round in [0, 2] {
        let outcomes = World::servers(3).tamper(1, falsify(round, Some(Party(2)))).run();
        for honest in [0, 2] {
            let named = culprits(&outcomes[honest]);
            assert!(named.is_empty() || named == [Party(1)], "{:?}", outcomes[honest]);
        }
    }
}
