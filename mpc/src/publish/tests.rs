//! Publication in memory: honest servers publish; each falsified message is named or aborts. What
//! honest servers heard is replayed after every run, and gives what they found.

use super::*;
use crate::{
    collect::Reason,
    ids::{PublicHash, StudyId},
    mesh::{
        MeshError,
        local::{LocalMesh, Tamper},
    },
    noise::{Distribution, Scale},
    sign::{PublicKey, Signer},
    transcript::{Message, TranscriptError},
};
use futures::{executor::block_on, future::join_all};
use world::*;

mod audit;
mod liars;
mod views;
mod world;

#[test]
fn honest_servers_publish_one_result_that_all_signed() {
    for n in 2..=8 {
        let outcomes = World::servers(n).run();
        let (_, published) = outcomes[0].as_ref().expect("published");
        assert_eq!(published.totals, [Some(10), Some(20), Some(30)]);
        assert_eq!((published.submissions, published.records), (2, 4));
        let keys: Vec<PublicKey> = signers(n as u8).iter().map(Signer::public).collect();
        assert_eq!(published.verify(STUDY, &keys), Ok(()));
        for outcome in &outcomes {
            assert_eq!(&outcome.as_ref().expect("published").1, published);
        }
        assert_eq!(Published::decode(&published.encode()).as_ref(), Ok(published));
    }
}

#[test]
fn any_change_to_a_published_result_breaks_its_signatures() {
    let outcomes = World::servers(3).run();
    let (_, published) = outcomes[0].as_ref().expect("published");
    let keys: Vec<PublicKey> = signers(3).iter().map(Signer::public).collect();
    let bytes = published.encode();
    for position in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[position] ^= 1;
        let valid = Published::decode(&changed)
            .is_ok_and(|published| published.verify(STUDY, &keys).is_ok());
        assert!(!valid, "byte {position}");
    }
    assert!(published.verify(StudyId([4; 32]), &keys).is_err());
}

#[test]
fn a_second_opening_asks_only_for_what_the_first_allows() {
    let world = World { suppress_small: true, ..World::servers(3) };
    let (_, published) = world.run().remove(0).expect("published");
    assert_eq!(published.totals, [Some(10), None, Some(30)]);
}

#[test]
fn the_set_is_what_all_servers_accepted_alike_and_the_rest_is_listed_with_its_reason() {
    let mut world = World::servers(3);
    let other_version = Entry { public: PublicHash([77; 32]), ..entry(6, Status::Accepted) };
    world.lists[0] = vec![
        entry(1, Status::Accepted),
        entry(2, Status::Accepted),
        entry(3, Status::Rejected(Reason::InvalidProof)),
        entry(4, Status::Unverified),
        entry(5, Status::Accepted),
        entry(6, Status::Accepted),
    ];
    world.lists[1] = world.lists[0].clone();
    world.lists[2] = vec![
        entry(1, Status::Accepted),
        entry(2, Status::Accepted),
        entry(3, Status::Rejected(Reason::InvalidProof)),
        other_version,
    ];
    let expected = [
        (SubmissionId([3; 16]), Reason::InvalidProof),
        (SubmissionId([4; 16]), Reason::Incomplete),
        (SubmissionId([5; 16]), Reason::Incomplete),
        (SubmissionId([6; 16]), Reason::PublicPartsDiffer),
    ];
    for (server, outcome) in world.run().into_iter().enumerate() {
        let (set, published) = outcome.expect("published");
        assert_eq!(published.rejected, expected);
        assert_eq!((set.submissions, set.records), (2, 4));
        let dropped: Vec<u8> = set.dropped.iter().map(|id| id.0[0]).collect();
        assert_eq!(dropped, if server < 2 { vec![5, 6] } else { vec![6] });
    }
}

#[test]
fn what_all_hold_but_not_all_verified_is_pending_for_all() {
    for unverified_at in [vec![1], vec![0, 1, 2]] {
        let mut lists = vec![vec![entry(1, Status::Accepted), entry(2, Status::Accepted)]; 3];
        for server in unverified_at {
            lists[server][1].status = Status::Unverified;
        }
        let (signers, lists) = (signers(3), &lists);
        let keys: Vec<PublicKey> = signers.iter().map(Signer::public).collect();
        let servers = LocalMesh::connect(3).into_iter().map(|mut mesh| {
            let me = mesh.me().index();
            let (keys, signer) = (&keys, &signers[me]);
            async move {
                let mut run = Transcript::new(place(), keys, signer);
                agree(&mut run, &mut mesh, holds(&lists[me]), LIMITS).await
            }
        });
        for agreement in block_on(join_all(servers)) {
            let agreement = agreement.expect("agrees");
            assert_eq!(agreement.pending, [SubmissionId([2; 16])]);
            assert_eq!((agreement.set.submissions, agreement.set.rejected), (1, vec![]));
        }
    }
}

#[test]
fn a_silent_server_is_named_as_missing() {
    for round in 0..5 {
        let tamper: Tamper = Box::new(move |at, _, _, message| (at < round).then_some(message));
        let outcomes = World::servers(3).tamper(1, tamper).run();
        assert_eq!(
            outcomes[0],
            Err(TranscriptError::from(MeshError::Missing { round, parties: vec![Party(1)] }).into())
        );
    }
}

#[test]
fn a_total_that_valid_records_cannot_have_is_never_published() {
    // A provider and a server make up a submission together.
    for outcome in (World { totals: [11, 20, 30], ..World::servers(2) }).run() {
        assert_eq!(outcome, Err(PublishError::TotalOutOfRange { coordinate: 0 }));
    }
}

#[test]
fn a_repeated_run_says_exactly_the_same() {
    let first = World::servers(3).run();
    let second = World::servers(3).run();
    assert_eq!(first, second);
}

/// Two runs in a row on the same memories, the first of which S1 leaves; in the second, S1 has other
/// noise.
fn run_twice(first_ends_at: u32) -> Vec<Outcome> {
    let noise = |mine| vec![Ok(vec![0; 3]), Ok(vec![mine, 0, 0]), Ok(vec![0; 3])];
    let silent: Tamper = Box::new(move |at, _, _, message| (at < first_ends_at).then_some(message));
    let first = World::servers(3).noise(noise(1)).tamper(1, silent);
    let words = first.words();
    first.run();
    // The liar forgets what it said.
    words[1].lock().expect("not poisoned").clear();
    World { words, ..World::servers(3).noise(noise(2)) }.run()
}

#[test]
fn a_server_that_falls_silent_after_seeing_the_openings_cannot_choose_again() {
    // Rounds: roots, set, noise, commitments, openings, result. S1 withholds its opening.
    for outcome in run_twice(4).into_iter().step_by(2) {
        assert_eq!(outcome, Err(PublishError::CommitmentChanged { party: Party(1) }));
    }
    // It withholds its signature, so that it alone holds a whole result.
    for outcome in run_twice(5).into_iter().step_by(2) {
        assert_eq!(outcome, Err(PublishError::CommitmentChanged { party: Party(1) }));
    }
    // Before it has seen anything, it may choose.
    for outcome in run_twice(3) {
        assert_eq!(outcome.expect("published").1.totals, [Some(12), Some(20), Some(30)]);
    }
}

#[test]
fn more_records_than_the_study_may_hold_are_listed_and_not_counted() {
    let entries: Vec<Entry> = (1..=4).map(|id| entry(id, Status::Accepted)).collect();
    let signers = signers(2);
    let keys: Vec<PublicKey> = signers.iter().map(Signer::public).collect();
    let servers = LocalMesh::connect(2).into_iter().map(|mut mesh| {
        let (keys, signer, entries) = (&keys, &signers[mesh.me().index()], &entries);
        async move {
            let mut run = Transcript::new(place(), keys, signer);
            agree(&mut run, &mut mesh, holds(entries), Limits { max_records: 5, ..LIMITS }).await
        }
    });
    for agreement in block_on(join_all(servers)) {
        let set = agreement.expect("agrees").set;
        assert_eq!((set.submissions, set.records), (2, 4));
        let over = [3, 4].map(|id| (SubmissionId([id; 16]), Reason::RecordsExhausted));
        assert_eq!(set.rejected, over);
        assert_eq!(set.dropped, over.map(|(submission, _)| submission));
    }
}

#[test]
fn every_server_adds_its_noise_and_a_total_may_be_negative() {
    let noise = vec![Ok(vec![1, -15, 0]), Ok(vec![2, -15, -20]), Ok(vec![-4, 3, -20])];
    for outcome in World::servers(3).noise(noise).run() {
        let (_, published) = outcome.expect("published");
        assert_eq!(published.totals, [Some(9), Some(-7), Some(-10)]);
        assert_eq!(Published::decode(&published.encode()), Ok(published));
    }
}

#[test]
fn a_second_opening_has_noise_of_its_own_and_looks_at_noisy_counts() {
    let noise = vec![Ok(vec![1, 0, -5]); 3];
    let world = World { suppress_small: true, ..World::servers(3).noise(noise) };
    let (_, published) = world.run().remove(0).expect("published");
    assert_eq!(published.totals, [Some(13), None, Some(15)]);
}

#[test]
fn a_total_that_the_noise_cannot_explain_is_never_published() {
    // The bound of the first coordinate is its total: 10.
    let tail = crate::noise::tail(Distribution::Laplace, Scale(Scale::UNITS), 3) as i128;
    for (shift, published) in
        [(tail, true), (tail + 1, false), (-10 - tail, true), (-11 - tail, false)]
    {
        let noise = vec![Ok(vec![shift, 0, 0]), Ok(vec![0; 3]), Ok(vec![0; 3])];
        let outcome = World::servers(3).noise(noise).run().remove(2);
        match published {
            true => assert_eq!(outcome.expect("published").1.totals[0], Some(10 + shift)),
            false => assert_eq!(outcome, Err(PublishError::TotalOutOfRange { coordinate: 0 })),
        }
    }
}

#[test]
fn without_noise_that_fits_nothing_is_opened() {
    let charged = NoNoise::Budget { charged: 2, cost: 1, budget: 2 };
    let cases = [
        (Err(charged), PublishError::NoNoise(charged)),
        (Ok(vec![0, i128::MIN, 0]), PublishError::NoiseOutOfRange { coordinate: 1 }),
    ];
    for (noise, error) in cases {
        let fine = || Ok(vec![0; 3]);
        let outcomes = World::servers(3).noise(vec![fine(), noise, fine()]).run();
        assert_eq!(outcomes[1], Err(error));
        let missing = MeshError::Missing { round: 2, parties: vec![Party(1)] };
        assert_eq!(outcomes[0], Err(TranscriptError::from(missing).into()), "it never committed");
    }
}
