//! Lesson: what a teacher may type between two rounds.

use client::ring::name::PupilId;
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
    fn what_is_not_understood_is_answered_with_what_is() {
        for line in ["help", "ring ring", "what"] {
            assert!(wish(line).unwrap_err().contains("without P4"), "{line}");
        }
        for line in ["without", "without Anna", "collude", "collude P3,P3", "collude P0"] {
            assert!(wish(line).is_err(), "{line}");
        }
    }
}
