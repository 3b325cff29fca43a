//! Servers that tell their peers different things are named by all honest ones, and only they are.

use futures::{executor::block_on, future::join_all};
use proptest::prelude::*;

use super::{replay::Stop, *};
use crate::mesh::local::{LocalMesh, Tamper};

const SESSION: Session = Session { nonce: [2; 16], about: About::Publish };

fn place() -> Place {
    SESSION.place(StudyId([1; 32]))
}

const STEPS: [Step; 4] = [Step::Roots, Step::Set, Step::Commit, Step::Open];

fn signer(party: Party) -> Signer {
    Signer::from_seed(&[party.0; 32])
}

fn keys(parties: usize) -> Vec<PublicKey> {
    (0..).map(Party).take(parties).map(|party| signer(party).public()).collect()
}

/// What became of a run at one server, and what it heard.
struct Heard {
    outcome: Result<(), TranscriptError>,
    rounds: Vec<Vec<Message>>,
}

/// A run of four rounds; `liar` gives what a server does with its messages.
fn run(parties: usize, mut liar: impl FnMut(Party) -> Option<Tamper>) -> Vec<Heard> {
    let keys = keys(parties);
    let servers = LocalMesh::connect(parties).into_iter().map(|mesh| {
        let me = mesh.me();
        let mut mesh = match liar(me) {
            Some(tamper) => mesh.with_tamper(tamper),
            None => mesh,
        };
        let keys = &keys;
        async move {
            let signer = signer(me);
            let mut transcript = Transcript::new(place(), keys, &signer);
            let mut outcome = Ok(());
            for step in STEPS {
                let round = transcript.round(&mut mesh, step, vec![me.0, step as u8]).await;
                outcome = round.map(drop);
                if outcome.is_err() {
                    break;
                }
            }
            Heard { outcome, rounds: transcript.heard() }
        }
    });
    block_on(join_all(servers))
}

/// What an auditor finds in what a server heard, after storing and sending it.
fn audit(parties: usize, rounds: &[Vec<Message>]) -> Result<(), Stop> {
    let recording = Recording { session: SESSION, rounds: rounds.to_vec() };
    let parts = recording.encode();
    let recording = Recording::decode(parts.iter().map(Vec::as_slice)).expect("decodes");
    let keys = keys(parties);
    let mut replay = replay::Replay::new(place(), &keys, &recording.rounds);
    for step in STEPS {
        if replay.round(step)?.is_none() {
            return Ok(());
        }
    }
    replay.end()
}

/// Changes a message of `me` and signs it again.
fn again(me: Party, message: &[u8], change: impl FnOnce(&mut Message)) -> Option<Vec<u8>> {
    let mut message = Message::decode_unverified(me, message).expect("a message");
    change(&mut message);
    let Statement { step, number, chain, .. } = message.statement;
    message.statement =
        Statement::sign(&signer(me), place(), me, (step, number), chain, &message.body);
    Some(message.encode())
}

#[test]
fn honest_servers_hear_the_same_and_an_auditor_follows() {
    for parties in 2..=5 {
        let heard = run(parties, |_| None);
        for server in &heard {
            assert_eq!(server.outcome, Ok(()));
            assert_eq!(server.rounds, heard[0].rounds);
            assert_eq!(audit(parties, &server.rounds), Ok(()));
        }
    }
}

#[test]
fn two_words_to_two_peers_name_their_sender_at_every_honest_server_and_to_every_auditor() {
    for (parties, round, to) in [(3, 0, 0), (3, 1, 2), (3, 2, 0), (4, 0, 3), (5, 2, 4)] {
        let heard = run(parties, |me| {
            let tamper =
                move |at: u32, me, peer, message: Vec<u8>| match at == round && peer == Party(to) {
                    true => again(me, &message, |message| message.body = vec![9].into()),
                    false => Some(message),
                };
            (me == Party(1)).then(|| Box::new(tamper) as Tamper)
        });
        for (party, server) in heard.iter().enumerate().filter(|(party, _)| *party != 1) {
            let error = server.outcome.clone().expect_err("noticed");
            let liar = Party(1);
            assert!(
                matches!(error, TranscriptError::Contradiction { party, .. } if party == liar),
                "S{party}: {error}"
            );
            assert!(error.is_shown());
            assert_eq!(audit(parties, &server.rounds), Err(Stop::Broken(error)));
        }
    }
}

#[test]
fn a_message_longer_than_any_of_its_step_is_not_kept() {
    for (len, kept) in [(Step::Blame.max_body(), true), (Step::Blame.max_body() + 1, false)] {
        let heard = run(3, |me| {
            let tamper = move |at: u32, me, _, message: Vec<u8>| match at {
                2 => again(me, &message, |message| message.body = vec![9; len].into()),
                _ => Some(message),
            };
            (me == Party(1)).then(|| Box::new(tamper) as Tamper)
        });
        let is_kept = |message: &Message| message.body.len() == len;
        assert_eq!(heard[0].rounds.iter().flatten().any(is_kept), kept);
        let unsigned = TranscriptError::Signature { party: Party(1), step: STEPS[2] };
        assert_eq!(heard[0].outcome == Err(unsigned), !kept);
    }
}

#[test]
fn a_stale_chain_names_its_sender_also_where_one_server_alone_was_told_so() {
    for parties in [2, 3, 4] {
        let heard = run(parties, |me| {
            let tamper = |at: u32, me, peer, message: Vec<u8>| match (at, peer) {
                (2, Party(0)) => again(me, &message, |said| said.statement.chain = [3; 32]),
                _ => Some(message),
            };
            (me == Party(1)).then(|| Box::new(tamper) as Tamper)
        });
        for server in heard.iter().enumerate().filter(|(party, _)| *party != 1) {
            let error = server.1.outcome.clone().expect_err("noticed");
            assert_eq!(error.culprits(), [Party(1)], "{error}");
            assert_eq!(audit(parties, &server.1.rounds), Err(Stop::Broken(error)));
        }
    }
}

#[test]
fn a_liar_that_shows_nothing_is_not_named_and_said_to_be_silent() {
    let heard = run(3, |me| {
        let tamper = |at: u32, me, peer, message: Vec<u8>| match (at, peer) {
            (1, Party(0)) => again(me, &message, |said| said.statement.chain = [3; 32]),
            (2.., _) => None,
            _ => Some(message),
        };
        (me == Party(1)).then(|| Box::new(tamper) as Tamper)
    });
    let error = heard[0].outcome.clone().expect_err("noticed");
    // S2 is told the truth, and the two messages of S1 contradict each other.
    assert_eq!(error.culprits(), [Party(1)]);
    let alone = run(2, |me| {
        let tamper = |at: u32, me, _, message: Vec<u8>| match at {
            1 => again(me, &message, |said| said.statement.chain = [3; 32]),
            2.. => None,
            _ => Some(message),
        };
        (me == Party(1)).then(|| Box::new(tamper) as Tamper)
    });
    let error = alone[0].outcome.clone().expect_err("noticed");
    assert_eq!(error, TranscriptError::Split { step: Step::Set, silent: vec![Party(1)] });
    assert!(error.culprits().is_empty());
    assert_eq!(audit(2, &alone[0].rounds), Err(Stop::Broken(error)));
}

#[test]
fn whoever_cries_wolf_is_named() {
    for parties in [2, 3] {
        let heard = run(parties, |me| {
            let tamper = |at: u32, me, _, message: Vec<u8>| match at {
                1 => again(me, &message, |said| said.statement.step = Step::Blame as u8),
                _ => Some(message),
            };
            (me == Party(1)).then(|| Box::new(tamper) as Tamper)
        });
        let error = heard[0].outcome.clone().expect_err("noticed");
        assert_eq!(error.culprits(), [Party(1)], "{error}");
        assert_eq!(audit(parties, &heard[0].rounds), Err(Stop::Broken(error)));
    }
}

#[test]
fn no_byte_of_what_was_heard_can_be_changed() {
    let split = |me: Party| {
        let tamper = |at: u32, me, peer, message: Vec<u8>| match (at, peer) {
            (0, Party(0)) => again(me, &message, |message| message.body = vec![9].into()),
            _ => Some(message),
        };
        (me == Party(1)).then(|| Box::new(tamper) as Tamper)
    };
    for heard in [run(3, |_| None), run(3, split)] {
        let recording = Recording { session: SESSION, rounds: heard[0].rounds.clone() };
        let parts = recording.encode();
        // The head of a recording is no message.
        for part in 1..parts.len() {
            for byte in 0..parts[part].len() {
                let mut changed = parts.clone();
                changed[part][byte] ^= 1;
                let decoded = Recording::decode(changed.iter().map(Vec::as_slice));
                let outcome = decoded.map(|recording| audit(3, &recording.rounds));
                assert!(!matches!(outcome, Ok(Ok(()))), "part {part}, byte {byte}");
                assert!(
                    matches!(outcome, Err(_) | Ok(Err(Stop::False(_)))),
                    "part {part}, byte {byte}: {outcome:?}"
                );
            }
        }
    }
}

/// What a liar does with one message, signed again.
#[derive(Debug, Clone, Copy)]
enum Lie {
    Honest,
    Body(u8),
    Chain(u8),
    Step(u8),
    Number(u32),
    Blame,
    Unsigned,
    Silence,
}

fn lie() -> impl Strategy<Value = Lie> {
    prop_oneof![
        6 => Just(Lie::Honest),
        3 => any::<u8>().prop_map(Lie::Body),
        2 => any::<u8>().prop_map(Lie::Chain),
        1 => (0..14u8).prop_map(Lie::Step),
        1 => (0..6u32).prop_map(Lie::Number),
        1 => Just(Lie::Blame),
        1 => Just(Lie::Unsigned),
        1 => Just(Lie::Silence),
    ]
}

fn tell(lie: Lie, me: Party, message: Vec<u8>) -> Option<Vec<u8>> {
    match lie {
        Lie::Honest => Some(message),
        Lie::Body(byte) => again(me, &message, |said| {
            // Also what is shown: cut, or changed.
            let mut body = said.body.to_vec();
            body.truncate(usize::from(byte) * 4 + 1);
            body[0] ^= byte;
            said.body = body.into();
        }),
        Lie::Chain(byte) => again(me, &message, |said| said.statement.chain = [byte; 32]),
        Lie::Step(step) => again(me, &message, |said| said.statement.step = step),
        Lie::Number(number) => again(me, &message, |said| said.statement.number = number),
        Lie::Blame => again(me, &message, |said| said.statement.step = Step::Blame as u8),
        Lie::Unsigned => {
            let mut message = message;
            message[Message::HEAD - 1] ^= 1;
            Some(message)
        }
        Lie::Silence => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_honest_server_is_ever_named_whatever_the_others_say(
        parties in 2..=5usize,
        honest in any::<prop::sample::Index>(),
        another in any::<prop::sample::Index>(),
        // By liar, round and receiver.
        lies in prop::collection::vec(lie(), 5 * 8 * 5),
    ) {
        let honest = [honest, another].map(|honest| honest.index(parties));
        let lies = &lies;
        let heard = run(parties, |me| {
            let lies = lies.clone();
            let tamper = move |at: u32, me: Party, peer: Party, message| {
                let place = (me.index() * 8 + at as usize) * 5 + peer.index();
                tell(lies[place], me, message)
            };
            (!honest.contains(&me.index())).then(|| Box::new(tamper) as Tamper)
        });
        for server in honest {
            let outcome = &heard[server].outcome;
            let named = outcome.as_ref().err().map(TranscriptError::culprits).unwrap_or_default();
            for party in named {
                prop_assert!(!honest.contains(&party.index()), "{outcome:?}");
            }
            let audited = audit(parties, &heard[server].rounds);
            match outcome {
                Err(error) if error.is_shown() => {
                    prop_assert_eq!(audited, Err(Stop::Broken(error.clone())));
                }
                _ => prop_assert_eq!(audited, Ok(())),
            }
        }
    }
}
