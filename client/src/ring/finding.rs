//! Finding: what colluders learned, for people and as JSON.

use mpc::ring::{
    Message, Seat,
    attack::{self, Contradiction, Group, Knowledge},
    view::View,
};
use serde::Serialize;

use super::{name::PupilId, round::Round};

mod words;

/// What colluders learned from a round.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// The colluders: `P3`, `P5`.
    pub colluders: Vec<String>,
    /// The sums that they computed, one per ring and run of honest pupils between two of them.
    pub arcs: Vec<ArcShown>,
    /// Pupils whose values they know exactly.
    pub exact: Vec<Exact>,
    /// Honest pupils of whom they know the sum alone.
    pub groups: Vec<GroupShown>,
    /// What they cannot exclude about one pupil.
    pub open: Vec<Open>,
    /// Whether they learned more than what follows from the average.
    pub succeeded: bool,
    /// The same in sentences, one step of the argument each; the last one is the conclusion.
    pub steps: Vec<String>,
}

/// One sum: what a member sent in, what a member received, and the difference.
#[derive(Debug, Clone, Serialize)]
pub struct ArcShown {
    /// The ring, counted from 1.
    pub ring: u16,
    /// The honest pupils between: `P4`.
    pub honest: Vec<String>,
    /// Who sent what to the first of them.
    pub entered: Passed,
    /// What the last of them sent to whom.
    pub left: Passed,
    /// left − entered modulo 2^64, where it is their sum; decimal digits.
    pub sum: Option<String>,
}

/// A message that a colluder saw.
#[derive(Debug, Clone, Serialize)]
pub struct Passed {
    /// Who sent it.
    pub from: String,
    /// Who received it.
    pub to: String,
    /// The masked number, decimal digits: JSON's numbers are too small for it.
    pub value: String,
}

/// A pupil whose value is known.
#[derive(Debug, Clone, Serialize)]
pub struct Exact {
    /// The pupil: `P4`.
    pub pupil: String,
    /// Its value.
    pub value: f64,
    /// Whether the total alone gives it to the colluders, as it does when all others collude.
    pub from_total: bool,
}

/// Pupils whose sum is known.
#[derive(Debug, Clone, Serialize)]
pub struct GroupShown {
    /// The pupils.
    pub members: Vec<String>,
    /// The sum of their values.
    pub sum: f64,
}

/// The values of one pupil that the colluders' views allow.
#[derive(Debug, Clone, Serialize)]
pub struct Open {
    /// The pupil.
    pub pupil: String,
    /// How many values the views allow; each was tried by making a class that looks the same.
    pub values: u64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
    /// How many values the total alone allows.
    pub allowed_by_total: u64,
    /// How many values the scale has.
    pub of: u64,
}

/// Views that cannot be what their owners saw, with the pupils who showed them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Unbelievable {
    /// Who showed them: one of these, or both.
    pub who: Vec<PupilId>,
    text: String,
}

/// What the owners of these views learned about the others in this round. Views may come from
/// strangers: they are checked to be of this round and to fit together.
///
/// It takes a while where much is open: for every value of a pupil a class is made.
pub fn find(round: &Round, views: &[View]) -> Result<Finding, Unbelievable> {
    let unbelievable = |cause| unbelievable(round, cause);
    let plan = round.plan();
    let knowledge = attack::knowledge(plan, views).map_err(unbelievable)?;
    let range = round.scale().range();
    let allowed = attack::allowed_by_total(plan, views, range.clone()).map_err(unbelievable)?;
    let mut open = Vec::new();
    for target in targets(round, views, &knowledge) {
        let values =
            attack::consistent(plan, views, target, range.clone()).map_err(unbelievable)?;
        open.push((target, values));
    }
    let facts = Facts { round, views, knowledge, allowed, open };
    Ok(facts.finding())
}

/// What was found, before it is put into words.
struct Facts<'a> {
    round: &'a Round,
    views: &'a [View],
    knowledge: Knowledge,
    /// The values of one honest pupil that the total allows.
    allowed: Vec<i64>,
    /// The values that the views allow, of some honest pupils.
    open: Vec<(Seat, Vec<i64>)>,
}

impl Facts<'_> {
    fn finding(&self) -> Finding {
        let scale = self.round.scale();
        let number = |sum: u64| scale.number(sum.cast_signed());
        let from_total = self.honest() == 1 || self.allowed.len() == 1;
        let exact = self.exact().into_iter().map(|(seat, value)| Exact {
            pupil: self.name(seat),
            value: number(value),
            from_total,
        });
        let groups = self.knowledge.groups.iter().filter(|group| self.each(group).is_none());
        let groups = groups.map(|group| GroupShown {
            members: self.names(&group.members),
            sum: number(group.sum),
        });
        Finding {
            colluders: self.names(&self.colluders()),
            arcs: self.knowledge.arcs.iter().map(|arc| self.arc(arc)).collect(),
            exact: exact.collect(),
            groups: groups.collect(),
            open: self.open.iter().filter_map(|(seat, values)| self.open(*seat, values)).collect(),
            succeeded: self.has_succeeded(),
            steps: self.steps(),
        }
    }

    fn arc(&self, arc: &attack::Arc) -> ArcShown {
        let passed = |Message { lane, value }: Message| Passed {
            from: self.name(lane.from),
            to: self.name(lane.to),
            value: value.to_string(),
        };
        ArcShown {
            ring: arc.ring.saturating_add(1),
            honest: self.names(&arc.honest),
            entered: passed(arc.entered),
            left: passed(arc.left),
            sum: arc.sum.map(|sum| sum.to_string()),
        }
    }

    /// None where no value of the scale is possible, because somebody has played another one.
    fn open(&self, seat: Seat, values: &[i64]) -> Option<Open> {
        let scale = self.round.scale();
        // Both are at most as many as the scale has.
        let [count, allowed] = [values.len(), self.allowed.len()].map(|count| count as u64);
        Some(Open {
            pupil: self.name(seat),
            values: count,
            min: scale.number(*values.first()?),
            max: scale.number(*values.last()?),
            allowed_by_total: allowed,
            of: scale.values(),
        })
    }

    /// Whether the colluders know the sum of some of the others only, and this is news: that of all
    /// follows from the total, and so does everybody's value where the total is an extreme one.
    fn has_succeeded(&self) -> bool {
        self.knowledge.groups.len() > 1 && self.allowed.len() != 1
    }

    /// The values that are known, in the order of seats.
    fn exact(&self) -> Vec<(Seat, u64)> {
        let mut exact = Vec::new();
        for group in &self.knowledge.groups {
            let value = self.each(group);
            exact.extend(
                value
                    .into_iter()
                    .flat_map(|value| group.members.iter().map(move |seat| (*seat, value))),
            );
        }
        exact.sort_unstable();
        exact
    }

    /// What each of a group has, where its sum leaves one possibility: it is one pupil, or the sum
    /// is the smallest or the largest that so many values have.
    fn each(&self, group: &Group) -> Option<u64> {
        if group.members.len() == 1 {
            return Some(group.sum);
        }
        let range = self.round.scale().range();
        let is_all = |value: i64| {
            group.members.len() as i128 * i128::from(value) == i128::from(group.sum.cast_signed())
        };
        [*range.start(), *range.end()]
            .into_iter()
            .find(|value| is_all(*value))
            .map(i64::cast_unsigned)
    }

    /// How many pupils do not collude.
    fn honest(&self) -> usize {
        self.round.pupils().len() - self.views.len()
    }

    fn colluders(&self) -> Vec<Seat> {
        let mut seats: Vec<_> = self.views.iter().map(|view| view.seat).collect();
        seats.sort_unstable();
        seats
    }

    fn name(&self, seat: Seat) -> String {
        self.round.pupil(seat).id.to_string()
    }

    fn names(&self, seats: &[Seat]) -> Vec<String> {
        seats.iter().map(|&seat| self.name(seat)).collect()
    }
}

/// Those about whom it is asked what is open: whom one ring in the order of seats would expose, or
/// else the first honest one; without those whose value is known.
fn targets(round: &Round, views: &[View], knowledge: &Knowledge) -> Vec<Seat> {
    let seats = round.plan().seats();
    let colludes = |seat: &&Seat| views.iter().any(|view| view.seat == **seat);
    let before = seats.iter().cycle().skip(seats.len().saturating_sub(1));
    let after = seats.iter().cycle().skip(1);
    let around = seats.iter().zip(before.zip(after));
    let mut targets: Vec<Seat> = around
        .filter(|(seat, (before, after))| !colludes(seat) && colludes(before) && colludes(after))
        .map(|(seat, _)| *seat)
        .collect();
    if targets.is_empty() {
        targets.extend(seats.iter().find(|seat| !colludes(seat)));
    }
    targets.retain(|target| !knowledge.groups.iter().any(|group| group.members == [*target]));
    targets
}

fn unbelievable(round: &Round, cause: Contradiction) -> Unbelievable {
    let name = |seat| round.pupil(seat);
    let (seats, text) = match cause {
        Contradiction::Nobody => (vec![], "nobody has shown what it saw".to_owned()),
        Contradiction::Stranger(seat) | Contradiction::Target(seat) => {
            (vec![], format!("there is no seat {} in this round", u32::from(seat.0) + 1))
        }
        Contradiction::Again(seat) => (vec![seat], format!("{} has shown two views", name(seat))),
        Contradiction::Secrets(seat) => (
            vec![seat],
            format!("the shares that {} has shown are not those of its value", name(seat)),
        ),
        Contradiction::Messages(seat) => (
            vec![seat],
            format!("{} has not shown the messages that pass it in this round", name(seat)),
        ),
        Contradiction::Arithmetic(seat) => (
            vec![seat],
            format!("what {} has shown does not add up to what it sent on", name(seat)),
        ),
        Contradiction::Between(one, other) => (
            vec![one, other],
            format!(
                "{} and {} have shown different numbers for the message between them",
                name(one),
                name(other)
            ),
        ),
        Contradiction::Announced(one, other) => (
            vec![one, other],
            format!("{} and {} have heard different announcements", name(one), name(other)),
        ),
    };
    Unbelievable { who: seats.into_iter().map(|seat| name(seat).id).collect(), text }
}

#[cfg(test)]
mod tests;
