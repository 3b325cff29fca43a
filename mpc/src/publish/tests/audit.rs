//! Replays of honest publications: nothing that was stored can be changed.

use super::{super::audit::*, *};
use crate::{
    collect::PublicPart,
    pedersen::Commitment,
    transcript::{About, Recording, Session},
};

/// Publications of many shapes, by name.
fn shapes() -> Vec<(&'static str, World)> {
    let mut lists = World::servers(3);
    lists.lists[2].pop();
    lists.lists[1].push(entry(3, Status::Rejected(Reason::InvalidProof)));
    let noise = |n| vec![Ok(vec![1, -3, 4]); n];
    let suppress = |world| World { suppress_small: true, ..world };
    vec![
        ("two servers", World::servers(2)),
        ("three servers", World::servers(3)),
        ("four servers", World::servers(4)),
        ("noise", World::servers(2).noise(noise(2))),
        ("suppression", suppress(World::servers(2))),
        ("suppression and noise", suppress(World::servers(3).noise(noise(3)))),
        ("lists", lists),
    ]
}

fn checked(
    n: usize,
    parts: &[Vec<u8>],
    (suppress, mechanism): (bool, Option<&Mechanism>),
    sums: &[curve25519_dalek::RistrettoPoint],
) -> Result<Replayed, Fault> {
    let replayed = follow(n, parts, suppress, mechanism)?;
    replayed.check_sums(&BASES, sums).map(|()| replayed)
}

#[test]
fn no_byte_of_a_recording_can_be_changed_without_being_found() {
    for (name, world) in shapes() {
        let (n, suppress, mechanism) =
            (world.lists.len(), world.suppress_small, world.mechanism.clone());
        let rules = (suppress, mechanism.as_ref());
        // All servers heard the same.
        let server = world.run_to_the_end().remove(0);
        let (_, published) = server.outcome.expect(name);
        let parts = parts(&server.rounds);
        let replayed = checked(n, &parts, rules, &server.commitments).expect(name);
        assert_eq!(replayed.totals, published.totals, "{name}");
        let places =
            (0..parts.len()).flat_map(|part| (0..parts[part].len()).map(move |at| (part, at)));
        // Every byte with two servers, and one of seven with more.
        for (part, byte) in places.step_by(if n == 2 { 1 } else { 7 }) {
            let mut changed = parts.clone();
            changed[part][byte] ^= 1;
            let outcome = checked(n, &changed, rules, &server.commitments);
            // And nobody is to blame but whoever gave it out.
            assert!(
                matches!(outcome, Err(Fault::Recording(_))),
                "{name}, part {part}, byte {byte}: {outcome:?}"
            );
        }
    }
}

#[test]
fn a_recording_without_its_end_or_with_more_behind_it_is_no_proof_of_a_result() {
    let world = World::servers(2);
    let server = world.run_to_the_end().remove(0);
    let parts = parts(&server.rounds);
    for kept in 1..parts.len() {
        let replayed = follow(2, &parts[..kept], false, None).expect("a run that broke off");
        assert_eq!(replayed.signatures, None, "{kept} parts");
    }
    let mut longer = parts.clone();
    longer.push(parts[1].clone());
    assert!(matches!(follow(2, &longer, false, None), Err(Fault::Recording(_))));
    let mut swapped = parts.clone();
    swapped.swap(1, 2);
    assert!(follow(2, &swapped, false, None).is_err());
}

#[test]
fn openings_are_held_against_the_submissions_of_every_server() {
    let world = World { suppress_small: true, ..World::servers(3) };
    let server = world.run_to_the_end().remove(0);
    let replayed = follow(3, &parts(&server.rounds), true, None).expect("honest");
    assert_eq!(replayed.check_sums(&BASES, &server.commitments), Ok(()));
    for party in 0..3 {
        let mut sums = server.commitments.clone();
        sums[party] += BASES.base(1);
        let named = PublishError::NotTheSum { party: Party(party as u8) };
        assert_eq!(replayed.check_sums(&BASES, &sums), Err(Fault::Server(named)));
    }
}

#[test]
fn a_tally_of_the_public_parts_gives_the_signed_root_and_the_sums() {
    let n = 3;
    let publics: Vec<PublicPart> = [1, 2].map(|id| public(id, n)).into();
    let entries: Vec<Entry> = publics
        .iter()
        .map(|public| Entry {
            submission: public.submission,
            public: public.hash(),
            records: public.records,
            status: Status::Accepted,
            provider: public.provider,
            amendment: None,
        })
        .collect();
    let world = World { lists: vec![entries; n], ..World::servers(n) };
    let server = world.run_to_the_end().remove(0);
    let set = follow(n, &parts(&server.rounds), false, None).expect("honest").set.expect("signed");
    let mut tally = Tally::new(n);
    for public in &publics {
        tally.push(public, public.hash()).expect("in order");
    }
    let tallied = tally.finish();
    assert_eq!(tallied.root, set.counted.root);
    assert_eq!((tallied.submissions, tallied.records), (2, 4));
    assert_eq!(tallied.sums, server.commitments);
}

/// A public part with the commitments of the world's submissions.
fn public(id: u8, n: usize) -> PublicPart {
    let commitment = |server| -> Commitment {
        let share = output_share(id, [10, 20, 30], server, n);
        BASES.commit(&share.values, &share.blinding)
    };
    PublicPart {
        study: STUDY,
        submission: SubmissionId([id; 16]),
        records: 2,
        provider: PublicKey([id; 32]),
        amendment: None,
        joint_rand: Vec::new(),
        commitments: (0..n).map(commitment).collect(),
        payload_hashes: vec![[id; 32]; n],
    }
}

#[test]
fn a_recording_survives_its_encoding() {
    let about = [
        About::Setup,
        About::Publish,
        About::Verify(vec![SubmissionId([1; 16]), SubmissionId([2; 16])]),
    ];
    let rounds = World::servers(2).run_to_the_end().remove(0).rounds;
    for about in about {
        let recording =
            Recording { session: Session { nonce: [7; 16], about }, rounds: rounds.clone() };
        let parts = recording.encode();
        assert_eq!(Recording::decode(parts.iter().map(Vec::as_slice)).as_ref(), Ok(&recording));
        for cut in 0..parts[0].len() {
            assert!(Recording::decode([&parts[0][..cut]]).is_err());
        }
    }
}
