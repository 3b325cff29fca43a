//! Collect, end to end in memory: honest batches verify, and every kind of cheating is rejected.

use super::*;
use crate::{
    circuit::{CircuitBuilder, Linear},
    mesh::{Mesh, local::LocalMesh},
    sign::Signer,
    transcript::{About, Message, Place, Recording, Session, Transcript, TranscriptError},
};
use futures::{executor::block_on, future::join_all};
use prio::field::FieldElement;
use rand::{SeedableRng, rngs::StdRng};
use std::collections::HashMap;

mod commitments;

const STUDY: StudyId = StudyId([3; 32]);
const KEY: [u8; 32] = [5; 32];

/// Value of 0..=5 that may be missing, one-hot over 3 groups, value ⊗ group.
/// Wires: 0 present, 1..=3 value bits (weights 1, 2, 2), 4..=6 one-hot, 7..=9 products.
fn circuit() -> Arc<Circuit> {
    let mut builder = CircuitBuilder::default();
    let present = builder.bit();
    let bits: Vec<usize> = (0..3).map(|_| builder.bit()).collect();
    let value = Linear { terms: vec![(bits[0], 1), (bits[1], 2), (bits[2], 2)], constant: 0 };
    builder.require_product_zero(&value, &Linear::complement(present));
    let groups: Vec<usize> = (0..3).map(|_| builder.bit()).collect();
    builder.require_zero(&Linear::sum(groups.iter().copied()).plus(-1));
    for group in groups {
        let product = builder.product(&value, &Linear::wire(group));
        builder.output(&Linear::wire(product));
        builder.output(&Linear::wire(group));
    }
    Arc::new(builder.build())
}

fn field(values: &[u128]) -> Vec<Field128> {
    values.iter().map(|&value| Field128::from(value)).collect()
}

/// An honest record: value (or missing) and group.
fn record(value: Option<u128>, group: usize) -> Vec<Field128> {
    let v = value.unwrap_or(0);
    let high = u128::from(v > 3);
    let low = v - 2 * high;
    let mut bits = vec![u128::from(value.is_some()), low & 1, low >> 1, high, 0, 0, 0];
    bits[4 + group] = 1;
    let mut wires = Vec::new();
    circuit().encode(&field(&bits), &mut wires);
    wires
}

fn collect(parties: usize) -> Collect {
    Collect::new(circuit(), STUDY, parties).expect("valid parameters")
}

fn rng() -> StdRng {
    StdRng::seed_from_u64(11)
}

fn provider() -> PublicKey {
    Signer::from_seed(&[1; 32]).public()
}

fn origin(submission: [u8; 16]) -> Origin {
    Origin { submission: SubmissionId(submission), provider: provider(), amendment: None }
}

fn shard(collect: &Collect, wires: Vec<Field128>) -> Sharded {
    collect.shard(origin([9; 16]), wires, &mut rng()).expect("shards")
}

fn refusal(collect: &Collect, me: Party, public: &PublicPart, payload: &[u8]) -> CollectError {
    collect.check_upload(me, public, payload).expect_err("a refusal")
}

fn items(collect: &Collect, sharded: &Sharded, me: Party) -> Vec<Item> {
    let payload = &sharded.payloads[me.index()];
    collect.check_upload(me, &sharded.public, payload).expect("well-formed");
    let prepared = collect.prepare(&KEY, me, &sharded.public, payload).expect("prepared");
    let (public, records) = (sharded.public.hash(), sharded.public.records);
    vec![Item::Fresh { public, records, prepared: Box::new(prepared) }]
}

fn session() -> Session {
    Session { nonce: [4; 16], about: About::Verify(vec![SubmissionId([9; 16])]) }
}

fn place() -> Place {
    session().place(STUDY)
}

fn server(party: u8) -> Signer {
    Signer::from_seed(&[party; 32])
}

async fn verify_signed(
    mesh: &mut LocalMesh,
    collect: &Collect,
    items: Vec<Item>,
) -> Result<Vec<Verdict>, TranscriptError> {
    let keys: Vec<PublicKey> = (0..8).map(|party| server(party).public()).collect();
    let signer = server(mesh.me().0);
    let keys = &keys[..collect.parties()];
    let records = items.first().map_or(0, records);
    let mut transcript = Transcript::new(place(), keys, &signer);
    let verdicts = verify(&mut transcript, mesh, collect, items).await;
    check_replay(collect, keys, records, &transcript, &verdicts);
    verdicts
}

fn records(item: &Item) -> u32 {
    match item {
        Item::Fresh { records, .. } => *records,
        _ => 0,
    }
}

/// A replay of what a server heard finds what the server found, as far as it can be shown.
fn check_replay(
    collect: &Collect,
    keys: &[PublicKey],
    records: u32,
    transcript: &Transcript<'_>,
    verdicts: &Result<Vec<Verdict>, TranscriptError>,
) {
    let heard = Recording::of(transcript, session());
    let known = |_: &SubmissionId, _: &crate::ids::PublicHash| Some(records);
    let about = [SubmissionId([9; 16])];
    let replayed = replay(collect, heard.place(STUDY), keys, &about, &known, &heard.rounds);
    match verdicts {
        Err(error) if error.is_shown() => {
            assert_eq!(replayed, Err(VerifyFault::Server(error.clone())));
        }
        _ => assert_eq!(replayed, Ok(())),
    }
}

/// Every server's verdict on one submission.
fn verdicts(collect: &Collect, sharded: &Sharded) -> Vec<Verdict> {
    let parties = LocalMesh::connect(collect.parties()).into_iter().map(|mut mesh| async move {
        let items = items(collect, sharded, mesh.me());
        verify_signed(&mut mesh, collect, items).await.expect("all servers answer").remove(0)
    });
    block_on(join_all(parties))
}

fn totals(collect: &Collect, verdicts: &[Verdict]) -> Vec<u128> {
    let mut totals = vec![Field128::zero(); collect.circuit().outputs()];
    for verdict in verdicts {
        let Verdict::Accepted { output_share, .. } = verdict else { panic!("{verdict:?}") };
        let share = collect.decode_output_share(output_share).expect("length");
        for (total, share) in totals.iter_mut().zip(share.values.iter()) {
            *total += Field128::from(*share);
        }
    }
    totals.into_iter().map(u128::from).collect()
}

#[test]
fn output_shares_of_honest_records_add_up_to_their_sum_for_every_number_of_servers() {
    let records = [(Some(5), 0), (Some(0), 1), (None, 2), (Some(3), 0), (Some(4), 2)];
    let wires: Vec<Field128> =
        records.iter().flat_map(|&(value, group)| record(value, group)).collect();
    for parties in 2..=8 {
        let collect = collect(parties);
        let sharded = shard(&collect, wires.clone());
        let verdicts = verdicts(&collect, &sharded);
        assert_eq!(totals(&collect, &verdicts), [8, 2, 0, 1, 4, 2], "k = {parties}");
    }
}

#[test]
fn every_broken_clause_of_the_circuit_is_rejected_by_all_servers() {
    let good = record(Some(3), 1);
    let mut cheats: HashMap<&str, Vec<Field128>> = HashMap::new();
    let mut cheat = |name, changes: &[(usize, u128)]| {
        let mut wires = good.clone();
        for &(wire, value) in changes {
            wires[wire] = Field128::from(value);
        }
        assert_ne!(wires, good, "{name} changes nothing");
        cheats.insert(name, wires);
    };
    // 3 = 1 + 2: bits 1, 1, 0; product wire 8 is 3.
    cheat("a bit that is 2, with a product that fits", &[(1, 2), (8, 4)]);
    cheat("a bit that is −1, with a product that fits", &[(3, crate::circuit::MINUS_ONE), (8, 1)]);
    cheat("a presence bit that is 2", &[(0, 2)]);
    cheat("two groups at once", &[(4, 1), (7, 3)]);
    cheat("no group at all", &[(5, 0), (8, 0)]);
    cheat("a group entry that is 2", &[(5, 2), (8, 6)]);
    cheat(
        "half of each of two groups",
        &[
            (4, u128::from(Field128::half())),
            (5, u128::from(Field128::half())),
            (7, u128::from(Field128::half() * Field128::from(3))),
            (8, u128::from(Field128::half() * Field128::from(3))),
        ],
    );
    cheat("a wrong product", &[(8, 4)]);
    cheat("a product in another group", &[(7, 3), (8, 0)]);
    cheat("missing yet non-zero", &[(0, 0)]);
    let collect = collect(3);
    for (name, wires) in cheats {
        // Alone, and hidden in the middle of an honest batch.
        for (before, after) in [(0, 0), (7, 5)] {
            let mut batch: Vec<Field128> = good.repeat(before);
            batch.extend(&wires);
            batch.extend(good.repeat(after));
            for verdict in verdicts(&collect, &shard(&collect, batch)) {
                let rejected =
                    matches!(verdict, Verdict::Rejected { reason: Reason::InvalidProof, .. });
                assert!(rejected, "{name} in a batch of {}: {verdict:?}", before + 1 + after);
            }
        }
    }
}

#[test]
fn changed_shares_and_proofs_are_rejected() {
    let collect = collect(3);
    let good = shard(&collect, record(Some(3), 1).repeat(9));
    let leader_len = good.payloads[0].len();
    for position in [BLINDING, BLINDING + 160, leader_len / 2, leader_len - 64, leader_len - 1] {
        let mut sharded = shard(&collect, record(Some(3), 1).repeat(9));
        sharded.payloads[0][position] ^= 1;
        sharded.public.payload_hashes[0] = payload_hash(&sharded.payloads[0]);
        let verdicts = verdicts(&collect, &sharded);
        let rejected = |verdict: &Verdict| matches!(verdict, Verdict::Rejected { .. });
        assert!(verdicts.iter().all(rejected), "byte {position}: {verdicts:?}");
    }
}

#[test]
fn the_proof_of_another_study_is_rejected() {
    let other = Collect::new(circuit(), StudyId([4; 32]), 2).expect("valid");
    let collect = collect(2);
    let mut sharded = shard(&other, record(Some(3), 1));
    let payload = sharded.payloads[0].clone();
    assert_eq!(refusal(&collect, Party(0), &sharded.public, &payload), CollectError::OtherStudy);
    // Relabelled, its joint randomness and shares still belong to the other context.
    sharded.public.study = STUDY;
    for verdict in verdicts(&collect, &sharded) {
        assert!(matches!(verdict, Verdict::Rejected { reason: Reason::InvalidProof, .. }));
    }
}

#[test]
fn the_share_of_another_submission_is_rejected() {
    let collect = collect(2);
    let one = shard(&collect, record(Some(3), 1));
    let other = collect
        .shard(origin([8; 16]), record(Some(3), 1), &mut StdRng::seed_from_u64(12))
        .expect("shards");
    let swapped = other.payloads[1].clone();
    assert_eq!(refusal(&collect, Party(1), &one.public, &swapped), CollectError::PayloadHash);
    let mut mixed = shard(&collect, record(Some(3), 1));
    mixed.public.payload_hashes[1] = payload_hash(&swapped);
    mixed.payloads[1] = swapped;
    for verdict in verdicts(&collect, &mixed) {
        assert!(matches!(verdict, Verdict::Rejected { reason: Reason::InvalidProof, .. }));
    }
}

#[test]
fn malformed_uploads_are_refused_before_they_are_stored() {
    let collect = collect(2);
    let good = shard(&collect, record(Some(3), 1));
    for len in [0, 31, 32, 33, good.payloads[0].len() - 1] {
        let mut public = good.public.clone();
        let payload = &good.payloads[0][..len];
        public.payload_hashes[0] = payload_hash(payload);
        assert!(collect.check_upload(Party(0), &public, payload).is_err(), "{len} bytes");
    }
    let mut longer = good.payloads[0].to_vec();
    longer.push(0);
    let mut public = good.public.clone();
    public.payload_hashes[0] = payload_hash(&longer);
    assert_eq!(refusal(&collect, Party(0), &public, &longer), CollectError::Share);
    let mut more = good.public.clone();
    more.records = collect.max_records() + 1;
    let refused = refusal(&collect, Party(0), &more, &good.payloads[0]);
    assert!(matches!(refused, CollectError::Records { .. }));
    let bytes = good.public.encode();
    assert_eq!(PublicPart::decode(&bytes), Ok(good.public));
    for len in 0..bytes.len() {
        assert!(PublicPart::decode(&bytes[..len]).is_err());
    }
}

#[test]
fn a_batch_waits_for_what_a_server_lacks_and_repeats_what_it_decided() {
    let collect = collect(3);
    let sharded = shard(&collect, record(Some(3), 1));
    let missing = LocalMesh::connect(3).into_iter().map(|mut mesh| {
        let (collect, sharded) = (&collect, &sharded);
        async move {
            let items = match mesh.me() {
                Party(2) => vec![Item::Missing],
                me => items(collect, sharded, me),
            };
            verify_signed(&mut mesh, collect, items).await.expect("answers").remove(0)
        }
    });
    assert_eq!(block_on(join_all(missing)), vec![Verdict::Deferred; 3]);

    // S1 stored its verdict and crashed the others before they stored theirs.
    let first = verdicts(&collect, &sharded);
    let repeated = LocalMesh::connect(3).into_iter().map(|mut mesh| {
        let (collect, sharded, first) = (&collect, &sharded, &first);
        async move {
            let items = match (mesh.me(), &first[1]) {
                (Party(1), Verdict::Accepted { verifier_share, .. }) => vec![Item::Decided {
                    public: sharded.public.hash(),
                    verifier_share: verifier_share.clone(),
                }],
                (me, _) => items(collect, sharded, me),
            };
            verify_signed(&mut mesh, collect, items).await.expect("answers").remove(0)
        }
    });
    let again = block_on(join_all(repeated));
    assert_eq!(again, [first[0].clone(), Verdict::Known, first[2].clone()]);
}

#[test]
fn two_versions_under_one_id_are_rejected_as_such() {
    let collect = collect(2);
    let one = shard(&collect, record(Some(3), 1));
    let two = shard(&collect, record(Some(4), 1));
    let results = LocalMesh::connect(2).into_iter().map(|mut mesh| {
        let (collect, sharded) = (&collect, if mesh.me().is_leader() { &one } else { &two });
        async move {
            let items = items(collect, sharded, mesh.me());
            verify_signed(&mut mesh, collect, items).await.expect("answers").remove(0)
        }
    });
    for verdict in block_on(join_all(results)) {
        assert!(matches!(verdict, Verdict::Rejected { reason: Reason::PublicPartsDiffer, .. }));
    }
}

#[test]
fn a_verifier_share_that_is_no_share_names_its_server() {
    let cut: fn(&mut Vec<u8>) = |body| body.truncate(body.len() - 1);
    // Above every field element.
    let too_large: fn(&mut Vec<u8>) = |body| body[37..53].fill(0xff);
    for change in [cut, cut_share, too_large] {
        let collect = collect(3);
        let sharded = shard(&collect, record(Some(3), 1));
        let results = LocalMesh::connect(3).into_iter().map(|mesh| {
            let (collect, sharded) = (&collect, &sharded);
            let mut mesh = match mesh.me() {
                Party(1) => mesh.with_tamper(Box::new(move |_, me, _, message| {
                    let message = Message::decode_unverified(me, &message).expect("a message");
                    let mut body = message.body.to_vec();
                    change(&mut body);
                    Some(message.falsified(&server(me.0), place(), &body).encode())
                })),
                _ => mesh,
            };
            async move {
                let items = items(collect, sharded, mesh.me());
                verify_signed(&mut mesh, collect, items).await
            }
        });
        let results = block_on(join_all(results));
        for server in [0, 2] {
            assert!(
                matches!(results[server], Err(TranscriptError::Malformed { party: Party(1), .. })),
                "{:?}",
                results[server]
            );
        }
    }
}

/// A message whose verifier share is one byte short, and says so.
fn cut_share(body: &mut Vec<u8>) {
    body.pop();
    let len = (body.len() - 37) as u32;
    body[33..37].copy_from_slice(&len.to_be_bytes());
}

#[test]
fn the_largest_payload_stays_below_one_mebibyte_and_one_record_more_would_not() {
    let collect = collect(2);
    let m = collect.max_records();
    assert!(m > 1);
    let largest = shard(&collect, record(Some(2), 0).repeat(m as usize));
    assert!(largest.payloads[0].len() <= MAX_PAYLOAD);
    assert!(m == MAX_RECORDS || largest.payloads[0].len() + 16 * 10 + 64 > MAX_PAYLOAD);
    let refused =
        collect.shard(origin([1; 16]), record(Some(2), 0).repeat(m as usize + 1), &mut rng());
    assert!(matches!(refused, Err(CollectError::Records { .. })));
}

#[test]
fn a_study_that_needs_no_coordinate_still_has_a_proof() {
    let circuit = Arc::new(CircuitBuilder::default().build());
    let collect = Collect::new(circuit.clone(), STUDY, 2).expect("valid");
    let mut wires = Vec::new();
    circuit.encode(&[], &mut wires);
    let verdicts = verdicts(&collect, &shard(&collect, wires.repeat(3)));
    assert_eq!(totals(&collect, &verdicts), Vec::<u128>::new());
}

#[test]
fn the_sizes_of_a_submission_are_those_of_its_messages() {
    for (parties, records) in [(2, 1), (3, 7), (8, 100)] {
        let collect = collect(parties);
        let sharded = shard(&collect, record(Some(2), 0).repeat(records));
        // Few enough for a u32.
        let sizes = collect.sizes(records as u32);
        assert_eq!(sharded.public.encode().len(), sizes.public);
        for (party, payload) in sharded.payloads.iter().enumerate() {
            assert_eq!(payload.len(), if party == 0 { sizes.first } else { sizes.other });
            let items = items(&collect, &sharded, Party(party as u8));
            assert_eq!(super::verify::encode(&items).len(), sizes.message, "{parties} servers");
            let Item::Fresh { prepared, .. } = &items[0] else { panic!("nothing is prepared") };
            assert_eq!(prepared.verifier_share.len(), sizes.verifier_share);
        }
    }
}
