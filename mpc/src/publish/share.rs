//! Share: what one server adds up over the agreed set, its part of every total.

use std::fmt;

use curve25519_dalek::Scalar;
use zeroize::{Zeroize as _, ZeroizeOnDrop, Zeroizing};

use super::Sum;
use crate::collect::OutputShare;

/// A server's sums over the set: A_j over the integers, and R_j of the blindings. Secret: only what
/// the study's rules ask for is ever opened. Redacted in `Debug`, wiped when dropped.
pub struct ResultShare {
    sums: Zeroizing<Vec<Sum>>,
    blinding: Scalar,
    submissions: u64,
}

impl ResultShare {
    /// Nothing added yet.
    pub fn new(coordinates: usize) -> Self {
        let sums = Zeroizing::new(vec![Sum::default(); coordinates]);
        Self { sums, blinding: Scalar::ZERO, submissions: 0 }
    }

    /// Adds the output share of one submission.
    pub fn add(&mut self, share: &OutputShare) {
        self.sums.iter_mut().zip(share.values.iter()).for_each(|(sum, value)| sum.add(*value));
        self.blinding += *share.blinding.reveal_scalar();
        self.submissions += 1;
    }

    /// How many submissions were added.
    pub fn submissions(&self) -> u64 {
        self.submissions
    }

    pub(super) fn sums(&self) -> &[Sum] {
        &self.sums
    }

    pub(super) fn blinding(&self) -> &Scalar {
        &self.blinding
    }
}

impl Drop for ResultShare {
    fn drop(&mut self) {
        self.blinding.zeroize();
    }
}

impl ZeroizeOnDrop for ResultShare {}

impl fmt::Debug for ResultShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResultShare(secret)")
    }
}
