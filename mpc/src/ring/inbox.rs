//! Inbox: what a pupil does with a signed message before it adds anything: takes it, or says of its
//! sender exactly what it can prove.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Lane, Message, Seat,
    plan::Plan,
    referee::{Report, Signed},
    slip::Unreadable,
};
use crate::{
    ids::RunId,
    sign::{PublicKey, Signature, Signer},
};

/// What a pupil has taken in one round.
#[derive(Debug)]
pub struct Inbox {
    run: RunId,
    seat: Seat,
    lanes: Vec<Lane>,
    keys: Vec<PublicKey>,
    taken: BTreeMap<Lane, Signed>,
    given_up: BTreeSet<Lane>,
}

/// What becomes of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// It is the number of its lane. The sender gets the acknowledgement, the host the report,
    /// the host before this pupil sends anything on.
    New {
        /// The number.
        message: Message,
        /// For the sender.
        acknowledgement: Signature,
        /// For the host.
        report: Report,
    },
    /// It was taken before: the sender did not get the acknowledgement.
    Again {
        /// For the sender.
        acknowledgement: Signature,
    },
    /// The sender broke the rules and signed it: this proves it to the host.
    Proof(Report),
    /// It is nobody's, or nobody can prove whose it is: as if nothing had come.
    Nothing,
}

impl Inbox {
    /// An empty inbox for a seat, with the keys of all seats.
    pub fn new(run: RunId, plan: &Plan, seat: Seat, keys: Vec<PublicKey>) -> Self {
        let lanes = plan.lanes().into_iter().filter(|lane| lane.to == seat).collect();
        Self { run, seat, lanes, keys, taken: BTreeMap::new(), given_up: BTreeSet::new() }
    }

    /// Takes a message with the receiver's own key.
    pub fn take(&mut self, signed: Signed, body: &[u8], receiver: &Signer) -> Taken {
        let Signed { slip, signature } = signed;
        if slip.run != self.run || slip.lane.to != self.seat || !self.is_from_sender(&signed) {
            return Taken::Nothing;
        }
        if !self.lanes.contains(&slip.lane) {
            // The slip alone is the proof.
            return Taken::Proof(Report::Garbage { slip, signature, body: Vec::new() });
        }
        match (self.taken.get(&slip.lane), slip.open(body)) {
            (Some(first), _) if first.slip == slip => {
                Taken::Again { acknowledgement: slip.acknowledge(receiver) }
            }
            (Some(first), _) => Taken::Proof(Report::Twice { first: *first, second: signed }),
            (None, Err(Unreadable::NoNumber { .. })) => {
                Taken::Proof(Report::Garbage { slip, signature, body: body.to_vec() })
            }
            (None, Ok(message)) if !self.given_up.contains(&slip.lane) => {
                self.taken.insert(slip.lane, signed);
                let acknowledgement = slip.acknowledge(receiver);
                let report = Report::Delivered { slip, signature, acknowledgement };
                Taken::New { message, acknowledgement, report }
            }
            // Without the body that was signed there is nothing to show but the slip.
            (None, _) => Taken::Nothing,
        }
    }

    /// What to tell the host of a lane on which nothing has come; from then on nothing is taken
    /// there. None if something was taken, or if the lane leads elsewhere.
    pub fn give_up(&mut self, lane: Lane) -> Option<Report> {
        if !self.lanes.contains(&lane) || self.taken.contains_key(&lane) {
            return None;
        }
        self.given_up.insert(lane);
        Some(Report::Missing(lane))
    }

    fn is_from_sender(&self, signed: &Signed) -> bool {
        let key = self.keys.get(signed.slip.lane.from.index());
        key.is_some_and(|key| signed.slip.verify(key, &signed.signature).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::{
        Protocol,
        slip::{BODY, MOST, Slip},
    };

    const RUN: RunId = RunId([7; 16]);
    const LANE: Lane = Lane { ring: 0, from: Seat(1), to: Seat(2) };

    fn signer(seat: u8) -> Signer {
        Signer::from_seed(&[seat + 1; 32])
    }

    fn inbox() -> Inbox {
        let plan = Plan::new(Protocol::Ring, 3).unwrap();
        let keys = (0..3).map(|seat| signer(seat).public()).collect();
        Inbox::new(RUN, &plan, Seat(2), keys)
    }

    fn signed(slip: Slip, by: u8) -> Signed {
        Signed { slip, signature: slip.sign(&signer(by)) }
    }

    fn take(inbox: &mut Inbox, signed: Signed, body: &[u8]) -> Taken {
        inbox.take(signed, body, &signer(2))
    }

    #[test]
    fn a_number_is_taken_once_and_acknowledged_as_often_as_it_comes() {
        let (mut inbox, body) = (inbox(), [3; BODY]);
        let sent = signed(Slip::new(RUN, LANE, &body), 1);
        let Taken::New { message, acknowledgement, .. } = take(&mut inbox, sent, &body) else {
            panic!("not taken");
        };
        assert_eq!(message, Message { lane: LANE, value: 0x0303_0303_0303_0303 });
        let key = signer(2).public();
        assert_eq!(sent.slip.verify_acknowledged(&key, &acknowledgement), Ok(()));
        assert_eq!(take(&mut inbox, sent, &body), Taken::Again { acknowledgement });
        assert_eq!(inbox.give_up(LANE), None);
    }

    #[test]
    fn another_number_on_the_lane_is_proved_by_both_slips() {
        let mut inbox = inbox();
        let first = signed(Slip::new(RUN, LANE, &[3; BODY]), 1);
        let second = signed(Slip::new(RUN, LANE, &[4; BODY]), 1);
        take(&mut inbox, first, &[3; BODY]);
        let proof = Taken::Proof(Report::Twice { first, second });
        assert_eq!(take(&mut inbox, second, &[4; BODY]), proof);
    }

    #[test]
    fn what_is_no_number_or_has_no_lane_is_proved_by_its_slip() {
        let off = Lane { ring: 1, ..LANE };
        for (lane, body, shown) in [
            (LANE, vec![3; 5], vec![3; 5]),
            (off, vec![3; BODY], vec![]),
            (off, vec![3; MOST + 1], vec![]),
        ] {
            let slip = Slip::new(RUN, lane, &body);
            let sent = signed(slip, 1);
            let proof = Report::Garbage { slip, signature: sent.signature, body: shown };
            assert_eq!(take(&mut inbox(), sent, &body), Taken::Proof(proof));
        }
    }

    #[test]
    fn who_has_said_that_nothing_came_takes_nothing_afterwards() {
        let (mut inbox, body) = (inbox(), [3; BODY]);
        let sent = signed(Slip::new(RUN, LANE, &body), 1);
        assert_eq!(inbox.give_up(Lane { from: Seat(0), ..LANE }), None);
        assert_eq!(inbox.give_up(LANE), Some(Report::Missing(LANE)));
        assert_eq!(take(&mut inbox, sent, &body), Taken::Nothing);
    }

    #[test]
    fn nothing_is_said_that_cannot_be_proved() {
        let slip = Slip::new(RUN, LANE, &[3; BODY]);
        let elsewhere = Slip::new(RUN, Lane { to: Seat(0), ..LANE }, &[3; BODY]);
        let earlier = Slip::new(RunId([8; 16]), LANE, &[3; BODY]);
        for (sent, body) in [
            (signed(slip, 0), [3; BODY]),
            (signed(slip, 1), [4; BODY]),
            (signed(elsewhere, 1), [3; BODY]),
            (signed(earlier, 1), [3; BODY]),
        ] {
            assert_eq!(take(&mut inbox(), sent, &body), Taken::Nothing);
        }
    }
}
