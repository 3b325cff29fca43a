//! Class: who has joined, who is there, and who plays the next round.

use std::collections::BTreeMap;

use mpc::ring::MOST;

use super::name::{Named, PupilId};

/// Numbers that a class gives. Nothing grows beyond them, however often pupils come and go.
const MOST_NUMBERS: u16 = 1_000;

/// The pupils of a class. A number is given once: who leaves and joins again is somebody new.
#[derive(Debug, Clone, Default)]
pub struct Class {
    members: BTreeMap<PupilId, Member>,
    joined: u16,
}

/// One pupil of a class.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its number and name.
    pub named: Named,
    /// Whether it can be reached.
    pub connected: bool,
    /// Whether it has a value to play with.
    pub ready: bool,
    /// Whether the teacher plays without it.
    pub left_out: bool,
}

/// A class that takes nobody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    /// Until somebody goes.
    #[error("the class is full: {MOST} pupils are here; remove those who are not of it")]
    Places,
    /// For good.
    #[error("the class is full: it has given {MOST_NUMBERS} numbers; start a new class")]
    Numbers,
}

impl Class {
    /// Takes a pupil in, under the next number. Who cannot be reached any more takes up no place.
    pub fn join(&mut self, typed_name: &str) -> Result<Named, Full> {
        if self.members.values().filter(|member| member.connected).count() >= MOST {
            return Err(Full::Places);
        }
        if self.joined >= MOST_NUMBERS {
            return Err(Full::Numbers);
        }
        self.joined += 1;
        let named = Named::new(PupilId(self.joined), typed_name);
        let member =
            Member { named: named.clone(), connected: true, ready: false, left_out: false };
        self.members.insert(named.id, member);
        Ok(named)
    }

    /// Forgets a pupil that is gone for good.
    pub fn remove(&mut self, id: PupilId) {
        self.members.remove(&id);
    }

    /// Everybody who has joined, in that order.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    /// One pupil.
    pub fn member(&self, id: PupilId) -> Option<&Member> {
        self.members.get(&id)
    }

    /// One pupil, to note something about it.
    pub fn member_mut(&mut self, id: PupilId) -> Option<&mut Member> {
        self.members.get_mut(&id)
    }

    /// Who plays a round that starts now, in the order of joining.
    pub fn players(&self) -> Vec<Named> {
        let plays = |member: &&Member| member.connected && member.ready && !member.left_out;
        self.members.values().filter(plays).map(|member| member.named.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_are_there_and_have_a_value_play_unless_they_are_left_out() {
        let mut class = Class::default();
        for name in ["Anna", "Ben", "Cem", "Dana"] {
            let id = class.join(name).unwrap().id;
            class.member_mut(id).unwrap().ready = true;
        }
        class.member_mut(PupilId(1)).unwrap().connected = false;
        class.member_mut(PupilId(2)).unwrap().ready = false;
        class.member_mut(PupilId(3)).unwrap().left_out = true;
        assert_eq!(class.players(), [Named::new(PupilId(4), "Dana")]);
    }

    #[test]
    fn a_full_class_takes_nobody_until_somebody_goes() {
        let mut class = Class::default();
        for _ in 0..MOST {
            class.join("").unwrap();
        }
        assert_eq!(class.join(""), Err(Full::Places));
        class.remove(PupilId(7));
        assert_eq!(class.join("").unwrap().id, PupilId(101));
        assert_eq!(class.join(""), Err(Full::Places));
        class.member_mut(PupilId(8)).unwrap().connected = false;
        assert_eq!(class.join("").unwrap().id, PupilId(102));
        assert_eq!(class.join(""), Err(Full::Places));
    }

    #[test]
    fn numbers_are_given_once_and_end() {
        let mut class = Class::default();
        for number in 1..=MOST_NUMBERS {
            assert_eq!(class.join("").unwrap().id, PupilId(number));
            class.remove(PupilId(number));
        }
        assert_eq!(class.join(""), Err(Full::Numbers));
    }
}
