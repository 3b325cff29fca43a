//! What servers say to each other, and what anybody reads of it later.

use mpc::{
    collect::{self, VerifyFault},
    ids::{Party, SubmissionId},
    merkle::Proof,
    noise::Draws,
    publish::{
        Limits, Published, ShownList, SignedSet,
        audit::{Fault, Rules, replay},
    },
    record::Head,
    setup::{self, SetupFault},
    transcript::{
        About, Message, Place, Recording, Session, Statement, blame, first_chain, next_chain,
    },
};

use crate::{
    choice,
    fixture::{self, Fixture},
    parts,
};

/// The run that all of it belongs to.
const NONCE: [u8; 16] = [9; 16];

pub(crate) fn check(data: &[u8]) {
    let (how, rest) = choice(data);
    match how % 8 {
        0 => recording(rest),
        1 => message(rest),
        2 => replayed(rest, &Session { nonce: NONCE, about: About::Setup }),
        3 => {
            let about = About::Verify(vec![SubmissionId([8; 16]), SubmissionId([9; 16])]);
            replayed(rest, &Session { nonce: NONCE, about });
        }
        4 => replayed(rest, &Session { nonce: NONCE, about: About::Publish }),
        5 => published(rest),
        6 => values(rest),
        _ => list(rest),
    }
}

fn recording(bytes: &[u8]) {
    let parts = parts(bytes);
    let Ok(recording) = Recording::decode(parts.iter().copied()) else { return };
    assert_eq!(recording.encode(), parts, "one encoding of a recording");
    let Fixture { study, .. } = fixture::get();
    let place = recording.place(study.id());
    follow(&recording, place);
}

fn message(bytes: &[u8]) {
    let Ok(message) = Message::decode_unverified(Party(1), bytes) else { return };
    assert_eq!(message.encode(), bytes, "one encoding of a message");
}

/// Each part is a message: party, step, whether a round begins with it, body. They are signed by
/// their senders, so that nothing but what they say is wrong.
fn replayed(bytes: &[u8], session: &Session) {
    let Fixture { signers, study, .. } = fixture::get();
    let place = session.place(study.id());
    let (mut chain, mut rounds) = (first_chain(place), Vec::<Vec<Message>>::new());
    // A run has a handful of messages, and each costs a signature here.
    for part in parts(bytes).into_iter().take(64) {
        let Some(([party, step, begins], body)) = part.split_first_chunk() else { continue };
        let party = Party(party % 3);
        if *begins != 0 || rounds.is_empty() {
            let before = rounds.last().map_or(&[][..], Vec::as_slice);
            if !before.is_empty() {
                let said: Vec<Statement> = before.iter().map(|said| said.statement).collect();
                chain = next_chain(&chain, &said);
            }
            rounds.push(Vec::new());
        }
        // At most 64.
        let number = rounds.len() as u32 - 1;
        let signer = &signers[party.index()];
        let statement = Statement::sign(signer, place, party, (*step, number), chain, body);
        if let Some(round) = rounds.last_mut() {
            round.push(Message { statement, body: body.into() });
        }
    }
    let recording = Recording { session: session.clone(), rounds };
    follow(&recording, place);
    let parts = recording.encode();
    // How the messages are told apart into rounds depends on their order alone.
    let again = Recording::decode(parts.iter().map(Vec::as_slice)).expect("a recording");
    assert_eq!(again.encode(), parts);
    assert!(again.statements().eq(recording.statements()));
}

/// Follows a recording as an auditor does, twice with the same outcome; whoever is blamed is there.
fn follow(recording: &Recording, place: Place) {
    let Fixture { study, plan, collect, .. } = fixture::get();
    let keys = fixture::get().keys();
    let rounds = &recording.rounds;
    let culprits = match &recording.session.about {
        About::Setup => {
            let found = setup::replay(place, &keys, rounds);
            assert_eq!(found, setup::replay(place, &keys, rounds));
            match found {
                Err(SetupFault::Server(error)) => error.culprits(),
                _ => Vec::new(),
            }
        }
        About::Verify(submissions) => {
            let records = |_: &_, _: &_| Some(2);
            let found = collect::replay(collect, place, &keys, submissions, &records, rounds);
            match found {
                Err(VerifyFault::Server(error)) => error.culprits(),
                _ => Vec::new(),
            }
        }
        About::Publish => {
            let rules = Rules {
                study: study.id(),
                keys: &keys,
                coordinates: plan.coordinates(),
                limits: Limits { max_records: study.max_records(), one_per_provider: false },
                origin: &|_, _| None,
                bounds: &|records| plan.bounds(records),
                mechanism: None,
                next: &|records, opened| plan.next_opening(records, opened),
            };
            match replay(&rules, place.run, rounds) {
                Ok(replayed) => {
                    assert_eq!(replayed.totals.len(), plan.coordinates());
                    assert!(replayed.signatures.is_none_or(|all| all.len() == keys.len()));
                    Vec::new()
                }
                Err(Fault::Server(error)) => error.culprits(),
                Err(Fault::Recording(_)) => Vec::new(),
            }
        }
    };
    assert!(culprits.iter().all(|party| party.index() < keys.len()), "{culprits:?}");
    let blamed = blame::judge(place, &keys, rounds.iter().flatten());
    let blamed = blamed.map_or_else(Vec::new, |error| error.culprits());
    assert!(blamed.iter().all(|party| party.index() < keys.len()), "{blamed:?}");
}

fn published(bytes: &[u8]) {
    let Ok(published) = Published::decode(bytes) else { return };
    assert_eq!(published.encode(), bytes, "one encoding of a result");
    assert_eq!(published.counted().rejected, published.rejected.len() as u64);
    let Fixture { study, .. } = fixture::get();
    if published.verify(study.id(), &fixture::get().keys()).is_ok() {
        let known = include_bytes!("../../corpus/transcript/published");
        assert_eq!(bytes, &known[1..], "a result nobody signed");
    }
}

fn values(bytes: &[u8]) {
    if let Ok(proof) = Proof::decode(bytes) {
        assert_eq!(proof.encode(), bytes, "one encoding of a proof");
        assert!(!proof.verify(&[1; 32], &[2; 32]), "a proof of anything");
    }
    if let Ok(set) = SignedSet::decode(bytes) {
        assert_eq!(set.encode(), bytes, "one encoding of a set");
    }
    if let Ok(head) = Head::decode(bytes) {
        assert_eq!(head.encode(), bytes, "one encoding of a head");
    }
    if let Some(draws) = Draws::decode(bytes) {
        assert_eq!(*draws.encode(), bytes, "one encoding of draws");
    }
}

fn list(bytes: &[u8]) {
    let Fixture { study, .. } = fixture::get();
    let place = Session { nonce: NONCE, about: About::Publish }.place(study.id());
    if let Ok(list) = ShownList::decode(place, bytes) {
        // Each entry has 53 bytes, behind their number.
        for entry in bytes[4..].chunks_exact(53).take(bytes[3].into()) {
            let id = SubmissionId::try_from(&entry[..16]).expect("16 bytes");
            assert_eq!(
                list.public(&id).map(|public| public.0.to_vec()),
                Some(entry[16..48].to_vec())
            );
        }
    }
}
