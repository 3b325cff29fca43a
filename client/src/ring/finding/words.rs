//! Words: a finding in sentences, one step of the argument each, for a class.

use mpc::ring::{
    Protocol, Seat,
    attack::{Arc, Group},
};

use super::Facts;
use crate::ring::name::list;

/// The most pupils that are named one by one.
const MOST_NAMED: usize = 8;

impl Facts<'_> {
    /// The argument; the last sentence is the conclusion.
    pub(super) fn steps(&self) -> Vec<String> {
        let mut steps = match (self.honest(), self.round.plan().protocol()) {
            (0, _) => Vec::new(),
            (1, _) => self.last_one(),
            (_, Protocol::Ring) => self.differences(),
            // Three pupils have one ring alone, in which the share is the value.
            (_, Protocol::Rings) if self.round.plan().rings().len() == 1 => self.differences(),
            (_, Protocol::Rings) => self.among_rings(),
            (_, Protocol::Shares) => self.among_shares(),
        };
        steps.extend(self.open.iter().filter_map(|(seat, values)| self.possible(*seat, values)));
        steps.extend(self.outside());
        steps.push(self.conclusion());
        steps
    }

    /// All but one collude.
    fn last_one(&self) -> Vec<String> {
        let group = self.knowledge.groups.first();
        let say = |group: &Group| {
            format!(
                "{} know all values but one. The total is {}. Without their own, {}, it leaves {}: {}'s value.",
                self.they(),
                self.total(),
                self.own(),
                self.show(group.sum),
                self.some(&group.members),
            )
        };
        group.map(say).into_iter().collect()
    }

    /// One ring: what each run of honest pupils comes to.
    fn differences(&self) -> Vec<String> {
        let (seen, hidden): (Vec<_>, Vec<_>) =
            self.knowledge.arcs.iter().partition(|arc| arc.sum.is_some());
        let mut steps: Vec<String> = seen.iter().map(|arc| self.difference(arc)).collect();
        for arc in hidden {
            steps.push(format!(
                "{} {}, with which the ring starts and ends, did not pass on what it received: this difference says nothing new.",
                self.passed(arc),
                self.name(Seat(0)),
            ));
            steps.extend(self.what_the_total_leaves(&arc.honest));
        }
        steps
    }

    fn difference(&self, arc: &Arc) -> String {
        let sum = arc.sum.unwrap_or(0);
        let difference = sum.cast_signed();
        // Numbers that have passed 2^64 on their way start again at nought.
        let plain = i128::from(arc.left.value) - i128::from(arc.entered.value);
        let around = match plain == i128::from(difference) {
            true => "",
            false => ", for after 18446744073709551615 the numbers start again at 0",
        };
        let meaning = match arc.honest.as_slice() {
            [one] => format!("{}'s value is {}", self.name(*one), self.show(sum)),
            several => format!("{} together have {}", self.some(several), self.show(sum)),
        };
        format!("{} The difference is {difference}{around}: {meaning}.", self.passed(arc))
    }

    /// What went in and what came out.
    fn passed(&self, arc: &Arc) -> String {
        let (entered, left) = (arc.entered, arc.left);
        format!(
            "{} sent {} to {}. {} received {} from {}.",
            self.name(entered.lane.from),
            entered.value,
            self.name(entered.lane.to),
            self.name(left.lane.to),
            left.value,
            self.name(left.lane.from),
        )
    }

    /// How the sum of those behind a mask follows from the total.
    fn what_the_total_leaves(&self, behind: &[Seat]) -> Option<String> {
        let group = self
            .knowledge
            .groups
            .iter()
            .find(|group| behind.iter().all(|seat| group.members.contains(seat)))?;
        let known: Vec<String> = self
            .knowledge
            .groups
            .iter()
            .filter(|other| other.members != group.members)
            .map(|other| self.show(other.sum))
            .collect();
        let without = match known.is_empty() {
            true => String::new(),
            false => format!(" and without {},", list(&known)),
        };
        let verb = if group.members.len() == 1 { "has" } else { "together have" };
        Some(format!(
            "But the total is {}. Without {}, {},{without} {} is left: {} {verb} that.",
            self.total(),
            match self.colluders().as_slice() {
                [one] => format!("{}'s own", self.name(*one)),
                _ => "the colluders' own".to_owned(),
            },
            self.own(),
            self.show(group.sum),
            self.some(&group.members),
        ))
    }

    /// Several rings: how near the colluders come to somebody.
    fn among_rings(&self) -> Vec<String> {
        let rings = self.round.plan().rings().len();
        let mut steps = vec![format!(
            "Everybody's value is split into {rings} random shares, one for each ring: whoever lacks one of them knows nothing about the value."
        )];
        steps.extend(self.open.iter().map(|(target, _)| self.in_rings(*target, rings)));
        steps
    }

    fn in_rings(&self, target: Seat, rings: usize) -> String {
        let (name, they, know) = (self.name(target), self.they(), self.verb("know", "knows"));
        let arcs = self.knowledge.arcs.iter().filter(|arc| arc.honest.contains(&target));
        let seen: Vec<&Arc> = arcs.filter(|arc| arc.sum.is_some()).collect();
        let Some(nearest) = seen.iter().min_by_key(|arc| arc.honest.len()) else {
            let first = self.name(Seat(0));
            return format!(
                "About {name}: {first} starts and ends every ring, and its masks hide what it adds and what is added next to it. {they} {know} none of the {rings} shares."
            );
        };
        let ring = u32::from(nearest.ring) + 1;
        let known = seen.iter().filter(|arc| arc.honest.len() == 1).count();
        let what = match nearest.honest.as_slice() {
            [_] => format!(
                "{name}'s share in ring {ring} and says nothing about its value. {they} {know} {known} of its {rings} shares in this way, and not the others"
            ),
            several => format!(
                "the sum of the shares of {} in ring {ring} and says nothing about their values. {they} {know} none of {name}'s {rings} shares",
                self.some(several),
            ),
        };
        format!("About {name}: in ring {ring}, {} The difference is {what}.", self.passed(nearest))
    }

    /// Shares to everybody: what the colluders were sent.
    fn among_shares(&self) -> Vec<String> {
        let pupils = self.round.pupils().len();
        let mut steps = vec![format!(
            "Everybody's value is split into {pupils} random shares, one for each pupil: whoever lacks one of them knows nothing about the value."
        )];
        steps.extend(self.open.iter().flat_map(|(target, _)| self.in_shares(*target)));
        steps
    }

    fn in_shares(&self, target: Seat) -> [String; 2] {
        let name = self.name(target);
        let sent = self.views.iter().flat_map(|view| &view.received);
        let sent = sent.filter(|message| message.lane.from == target);
        let mut sent: Vec<_> = sent.map(|message| (message.lane.to, message.value)).collect();
        sent.sort_unstable();
        let shares = sent.iter().map(|(to, value)| format!("{value} to {}", self.name(*to)));
        let mut shares: Vec<String> = shares.collect();
        if shares.len() > MOST_NAMED {
            let more = shares.split_off(2).len();
            shares.push(format!("{more} more to the others"));
        }
        let others = self.honest() - 1;
        let went = match others {
            1 => "the other one went to the other pupil".to_owned(),
            others => format!("{others} went to the other pupils"),
        };
        let mixed = match others {
            1 => "a share of the other pupil".to_owned(),
            others => format!("a share of each of the {others} other pupils"),
        };
        [
            format!(
                "{name} sent {}. The other {} of its shares {} {} not seen: {name} kept one, and {went}.",
                list(&shares),
                self.honest(),
                self.they(),
                self.verb("have", "has"),
            ),
            format!(
                "What {name} announced is the share that it kept and one of everybody else. {} cannot take {mixed} out of it again.",
                self.they(),
            ),
        ]
    }

    /// What is possible about a pupil; nothing where [`Self::outside`] says why.
    fn possible(&self, target: Seat, values: &[i64]) -> Option<String> {
        let scale = self.round.scale();
        let (name, they) = (self.name(target), self.they());
        let (min, max) = (scale.show(*values.first()?), scale.show(*values.last()?));
        let (count, allowed) = (values.len(), self.allowed.len());
        let class = format!(
            "for each one there is a class that would have sent {they} exactly these numbers"
        );
        Some(if count == 1 {
            format!("Only {min} is possible for {name}: the sum leaves nothing else.")
        } else if u64::try_from(count) == Ok(scale.values()) {
            format!(
                "Every one of the {count} values from {min} to {max} is possible for {name}: {class}."
            )
        } else if count == allowed {
            format!(
                "Every one of the {count} values from {min} to {max} that the average allows is possible for {name}: {class}."
            )
        } else {
            format!(
                "{count} values from {min} to {max} are possible for {name}, where the average alone would allow {allowed}: {class}."
            )
        })
    }

    /// Sums that no values of the scale have.
    fn outside(&self) -> Vec<String> {
        let scale = self.round.scale();
        let groups = self.knowledge.groups.iter();
        let outside = groups.filter(|group| scale.total(group.sum, group.members.len()).is_none());
        let (min, max) = (*scale.range().start(), *scale.range().end());
        let say = |group: &Group| {
            let what = match group.members.len() {
                1 => "is not a value".to_owned(),
                several => format!("is not the sum of {several} values"),
            };
            format!(
                "{} {what} between {} and {}: somebody did not follow the rules.",
                self.show(group.sum),
                scale.show(min),
                scale.show(max),
            )
        };
        outside.map(say).collect()
    }

    fn conclusion(&self) -> String {
        let (they, know) = (self.they(), self.verb("know", "knows"));
        if let (2.., [only]) = (self.honest(), self.allowed.as_slice()) {
            return format!(
                "The average alone tells that each of the others has {}: no protocol that tells the average can hide it.",
                self.show(only.cast_unsigned()),
            );
        }
        match (self.honest(), self.has_succeeded()) {
            (0, _) => "Everybody colludes: there is nobody left to find out about.".to_owned(),
            (1, _) => {
                "The rest follows from the average: no protocol that tells the average can hide it."
                    .to_owned()
            }
            (2, false) => {
                let honest = self.knowledge.groups.iter().map(|group| group.members.as_slice());
                let honest: Vec<Seat> = honest.flatten().copied().collect();
                format!(
                    "{they} {know} the sum of {}, which follows from the average, and nothing else about them.",
                    self.list(&honest),
                )
            }
            (_, false) => {
                format!("{they} {know} nothing about the others but what follows from the average.")
            }
            (_, true) => self.learned(),
        }
    }

    /// The conclusion where the average does not tell as much.
    fn learned(&self) -> String {
        let (they, know) = (self.they(), self.verb("know", "knows"));
        match self.exact().as_slice() {
            [] => format!(
                "{they} {know} more than the average tells, namely the sums of some of the others, but nobody's value.",
            ),
            [(seat, value)] => {
                format!("{they} {know} the value of {}: {}.", self.name(*seat), self.show(*value))
            }
            several => {
                let value = |(seat, value): &(Seat, u64)| {
                    format!("{} ({})", self.name(*seat), self.show(*value))
                };
                let all: Vec<String> = several.iter().map(value).collect();
                format!("{they} {know} the values of {}.", list(&all))
            }
        }
    }

    /// The colluders in a sentence.
    fn they(&self) -> String {
        self.some(&self.colluders())
    }

    /// The form of a verb that goes with the colluders.
    fn verb<'a>(&self, several: &'a str, one: &'a str) -> &'a str {
        if self.views.len() == 1 { one } else { several }
    }

    fn list(&self, seats: &[Seat]) -> String {
        list(&self.names(seats))
    }

    /// Pupils in a sentence that is to be read at a glance.
    fn some(&self, seats: &[Seat]) -> String {
        match seats {
            [first, second, .., last] if seats.len() > MOST_NAMED => {
                let [first, second, last] = [first, second, last].map(|seat| self.name(*seat));
                format!("{first}, {second}, … and {last} ({} pupils)", seats.len())
            }
            few => self.list(few),
        }
    }

    fn show(&self, sum: u64) -> String {
        self.round.scale().show(sum.cast_signed())
    }

    /// The sum of the colluders' own values.
    fn own(&self) -> String {
        self.show(self.views.iter().fold(0, |sum, view| sum.wrapping_add(view.value)))
    }

    fn total(&self) -> String {
        let heard = self.views.first().into_iter().flat_map(|view| &view.announced);
        self.show(heard.fold(0, |sum, said| sum.wrapping_add(said.value)))
    }
}
