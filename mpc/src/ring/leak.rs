//! The criterion: what a coalition of pupils learns from a set of rings, without looking at a
//! message.
//!
//! # Claim
//! Let G be the graph of the honest pupils in which two are joined when they are neighbours in one
//! of the rings. A coalition learns the sum of the values of every connected component of G, and
//! nothing else about the honest values. So it learns nothing beyond the honest total, which
//! follows from the announced total, exactly when G is connected.
//!
//! # Proof
//! Pupil i's value is v_i = s_i1 + … + s_im, and its shares are uniform under this condition; in
//! ring j the messages are partial sums of s_ij in the ring's order, on top of P_1's mask r_j. The
//! coalition's own shares are known to it and are left out here.
//!
//! *What it sees.* The coalition cuts ring j into arcs, runs of honest pupils between two members.
//! Of an arc it sees the number that enters and the number that leaves; the difference is the arc's
//! sum, Σ s_ij over the arc. If P_1 is honest, the number that leaves P_1's arc carries the mask
//! r_j, and the one that enters it is the same plus all other arcs' sums: the difference says
//! nothing new, and the number alone is uniform, whatever the shares are, because r_j is uniform
//! and enters nothing else that the coalition sees. So the sums of P_1's arcs are not seen. But the
//! announced total, less all other arcs, is the sum of P_1's arcs of all rings. (If a member is
//! P_1, it knows its masks, all arcs' sums are seen, and the total follows from them. A ring without
//! any member is one arc, with P_1 in it.) Together: an invertible change of what is seen gives the
//! sums of all arcs without P_1, the sum over the rings of P_1's arcs, and uniform noise.
//!
//! *What follows about the values.* All that is linear and uniform: given the seen sums, the
//! shares are uniform among those that fit. So what is known of the values is what linear
//! combinations of the seen sums say of them. Take one, with coefficient λ_ja for arc a of ring j
//! (the same μ for P_1's arcs of all rings). In it s_ij has the coefficient of its arc in ring j. A
//! combination is a function of the values alone, Σ a_i v_i, if and only if s_i1, …, s_im have one
//! coefficient, a_i: λ_ja = a_i for every ring j and every i in arc a. Therefore a_i = a_k whenever
//! i and k are neighbours in some ring, and a is constant on the components of G. Conversely every
//! such a is learned: each arc lies within one component, so λ_ja = a_i is well defined, and P_1's
//! arcs all lie in P_1's component, so theirs is one μ as it has to be. ∎
//!
//! With one ring this is the attack of two neighbours: the components are the arcs. The same ring
//! many times has the same neighbours, so that splitting values over one ring does not help.

use std::collections::{BTreeMap, BTreeSet};

use super::{Protocol, Seat, plan::Plan};

/// The honest pupils of these rings in groups: those of one group are joined by the rings' edges
/// between honest pupils. A coalition learns the sum of each group's values, and nothing else about
/// them. Each group and their list are in the order of seats.
pub fn groups(rings: &[Vec<Seat>], coalition: &[Seat]) -> Vec<Vec<Seat>> {
    let mut neighbours: BTreeMap<Seat, BTreeSet<Seat>> = BTreeMap::new();
    for ring in rings {
        for (&one, &other) in ring.iter().zip(ring.iter().cycle().skip(1)) {
            neighbours.entry(one).or_default().insert(other);
            neighbours.entry(other).or_default().insert(one);
        }
    }
    let mut rest: BTreeSet<Seat> = neighbours.keys().copied().collect();
    rest.retain(|seat| !coalition.contains(seat));
    let mut groups = Vec::new();
    while let Some(first) = rest.pop_first() {
        let mut group = vec![first];
        let mut next = vec![first];
        while let Some(seat) = next.pop() {
            let near = neighbours.get(&seat).into_iter().flatten();
            let reached: Vec<Seat> = near.copied().filter(|other| rest.remove(other)).collect();
            group.extend(&reached);
            next.extend(reached);
        }
        group.sort_unstable();
        groups.push(group);
    }
    groups
}

/// Whether a coalition learns nothing but the sum of all honest values, which the total tells it
/// anyway: whether the union of the rings, restricted to the honest pupils, is connected.
pub fn is_safe(rings: &[Vec<Seat>], coalition: &[Seat]) -> bool {
    groups(rings, coalition).len() <= 1
}

/// The groups of a plan. With [`Protocol::Shares`] the honest pupils are one: every two of them
/// have a share that nobody else has seen, and in a combination of what was announced it comes
/// with the coefficient of its receiver's announcement, which has to be the same for all shares of
/// a value.
pub fn groups_of(plan: &Plan, coalition: &[Seat]) -> Vec<Vec<Seat>> {
    match plan.protocol() {
        Protocol::Ring | Protocol::Rings => groups(plan.rings(), coalition),
        Protocol::Shares => {
            let mut honest = plan.seats();
            honest.retain(|seat| !coalition.contains(seat));
            if honest.is_empty() { Vec::new() } else { vec![honest] }
        }
    }
}

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;
