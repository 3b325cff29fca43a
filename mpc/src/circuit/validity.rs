//! Validity: m records under one proof, as an FLP validity circuit for Prio3.
//!
//! # Circuit
//! The input is m records of w wires each. With Q multiplications a record (one per bit, product
//! and vanishing product) there are N = m·Q constraints `a_i · b_i − c_i = 0`, where a, b, c are
//! linear in the wires, and Z = m·z linear constraints `l_i = 0`. One gadget, a sum of L products,
//! is called C = ⌈N/L⌉ times; call c takes the next L constraints with joint randomness r_c:
//!
//! ```text
//! out = Σ_c Σ_i r_c^i · (a_{c,i} · b_{c,i} − c_{c,i})  +  Σ_i s^i · l_i        must be 0
//! ```
//!
//! The output is the sum over the m records of the circuit's output forms.
//!
//! # Soundness
//! Let F be the field, |F| > 2^127.99. The joint randomness is a hash of all shares of the input,
//! so the input is fixed before it is known.
//! 1. If a constraint is broken, `out` is a non-zero polynomial in (r_1, …, r_C, s), each monomial
//!    in one variable, of degree at most max(L, Z). By Schwartz–Zippel it vanishes with probability
//!    at most max(L, Z)/|F|.
//! 2. If the proof's gadget polynomial is not the right one, the check at a random point passes
//!    with probability at most 2·(P − 1)/(|F| − P), where P = 2^⌈log2(1 + C)⌉ is the length of the
//!    wire polynomials (draft-irtf-cfrg-vdaf, section 7.3; Boneh et al. 2019, Theorem 4.3).
//!
//! A submission is at most 1 MiB, so N, Z ≤ 2^17 (a multiplication or a linear constraint needs a
//! wire of 16 bytes of its own, vanishing products at most one per wire besides) and both terms
//! together are below 2^−109. Joint randomness is derived by a hash, so a client may try inputs
//! until one suits it; with 2^44 tries the error is still below 2^−64, and a try costs a whole
//! proof's hashing. The point of step 2 depends on the servers' verify key, which no client knows.

use std::fmt;

use prio::{
    field::{Field128, FieldElement},
    flp::{
        Flp, FlpError, Gadget, Type,
        gadgets::{Mul, ParallelSum, ParallelSumGadget},
    },
};
use std::sync::Arc;

use super::{Circuit, Operand};

/// The FLP type of a submission of `records` records.
#[derive(Clone)]
pub struct Validity {
    circuit: Arc<Circuit>,
    records: usize,
    chunk: usize,
    calls: usize,
}

impl Validity {
    /// The validity circuit of `records` records under one proof.
    pub fn new(circuit: Arc<Circuit>, records: usize) -> Self {
        let (chunk, calls) = chunks(records * circuit.multiplications());
        Self { circuit, records, chunk, calls }
    }

    fn checks_zeros(&self) -> bool {
        !self.circuit.zeros.is_empty()
    }

    /// Length of the wire polynomials, P.
    fn wire_poly_len(&self) -> usize {
        (1 + self.calls).next_power_of_two()
    }
}

/// Products per gadget call, L, and number of calls, C, for `total` constraints.
///
/// A proof has 2L + 2P − 1 elements and a verifier share 2L + 2, so L ≈ P keeps both short. Longer
/// calls save work at the servers (fewer points a wire), so the balance leans to L ≈ 2P; below 8
/// points the overhead of a wire costs more than that saves. 1 + C is a power of two where it can
/// be, so that no point is wasted.
fn chunks(total: usize) -> (usize, usize) {
    let total = total.max(1);
    (3..=16)
        .map(|log| (1usize << log) - 1)
        .map(|calls| (total.div_ceil(calls), calls))
        .min_by_key(|(chunk, calls)| chunk + 2 * calls)
        .map(|(chunk, _)| (chunk, total.div_ceil(chunk)))
        .unwrap_or((total, 1))
}

/// Feeds constraints to the gadget, one full call at a time.
struct Calls<'a> {
    gadget: &'a mut Box<dyn Gadget<Field128>>,
    joint_rand: std::slice::Iter<'a, Field128>,
    wires: Vec<Field128>,
    filled: usize,
    r: Field128,
    power: Field128,
    out: Field128,
}

impl Calls<'_> {
    /// Adds the constraint left · right − product = 0.
    fn push(
        &mut self,
        left: Field128,
        right: Field128,
        product: Option<Field128>,
    ) -> Result<(), FlpError> {
        if self.filled == 0 {
            self.r = *self
                .joint_rand
                .next()
                .ok_or_else(|| FlpError::Valid("joint randomness".into()))?;
            self.power = self.r;
        }
        self.wires[self.filled] = self.power * left;
        self.wires[self.filled + 1] = right;
        if let Some(product) = product {
            self.out -= self.power * product;
        }
        self.power *= self.r;
        self.filled += 2;
        if self.filled == self.wires.len() { self.call() } else { Ok(()) }
    }

    fn call(&mut self) -> Result<(), FlpError> {
        self.wires[self.filled..].fill(Field128::zero());
        self.filled = 0;
        self.out += self.gadget.eval(&self.wires)?;
        Ok(())
    }
}

impl Flp for Validity {
    type Field = Field128;

    fn gadget(&self) -> Vec<Box<dyn Gadget<Field128>>> {
        vec![Box::new(ParallelSum::new(Mul::new(self.calls), self.chunk))]
    }

    fn num_gadgets(&self) -> usize {
        1
    }

    fn valid(
        &self,
        gadgets: &mut Vec<Box<dyn Gadget<Field128>>>,
        input: &[Field128],
        joint_rand: &[Field128],
        num_shares: usize,
    ) -> Result<Vec<Field128>, FlpError> {
        self.valid_call_check(input, joint_rand)?;
        let share = Field128::from(num_shares as u128).inv();
        let (chunk_rand, zero_rand) = joint_rand.split_at(self.calls);
        let mut calls = Calls {
            gadget: &mut gadgets[0],
            joint_rand: chunk_rand.iter(),
            wires: vec![Field128::zero(); 2 * self.chunk],
            filled: 0,
            r: Field128::zero(),
            power: Field128::zero(),
            out: Field128::zero(),
        };
        let mut forms = vec![Field128::zero(); self.circuit.forms.len()];
        let s = zero_rand.first().copied().unwrap_or(Field128::zero());
        let mut s_power = s;
        let mut zeros = Field128::zero();
        for wires in input.chunks_exact(self.circuit.wires) {
            for (value, form) in forms.iter_mut().zip(&self.circuit.forms) {
                *value = form.eval(wires, share);
            }
            for &bit in &self.circuit.bits {
                calls.push(wires[bit], wires[bit] - share, None)?;
            }
            let operand = |operand| match operand {
                Operand::Wire(wire) => wires[wire],
                Operand::Form(form) => forms[form],
            };
            for quadratic in &self.circuit.quadratics {
                let product = quadratic.product.map(|wire| wires[wire]);
                calls.push(operand(quadratic.left), operand(quadratic.right), product)?;
            }
            for &zero in &self.circuit.zeros {
                zeros += s_power * forms[zero];
                s_power *= s;
            }
        }
        if calls.filled > 0 {
            calls.call()?;
        }
        Ok(vec![calls.out + zeros])
    }

    fn input_len(&self) -> usize {
        self.records * self.circuit.wires
    }

    fn proof_len(&self) -> usize {
        2 * self.chunk + 2 * (self.wire_poly_len() - 1) + 1
    }

    fn verifier_len(&self) -> usize {
        2 + 2 * self.chunk
    }

    fn joint_rand_len(&self) -> usize {
        self.calls + usize::from(self.checks_zeros())
    }

    fn eval_output_len(&self) -> usize {
        1
    }

    fn prove_rand_len(&self) -> usize {
        2 * self.chunk
    }
}

impl Type for Validity {
    /// The wires of all records, one record after the other.
    type Measurement = Vec<Field128>;
    type AggregateResult = Vec<u128>;

    fn encode_measurement(&self, wires: &Vec<Field128>) -> Result<Vec<Field128>, FlpError> {
        if wires.len() != self.input_len() {
            return Err(FlpError::Encode("wrong number of wires".into()));
        }
        Ok(wires.clone())
    }

    fn truncate(&self, input: Vec<Field128>) -> Result<Vec<Field128>, FlpError> {
        self.truncate_call_check(&input)?;
        let mut total = vec![Field128::zero(); self.circuit.wires];
        for wires in input.chunks_exact(self.circuit.wires) {
            for (total, wire) in total.iter_mut().zip(wires) {
                *total += *wire;
            }
        }
        Ok(self.circuit.outputs_of(&total))
    }

    fn decode_result(&self, data: &[Field128], _records: usize) -> Result<Vec<u128>, FlpError> {
        Ok(data.iter().map(|value| u128::from(*value)).collect())
    }

    fn output_len(&self) -> usize {
        self.circuit.outputs()
    }
}

impl PartialEq for Validity {
    fn eq(&self, other: &Self) -> bool {
        self.circuit == other.circuit && self.records == other.records
    }
}

impl Eq for Validity {}

impl fmt::Debug for Validity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Validity")
            .field("records", &self.records)
            .field("wires", &self.circuit.wires)
            .field("chunk", &self.chunk)
            .field("calls", &self.calls)
            .finish_non_exhaustive()
    }
}
