//! The commitments of a submission are to what its servers will add up, and a false one is found.

use super::*;
use crate::pedersen::Commitment;
use proptest::prelude::*;

/// A circuit with this many bits, the products of some of them, and this many outputs.
fn any_circuit(bits: usize, products: usize, outputs: usize) -> Arc<Circuit> {
    let mut builder = CircuitBuilder::default();
    let mut wires: Vec<usize> = (0..bits).map(|_| builder.bit()).collect();
    for product in 0..products {
        let factor = |place: usize| Linear::wire(wires[place % wires.len()]);
        let wire = builder.product(&factor(product), &factor(3 * product + 1));
        wires.push(wire);
    }
    for output in 0..outputs {
        let weight = output as u128 + 1;
        let terms = wires.iter().step_by(1 + output % 3).map(|wire| (*wire, weight)).collect();
        builder.output(&Linear { terms, constant: 0 });
    }
    Arc::new(builder.build())
}

fn sharded(collect: &Collect, records: usize, rng: &mut StdRng) -> Sharded {
    let circuit = collect.circuit();
    let mut wires = Vec::new();
    for record in 0..records {
        let bits = (0..circuit.bits()).map(|bit| u128::from((record + bit) % 3 == 0));
        circuit.encode(&field(&bits.collect::<Vec<_>>()), &mut wires);
    }
    collect.shard(origin([9; 16]), wires, rng).expect("shards")
}

fn opens(collect: &Collect, me: usize, public: &PublicPart, payload: &[u8]) -> bool {
    let me = Party(me as u8);
    let opened = collect.check_upload(me, public, payload).expect("well-formed");
    collect.bases().check_all(&[opened], &mut rng()) == [true]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn output_shares_from_seeds_are_those_of_the_verification(
        parties in 2usize..=8, bits in 1usize..12, products in 0usize..8, outputs in 0usize..6,
        records in 1usize..9, seed: u64,
    ) {
        let circuit = any_circuit(bits, products, outputs);
        let collect = Collect::new(circuit, STUDY, parties).expect("valid");
        let sharded = sharded(&collect, records, &mut StdRng::seed_from_u64(seed));
        let verdicts = verdicts(&collect, &sharded);
        let mut sum = vec![Field128::zero(); collect.circuit().outputs()];
        for (party, verdict) in verdicts.iter().enumerate() {
            let Verdict::Accepted { output_share, .. } = verdict else { panic!("{verdict:?}") };
            let stored = collect.decode_output_share(output_share).expect("our own encoding");
            let payload = &sharded.payloads[party];
            let outputs = collect.outputs(Party(party as u8), records as u32, &payload[BLINDING..]);
            let outputs = outputs.expect("an honest share");
            prop_assert_eq!(&outputs, &stored.values);
            let commitment = collect.bases().commit(&stored.values, &stored.blinding);
            prop_assert_eq!(commitment, sharded.public.commitments[party]);
            sum.iter_mut().zip(outputs.iter()).for_each(|(sum, own)| *sum += Field128::from(*own));
        }
        prop_assert_eq!(sum.into_iter().map(u128::from).collect::<Vec<_>>(), totals(&collect, &verdicts));
    }
}

#[test]
fn every_server_finds_its_own_commitment_open_and_no_other_one() {
    for parties in 2..=8 {
        let collect = collect(parties);
        let sharded = shard(&collect, record(Some(3), 1).repeat(4));
        for me in 0..parties {
            let payload = &sharded.payloads[me];
            assert!(opens(&collect, me, &sharded.public, payload), "S{me} of {parties}");
            let mut other = sharded.public.clone();
            other.commitments.swap(me, (me + 1) % parties);
            assert!(!opens(&collect, me, &other, payload), "S{me} of {parties}");
        }
    }
}

#[test]
fn a_share_or_a_blinding_that_the_commitment_is_not_to_does_not_open_it() {
    let collect = collect(3);
    let good = shard(&collect, record(Some(3), 1));
    // Blindings, two wires of the first server's share that are in outputs, and another's seed.
    let wire = |wire: usize| BLINDING + 16 * wire;
    for (me, byte) in [(0, 0), (2, 5), (0, wire(4)), (0, wire(9)), (1, BLINDING)] {
        let mut sharded = shard(&collect, record(Some(3), 1));
        sharded.payloads[me][byte] ^= 1;
        sharded.public.payload_hashes[me] = payload_hash(&sharded.payloads[me]);
        assert!(!opens(&collect, me, &sharded.public, &sharded.payloads[me]), "S{me}, byte {byte}");
    }
    let other = collect
        .shard(origin([8; 16]), record(Some(3), 1), &mut StdRng::seed_from_u64(12))
        .expect("shards");
    let mut mixed = good.public.clone();
    mixed.commitments = other.public.commitments;
    for me in 0..3 {
        assert!(!opens(&collect, me, &mixed, &good.payloads[me]), "S{me}");
    }
}

#[test]
fn bytes_that_are_no_commitment_are_refused_by_every_server_with_its_place() {
    let collect = collect(3);
    let good = shard(&collect, record(Some(3), 1));
    for party in 0..3 {
        let mut public = good.public.clone();
        public.commitments[party] = Commitment([0xff; 32]);
        for me in 0..3 {
            let refused = refusal(&collect, Party(me), &public, &good.payloads[usize::from(me)]);
            assert_eq!(refused, CollectError::Commitment { party: Party(party as u8) });
        }
    }
}

#[test]
fn a_public_part_has_exactly_one_commitment_per_server() {
    let collect = collect(3);
    let good = shard(&collect, record(Some(3), 1));
    for count in [0, 1, 2, 4] {
        let mut public = good.public.clone();
        public.commitments.resize(count, Commitment([0; 32]));
        let refused = refusal(&collect, Party(0), &public, &good.payloads[0]);
        assert_eq!(refused, CollectError::OtherParties, "{count} commitments");
        let decoded = PublicPart::decode(&public.encode());
        assert_eq!(decoded, Err(WireError::Range("number of commitments")), "{count} commitments");
    }
}

#[test]
fn a_blinding_that_is_not_below_the_groups_order_is_refused() {
    let collect = collect(2);
    let mut sharded = shard(&collect, record(Some(3), 1));
    sharded.payloads[1][..BLINDING].fill(0xff);
    sharded.public.payload_hashes[1] = payload_hash(&sharded.payloads[1]);
    assert_eq!(
        refusal(&collect, Party(1), &sharded.public, &sharded.payloads[1]),
        CollectError::Malformed(WireError::Range("blinding"))
    );
}

#[test]
fn two_submissions_of_the_same_record_have_nothing_in_common() {
    let collect = collect(2);
    let mut rng = rng();
    let mut one =
        || collect.shard(origin([9; 16]), record(Some(3), 1), &mut rng).expect("shards").public;
    let (one, two) = (one(), one());
    for own in &one.commitments {
        assert!(!two.commitments.contains(own));
    }
}
