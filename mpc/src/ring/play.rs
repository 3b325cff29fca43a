//! Play: a whole round in memory, with all pupils in one place: a lesson's example, and what an
//! attacker does with a class that it imagines.

use std::{collections::VecDeque, fmt, sync::Arc};

use rand::CryptoRng;

use super::{
    Announcement, Message,
    plan::Plan,
    pupil::{Action, Pupil, Secrets, Unexpected, WrongSecrets},
    view::View,
};

/// A round that was played to its end. Redacted in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Played {
    /// The messages in the order in which they pass: step by step, all rings at once.
    pub messages: Vec<Message>,
    /// What was announced, by seat.
    pub announcements: Vec<Announcement>,
    /// What everybody saw, by seat.
    pub views: Vec<View>,
    /// The total, modulo 2^64.
    pub total: u64,
}

/// Values or secrets that are not those of a plan's pupils.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unplayable {
    /// Not one for each pupil.
    #[error("{given} pupils' values were given for a round of {pupils}")]
    Number {
        /// How many were given.
        given: usize,
        /// How many pupils the plan has.
        pupils: usize,
    },
    /// Shares or masks that do not fit.
    #[error(transparent)]
    Secrets(#[from] WrongSecrets),
    /// A pupil did not follow the rules: a fault of this program.
    #[error(transparent)]
    Unexpected(#[from] Unexpected),
    /// Not everybody learned one and the same total: a fault of this program.
    #[error("the pupils do not know the total at the end")]
    Unfinished,
}

/// Plays a round with one value per seat, modulo 2^64; shares and masks are drawn.
pub fn play(
    plan: &Arc<Plan>,
    values: &[u64],
    rng: &mut impl CryptoRng,
) -> Result<Played, Unplayable> {
    let seats = plan.seats().into_iter().zip(values);
    let secrets: Vec<_> =
        seats.map(|(seat, &value)| Secrets::draw(plan, seat, value, rng)).collect();
    // More values than seats are refused like fewer.
    if values.len() > secrets.len() {
        return Err(Unplayable::Number { given: values.len(), pupils: plan.pupils() });
    }
    play_with(plan, &secrets)
}

/// Plays a round with given secrets, one per seat.
pub fn play_with(plan: &Arc<Plan>, secrets: &[Secrets]) -> Result<Played, Unplayable> {
    if secrets.len() != plan.pupils() {
        return Err(Unplayable::Number { given: secrets.len(), pupils: plan.pupils() });
    }
    let mut pupils = plan
        .seats()
        .into_iter()
        .zip(secrets)
        .map(|(seat, secrets)| Pupil::with_secrets(Arc::clone(plan), seat, secrets))
        .collect::<Result<Vec<_>, _>>()?;
    let (mut messages, mut announcements) = (Vec::new(), Vec::new());
    let mut totals = Vec::new();
    // First in, first out: a step of all rings is over before the next one begins.
    let mut actions: VecDeque<_> = pupils.iter_mut().flat_map(Pupil::start).collect();
    while let Some(action) = actions.pop_front() {
        match action {
            Action::Send(message) => {
                messages.push(message);
                if let Some(pupil) = pupils.get_mut(message.lane.to.index()) {
                    actions.extend(pupil.receive(message)?);
                }
            }
            Action::Announce(announcement) => {
                announcements.push(announcement);
                for pupil in &mut pupils {
                    actions.extend(pupil.hear(announcement)?);
                }
            }
            Action::Learn(total) => totals.push(total),
        }
    }
    announcements.sort_unstable();
    let views = pupils.iter().map(|pupil| pupil.reveal_view().clone()).collect();
    match totals.split_first() {
        Some((&total, others))
            if totals.len() == pupils.len() && others.iter().all(|other| *other == total) =>
        {
            Ok(Played { messages, announcements, views, total })
        }
        _ => Err(Unplayable::Unfinished),
    }
}

impl fmt::Debug for Played {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Played")
            .field("messages", &self.messages.len())
            .field("announcements", &self.announcements)
            .finish_non_exhaustive()
    }
}
