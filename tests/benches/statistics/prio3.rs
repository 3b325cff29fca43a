//! One proof system's way from measurement to output shares, for any circuit.

use std::time::Duration;

use prio::{
    codec::Encode as _,
    field::{Field128, FieldElement as _},
    flp::Type,
    vdaf::{Aggregator as _, Client as _, VerifyTransition, prio3::Prio3, xof::XofTurboShake128},
};
use rand::RngExt as _;

use super::{SERVERS, cpu, table::median};

/// The first algorithm id for private use.
const ALGORITHM: u32 = 0xFFFF_0000;
const CONTEXT: &[u8] = b"benchmark";

/// What a record costs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Figures {
    /// Processor time at the provider, microseconds.
    pub provider: f64,
    /// At a server, microseconds: the mean of all.
    pub server: f64,
    /// Bytes to the first server.
    pub first_bytes: f64,
    /// Bytes to every other server.
    pub other_bytes: f64,
    /// Bytes from each server to each other.
    pub between_bytes: f64,
}

/// Measures submissions of `records` records each until `budget` is used up, at least one. Contents
/// are made outside of the measurement, and encoded within it.
///
/// # Panics
/// If the output shares do not add up to the outputs of the measurement.
pub fn measure<T, C>(
    circuit: T,
    records: usize,
    mut content: impl FnMut() -> C,
    encode: impl Fn(&C) -> T::Measurement,
    budget: Duration,
) -> Figures
where
    T: Type<Field = Field128>,
{
    let prio: Prio3<T, XofTurboShake128, 32> =
        Prio3::new(SERVERS, 1, ALGORITHM, circuit.clone()).expect("parameters that fit");
    let mut rng = rand::rng();
    let verify_key: [u8; 32] = rng.random();
    let (mut provider, mut servers) = (Vec::new(), Vec::new());
    let mut figures = Figures::default();
    let begun = cpu::now();
    while provider.is_empty() || cpu::now() - begun < budget {
        let content = content();
        let nonce: [u8; 16] = rng.random();
        let start = cpu::now();
        let measurement = encode(&content);
        let (public, shares) = prio.shard(CONTEXT, &measurement, &nonce).expect("a measurement");
        provider.push(cpu::micros_each(start, records));

        let start = cpu::now();
        let (mut states, mut messages) = (Vec::new(), Vec::new());
        for (party, share) in shares.iter().enumerate() {
            let (state, message) = prio
                .verify_init(&verify_key, CONTEXT, party, &(), &nonce, &public, share)
                .expect("an honest share");
            states.push(state);
            messages.push(message);
        }
        let sizes = [shares[0].encoded_len(), shares[1].encoded_len(), messages[0].encoded_len()];
        // Every server combines the messages; they are decoded once here.
        let mut outputs = vec![Field128::zero(); circuit.output_len()];
        for state in states {
            let message = prio
                .verifier_shares_to_message(CONTEXT, &(), messages.clone())
                .expect("an honest proof");
            match prio.verify_next(CONTEXT, state, message).expect("an honest proof") {
                VerifyTransition::Finish(share) => {
                    let sums = outputs.iter_mut().zip(share.as_ref());
                    sums.for_each(|(sum, share)| *sum += *share);
                }
                VerifyTransition::Continue(..) => panic!("Prio3 has one round"),
            }
        }
        servers.push(cpu::micros_each(start, records));

        let encoded = circuit.encode_measurement(&measurement).expect("a measurement");
        assert_eq!(outputs, circuit.truncate(encoded).expect("an encoding"), "shares add up");
        let public = public.encoded_len().expect("a known length");
        let each = |len: Option<usize>| len.expect("a known length") as f64 / records as f64;
        let [first, other, between] = sizes;
        figures.first_bytes = each(first.map(|len| len + public));
        figures.other_bytes = each(other.map(|len| len + public));
        figures.between_bytes = each(between);
    }
    figures.provider = median(provider);
    figures.server = median(servers) / f64::from(SERVERS);
    figures
}
