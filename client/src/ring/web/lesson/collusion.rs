//! Collusion: the teacher asks pupils for what they saw, and everybody may refuse.

use std::sync::Arc;

use mpc::ids::RunId;

use super::{
    Lesson, Output, Stage,
    views::{Answered, Played, Standing},
};
use crate::ring::{
    finding::Finding,
    name::PupilId,
    web::{
        event::{Audience, Event},
        refusal::Refusal,
        request::ViewShown,
        wire::Run,
    },
};

impl Lesson {
    /// What colluders learned from the round of that id, or in one sentence why nothing is found.
    pub fn found(&mut self, run: RunId, finding: Result<Finding, String>) {
        let Stage::Played(played) = &self.stage else { return };
        if played.round().run() != run {
            return;
        }
        let event = match finding {
            Ok(finding) => Event::Finding { run: Run(run), finding: Box::new(finding) },
            Err(message) => Event::Contradiction { run: Run(run), message },
        };
        self.tell(Audience::Teacher, event);
    }

    pub(super) fn collude(&mut self, pupils: &[u16]) -> Result<(), Refusal> {
        let Stage::Played(played) = &mut self.stage else {
            return Err(Refusal::NoRound("there are no views to put together"));
        };
        let mut ids = Vec::new();
        for &number in pupils {
            let (id, round) = (PupilId(number), played.round());
            let member = self.class.member(id);
            match (round.seat(id), member) {
                (Some(_), Some(member)) if member.connected => ids.push(id),
                (Some(seat), _) => return Err(Refusal::Away(round.pupil(seat))),
                (None, Some(member)) => return Err(Refusal::NotInRound(member.named.clone())),
                (None, None) => return Err(Refusal::Unknown(number)),
            }
        }
        let run = Run(played.round().run());
        played.ask(ids.clone())?;
        self.tell(Audience::Teacher, Event::Asked { run, pupils: pupils.to_vec() });
        for id in ids {
            self.tell(Audience::Pupil(id), Event::AskView { run, with: pupils.to_vec() });
        }
        Ok(())
    }

    pub(super) fn view(&mut self, run: Run, id: PupilId, shown: &ViewShown) -> Result<(), Refusal> {
        let Some(played) = self.asked(run, id)? else { return Ok(()) };
        let round = Arc::clone(played.round());
        let Ok(view) = played.read(id, shown) else {
            let who = round.seat(id).map(|seat| round.pupil(seat).to_string()).unwrap_or_default();
            let message = format!("{who} showed something that is not its view of this round");
            let _ = played.answer(id, None);
            self.tell(Audience::Teacher, Event::Contradiction { run, message });
            return Ok(());
        };
        let answered = played.answer(id, Some(view));
        self.tell(Audience::Teacher, Event::Shown { run, pupil: id.0 });
        if let Answered::All(views) = answered {
            self.outputs.push(Output::Find(round, views));
        }
        Ok(())
    }

    /// A pupil that was asked does not show its view.
    pub(super) fn no_view(&mut self, id: PupilId) {
        if let Stage::Played(played) = &mut self.stage
            && played.standing(id) == Standing::Asked
        {
            let run = Run(played.round().run());
            let _ = played.answer(id, None);
            self.tell(Audience::Teacher, Event::Refused { run, pupil: id.0 });
        }
    }

    /// The last round, if it is this one and the pupil has been asked for its view of it; none,
    /// if it has answered already.
    pub(super) fn asked(&mut self, run: Run, id: PupilId) -> Result<Option<&mut Played>, Refusal> {
        match &mut self.stage {
            Stage::Played(played) if played.round().run() == run.0 => match played.standing(id) {
                Standing::Asked => Ok(Some(played)),
                Standing::Answered => Ok(None),
                Standing::NotAsked => Err(Refusal::NotAsked),
            },
            _ => Err(Refusal::Over),
        }
    }
}
