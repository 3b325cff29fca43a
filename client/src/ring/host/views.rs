//! Views: what pupils show of a round when they are asked, and what follows from it.

use std::collections::BTreeMap;

use mpc::ring::{Seat, view::View};
use tokio_util::sync::CancellationToken;

use super::{Heard, Host};
use crate::ring::{
    error::RingError,
    finding::{self, Finding},
    name::PupilId,
    round::Round,
    stop::Stop,
    wire::{About, Instruction, Order, Said},
};

impl Host {
    /// Asks these pupils and waits for each of them: people take their time.
    pub(super) async fn views(
        &mut self,
        round: &Round,
        ids: &[PupilId],
        stop: &CancellationToken,
    ) -> Result<Finding, RingError> {
        let mut asked: BTreeMap<PupilId, Seat> = BTreeMap::new();
        for id in ids {
            asked.insert(*id, round.seat(*id).ok_or(RingError::NotPlaying(*id))?);
        }
        while self.inbox.try_recv().is_ok() {}
        let run = round.run();
        self.reception.listen_to(Some(run));
        for id in asked.keys() {
            let order = Order::Of(run, Instruction::AskView(ids.to_vec()));
            self.reception.send(*id, &order);
        }
        let views = self.gather(round, asked, stop).await;
        self.reception.listen_to(None);
        let (round, views) = (round.clone(), views?);
        // Classes are made for every value: nothing for a thread that others wait for.
        let find = move || finding::find(&round, &views);
        let found = tokio::task::spawn_blocking(find).await.map_err(|_| RingError::Ended)?;
        Ok(found?)
    }

    async fn gather(
        &mut self,
        round: &Round,
        mut asked: BTreeMap<PupilId, Seat>,
        stop: &CancellationToken,
    ) -> Result<Vec<View>, RingError> {
        let present: Vec<PupilId> =
            self.reception.roster().iter().map(|(named, _)| named.id).collect();
        if let Some((_, seat)) = asked.iter().find(|(id, _)| !present.contains(id)) {
            return Err(Stop::Left { who: round.pupil(*seat) }.into());
        }
        let mut views = Vec::new();
        while !asked.is_empty() {
            let heard = tokio::select! {
                () = stop.cancelled() => return Err(Stop::Teacher.into()),
                heard = self.inbox.recv() => heard,
            };
            let Some((id, heard)) = heard else { return Err(RingError::Ended) };
            let Some(&seat) = asked.get(&id) else { continue };
            let said = match heard {
                Heard::Left => return Err(Stop::Left { who: round.pupil(seat) }.into()),
                Heard::Said(said) => *said,
            };
            match said {
                Said::Of(run, About::View(view)) if run == round.run() => {
                    if view.seat != seat {
                        return Err(Stop::Garbage { who: round.pupil(seat) }.into());
                    }
                    views.push(*view);
                    asked.remove(&id);
                }
                Said::Of(run, About::NoView) if run == round.run() => {
                    return Err(RingError::NotShown(round.pupil(seat)));
                }
                _ => {}
            }
        }
        views.sort_by_key(|view| view.seat);
        Ok(views)
    }
}
