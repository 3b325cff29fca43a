//! Course: leads a round from its roster to its result, or stops it.

use std::{collections::BTreeMap, future};

use mpc::{
    ids::RunId,
    ring::{Lane, Protocol},
};
use rand::Rng as _;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{
    Heard, Host, News, Played,
    game::{Consequence, Game},
};
use crate::ring::{
    check,
    error::RingError,
    name::{Named, PupilId},
    stop::Stop,
    wire::{Contact, Instruction, Order, Said, Seats},
};

/// The part of the patience that the other side of a complaint has.
const ANSWER: u32 = 4;

impl Host {
    /// Plays a round.
    pub(super) async fn course(
        &mut self,
        protocol: Protocol,
        steps: Option<&mut mpsc::Receiver<()>>,
        stop: &CancellationToken,
    ) -> Result<Played, RingError> {
        let run = new_run();
        // What was said of earlier rounds is of no interest any more.
        while self.inbox.try_recv().is_ok() {}
        let roster = self.reception.assemble(run);
        let game = Game::new(run, protocol, self.scale.clone(), &roster);
        let mut game = game.inspect_err(|_| self.reception.listen_to(None))?;
        let ids: Vec<PupilId> = roster.iter().map(|(named, _)| named.id).collect();
        let outcome = self.lead(&mut game, roster, steps, stop).await;
        self.reception.listen_to(None);
        match outcome {
            Ok(()) => {}
            Err(stop) => {
                let kind = stop.kind().to_owned();
                let message = stop.to_string();
                let stopped = Order::Of(run, Instruction::Stopped { kind, message });
                ids.iter().for_each(|id| self.reception.send(*id, &stopped));
                return Err(stop.into());
            }
        }
        let result = game.outcome().ok_or(RingError::NothingPlayed)?;
        let done = Order::Of(run, Instruction::Done);
        ids.iter().for_each(|id| self.reception.send(*id, &done));
        Ok(Played { round: game.round().clone(), outcome: result })
    }

    async fn lead(
        &mut self,
        game: &mut Game,
        roster: Vec<(Named, Contact)>,
        mut steps: Option<&mut mpsc::Receiver<()>>,
        stop: &CancellationToken,
    ) -> Result<(), Stop> {
        let run = game.round().run();
        let ids: Vec<PupilId> = roster.iter().map(|(named, _)| named.id).collect();
        let check = check::of(game.round().plan().protocol(), &roster);
        let seats = Seats {
            run,
            protocol: game.round().plan().protocol(),
            pupils: roster,
            stepped: steps.is_some(),
        };
        let all = |order: &Order| ids.iter().for_each(|id| self.reception.send(*id, order));
        all(&Order::Seats(seats));
        let mut patience = Instant::now() + self.patience;
        let mut answers: BTreeMap<Lane, Instant> = BTreeMap::new();
        let mut waiting: Option<Lane> = None;
        while game.result().is_none() {
            let turn = game.turn();
            if let Some(lane) = turn.filter(|_| waiting != turn) {
                self.reception.news(News::Waiting(lane));
            }
            waiting = turn;
            tokio::select! {
                () = stop.cancelled() => return Err(Stop::Teacher),
                heard = self.inbox.recv() => {
                    let Some((id, heard)) = heard else { return Err(Stop::Teacher) };
                    match self.weigh(game, id, heard)? {
                        Consequence::Nothing => {}
                        Consequence::Complaint(lane) => {
                            answers.insert(lane, Instant::now() + self.patience / ANSWER);
                            let receiver = game.round().pupil(lane.to).id;
                            let ask = Order::Of(run, Instruction::Ask(lane));
                            self.reception.send(receiver, &ask);
                        }
                        Consequence::Progress { passed, order } => {
                            patience = Instant::now() + self.patience;
                            for lane in passed {
                                self.reception.news(News::Passed(lane));
                            }
                            if order == Some(Instruction::Begin) {
                                self.reception.news(News::Began { check: check.clone() });
                            }
                            if let Some(order) = order {
                                all(&Order::Of(run, order));
                            }
                        }
                    }
                }
                step = next_step(&mut steps), if turn.is_some() => {
                    // Nobody is there to say go on.
                    let (Some(()), Some(lane)) = (step, turn) else { return Err(Stop::Teacher) };
                    game.release(lane);
                    patience = Instant::now() + self.patience;
                    let sender = game.round().pupil(lane.from).id;
                    self.reception.send(sender, &Order::Of(run, Instruction::Release(lane)));
                }
                // While a number waits for the teacher nobody else is waited for.
                () = sleep_until(patience), if turn.is_none() => {
                    return game.silent().map_or(Ok(()), Err);
                }
                () = when(answers.values().min().copied()) => {
                    let now = Instant::now();
                    let is_late = |until: &Instant| *until <= now;
                    let late = answers.iter().filter(|(_, until)| is_late(until));
                    let stop = late.map(|(lane, _)| *lane).find_map(|lane| game.unanswered(lane));
                    stop.map_or(Ok(()), Err)?;
                    answers.retain(|_, until| !is_late(until));
                }
            }
        }
        Ok(())
    }

    fn weigh(&self, game: &mut Game, id: PupilId, heard: Heard) -> Result<Consequence, Stop> {
        let run = game.round().run();
        let said = match heard {
            Heard::Left => return game.left(id).map_or(Ok(Consequence::Nothing), Err),
            Heard::Said(said) => *said,
        };
        match (said, game.round().seat(id)) {
            (Said::Of(of, about), Some(seat)) if of == run => game.hear(seat, about),
            _ => Ok(Consequence::Nothing),
        }
    }
}

async fn next_step(steps: &mut Option<&mut mpsc::Receiver<()>>) -> Option<()> {
    match steps {
        Some(steps) => steps.recv().await,
        None => future::pending().await,
    }
}

async fn when(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => future::pending().await,
    }
}

fn new_run() -> RunId {
    let mut run = [0; 16];
    rand::rng().fill_bytes(&mut run);
    RunId(run)
}
