//! Sums of field elements over the integers, wide enough for every submission of a study.

use std::fmt;

use curve25519_dalek::Scalar;
use prio::field::{Field128, FieldElementWithInteger};
use zeroize::DefaultIsZeroes;

/// A sum of up to 2^64 values below 2^128, as 192 bits. Redacted in `Debug`: it is a secret until it
/// is opened.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Sum {
    high: u64,
    low: u128,
}

impl DefaultIsZeroes for Sum {}

impl fmt::Debug for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sum(redacted)")
    }
}

/// 2^128 mod p, for p the Field128 prime.
const CARRY: u128 = 0u128.wrapping_sub(MODULUS);

/// The Field128 prime.
const MODULUS: u128 = crate::circuit::MINUS_ONE + 1;

impl Sum {
    /// Bytes of the encoding.
    pub const BYTES: usize = 24;

    /// Adds one value.
    pub fn add(&mut self, value: u128) {
        let (low, carry) = self.low.overflowing_add(value);
        self.low = low;
        self.high += u64::from(carry);
    }

    /// This sum of `count` field elements with a signed number added over the integers. None if that
    /// is no possible sum of as many field elements: below zero, or above count · (p − 1).
    pub fn add_signed(&self, value: i128, count: u64) -> Option<Self> {
        let magnitude = value.unsigned_abs();
        let (low, carry) = match value < 0 {
            true => self.low.overflowing_sub(magnitude),
            false => self.low.overflowing_add(magnitude),
        };
        let high = match value < 0 {
            true => self.high.checked_sub(carry.into())?,
            false => self.high.checked_add(carry.into())?,
        };
        let moved = Self { high, low };
        moved.is_sum_of(count).then_some(moved)
    }

    /// Whether this can be the sum of `count` field elements.
    pub fn is_sum_of(&self, count: u64) -> bool {
        // count · (p − 1), in two halves of 64 bits each to stay within 128 bits.
        let count = u128::from(count);
        let (top, bottom) = ((MODULUS - 1) >> 64, (MODULUS - 1) & u128::from(u64::MAX));
        let middle = count * top + ((count * bottom) >> 64);
        let low = (middle << 64) | ((count * bottom) & u128::from(u64::MAX));
        (u128::from(self.high), self.low) <= (middle >> 64, low)
    }

    /// The sum mod p.
    pub fn reduce(&self) -> Field128 {
        debug_assert_eq!(MODULUS, Field128::modulus());
        let low = Field128::from(self.low % MODULUS);
        low + Field128::from(u128::from(self.high)) * Field128::from(CARRY)
    }

    /// The sum mod ℓ, which is far above it.
    pub(super) fn scalar(&self) -> Scalar {
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(&self.low.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.high.to_le_bytes());
        Scalar::from_bytes_mod_order(bytes)
    }

    /// 24 bytes, big-endian.
    pub fn encode(&self) -> [u8; Self::BYTES] {
        let mut out = [0; Self::BYTES];
        out[..8].copy_from_slice(&self.high.to_be_bytes());
        out[8..].copy_from_slice(&self.low.to_be_bytes());
        out
    }

    /// The inverse of [`Sum::encode`].
    pub fn decode(bytes: [u8; Self::BYTES]) -> Self {
        let mut low = [0; 16];
        let mut high = [0; 8];
        high.copy_from_slice(&bytes[..8]);
        low.copy_from_slice(&bytes[8..]);
        Self { high: u64::from_be_bytes(high), low: u128::from_be_bytes(low) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_integer_sum_reduces_to_the_field_sum(values in prop::collection::vec(0..MODULUS, 0..50)) {
            let mut sum = Sum::default();
            let mut field = Field128::from(0);
            for &value in &values {
                sum.add(value);
                field += Field128::from(value);
            }
            prop_assert_eq!(sum.reduce(), field);
            prop_assert_eq!(Sum::decode(sum.encode()), sum);
            prop_assert!(sum.is_sum_of(values.len() as u64));
        }
    }

    proptest! {
        #[test]
        fn a_signed_number_is_added_over_the_integers(
            values in prop::collection::vec(0..MODULUS, 2..9), signed in any::<i64>(),
        ) {
            let mut sum = Sum::default();
            values.iter().for_each(|&value| sum.add(value));
            // The first two leave room on both sides.
            sum.add(1 << 64);
            let moved = sum.add_signed(signed.into(), 10).expect("in range");
            let back = moved.add_signed(-i128::from(signed), 10).expect("in range");
            prop_assert_eq!(back, sum);
            let residue = Field128::from(u128::from(signed.unsigned_abs()));
            let field = if signed < 0 { sum.reduce() - residue } else { sum.reduce() + residue };
            prop_assert_eq!(moved.reduce(), field);
            prop_assert_eq!(moved < sum, signed < 0);
        }
    }

    #[test]
    fn a_signed_number_that_leaves_the_range_of_shares_is_refused() {
        let mut sum = Sum::default();
        assert_eq!(sum.add_signed(-1, 5), None);
        assert_eq!(sum.add_signed(1, 0), None);
        sum.add(7);
        assert_eq!(sum.add_signed(-7, 5), Some(Sum::default()));
        assert_eq!(sum.add_signed(-8, 5), None);
        assert_eq!(sum.add_signed(i128::MIN, 5), None);
        sum.add(MODULUS - 8);
        assert!(sum.is_sum_of(1));
        assert_eq!(sum.add_signed(1, 1), None);
        // Across the border of the two halves, both ways.
        sum.add(MODULUS - 1);
        let moved = |sum: Option<Sum>, by| sum.and_then(|sum| sum.add_signed(by, 2));
        let below = [i128::MIN; 2].into_iter().fold(Some(sum), moved).expect("in range");
        assert!(below.high < sum.high);
        let back = [i128::MAX, 1, i128::MAX, 1].into_iter().fold(Some(below), moved);
        assert_eq!(back, Some(sum));
    }

    #[test]
    fn the_range_is_exact_at_its_end() {
        let mut sum = Sum::default();
        for _ in 0..5 {
            sum.add(MODULUS - 1);
        }
        assert!(sum.is_sum_of(5) && !sum.is_sum_of(4));
        sum.add(1);
        assert!(!sum.is_sum_of(5) && sum.is_sum_of(6));
        assert!(Sum::default().is_sum_of(0));
    }
}
