//! Sums of field elements over the integers, wide enough for every submission of a study.

use prio::field::{Field128, FieldElementWithInteger};

/// A sum of up to 2^64 values below 2^128, as 192 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Sum {
    high: u64,
    low: u128,
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
