//! Publication in memory: honest servers publish; each falsified message is named or aborts.

use super::*;
use crate::{
    collect::Reason,
    ids::{PublicHash, RunId, StudyId},
    mesh::{
        MeshError,
        local::{LocalMesh, Tamper},
    },
    noise::{Distribution, Scale},
    sign::{PublicKey, Signer},
    transcript::{Message, Place, TranscriptError},
};
use futures::{executor::block_on, future::join_all};
use std::{collections::BTreeMap, sync::Mutex};

const STUDY: StudyId = StudyId([3; 32]);
const PLACE: Place = Place { study: STUDY, run: RunId([7; 16]) };
const BOUNDS: [u128; 3] = [10, 20, 1 << 88];
const LIMITS: Limits = Limits { max_records: 100, one_per_provider: false };

/// A server's durable memory.
#[derive(Default)]
struct Memory {
    words: Mutex<BTreeMap<Word, Vec<u8>>>,
    /// The noise that it gives; none: it must not be asked.
    noise: Option<Result<Vec<i128>, NoNoise>>,
    /// The openings for which it was asked.
    asked: Mutex<Vec<u8>>,
}

impl Ledger for Memory {
    async fn fix(&self, word: Word, value: Vec<u8>) -> Option<Vec<u8>> {
        Some(self.words.lock().expect("not poisoned").entry(word).or_insert(value).clone())
    }

    async fn noise(&self, opening: u8, coordinates: &[usize]) -> Result<Draws, NoNoise> {
        self.asked.lock().expect("not poisoned").push(opening);
        let noise = self.noise.clone().expect("nobody asks without differential privacy")?;
        Ok(Draws::from(coordinates.iter().map(|&place| noise[place]).collect::<Vec<_>>()))
    }
}

fn signers(n: u8) -> Vec<Signer> {
    (0..n).map(|i| Signer::from_seed(&[i; 32])).collect()
}

fn entry(id: u8, status: Status) -> Entry {
    let (submission, public) = (SubmissionId([id; 16]), PublicHash([id; 32]));
    let provider = PublicKey([id; 32]);
    Entry { submission, public, records: 2, status, provider, amendment: None }
}

/// What a server brings that nobody sent an amendment.
fn holds(entries: &[Entry]) -> Holdings<'_> {
    Holdings { entries, amendments: &[] }
}

/// Shares of the totals 10, 20, 30: uniform for all servers but the last.
fn shares(server: usize, servers: usize) -> Vec<Sum> {
    let totals = [10u128, 20, 30];
    totals
        .iter()
        .map(|&total| {
            let mut sum = Sum::default();
            let random = prio::field::Field128::from(u128::MAX / 7);
            let share = match server + 1 == servers {
                true => (1..servers).fold(total.into(), |rest, _| rest - random),
                false => random,
            };
            sum.add(u128::from(share));
            sum
        })
        .collect()
}

type Outcome = Result<(AgreedSet, Published), PublishError>;

struct World {
    lists: Vec<Vec<Entry>>,
    tamper: Vec<Option<Tamper>>,
    suppress_small: bool,
    mechanism: Option<Mechanism>,
    /// Each server's noise per coordinate.
    noise: Vec<Result<Vec<i128>, NoNoise>>,
}

impl World {
    fn servers(n: usize) -> Self {
        let list = vec![entry(1, Status::Accepted), entry(2, Status::Accepted)];
        let tamper = (0..n).map(|_| None).collect();
        Self {
            lists: vec![list; n],
            tamper,
            suppress_small: false,
            mechanism: None,
            noise: Vec::new(),
        }
    }

    fn tamper(mut self, server: usize, tamper: Tamper) -> Self {
        self.tamper[server] = Some(tamper);
        self
    }

    /// Noise of scale 1 at every coordinate, of which this is what the servers draw.
    fn noise(mut self, noise: Vec<Result<Vec<i128>, NoNoise>>) -> Self {
        let (distribution, scales) = (Distribution::Laplace, vec![Scale(Scale::UNITS); 3]);
        self.mechanism = Some(Mechanism { distribution, scales });
        self.noise = noise;
        self
    }

    fn run(self) -> Vec<Outcome> {
        let n = self.lists.len();
        let signers = signers(n as u8);
        let keys: Vec<PublicKey> = signers.iter().map(Signer::public).collect();
        let suppress = self.suppress_small;
        let next = move |open: &[Option<i128>]| match (suppress, open[0]) {
            (false, None) => vec![0, 1, 2],
            (true, None) => vec![0],
            (true, Some(10..)) if open[2].is_none() => vec![2],
            _ => Vec::new(),
        };
        let servers = LocalMesh::connect(n).into_iter().zip(self.tamper).map(|(mesh, tamper)| {
            let me = mesh.me().index();
            let (keys, signer, entries) = (&keys, &signers[me], &self.lists[me]);
            let mut mesh = match tamper {
                Some(tamper) => mesh.with_tamper(tamper),
                None => mesh,
            };
            let mechanism = self.mechanism.as_ref();
            let memory = Memory { noise: self.noise.get(me).cloned(), ..Memory::default() };
            async move {
                let mut run = Transcript::new(PLACE, keys, signer);
                let set = agree(&mut run, &mut mesh, holds(entries), LIMITS).await?.set;
                confirm(&mut run, &mut mesh, &set).await?;
                let (sums, salt_seed) = (shares(me, n), [me as u8; 32]);
                let opening = Opening {
                    set: &set,
                    sums: &sums,
                    bounds: &BOUNDS,
                    mechanism,
                    salt_seed: &salt_seed,
                };
                let published = open(&mut run, &mut mesh, opening, &memory, next).await?;
                let openings = if suppress { vec![0, 1] } else { vec![0] };
                let expected = if memory.noise.is_some() { openings } else { vec![] };
                assert_eq!(*memory.asked.lock().expect("not poisoned"), expected);
                Ok((set, published))
            }
        });
        block_on(join_all(servers))
    }
}

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
                let mut run = Transcript::new(PLACE, keys, signer);
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
    let signers = signers(2);
    let keys: Vec<PublicKey> = signers.iter().map(Signer::public).collect();
    let entries = [entry(1, Status::Accepted)];
    let servers = LocalMesh::connect(2).into_iter().map(|mut mesh| {
        let me = mesh.me().index();
        let (keys, signer, entries) = (&keys, &signers[me], &entries);
        async move {
            let mut run = Transcript::new(PLACE, keys, signer);
            let set = agree(&mut run, &mut mesh, holds(entries), LIMITS).await?.set;
            confirm(&mut run, &mut mesh, &set).await?;
            // S1 commits to a share that makes the total one too large.
            let mut share = Sum::default();
            share.add(if me == 0 { 4 } else { 7 });
            let once = |open: &[Option<i128>]| (0..1).filter(|_| open[0].is_none()).collect();
            let (sums, bounds) = (&[share], &BOUNDS[..1]);
            let opening = Opening { set: &set, sums, bounds, mechanism: None, salt_seed: &[0; 32] };
            open(&mut run, &mut mesh, opening, &Memory::default(), once).await
        }
    });
    for outcome in block_on(join_all(servers)) {
        assert_eq!(outcome, Err(PublishError::TotalOutOfRange { coordinate: 0 }));
    }
}

#[test]
fn a_repeated_run_says_exactly_the_same() {
    let first = World::servers(3).run();
    let second = World::servers(3).run();
    assert_eq!(first, second);
}

/// Two runs in a row on the same memories; in the second, S1's share is another.
fn run_twice(first_ends_at: Option<u32>) -> Vec<Result<Published, PublishError>> {
    let signers = signers(3);
    let keys: Vec<PublicKey> = signers.iter().map(Signer::public).collect();
    let entries = [entry(1, Status::Accepted)];
    let memories: Vec<Memory> = (0..3).map(|_| Memory::default()).collect();
    let mut last = Vec::new();
    for (number, ends_at) in [(0, first_ends_at), (1, None)] {
        let servers = LocalMesh::connect(3).into_iter().map(|mesh| {
            let me = mesh.me().index();
            let mut mesh = match ends_at.filter(|_| me == 1) {
                Some(round) => {
                    mesh.with_tamper(Box::new(move |at, _, _, m| (at < round).then_some(m)))
                }
                None => mesh,
            };
            let (keys, signer, entries, memory) = (&keys, &signers[me], &entries, &memories[me]);
            async move {
                let mut run = Transcript::new(PLACE, keys, signer);
                let set = agree(&mut run, &mut mesh, holds(entries), LIMITS).await?.set;
                confirm(&mut run, &mut mesh, &set).await?;
                let mut share = Sum::default();
                share.add(if me == 1 { 3 + number } else { 1 });
                let once = |open: &[Option<i128>]| (0..1).filter(|_| open[0].is_none()).collect();
                let (sums, bounds, salt_seed) = (&[share], &BOUNDS[..1], &[me as u8; 32]);
                let opening = Opening { set: &set, sums, bounds, mechanism: None, salt_seed };
                // The liar forgets what it said.
                let forgetful = Memory::default();
                open(&mut run, &mut mesh, opening, if me == 1 { &forgetful } else { memory }, once)
                    .await
            }
        });
        last = block_on(join_all(servers));
    }
    last
}

#[test]
fn a_server_that_falls_silent_after_seeing_the_openings_cannot_choose_again() {
    // Rounds: roots, set, commitments, openings, result. S1 withholds its opening.
    for outcome in run_twice(Some(3)).into_iter().step_by(2) {
        assert_eq!(outcome, Err(PublishError::CommitmentChanged { party: Party(1) }));
    }
    // It withholds its signature, so that it alone holds a whole result.
    for outcome in run_twice(Some(4)).into_iter().step_by(2) {
        assert_eq!(outcome, Err(PublishError::CommitmentChanged { party: Party(1) }));
    }
    // Before it has seen anything, it may choose.
    for outcome in run_twice(Some(2)) {
        assert_eq!(outcome.expect("published").totals, [Some(6)]);
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
            let mut run = Transcript::new(PLACE, keys, signer);
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
