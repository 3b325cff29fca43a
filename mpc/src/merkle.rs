//! Merkle tree over the sorted submissions of a study: one root that k servers sign, and short
//! proofs that a submission is under it.
//!
//! Leaves and inner nodes live in different domains, and an odd node is carried up unchanged, so
//! two different lists never share a root. A [`Tree`] reads the leaves one after the other and
//! remembers one node per level, so that lists of any length fit.

use crate::{
    dst,
    ids::{PublicHash, SubmissionId},
    wire::{Reader, WireError},
};

/// A tree that grows leaf by leaf, in the order of its leaves.
///
/// The stack holds the roots of complete subtrees, the largest first: one of 2^h leaves for each
/// bit h of the number of leaves.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    stack: Vec<[u8; 32]>,
    leaves: u64,
    proofs: Vec<Proof>,
}

/// A proof that a leaf stands at one place under a root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The leaf's place, from 0.
    pub index: u64,
    /// Leaves of the tree. With the index it says on which side each sibling stands.
    pub leaves: u64,
    /// Siblings on the way from the leaf to the root; none where a node is carried up.
    pub siblings: Vec<[u8; 32]>,
}

/// The leaf of a submission that counts: submission ‖ hash of its public part ‖ records (4).
pub fn leaf(submission: &SubmissionId, public: &PublicHash, records: u32) -> [u8; 32] {
    dst::hash(dst::MERKLE_LEAF, &[&submission.0, &public.0, &records.to_be_bytes()])
}

/// The root over `leaves`, in the order given.
pub fn root(leaves: impl IntoIterator<Item = [u8; 32]>) -> [u8; 32] {
    let mut tree = Tree::default();
    leaves.into_iter().for_each(|leaf| tree.push(leaf));
    tree.root()
}

impl Tree {
    /// Appends a leaf.
    pub fn push(&mut self, leaf: [u8; 32]) {
        let mut node = leaf;
        // Every one at the end of the number of leaves is a complete subtree that the new leaf, and
        // what it grew to, makes a larger one with.
        for height in 0..self.leaves.trailing_ones() {
            let Some(left) = self.stack.pop() else { break };
            let start = (self.leaves >> height) << height;
            self.join(start, &left, &node);
            node = inner(&left, &node);
        }
        self.stack.push(node);
        self.leaves += 1;
    }

    /// Appends a leaf whose proof [`Tree::finish`] will give. Memory grows with the number of
    /// these, and of no others.
    pub fn push_and_prove(&mut self, leaf: [u8; 32]) {
        self.proofs.push(Proof { index: self.leaves, leaves: 0, siblings: Vec::new() });
        self.push(leaf);
    }

    /// Leaves so far.
    pub fn leaves(&self) -> u64 {
        self.leaves
    }

    /// The root over the leaves so far.
    pub fn root(&self) -> [u8; 32] {
        let mut subtrees = self.stack.iter().rev();
        match subtrees.next() {
            None => dst::hash(dst::MERKLE_EMPTY, &[]),
            Some(last) => subtrees.fold(*last, |right, left| inner(left, &right)),
        }
    }

    /// The root and the proofs that were asked for, by index.
    pub fn finish(mut self) -> ([u8; 32], Vec<Proof>) {
        let Some(mut node) = self.stack.pop() else { return (self.root(), Vec::new()) };
        // Leaves from here on are under `node`.
        let mut start = self.leaves & self.leaves.wrapping_sub(1);
        while let Some(left) = self.stack.pop() {
            self.join(start, &left, &node);
            node = inner(&left, &node);
            start &= start.wrapping_sub(1);
        }
        let leaves = self.leaves;
        self.proofs.iter_mut().for_each(|proof| proof.leaves = leaves);
        (node, self.proofs)
    }

    /// Notes the siblings when the subtree from `start` on, which has every leaf from there to the
    /// last one, gets a left neighbour.
    fn join(&mut self, start: u64, left: &[u8; 32], right: &[u8; 32]) {
        // The left neighbour is as large as the lowest bit of where the right one starts.
        let from = start & start.wrapping_sub(1);
        let first = self.proofs.partition_point(|proof| proof.index < from);
        for proof in self.proofs.iter_mut().skip(first) {
            proof.siblings.push(if proof.index < start { *right } else { *left });
        }
    }
}

impl Proof {
    /// The most siblings that a proof can have.
    const DEPTH: usize = 64;

    /// Whether `leaf` stands at this place under `root`.
    pub fn verify(&self, leaf: &[u8; 32], root: &[u8; 32]) -> bool {
        if self.index >= self.leaves {
            return false;
        }
        let mut siblings = self.siblings.iter();
        let (mut node, mut index, mut width) = (*leaf, self.index, self.leaves);
        while width > 1 {
            // The last node of an odd level has no sibling.
            if index + 1 != width || width.is_multiple_of(2) {
                let Some(sibling) = siblings.next() else { return false };
                node = match index.is_multiple_of(2) {
                    true => inner(&node, sibling),
                    false => inner(sibling, &node),
                };
            }
            (index, width) = (index / 2, width.div_ceil(2));
        }
        siblings.next().is_none() && node == *root
    }

    /// index (8) ‖ leaves (8) ‖ siblings (32 each).
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(16 + 32 * self.siblings.len());
        out.extend_from_slice(&self.index.to_be_bytes());
        out.extend_from_slice(&self.leaves.to_be_bytes());
        out.extend(self.siblings.iter().flatten());
        out
    }

    /// The inverse of [`Proof::encode`].
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes);
        let (index, leaves) = (reader.u64()?, reader.u64()?);
        if reader.remaining() > 32 * Self::DEPTH {
            return Err(WireError::Range("depth of the proof"));
        }
        let mut siblings = Vec::with_capacity(reader.remaining() / 32);
        while reader.remaining() > 0 {
            siblings.push(reader.array()?);
        }
        Ok(Self { index, leaves, siblings })
    }
}

fn inner(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    dst::hash(dst::MERKLE_NODE, &[left, right])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn leaves(n: u16) -> Vec<[u8; 32]> {
        (0..n).map(|i| dst::hash(dst::MERKLE_LEAF, &[&i.to_be_bytes()])).collect()
    }

    /// Level by level, as the module's text defines the tree.
    fn plain_root(mut level: Vec<[u8; 32]>) -> [u8; 32] {
        if level.is_empty() {
            return dst::hash(dst::MERKLE_EMPTY, &[]);
        }
        while level.len() > 1 {
            let pair = |pair: &[[u8; 32]]| match pair {
                [left, right] => inner(left, right),
                odd => odd[0],
            };
            level = level.chunks(2).map(pair).collect();
        }
        level[0]
    }

    fn proved(leaves: &[[u8; 32]], wanted: impl Fn(usize) -> bool) -> ([u8; 32], Vec<Proof>) {
        let mut tree = Tree::default();
        for (index, leaf) in leaves.iter().enumerate() {
            match wanted(index) {
                true => tree.push_and_prove(*leaf),
                false => tree.push(*leaf),
            }
        }
        tree.finish()
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

    #[test]
    fn trees_of_every_small_size_have_the_plain_root_and_a_proof_of_each_leaf() {
        for n in 0..130 {
            let leaves = leaves(n);
            let (root, proofs) = proved(&leaves, |_| true);
            assert_eq!(root, plain_root(leaves.clone()), "{n} leaves");
            assert_eq!(proofs.len(), leaves.len());
            for (proof, leaf) in proofs.iter().zip(&leaves) {
                assert!(proof.verify(leaf, &root), "leaf {} of {n}", proof.index);
            }
        }
    }

    #[test]
    fn a_proof_is_good_for_no_other_leaf_place_or_root() {
        for n in 1..20 {
            let leaves = leaves(n);
            let (root, proofs) = proved(&leaves, |_| true);
            for (place, proof) in proofs.iter().enumerate() {
                for (other, leaf) in leaves.iter().enumerate() {
                    assert_eq!(proof.verify(leaf, &root), other == place);
                }
                for index in 0..u64::from(n) + 2 {
                    let moved = Proof { index, ..proof.clone() };
                    assert_eq!(moved.verify(&leaves[place], &root), index == place as u64);
                }
                let mut other_root = root;
                other_root[31] ^= 1;
                assert!(!proof.verify(&leaves[place], &other_root));
                let mut longer = proof.clone();
                longer.siblings.push([0; 32]);
                assert!(!longer.verify(&leaves[place], &root));
                let mut shorter = proof.clone();
                assert!(shorter.siblings.pop().is_none() || !shorter.verify(&leaves[place], &root));
            }
        }
    }

    #[test]
    fn an_inner_node_is_no_leaf() {
        let leaves = leaves(4);
        let node = inner(&leaves[0], &leaves[1]);
        let right = inner(&leaves[2], &leaves[3]);
        let shortened = Proof { index: 0, leaves: 2, siblings: vec![right] };
        // The hash is the same: a verifier compares the number of leaves with the signed one, and
        // makes the leaf itself, in the leaves' domain.
        assert!(shortened.verify(&node, &root(leaves)));
        let submission = (SubmissionId([1; 16]), PublicHash([2; 32]));
        assert_ne!(leaf(&submission.0, &submission.1, 3), node);
    }

    proptest! {
        #[test]
        fn proofs_of_some_leaves_of_a_large_tree_verify(
            n in 1u16..3000, wanted in prop::collection::btree_set(0usize..3000, 0..20),
        ) {
            let leaves = leaves(n);
            let (root, proofs) = proved(&leaves, |index| wanted.contains(&index));
            prop_assert_eq!(root, plain_root(leaves.clone()));
            let expected: Vec<u64> =
                wanted.iter().filter(|&&index| index < leaves.len()).map(|&i| i as u64).collect();
            prop_assert_eq!(proofs.iter().map(|proof| proof.index).collect::<Vec<_>>(), expected);
            for proof in proofs {
                prop_assert!(proof.verify(&leaves[proof.index as usize], &root));
                prop_assert_eq!(Proof::decode(&proof.encode()), Ok(proof));
            }
        }

        #[test]
        fn any_bytes_are_decoded_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
            if let Ok(proof) = Proof::decode(&bytes) {
                prop_assert_eq!(proof.encode(), bytes);
            }
        }
    }
}
