//! Attack: what a coalition computes from the views of its members.

use std::ops::RangeInclusive;

use super::{Message, Seat, plan::Plan, view::View};

/// What a coalition learns from its views.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Knowledge {
    /// The sums that it computes, one per ring and run of honest pupils between two members.
    pub arcs: Vec<Arc>,
    /// The groups of honest pupils of whom it learns the sum of their values, modulo 2^64.
    pub groups: Vec<Group>,
}

/// A run of honest pupils in one ring, between two members of the coalition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arc {
    /// The ring, counted from 0.
    pub ring: u16,
    /// The honest pupils, in the ring's order.
    pub honest: Vec<Seat>,
    /// What a member sent into the run.
    pub entered: Message,
    /// What a member received out of it.
    pub left: Message,
    /// The sum of the honest pupils' shares in this ring, modulo 2^64, where the coalition knows
    /// it: not where the run has P_1 in it, whose mask hides it.
    pub sum: Option<u64>,
}

/// Honest pupils of whom a coalition learns the sum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The pupils.
    pub members: Vec<Seat>,
    /// The sum of their values, modulo 2^64.
    pub sum: u64,
}

/// Views that do not fit together or are not of this plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {/* … */}

/// What the views' owners learn together.
pub fn knowledge(plan: &Plan, views: &[View]) -> Result<Knowledge, Contradiction> {
    unimplemented!()
}

/// The values of `target`, within `range` for every honest pupil, that the views allow: for each
/// one a class is made (values, shares and masks of all honest pupils), the round is played with it,
/// and the coalition's views come out the same, message by message.
pub fn consistent(
    plan: &Plan,
    views: &[View],
    target: Seat,
    range: RangeInclusive<i64>,
) -> Result<Vec<i64>, Contradiction> {
    unimplemented!()
}

/// The values of `target` that the total alone allows to whoever knows the coalition's values: what
/// no protocol can keep from it.
pub fn allowed_by_total(
    plan: &Plan,
    views: &[View],
    range: RangeInclusive<i64>,
) -> Result<Vec<i64>, Contradiction> {
    unimplemented!()
}
