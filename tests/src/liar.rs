//! Liar: a server that follows the protocol except for one falsified message.
//!
//! A lie is data: which step of which protocol, to whom, and what is false. Messages are falsified
//! on their way out and signed again with the liar's own key, so that nothing but their content is
//! wrong; what a liar would change in its memory is changed in its database while it is stopped.

use mpc::{
    ids::{Party, RunId, StudyId},
    sign::Signer,
    transcript::{Message, Place, Statement, Step},
};
use proto::v1::Frame;
use server::{config::Config, peers::Tamper};

use crate::World;

/// What is false about a message.
#[derive(Debug, Clone, Copy)]
pub enum Falsehood {
    /// Another body, signed.
    Body(fn(Vec<u8>) -> Vec<u8>),
    /// Another account of what was said before, signed.
    Chain,
    /// The signature of the same message in another run.
    Replayed,
    /// There is no message, in this run and in every other.
    Silence,
}

/// One lie.
#[derive(Debug, Clone, Copy)]
pub struct Lie {
    /// The step whose message is falsified.
    pub step: Step,
    /// The only peer that is lied to; none: all of them.
    pub to: Option<&'static str>,
    /// What is false.
    pub what: Falsehood,
}

impl Lie {
    /// A lie to every peer.
    pub fn to_all(step: Step, what: Falsehood) -> Self {
        Self { step, to: None, what }
    }

    /// A lie to one peer; the others hear the truth.
    pub fn to_one(peer: &'static str, step: Step, what: Falsehood) -> Self {
        Self { step, to: Some(peer), what }
    }

    /// Makes a server tell this lie once: in the first run that comes to the step. A server that
    /// is silent stays so.
    pub fn tell(self, world: &World, server: usize, study: StudyId) {
        let signer = Config::load(world.config(server)).unwrap().identity;
        // At most 8 servers.
        let party = Party(server as u8);
        world.tamper(server, self.tamper(study, party, signer));
    }

    fn tamper(self, study: StudyId, party: Party, signer: Signer) -> Tamper {
        let mut told = None;
        Box::new(move |peer, frame| {
            if self.to.is_some_and(|to| to != peer) {
                return frame;
            }
            let message = Message::decode_unverified(party, &frame.part).ok();
            let Some(message) = message.filter(|message| self.is_about(message, &frame)) else {
                return frame;
            };
            let run = RunId(frame.session_id[..].try_into().unwrap());
            let Some(falsified) = self.falsify(&message, Place { study, run }, &signer) else {
                // A frame without a session goes nowhere.
                return Frame { session_id: vec![0; 16].into(), ..frame };
            };
            match *told.get_or_insert(run) == run {
                true => Frame { part: falsified.encode().into(), ..frame },
                false => frame,
            }
        })
    }

    /// Whether a frame is the whole message of the step.
    fn is_about(self, message: &Message, frame: &Frame) -> bool {
        frame.last && message.statement.step == self.step as u8
    }

    /// What is said instead of the message; none: nothing.
    fn falsify(self, message: &Message, place: Place, signer: &Signer) -> Option<Message> {
        let Statement { party, step, number, chain, .. } = message.statement;
        match self.what {
            Falsehood::Body(change) => {
                let body = change(message.body.to_vec());
                Some(message.falsified(signer, place, &body))
            }
            Falsehood::Chain => {
                let other = mpc::dst::hash(mpc::dst::PUBLISH_TRANSCRIPT, &[&chain]);
                let body = message.body.clone();
                let statement = Statement::sign(signer, place, party, (step, number), other, &body);
                Some(Message { statement, body })
            }
            Falsehood::Replayed => {
                let elsewhere = Place { run: RunId([7; 16]), ..place };
                Some(message.falsified(signer, elsewhere, &message.body))
            }
            Falsehood::Silence => None,
        }
    }
}

/// Flips the last bit of a body.
pub fn last_bit(mut body: Vec<u8>) -> Vec<u8> {
    *body.last_mut().unwrap() ^= 1;
    body
}

/// Flips the first bit of a body.
pub fn first_bit(mut body: Vec<u8>) -> Vec<u8> {
    *body.first_mut().unwrap() ^= 0x80;
    body
}

/// Cuts off the last byte of a body.
pub fn shorter(mut body: Vec<u8>) -> Vec<u8> {
    body.pop();
    body
}

/// The commitment to no noise, whatever was drawn: the neutral element.
pub fn no_noise(body: Vec<u8>) -> Vec<u8> {
    vec![0; body.len()]
}
