//! Attack: what a coalition computes from the views of its members.
//!
//! [`knowledge`] subtracts what entered a run of honest pupils from what left it, and joins runs
//! that have a pupil in common. [`consistent`] is the other half: it shows what the coalition does
//! not know, by making, for every value that it cannot exclude, a class in which the pupil has that
//! value and the coalition sees the same.

use std::{collections::BTreeSet, ops::RangeInclusive};

use self::{coalition::Coalition, imagined::Imagined};
use super::{Message, Protocol, Seat, plan::Plan, view::View};

mod coalition;
mod imagined;

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

/// Views that do not fit together or are not of this plan, or a question that has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// No view was given.
    #[error("nobody has shown what it saw")]
    Nobody,
    /// A view of nobody in this round.
    #[error("{0} does not play in this round")]
    Stranger(Seat),
    /// Two views of one pupil.
    #[error("{0} has shown two views")]
    Again(Seat),
    /// Shares or masks that are too many or too few, or do not add up.
    #[error("the shares and masks that {0} has shown are not those of its value")]
    Secrets(Seat),
    /// Messages that are not, or not all, those of the pupil's lanes, or two on one.
    #[error("the messages that {0} has shown are not those that pass it in this round")]
    Messages(Seat),
    /// What was sent or announced does not follow from what was received.
    #[error("what {0} has shown to have sent does not follow from what it received")]
    Arithmetic(Seat),
    /// Two members of the coalition have seen different numbers on the lane between them.
    #[error("{0} and {1} have shown different numbers for what passed between them")]
    Between(Seat, Seat),
    /// What a pupil says that everybody heard is not what another one says.
    #[error("{0} and {1} have shown different announcements")]
    Announced(Seat, Seat),
    /// The pupil asked about is a member of the coalition, or does not play.
    #[error("{0} is not one of the honest pupils of this round")]
    Target(Seat),
}

/// What the views' owners learn together.
pub fn knowledge(plan: &Plan, views: &[View]) -> Result<Knowledge, Contradiction> {
    Ok(learn(&Coalition::new(plan, views)?))
}

/// The values of `target`, within `range` for every honest pupil, that the views allow: for each
/// one a class is made (values, shares and masks of all honest pupils), the round is played with it,
/// and the coalition's views come out the same, message by message.
///
/// `range` lies so far inside 64 bits that a sum of [`super::MOST`] of its values does not wrap, and
/// has few enough values to try them all.
pub fn consistent(
    plan: &Plan,
    views: &[View],
    target: Seat,
    range: RangeInclusive<i64>,
) -> Result<Vec<i64>, Contradiction> {
    let coalition = Coalition::new(plan, views)?;
    if !coalition.honest().contains(&target) {
        return Err(Contradiction::Target(target));
    }
    let knowledge = learn(&coalition);
    let class = Imagined::new(&coalition, &knowledge.groups, target, range);
    Ok(class.map(Iterator::collect).unwrap_or_default())
}

/// The values of any one honest pupil that the total alone allows to whoever knows the coalition's
/// values: what no protocol can keep from it. `range` as in [`consistent`].
pub fn allowed_by_total(
    plan: &Plan,
    views: &[View],
    range: RangeInclusive<i64>,
) -> Result<Vec<i64>, Contradiction> {
    let coalition = Coalition::new(plan, views)?;
    if coalition.honest().is_empty() {
        return Ok(Vec::new());
    }
    // At most MOST of them, and one at least.
    let rest = coalition.honest().len() as i128 - 1;
    let (min, max) = (i128::from(*range.start()), i128::from(*range.end()));
    let sum = i128::from(coalition.honest_sum().cast_signed());
    let others = rest * min..=rest * max;
    Ok(range.filter(|&value| others.contains(&(sum - i128::from(value)))).collect())
}

fn learn(coalition: &Coalition) -> Knowledge {
    let arcs = arcs(coalition);
    let sets = match coalition.plan().protocol() {
        Protocol::Ring | Protocol::Rings => join(&arcs),
        // Everybody's shares are mixed with everybody's.
        Protocol::Shares => vec![coalition.honest().iter().copied().collect()],
    };
    let mut groups = Vec::new();
    let mut rest = coalition.honest_sum();
    for members in sets.into_iter().filter(|set| !set.is_empty()) {
        let within = arcs.iter().filter(|arc| arc.honest.iter().any(|seat| members.contains(seat)));
        let sum = within.map(|arc| arc.sum).try_fold(0u64, |sum, arc| Some(sum.wrapping_add(arc?)));
        let is_seen = coalition.plan().protocol() != Protocol::Shares;
        let sum = sum.filter(|_| is_seen);
        rest = rest.wrapping_sub(sum.unwrap_or(0));
        groups.push((members.into_iter().collect(), sum));
    }
    // One group at most is not seen, and is what the total leaves: that of an honest P_1.
    let groups = groups.into_iter();
    let groups = groups.map(|(members, sum)| Group { members, sum: sum.unwrap_or(rest) });
    Knowledge { groups: groups.collect(), arcs }
}

/// The runs of honest pupils between two members, ring by ring.
fn arcs(coalition: &Coalition) -> Vec<Arc> {
    let mut arcs = Vec::new();
    for (ring, order) in (0..).zip(coalition.plan().rings()) {
        let is_member = |seat: &Seat| coalition.view(*seat).is_some();
        // From a member on, so that no run is cut where the list ends.
        let first = order.iter().position(is_member).unwrap_or(0);
        let around = order.iter().cycle().skip(first).take(order.len() + 1);
        let mut member = None;
        let mut honest = Vec::new();
        for &seat in around {
            if !is_member(&seat) {
                honest.push(seat);
                continue;
            }
            let run = std::mem::take(&mut honest);
            if let (Some(before), Some(&one), Some(&last)) = (member, run.first(), run.last()) {
                let entered = coalition.seen(ring, before, one);
                let left = coalition.seen(ring, last, seat);
                if let (Some(entered), Some(left)) = (entered, left) {
                    let sum = left.value.wrapping_sub(entered.value);
                    let sum = (!run.contains(&Seat(0))).then_some(sum);
                    arcs.push(Arc { ring, honest: run, entered, left, sum });
                }
            }
            member = Some(seat);
        }
    }
    arcs
}

/// The sets of pupils that are in one arc, or in arcs that have pupils in common.
fn join(arcs: &[Arc]) -> Vec<BTreeSet<Seat>> {
    let mut sets: Vec<BTreeSet<Seat>> = Vec::new();
    for arc in arcs {
        let meets = |set: &BTreeSet<Seat>| arc.honest.iter().any(|seat| set.contains(seat));
        let (joined, apart): (Vec<_>, Vec<_>) = sets.into_iter().partition(meets);
        sets = apart;
        sets.push(joined.into_iter().flatten().chain(arc.honest.iter().copied()).collect());
    }
    sets.sort();
    sets
}

#[cfg(test)]
mod tests;
