//! Imagined: a class that looks to a coalition like the one it played with, and others like it in
//! which one pupil has another value.
//!
//! The first class is made from nothing but the views, and played in full. From one value to the
//! next, two pupils' values change, and shares of those who sit between them; these are played again
//! with what they receive, and whoever then receives something else, until nothing changes any more.
//! As long as no member of the coalition receives anything else, and nobody announces anything else,
//! the members have nothing else to send, so that their views are the same.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    ops::RangeInclusive,
    sync::Arc,
};

use super::{Group, coalition::Coalition};
use crate::ring::{
    Announcement, Lane, Message, Protocol, Seat,
    play::play_with,
    pupil::{Action, Pupil, Secrets},
};

/// A class that the coalition may have played with.
pub(super) struct Imagined<'a> {
    coalition: &'a Coalition,
    target: Seat,
    range: RangeInclusive<i64>,
    /// Those who share a sum with the target.
    others: Vec<Seat>,
    /// By seat, the members' among them.
    secrets: Vec<Secrets>,
    messages: BTreeMap<Lane, u64>,
    /// The way of shares from the target to everybody in its group.
    tree: Vec<Branch>,
    is_first: bool,
}

/// An exchange of shares that changes no sum of shares that the coalition sees.
#[derive(Clone, Copy)]
struct Branch {
    pupil: Seat,
    /// Nearer to the root.
    parent: Seat,
    /// Which of their shares.
    share: usize,
}

impl<'a> Imagined<'a> {
    /// The class with the smallest value of the target; none if values within the range cannot have
    /// the groups' sums.
    pub(super) fn new(
        coalition: &'a Coalition,
        groups: &[Group],
        target: Seat,
        range: RangeInclusive<i64>,
    ) -> Option<Self> {
        let mut values = BTreeMap::new();
        for group in groups {
            // Filled up from the back, so that the target, in front, has the least.
            let mut members = group.members.clone();
            members.sort_by_key(|seat| *seat != target);
            let spread = spread(group.sum, members.len(), &range)?;
            values.extend(members.into_iter().zip(spread));
        }
        let group = groups.iter().find(|group| group.members.contains(&target))?;
        let others = group.members.iter().copied().filter(|seat| *seat != target).collect();
        let mut class = Self {
            coalition,
            target,
            range,
            others,
            secrets: Vec::new(),
            messages: BTreeMap::new(),
            tree: Vec::new(),
            is_first: true,
        };
        class.secrets = class.plain(&values)?;
        for group in groups {
            class.balance(&group.members)?;
        }
        class.mask();
        class.tree = class.grow(target);
        let played = play_with(coalition.plan(), &class.secrets).ok()?;
        class.messages = played.messages.iter().map(|one| (one.lane, one.value)).collect();
        coalition.has_seen(&played).then_some(class)
    }

    /// Everybody's value, with shares that put every sum that was seen on one pupil and do not yet
    /// add up to the values.
    fn plain(&self, values: &BTreeMap<Seat, i64>) -> Option<Vec<Secrets>> {
        let plan = self.coalition.plan();
        let honest = self.coalition.honest();
        let secrets = |seat: Seat| match self.coalition.view(seat) {
            Some(view) => Some(Secrets {
                value: view.value,
                shares: view.shares.clone(),
                masks: view.masks.clone(),
            }),
            None => Some(Secrets {
                value: values.get(&seat)?.cast_unsigned(),
                shares: vec![0; plan.shares()],
                masks: if seat == Seat(0) { vec![0; plan.rings().len()] } else { Vec::new() },
            }),
        };
        let mut secrets: Vec<_> = plan.seats().into_iter().map(secrets).collect::<Option<_>>()?;
        for arc in super::arcs(self.coalition) {
            *secrets
                .get_mut(arc.honest.first()?.index())?
                .shares
                .get_mut(usize::from(arc.ring))? = arc.sum.unwrap_or(0);
        }
        if plan.protocol() == Protocol::Shares {
            let first = honest.first()?;
            for holder in plan.seats() {
                // What a member holds of everybody it has seen; of what an honest pupil holds, the
                // sum alone, without the members' shares.
                if self.coalition.view(holder).is_some() {
                    for seat in honest {
                        let seen = self.coalition.seen(0, *seat, holder)?.value;
                        *secrets.get_mut(seat.index())?.shares.get_mut(holder.index())? = seen;
                    }
                } else {
                    let members = plan.seats().into_iter();
                    let members = members.filter_map(|seat| self.coalition.view(seat));
                    let held = members.filter_map(|view| view.shares.get(holder.index()));
                    let rest = held.fold(self.coalition.announced(holder)?, |rest, share| {
                        rest.wrapping_sub(*share)
                    });
                    *secrets.get_mut(first.index())?.shares.get_mut(holder.index())? = rest;
                }
            }
        }
        Some(secrets)
    }

    /// Exchanges shares within a group until everybody's add up to its value.
    fn balance(&mut self, group: &[Seat]) -> Option<()> {
        // What is left at the end is the sum of the arcs that an honest P_1's masks hide: it has
        // the lowest seat, so it is the root.
        let root = *group.first()?;
        for Branch { pupil, parent, share } in self.grow(root).into_iter().rev() {
            let lacks = self.lacks(pupil)?;
            self.exchange(parent, pupil, share, lacks)?;
        }
        let lacks = self.lacks(root)?;
        if root == Seat(0) && !self.coalition.plan().rings().is_empty() {
            let share = self.secrets.get_mut(root.index())?.shares.first_mut()?;
            *share = share.wrapping_add(lacks);
            return Some(());
        }
        (lacks == 0).then_some(())
    }

    /// What a pupil's shares lack to be its value.
    fn lacks(&self, seat: Seat) -> Option<u64> {
        let secrets = self.secrets.get(seat.index())?;
        Some(secrets.shares.iter().fold(secrets.value, |rest, share| rest.wrapping_sub(*share)))
    }

    /// Gives an honest P_1 the masks under which its first messages come out as they were seen.
    fn mask(&mut self) {
        let plan = self.coalition.plan();
        if self.coalition.view(Seat(0)).is_some() {
            return;
        }
        let mut masks = Vec::new();
        for (ring, order) in (0..).zip(plan.rings()) {
            let mut sum = 0u64;
            for (&from, &to) in order.iter().zip(order.iter().skip(1)) {
                let shares = self.secrets.get(from.index()).map(|secrets| &secrets.shares);
                let share = shares.and_then(|shares| shares.get(usize::from(ring)));
                sum = sum.wrapping_add(share.copied().unwrap_or(0));
                if let Some(seen) = self.coalition.seen(ring, from, to) {
                    sum = seen.value.wrapping_sub(sum);
                    break;
                }
            }
            masks.push(sum);
        }
        if let Some(secrets) = self.secrets.first_mut() {
            secrets.masks = masks;
        }
    }

    /// The branches from a pupil to everybody in its group, the nearest first.
    fn grow(&self, root: Seat) -> Vec<Branch> {
        let plan = self.coalition.plan();
        let is_honest = |seat: Seat| self.coalition.view(seat).is_none();
        if plan.protocol() == Protocol::Shares {
            // The root's own sum stays the same when it keeps more and is sent less.
            let others = self.coalition.honest().iter().filter(|seat| **seat != root);
            return others
                .map(|&pupil| Branch { pupil, parent: root, share: root.index() })
                .collect();
        }
        let mut near: BTreeMap<Seat, Vec<(Seat, usize)>> = BTreeMap::new();
        for Lane { ring, from, to } in plan.lanes() {
            if is_honest(from) && is_honest(to) {
                near.entry(from).or_default().push((to, usize::from(ring)));
                near.entry(to).or_default().push((from, usize::from(ring)));
            }
        }
        let mut reached = BTreeSet::from([root]);
        let mut next = VecDeque::from([root]);
        let mut tree = Vec::new();
        while let Some(parent) = next.pop_front() {
            for &(pupil, share) in near.get(&parent).into_iter().flatten() {
                if reached.insert(pupil) {
                    tree.push(Branch { pupil, parent, share });
                    next.push_back(pupil);
                }
            }
        }
        tree
    }

    /// Moves an amount of a share from one pupil to its neighbour in that ring.
    fn exchange(&mut self, from: Seat, to: Seat, share: usize, amount: u64) -> Option<()> {
        let plan = self.coalition.plan();
        let last = plan.rings().get(share).and_then(|order| order.last()).copied();
        for (seat, neighbour, change) in [(from, to, amount.wrapping_neg()), (to, from, amount)] {
            let secrets = self.secrets.get_mut(seat.index())?;
            let held = secrets.shares.get_mut(share)?;
            *held = held.wrapping_add(change);
            // Between the last pupil of a ring and P_1, which comes first, everybody sits: the mask
            // keeps from them what has changed.
            if seat == Seat(0) && last == Some(neighbour) {
                let mask = secrets.masks.get_mut(share)?;
                *mask = mask.wrapping_sub(change);
            }
        }
        Some(())
    }

    /// The class with the next value of the target, taken from somebody who can spare it.
    fn step(&mut self) -> Option<()> {
        let value = self.value(self.target)?.checked_add(1)?;
        let spare = |seat: &&Seat| self.value(**seat).is_some_and(|own| own > *self.range.start());
        let giver = *self.others.iter().find(spare)?;
        if !self.range.contains(&value) {
            return None;
        }
        let mut changed = vec![giver];
        let mut at = giver;
        while at != self.target {
            let Branch { pupil, parent, share } =
                *self.tree.iter().find(|branch| branch.pupil == at)?;
            self.exchange(pupil, parent, share, 1)?;
            changed.push(parent);
            at = parent;
        }
        for (seat, change) in [(giver, u64::MAX), (self.target, 1)] {
            let secrets = self.secrets.get_mut(seat.index())?;
            secrets.value = secrets.value.wrapping_add(change);
        }
        self.replay(changed)
    }

    fn value(&self, seat: Seat) -> Option<i64> {
        self.secrets.get(seat.index()).map(|secrets| secrets.value.cast_signed())
    }

    /// Plays these pupils again, and every honest one that then receives something else. None if
    /// the coalition would notice.
    fn replay(&mut self, mut changed: Vec<Seat>) -> Option<()> {
        let plan = self.coalition.plan();
        let mut said = BTreeMap::new();
        let mut shown = BTreeMap::new();
        while let Some(seat) = changed.pop() {
            let secrets = self.secrets.get(seat.index())?;
            let mut pupil = Pupil::with_secrets(Arc::clone(plan), seat, secrets).ok()?;
            let mut actions = pupil.start();
            for &lane in plan.incoming(seat) {
                let value = *self.messages.get(&lane)?;
                actions.extend(pupil.receive(Message { lane, value }).ok()?);
            }
            for action in actions {
                match action {
                    Action::Send(Message { lane, value }) => {
                        let is_new = self.messages.insert(lane, value) != Some(value);
                        if self.coalition.view(lane.to).is_some() {
                            shown.insert(lane, value);
                        } else if is_new {
                            changed.push(lane.to);
                        }
                    }
                    Action::Announce(Announcement { from, value }) => {
                        said.insert(from, value);
                    }
                    Action::Learn(_) => (),
                }
            }
        }
        // Only now: a pupil may have been played with what its neighbour sent before.
        let seen = |(lane, value): (&Lane, &u64)| {
            let seen = self.coalition.seen(lane.ring, lane.from, lane.to);
            seen.is_some_and(|message| message.value == *value)
        };
        let heard = |(from, value)| self.coalition.announced(from) == Some(value);
        (shown.iter().all(seen) && said.into_iter().all(heard)).then_some(())
    }

    /// Whether the coalition would have seen the same in this class, everything played again.
    #[cfg(test)]
    pub(super) fn looks_the_same(&self) -> bool {
        let played = play_with(self.coalition.plan(), &self.secrets).unwrap();
        self.coalition.has_seen(&played)
    }
}

/// The values of the target, each with a class that has been played.
impl Iterator for Imagined<'_> {
    type Item = i64;

    fn next(&mut self) -> Option<i64> {
        match std::mem::take(&mut self.is_first) {
            true => (),
            false => self.step()?,
        }
        self.value(self.target)
    }
}

/// So many values within a range with this sum, modulo 2^64, the least in front.
fn spread(sum: u64, count: usize, range: &RangeInclusive<i64>) -> Option<Vec<i64>> {
    let (min, max) = (i128::from(*range.start()), i128::from(*range.end()));
    let mut rest = i128::from(sum.cast_signed()) - min * i128::try_from(count).ok()?;
    let mut values = Vec::with_capacity(count);
    for _ in 0..count {
        let more = rest.clamp(0, max - min);
        rest -= more;
        values.push(i64::try_from(min + more).ok()?);
    }
    values.reverse();
    (rest == 0).then_some(values)
}
