//! Bare: the study's circuit driven through `prio` alone, all parties in one thread, nothing
//! encoded, sent, signed or stored.

use mpc::{Field128, circuit::Validity};
use prio::{
    codec::Encode as _,
    flp::Type as _,
    vdaf::{
        Aggregatable as _, Aggregator as _, Client as _, Collector as _, VerifyTransition,
        prio3::Prio3, xof::XofTurboShake128,
    },
};
use rand::RngExt as _;

use crate::{
    cpu,
    data::{Data, SERVERS},
};

/// The first algorithm id for private use, as in the pipeline.
const ALGORITHM: u32 = 0xFFFF_0000;
const CONTEXT: &[u8] = b"benchmark";

type Prio = Prio3<Validity, XofTurboShake128, 32>;

/// Bytes of one submission's messages.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bytes {
    /// To the first server.
    pub first: f64,
    /// To every other server.
    pub other: f64,
    /// From each server to each other one.
    pub between: f64,
}

/// CPU of `count` records in submissions of `size`, in microseconds a record.
///
/// # Panics
/// If the sums are not those of the records.
pub fn run(data: &Data, count: usize, size: usize) -> f64 {
    let submissions = data.submissions(count, size);
    let prio_of = |records| prio(data, records);
    let (full, rest) = (prio_of(size), prio_of((count - 1) % size + 1));
    let mut rng = rand::rng();
    let verify_key: [u8; 32] = rng.random();
    let start = cpu::now();
    let mut totals = vec![full.aggregate_init(&()); SERVERS];
    for (number, wires) in submissions.iter().enumerate() {
        let prio = if number + 1 == submissions.len() { &rest } else { &full };
        let nonce: [u8; 16] = rng.random();
        let (public, shares) = prio.shard(CONTEXT, wires, &nonce).expect("wires of the circuit");
        let (mut states, mut messages) = (Vec::new(), Vec::new());
        for (party, share) in shares.iter().enumerate() {
            let (state, message) = prio
                .verify_init(&verify_key, CONTEXT, party, &(), &nonce, &public, share)
                .expect("an honest share");
            states.push(state);
            messages.push(message);
        }
        let message =
            prio.verifier_shares_to_message(CONTEXT, &(), messages).expect("an honest proof");
        for (state, total) in states.into_iter().zip(&mut totals) {
            match prio.verify_next(CONTEXT, state, message.clone()).expect("an honest proof") {
                VerifyTransition::Finish(share) => total.accumulate(&share).expect("same length"),
                VerifyTransition::Continue(..) => panic!("Prio3 has one round"),
            }
        }
    }
    let micros = cpu::micros_each(start, count);
    let sums = full.unshard(&(), totals, count).expect("all shares");
    assert_eq!(sums, in_the_clear(data, &submissions), "the sums are those of the records");
    micros
}

/// Bytes of the messages of one submission of `size` records, a record.
pub fn bytes(data: &Data, size: usize) -> Bytes {
    let prio = prio(data, size);
    let wires = data.submissions(size, size).remove(0);
    let nonce = [0; 16];
    let (public, shares) = prio.shard(CONTEXT, &wires, &nonce).expect("wires of the circuit");
    let (_, message) = prio
        .verify_init(&[0; 32], CONTEXT, 0, &(), &nonce, &public, &shares[0])
        .expect("an honest share");
    let each = |len: Option<usize>| len.expect("a length that is known") as f64 / size as f64;
    let public = each(public.encoded_len());
    Bytes {
        first: public + each(shares[0].encoded_len()),
        other: public + each(shares[1].encoded_len()),
        between: each(message.encoded_len()),
    }
}

fn prio(data: &Data, records: usize) -> Prio {
    let validity = Validity::new(data.circuit().clone(), records);
    Prio3::new(SERVERS as u8, 1, ALGORITHM, validity).expect("3 servers")
}

fn in_the_clear(data: &Data, submissions: &[Vec<Field128>]) -> Vec<u128> {
    let mut totals = vec![0; data.circuit().outputs()];
    for wires in submissions {
        let records = wires.len() / data.circuit().wires();
        let validity = Validity::new(data.circuit().clone(), records);
        let sums = validity.truncate(wires.clone()).expect("wires of the circuit");
        for (total, sum) in totals.iter_mut().zip(sums) {
            *total += u128::from(sum);
        }
    }
    totals
}
