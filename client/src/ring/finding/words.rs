//! Words: a finding in sentences, one step of the argument each, for a class.

use mpc::ring::{
    Protocol, Seat,
    attack::{Arc, Group},
};

use super::Facts;

impl Facts<'_> {
    /// The argument; the last sentence is the conclusion.
    pub(super) fn steps(&self) -> Vec<String> {
        let mut steps = match (self.honest(), self.round.plan().protocol()) {
            (0, _) => Vec::new(),
            (1, _) => self.last_one(),
            (_, Protocol::Ring) => self.differences(),
            (_, Protocol::Rings) => self.among_rings(),
            (_, Protocol::Shares) => self.among_shares(),
        };
        steps.extend(self.open.iter().map(|(seat, values)| self.possible(*seat, values)));
        steps.extend(self.outside());
        steps.push(self.conclusion());
        steps
    }

    /// All but one collude.
    fn last_one(&self) -> Vec<String> {
        let Some(Group { members, sum }) = self.knowledge.groups.first() else { return Vec::new() };
        vec![format!(
            "{} know all values but one. The total is {}; without their own {} it leaves {}, the value of {}.",
            self.they(),
            self.total(),
            self.own(),
            self.show(*sum),
            self.list(members),
        )]
    }

    /// One ring: what each run of honest pupils comes to.
    fn differences(&self) -> Vec<String> {
        let (seen, hidden): (Vec<_>, Vec<_>) =
            self.knowledge.arcs.iter().partition(|arc| arc.sum.is_some());
        let mut steps: Vec<String> = seen.iter().map(|arc| self.difference(arc)).collect();
        for arc in hidden {
            steps.push(format!(
                "Between {} and {} sits {}, whose mask is in the number that goes out and not in the one that comes back: {} The difference is no sum of values.",
                self.name(arc.entered.lane.from),
                self.name(arc.left.lane.to),
                self.name(Seat(0)),
                self.passed(arc),
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
            false => ", as the numbers start again at 0 after 18446744073709551615",
        };
        let meaning = match arc.honest.as_slice() {
            [one] => format!("{}'s value is {}", self.name(*one), self.show(sum)),
            several => format!("{} together have {}", self.list(several), self.show(sum)),
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
            false => format!(" and without {}", and(&known)),
        };
        let verb = if group.members.len() == 1 { "has" } else { "together have" };
        Some(format!(
            "But the total is {}. Without the colluders' own {}{without}, {} is left: {} {verb} that.",
            self.total(),
            self.own(),
            self.show(group.sum),
            self.list(&group.members),
        ))
    }

    /// Several rings: how near the colluders come to somebody.
    fn among_rings(&self) -> Vec<String> {
        let rings = self.round.plan().rings().len();
        let mut steps = vec![format!(
            "Everybody's value is split into {rings} random shares, one for each ring, and all of them are needed for the value."
        )];
        for (target, _) in &self.open {
            let name = self.name(*target);
            let arcs = self.knowledge.arcs.iter().filter(|arc| arc.honest.contains(target));
            let seen = arcs.filter(|arc| arc.sum.is_some()).min_by_key(|arc| arc.honest.len());
            let Some(arc) = seen else {
                steps.push(format!(
                    "In every ring the run in which {name} sits has {} in it, whose masks hide what the run adds.",
                    self.name(Seat(0)),
                ));
                continue;
            };
            let ring = u32::from(arc.ring) + 1;
            let what = match arc.honest.as_slice() {
                [_] => format!("{name}'s share in ring {ring} and says nothing about its value"),
                several => format!(
                    "the sum of {} shares in ring {ring}, those of {}, and says nothing about their values",
                    several.len(),
                    self.list(several),
                ),
            };
            let nearest = if rings > 1 { ", where they come nearest to it" } else { "" };
            steps.push(format!(
                "About {name}: in ring {ring}{nearest}, {} The difference is {what}.",
                self.passed(arc),
            ));
        }
        steps
    }

    /// Shares to everybody: what the colluders were sent.
    fn among_shares(&self) -> Vec<String> {
        let pupils = self.round.pupils().len();
        let mut steps = vec![format!(
            "Everybody's value is split into {pupils} random shares, one for each pupil, and all of them are needed for the value."
        )];
        for (target, _) in &self.open {
            let name = self.name(*target);
            let sent = self.views.iter().flat_map(|view| &view.received);
            let sent = sent.filter(|message| message.lane.from == *target);
            let mut sent: Vec<_> = sent.collect();
            sent.sort_unstable_by_key(|message| message.lane.to);
            let shares: Vec<String> = sent
                .iter()
                .map(|message| format!("{} to {}", message.value, self.name(message.lane.to)))
                .collect();
            let honest = self.honest();
            steps.push(format!(
                "{name} sent {}. The other {honest} of its shares {} have not seen: {name} kept one, and {}.",
                and(&shares),
                self.they(),
                match honest - 1 {
                    1 => "the other one went to the other honest pupil".to_owned(),
                    others => format!("{others} went to the other honest pupils"),
                },
            ));
            steps.push(format!(
                "What {name} announced is the share that it kept and one share of everybody else, those of {} other honest pupils among them: the sum says nothing about one of them.",
                honest - 1,
            ));
        }
        steps
    }

    /// What is possible about a pupil.
    fn possible(&self, target: Seat, values: &[i64]) -> String {
        let scale = self.round.scale();
        let (name, they) = (self.name(target), self.list(&self.colluders()));
        let (Some(&min), Some(&max)) = (values.first(), values.last()) else {
            return format!(
                "No class whose values are all between {} and {} would have sent {they} these numbers: somebody did not follow the rules.",
                scale.show(*scale.range().start()),
                scale.show(*scale.range().end()),
            );
        };
        let (min, max) = (scale.show(min), scale.show(max));
        let (count, allowed) = (values.len(), self.allowed.len());
        if count == 1 {
            return format!("Only {min} is possible for {name}: the sum leaves nothing else.");
        }
        let class = format!(
            "for each one there is a class that would have sent {they} exactly these numbers"
        );
        if count as u64 == scale.values() {
            return format!(
                "Every one of the {count} values from {min} to {max} is possible for {name}: {class}."
            );
        }
        let of = match count == allowed {
            true => "that the average allows".to_owned(),
            false => format!("is left of the {allowed} that the average alone would allow"),
        };
        match count == allowed {
            true => format!(
                "Every one of the {count} values from {min} to {max} {of} is possible for {name}: {class}."
            ),
            false => {
                format!("For {name} every one of {count} values from {min} to {max} {of}: {class}.")
            }
        }
    }

    /// Pupils whose value is none of the scale.
    fn outside(&self) -> Vec<String> {
        let scale = self.round.scale();
        let (min, max) = (*scale.range().start(), *scale.range().end());
        let groups = self.knowledge.groups.iter();
        let outside = groups.filter(|group| {
            group.members.len() == 1 && !scale.range().contains(&group.sum.cast_signed())
        });
        let say = |group: &Group| {
            format!(
                "{} is not between {} and {}: {} did not follow the rules, or somebody beside it.",
                self.show(group.sum),
                scale.show(min),
                scale.show(max),
                self.list(&group.members),
            )
        };
        outside.map(say).collect()
    }

    fn conclusion(&self) -> String {
        let colluders = self.colluders();
        let they = self.they();
        let know = if colluders.len() == 1 { "knows" } else { "know" };
        let mut exact = self.knowledge.groups.iter().filter(|group| group.members.len() == 1);
        let value =
            |group: &Group| format!("{} ({})", self.list(&group.members), self.show(group.sum));
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
            (_, true) => match (exact.next(), exact.map(value).collect::<Vec<_>>()) {
                (Some(one), more) if more.is_empty() => format!(
                    "{they} {know} the value of {}: {}.",
                    self.list(&one.members),
                    self.show(one.sum),
                ),
                (Some(one), more) => {
                    let all: Vec<String> = std::iter::once(value(one)).chain(more).collect();
                    format!("{they} {know} the values of {}.", and(&all))
                }
                (None, _) => format!(
                    "{they} {know} more than the average tells, namely the sums of some of the others, but nobody's value.",
                ),
            },
        }
    }

    /// The colluders, as the subject of a sentence.
    fn they(&self) -> String {
        self.list(&self.colluders())
    }

    fn list(&self, seats: &[Seat]) -> String {
        and(&self.names(seats))
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

fn and(words: &[String]) -> String {
    match words.split_last() {
        Some((last, first)) if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        _ => words.concat(),
    }
}
