//! Merkle tree over the sorted submissions of a study: one root that k servers sign.
//!
//! Leaves and inner nodes live in different domains, and an odd node is carried up unchanged, so
//! two different lists never share a root.

use crate::dst;

/// The root over `leaves`, in the order given.
pub fn root(leaves: impl IntoIterator<Item = [u8; 32]>) -> [u8; 32] {
    let mut tree = Tree::default();
    leaves.into_iter().for_each(|leaf| tree.push(leaf));
    tree.root()
}

/// A tree that grows leaf by leaf, in memory that grows with its height.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    /// Roots of the complete subtrees, the largest first, each with its height.
    subtrees: Vec<(u32, [u8; 32])>,
}

impl Tree {
    /// Adds the next leaf.
    pub fn push(&mut self, leaf: [u8; 32]) {
        let (mut height, mut node) = (0, leaf);
        while let Some((_, left)) = self.subtrees.pop_if(|(last, _)| *last == height) {
            node = dst::hash(dst::MERKLE_NODE, &[&left, &node]);
            height += 1;
        }
        self.subtrees.push((height, node));
    }

    /// The root over the leaves so far.
    pub fn root(&self) -> [u8; 32] {
        let mut subtrees = self.subtrees.iter().rev().map(|(_, node)| *node);
        let Some(last) = subtrees.next() else { return dst::hash(dst::MERKLE_EMPTY, &[]) };
        // An odd node is carried up until it meets the next larger subtree.
        subtrees.fold(last, |right, left| dst::hash(dst::MERKLE_NODE, &[&left, &right]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(n: u8) -> Vec<[u8; 32]> {
        (0..n).map(|i| dst::hash(dst::MERKLE_LEAF, &[&[i]])).collect()
    }

    /// Level by level, as the tree is defined.
    fn by_levels(mut level: Vec<[u8; 32]>) -> [u8; 32] {
        while level.len() > 1 {
            let node = |pair: &[[u8; 32]]| match pair {
                [left, right] => dst::hash(dst::MERKLE_NODE, &[left, right]),
                _ => pair[0],
            };
            level = level.chunks(2).map(node).collect();
        }
        level[0]
    }

    #[test]
    fn a_tree_that_grows_has_the_root_of_the_whole() {
        let mut tree = Tree::default();
        assert_eq!(tree.root(), dst::hash(dst::MERKLE_EMPTY, &[]));
        for n in 1..=70 {
            tree.push(dst::hash(dst::MERKLE_LEAF, &[&[n - 1]]));
            assert_eq!(tree.root(), by_levels(leaves(n)), "{n} leaves");
        }
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
