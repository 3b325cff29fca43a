//! Lesson: what a teacher may type between two rounds.

use std::collections::BTreeSet;

use client::ring::name::{PupilId, list};
use mpc::ring::Protocol;

use super::pupil;

/// What the teacher wishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// The same round again.
    Again,
    /// A round by this protocol.
    Protocol(Protocol),
    /// To play without a pupil from now on.
    Without(PupilId),
    /// To play with a pupil again.
    With(PupilId),
    /// To show what these learn together from the last round.
    Collude(Vec<PupilId>),
    /// To end the class.
    Quit,
}

const HELP: &str = "\
  Enter, again          play once more
  ring, rings, shares   play by this protocol
  without P4, with P4   leave a pupil out, or take it back
  collude P3,P5         ask them for what they saw of the last round
  quit                  end the class";

/// What comparing the total of the next round with an earlier one tells, if anything.
pub fn compared(finished: &[BTreeSet<PupilId>], next: &BTreeSet<PupilId>) -> Option<String> {
    let differences = finished
        .iter()
        .map(|earlier| earlier.symmetric_difference(next).copied().collect::<Vec<PupilId>>());
    let nearest = differences.filter(|ids| !ids.is_empty()).min_by_key(Vec::len)?;
    let what = match nearest.as_slice() {
        [one] => format!("tells everybody the value of {one}"),
        several => format!("tells everybody something about {} alone", list(several)),
    };
    Some(format!(
        "The total of an earlier round is known. Comparing it with the total of the next one {what}: no protocol can hide that."
    ))
}

/// What was typed, or what may be typed.
pub fn wish(line: &str) -> Result<Wish, String> {
    let (word, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
    let one = || pupil(rest.trim());
    match (word.to_lowercase().as_str(), rest.trim()) {
        ("" | "again" | "play", "") => Ok(Wish::Again),
        ("quit" | "exit" | "end", "") => Ok(Wish::Quit),
        ("without", _) => one().map(Wish::Without),
        ("with", _) => one().map(Wish::With),
        ("collude", list) => {
            let ids = list.split([',', ' ']).filter(|id| !id.is_empty()).map(pupil);
            let ids = ids.collect::<Result<Vec<_>, _>>()?;
            let is_double = |(place, id): (usize, &PupilId)| {
                ids.iter().skip(place + 1).any(|other| other == id)
            };
            match ids.is_empty() || ids.iter().enumerate().any(is_double) {
                true => Err("name those who collude, once each: collude P3,P5".into()),
                false => Ok(Wish::Collude(ids)),
            }
        }
        (protocol, "") => protocol.parse().map(Wish::Protocol).map_err(|_| HELP.into()),
        _ => Err(HELP.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_teacher_types_is_understood() {
        let pupil = PupilId(4);
        for (line, expected) in [
            ("", Wish::Again),
            (" again ", Wish::Again),
            ("Rings", Wish::Protocol(Protocol::Rings)),
            ("without P4", Wish::Without(pupil)),
            ("with 4", Wish::With(pupil)),
            ("collude p3, P4", Wish::Collude(vec![PupilId(3), pupil])),
            ("quit", Wish::Quit),
        ] {
            assert_eq!(wish(line), Ok(expected), "{line}");
        }
    }

    #[test]
    fn what_two_totals_tell_is_said_before_there_is_a_second() {
        let class = |ids: &[u16]| ids.iter().copied().map(PupilId).collect::<BTreeSet<_>>();
        let all = class(&[1, 2, 3, 4]);
        assert_eq!(compared(&[], &all), None);
        assert_eq!(compared(std::slice::from_ref(&all), &all), None);
        let one = compared(&[class(&[1, 2]), all.clone()], &class(&[1, 2, 3])).unwrap();
        assert!(one.contains("the value of P3"), "{one}");
        let two = compared(&[all], &class(&[1, 2])).unwrap();
        assert!(two.contains("something about P3 and P4 alone"), "{two}");
    }

    #[test]
    fn what_is_not_understood_is_answered_with_what_is() {
        for line in ["help", "ring ring", "what"] {
            assert!(wish(line).unwrap_err().contains("without P4"), "{line}");
        }
        for line in ["without", "without Anna", "collude", "collude P3,P3", "collude P0"] {
            assert!(wish(line).is_err(), "{line}");
        }
    }
}
