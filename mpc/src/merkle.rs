//! Merkle tree over the sorted submissions of a study: one root that k servers sign.
//!
//! Leaves and inner nodes live in different domains, and an odd node is carried up unchanged, so
//! two different lists never share a root.

use crate::dst;

/// The root over `leaves`, in the order given.
pub fn root(leaves: impl IntoIterator<Item = [u8; 32]>) -> [u8; 32] {
    let mut level: Vec<[u8; 32]> = leaves.into_iter().collect();
    if level.is_empty() {
        return dst::hash(dst::MERKLE_EMPTY, &[]);
    }
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| match pair {
                [left, right] => dst::hash(dst::MERKLE_NODE, &[left, right]),
                [odd] => *odd,
                _ => unreachable!("chunks(2) gives one or two"),
            })
            .collect();
    }
    level[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(n: u8) -> Vec<[u8; 32]> {
        (0..n).map(|i| dst::hash(dst::MERKLE_LEAF, &[&[i]])).collect()
    }

    #[test]
    fn the_root_changes_with_every_leaf_its_order_and_their_number() {
        for n in 0..9 {
            let base = leaves(n);
            let expected = root(base.clone());
            for m in 0..9 {
                assert_eq!(expected == root(leaves(m)), n == m);
            }
            for i in 0..base.len() {
                let mut changed = base.clone();
                changed[i][0] ^= 1;
                assert_ne!(root(changed), expected);
                let mut swapped = base.clone();
                swapped.swap(0, i);
                assert_eq!(root(swapped) == expected, i == 0);
            }
        }
    }
}
