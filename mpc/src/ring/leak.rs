//! The criterion: what a coalition of pupils learns from a set of rings, without looking at a
//! message.

use super::Seat;

/// The honest pupils in groups: those of one group are joined by the rings' edges between honest
/// pupils. A coalition learns the sum of each group's values, and nothing else about them.
///
/// (write the proof here: linear functionals, arcs, initiator)
pub fn groups(rings: &[Vec<Seat>], coalition: &[Seat]) -> Vec<Vec<Seat>> {
    unimplemented!()
}

/// Whether a coalition learns nothing but the sum of all honest values, which the total tells it
/// anyway: whether the union of the rings, restricted to the honest pupils, is connected.
pub fn is_safe(rings: &[Vec<Seat>], coalition: &[Seat]) -> bool {
    groups(rings, coalition).len() <= 1
}
