//! Circuit: what one record looks like as field elements, when it is valid, and what is summed.
//!
//! A record is a vector of *wires*. *Free* wires are bits that the provider sets; every other
//! wire is the product of two linear forms and follows from them. A record is valid when all bits
//! are 0 or 1, all products are right, and every form that must vanish vanishes. The *outputs* are
//! linear forms of the wires: the only thing about a record that the servers ever add up.

use std::collections::HashMap;

use prio::field::{Field128, FieldElement};

mod validity;

pub use validity::Validity;

/// A linear form Σ coefficient·wire + constant over one record's wires.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Linear {
    /// Wire index and coefficient; each wire at most once.
    pub terms: Vec<(usize, u128)>,
    /// The constant, as a signed integer.
    pub constant: i64,
}

impl Linear {
    /// The form that is one wire.
    pub fn wire(wire: usize) -> Self {
        Self { terms: vec![(wire, 1)], constant: 0 }
    }

    /// The sum of `wires`.
    pub fn sum(wires: impl IntoIterator<Item = usize>) -> Self {
        Self { terms: wires.into_iter().map(|wire| (wire, 1)).collect(), constant: 0 }
    }

    /// 1 minus one wire.
    pub fn complement(wire: usize) -> Self {
        Self { terms: vec![(wire, MINUS_ONE)], constant: 1 }
    }

    /// This form plus an integer.
    pub fn plus(mut self, constant: i64) -> Self {
        self.constant += constant;
        self
    }

    /// This form minus `other`; their wires must be disjoint.
    pub fn minus(mut self, other: &Self) -> Self {
        let negated = |&(wire, coefficient): &(usize, u128)| {
            let negated = u128::from(-Field128::from(coefficient));
            (wire, negated)
        };
        self.terms.extend(other.terms.iter().map(negated));
        self.constant -= other.constant;
        self
    }
}

/// −1 in the field, as a coefficient.
pub const MINUS_ONE: u128 = 340282366920938462946865773367900766208;

/// Where one factor of a product comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operand {
    Wire(usize),
    Form(usize),
}

/// A linear form with its coefficients in the field, ones apart because they need no product.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Form {
    ones: Vec<usize>,
    scaled: Vec<(usize, Field128)>,
    constant: Field128,
}

impl Form {
    fn new(linear: &Linear) -> Self {
        let magnitude = Field128::from(u128::from(linear.constant.unsigned_abs()));
        let constant = if linear.constant < 0 { -magnitude } else { magnitude };
        let mut form = Self { ones: Vec::new(), scaled: Vec::new(), constant };
        for &(wire, coefficient) in &linear.terms {
            match coefficient {
                1 => form.ones.push(wire),
                _ => form.scaled.push((wire, Field128::from(coefficient))),
            }
        }
        form
    }

    /// The form's value on `wires`, where the constant counts `share` times (1 for a record in
    /// the clear, 1/k for one of k shares).
    fn eval(&self, wires: &[Field128], share: Field128) -> Field128 {
        let mut value = self.constant * share;
        for &wire in &self.ones {
            value += wires[wire];
        }
        for &(wire, coefficient) in &self.scaled {
            value += wires[wire] * coefficient;
        }
        value
    }
}

/// left · right = wire `product`, or = 0 where `product` is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Quadratic {
    left: Operand,
    right: Operand,
    product: Option<usize>,
}

/// The circuit of one record. Build it with [`CircuitBuilder`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Circuit {
    wires: usize,
    bits: Vec<usize>,
    forms: Vec<Form>,
    quadratics: Vec<Quadratic>,
    zeros: Vec<usize>,
    outputs: Vec<Form>,
}

impl Circuit {
    /// Wires of one record: field elements that a provider sends per record.
    pub fn wires(&self) -> usize {
        self.wires
    }

    /// Free wires of one record: the bits, in the order in which they were asked for.
    pub fn bits(&self) -> usize {
        self.bits.len()
    }

    /// Output coordinates.
    pub fn outputs(&self) -> usize {
        self.outputs.len()
    }

    /// Multiplications that the proof covers, per record.
    pub fn multiplications(&self) -> usize {
        self.bits.len() + self.quadratics.len()
    }

    /// Fills in a record's products, given its bits; appends all its wires to `out`.
    ///
    /// `bits` has [`Circuit::bits`] elements. They are taken as they are: a value that is no bit
    /// makes a record that the servers reject.
    pub fn encode(&self, bits: &[Field128], out: &mut Vec<Field128>) {
        let start = out.len();
        out.resize(start + self.wires, Field128::zero());
        let wires = &mut out[start..];
        for (&wire, &bit) in self.bits.iter().zip(bits) {
            wires[wire] = bit;
        }
        // Products are numbered after the wires that they depend on.
        for quadratic in &self.quadratics {
            if let Some(product) = quadratic.product {
                wires[product] =
                    self.operand(quadratic.left, wires) * self.operand(quadratic.right, wires);
            }
        }
    }

    fn operand(&self, operand: Operand, wires: &[Field128]) -> Field128 {
        match operand {
            Operand::Wire(wire) => wires[wire],
            Operand::Form(form) => self.forms[form].eval(wires, Field128::one()),
        }
    }

    /// The outputs of a sum of records, from the sum of their wires: outputs are linear and have
    /// no constant.
    fn outputs_of(&self, wires: &[Field128]) -> Vec<Field128> {
        self.outputs.iter().map(|output| output.eval(wires, Field128::zero())).collect()
    }
}

/// Builds a [`Circuit`], wire by wire.
#[derive(Debug, Default)]
pub struct CircuitBuilder {
    wires: usize,
    bits: Vec<usize>,
    forms: Vec<Form>,
    known: HashMap<(Vec<(usize, u128)>, i64), usize>,
    quadratics: Vec<Quadratic>,
    zeros: Vec<usize>,
    outputs: Vec<Form>,
}

impl CircuitBuilder {
    /// A new free wire that must be 0 or 1.
    pub fn bit(&mut self) -> usize {
        let wire = self.wire();
        self.bits.push(wire);
        wire
    }

    /// A new wire that must equal left · right.
    pub fn product(&mut self, left: &Linear, right: &Linear) -> usize {
        let (left, right) = (self.operand(left), self.operand(right));
        let wire = self.wire();
        self.quadratics.push(Quadratic { left, right, product: Some(wire) });
        wire
    }

    /// Requires left · right = 0.
    pub fn require_product_zero(&mut self, left: &Linear, right: &Linear) {
        let (left, right) = (self.operand(left), self.operand(right));
        self.quadratics.push(Quadratic { left, right, product: None });
    }

    /// Requires a form to be 0.
    pub fn require_zero(&mut self, form: &Linear) {
        let form = self.form(form);
        self.zeros.push(form);
    }

    /// A new output coordinate; returns its index. The form's constant must be 0: a constant per
    /// record is the number of records, which is public.
    pub fn output(&mut self, form: &Linear) -> usize {
        debug_assert_eq!(form.constant, 0, "an output has no constant");
        self.outputs.push(Form::new(form));
        self.outputs.len() - 1
    }

    /// Wires so far.
    pub fn wires(&self) -> usize {
        self.wires
    }

    /// The finished circuit. A study that needs nothing but the number of records gets one wire,
    /// always 0, so that a submission still has a proof.
    pub fn build(mut self) -> Circuit {
        if self.wires == 0 {
            self.product(&Linear::default(), &Linear::default());
        }
        Circuit {
            wires: self.wires,
            bits: self.bits,
            forms: self.forms,
            quadratics: self.quadratics,
            zeros: self.zeros,
            outputs: self.outputs,
        }
    }

    fn wire(&mut self) -> usize {
        self.wires += 1;
        self.wires - 1
    }

    fn operand(&mut self, linear: &Linear) -> Operand {
        match (linear.terms.as_slice(), linear.constant) {
            (&[(wire, 1)], 0) => Operand::Wire(wire),
            _ => Operand::Form(self.form(linear)),
        }
    }

    fn form(&mut self, linear: &Linear) -> usize {
        let key = (linear.terms.clone(), linear.constant);
        *self.known.entry(key).or_insert_with(|| {
            self.forms.push(Form::new(linear));
            self.forms.len() - 1
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prio::field::FieldElementWithInteger;

    #[test]
    fn minus_one_is_the_field_modulus_less_one() {
        assert_eq!(MINUS_ONE, Field128::modulus() - 1);
    }
}
