//! A study in the clear: its plan, its circuit and the sums of some records.

use mpc::{
    Field128,
    circuit::Validity,
    sign::{PublicKey, Signer},
};
use prio::{
    field::FieldElement,
    flp::{Flp, Type},
};
use study::{Plan, Record, Study, StudyContext, StudyResult, StudyServer, Totals};

/// A key made of one byte.
pub fn key(seed: u8) -> PublicKey {
    Signer::from_seed(&[seed; 32]).public()
}

/// The study of a file, run by three servers.
pub fn study(text: &str) -> Study {
    let server = |(name, seed): (&str, u8)| StudyServer { name: name.into(), identity: key(seed) };
    let available = [("alpha", 1), ("beta", 2), ("gamma", 3)].map(server);
    let context = StudyContext { available: &available, analyst: key(9), nonce: [7; 16] };
    Study::from_file(text, "study.toml", context).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// The wires of all records, one after the other.
pub fn encode(plan: &Plan, records: &[Record]) -> Vec<Field128> {
    let mut wires = Vec::new();
    for record in records {
        plan.encode(record, &mut wires).expect("the record is one of the study's");
    }
    wires
}

/// Whether the circuit accepts these wires.
pub fn is_valid(plan: &Plan, wires: &[Field128]) -> bool {
    let validity = Validity::new(plan.circuit().clone(), wires.len() / plan.circuit().wires());
    let mut random = Field128::from(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    let joint_rand: Vec<_> = (0..validity.joint_rand_len())
        .map(|_| {
            random = random * random + Field128::one();
            random
        })
        .collect();
    let mut gadgets = validity.gadget();
    let out = validity.valid(&mut gadgets, wires, &joint_rand, 1).expect("the lengths fit");
    out == [Field128::zero()]
}

/// The circuit's outputs, summed over all records.
pub fn sums(plan: &Plan, wires: &[Field128]) -> Vec<u128> {
    if wires.is_empty() {
        return vec![0; plan.coordinates()];
    }
    let validity = Validity::new(plan.circuit().clone(), wires.len() / plan.circuit().wires());
    let outputs = validity.truncate(wires.to_vec()).expect("the length fits");
    outputs.into_iter().map(u128::from).collect()
}

/// Opens what the plan asks for, step by step, until it asks for nothing more.
pub fn open(plan: &Plan, sums: &[u128], records: usize) -> Totals {
    let mut values = vec![None; sums.len()];
    loop {
        let next = plan.next_opening(records as u64, &values);
        if next.is_empty() {
            return Totals { records: records as u64, values };
        }
        for coordinate in next {
            assert_eq!(values[coordinate], None, "nothing is opened twice");
            values[coordinate] = Some(sums[coordinate] as i128);
        }
    }
}

/// The answers of a study over some records.
pub fn answer(study: &Study, records: &[Record]) -> StudyResult {
    let plan = Plan::new(study).expect("a study has a plan");
    let sums = sums(&plan, &encode(&plan, records));
    plan.decode(&open(&plan, &sums, records.len()))
}
