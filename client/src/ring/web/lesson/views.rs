//! Views: a round that was played to its end, and the colluders' views that were asked for.

use std::{collections::BTreeMap, sync::Arc};

use mpc::ring::{Announcement, Lane, Message, Protocol, Seat, view::View};

use crate::ring::{
    name::PupilId,
    round::Round,
    web::{
        refusal::Refusal,
        request::{PassedShown, ViewShown},
        wire::Number,
    },
};

/// A round with its outcome, which can be attacked.
pub struct Played {
    round: Arc<Round>,
    question: Option<Question>,
}

/// Who was asked for a view, and what they answered. The views are taken out when all are here.
struct Question {
    asked: Vec<PupilId>,
    answers: BTreeMap<PupilId, Option<View>>,
}

/// How a pupil stands to the teacher's question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It was not asked.
    NotAsked,
    /// It has not answered.
    Asked,
    /// It has answered.
    Answered,
}

/// A view that is not one of this round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoView;

/// What comes of an answer.
#[derive(PartialEq, Eq)]
pub enum Answered {
    /// Somebody has not answered yet, or does not show its view.
    Nothing,
    /// All views are here.
    All(Vec<View>),
}

impl Played {
    /// A round that nobody has attacked.
    pub fn new(round: Round) -> Self {
        Self { round: Arc::new(round), question: None }
    }

    /// The round.
    pub fn round(&self) -> &Arc<Round> {
        &self.round
    }

    /// Asks these pupils; an earlier question is dropped.
    pub fn ask(&mut self, pupils: Vec<PupilId>) -> Result<(), Refusal> {
        let mut once = pupils.clone();
        once.sort();
        once.dedup();
        if once.len() < pupils.len() || once.is_empty() || once.len() >= self.round.pupils().len() {
            return Err(Refusal::Colluders);
        }
        self.question = Some(Question { asked: pupils, answers: BTreeMap::new() });
        Ok(())
    }

    /// How this pupil stands to the question.
    pub fn standing(&self, id: PupilId) -> Standing {
        match &self.question {
            Some(question) if question.answers.contains_key(&id) => Standing::Answered,
            Some(question) if question.asked.contains(&id) => Standing::Asked,
            _ => Standing::NotAsked,
        }
    }

    /// Takes the answer of a pupil that was asked: its view, or that it does not show it. The
    /// views are given away when the last one is here, and dropped as soon as one is refused.
    pub fn answer(&mut self, id: PupilId, view: Option<View>) -> Answered {
        let Some(question) = self.question.as_mut() else { return Answered::Nothing };
        question.answers.insert(id, view);
        if question.answers.values().any(Option::is_none) {
            question.answers.values_mut().for_each(|view| *view = None);
        }
        if question.answers.len() < question.asked.len() {
            return Answered::Nothing;
        }
        let views: Option<Vec<View>> = question.answers.values_mut().map(Option::take).collect();
        views.map_or(Answered::Nothing, Answered::All)
    }

    /// What a pupil shows as a view of this round. That the numbers fit those of others is looked
    /// at later, when all views are here.
    pub fn read(&self, id: PupilId, shown: &ViewShown) -> Result<View, NoView> {
        let (plan, seat) = (self.round.plan(), self.round.seat(id).ok_or(NoView)?);
        let masks = match (plan.protocol(), seat) {
            (Protocol::Shares, _) => 0,
            (_, Seat(0)) => plan.rings().len(),
            _ => 0,
        };
        if shown.shares.len() != plan.shares() || shown.masks.len() != masks {
            return Err(NoView);
        }
        let lanes = plan.lanes();
        let messages = |passed: &[PassedShown], mine: fn(&Lane) -> Seat| {
            let mut left: Vec<Lane> =
                lanes.iter().copied().filter(|lane| mine(lane) == seat).collect();
            let messages: Option<Vec<Message>> = passed
                .iter()
                .map(|passed| {
                    let message = self.message(passed)?;
                    // Each lane once.
                    let place = left.iter().position(|lane| *lane == message.lane)?;
                    left.swap_remove(place);
                    Some(message)
                })
                .collect();
            messages.filter(|_| left.is_empty()).ok_or(NoView)
        };
        let numbers = |numbers: &[Number]| numbers.iter().map(|number| number.0).collect();
        let announced = self.round.announced().iter();
        Ok(View {
            seat,
            value: shown.value.0,
            shares: numbers(&shown.shares),
            masks: numbers(&shown.masks),
            sent: messages(&shown.sent, |lane| lane.from)?,
            received: messages(&shown.received, |lane| lane.to)?,
            announced: announced.map(|(&from, &value)| Announcement { from, value }).collect(),
        })
    }

    /// A message between two pupils of the round.
    fn message(&self, passed: &PassedShown) -> Option<Message> {
        let from = self.round.seat(PupilId(passed.from))?;
        let to = self.round.seat(PupilId(passed.to))?;
        Some(Message { lane: Lane { ring: passed.ring, from, to }, value: passed.value.0 })
    }
}

impl std::fmt::Debug for Played {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Played({})", self.round.run())
    }
}
