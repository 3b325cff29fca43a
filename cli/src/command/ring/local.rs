//! Local: a whole class in this process, with the same host and the same pupils as on several
//! machines.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use client::ring::{
    error::RingError,
    finding::Finding,
    host::{self, Host, News, Played},
    misbehaviour::Misbehaviour,
    name::{Named, PupilId},
    pupil::{self, Attendance, Event, Learned},
    scale::Scale,
};
use mpc::ring::{Announcement, Lane, Message, Protocol, Seat};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{grades::Grades, keyboard::Keyboard};
use crate::failure::Failure;

/// Files and sockets that a class of a hundred needs.
const FILES: u64 = 8_192;
const LOOPBACK: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// A class on this machine.
pub struct LocalClass {
    host: Host,
    pupils: BTreeMap<PupilId, Attendance>,
    happenings: mpsc::UnboundedReceiver<Happening>,
}

/// What happens, in one order for all: a number is shown before anything that follows from it.
enum Happening {
    Pupil(PupilId, Event),
    News(News),
}

/// What was seen of a round.
#[derive(Debug, Default)]
pub struct Seen {
    /// The numbers, in the order in which they were sent.
    pub messages: Vec<Message>,
    /// What was announced.
    pub announcements: Vec<Announcement>,
    /// What each pupil knows, when the round has a result.
    pub learned: BTreeMap<PupilId, Learned>,
}

/// Who is shown what passes.
pub trait Audience {
    /// A number is sent.
    fn message(&mut self, number: usize, message: &Message) -> Result<(), Failure>;
}

impl LocalClass {
    /// Opens a class, in which everybody joins and brings a value.
    pub async fn start(
        scale: &Scale,
        grades: &Grades,
        silence: Duration,
        misbehaving: Option<(PupilId, Misbehaviour)>,
    ) -> Result<Self, Failure> {
        allow_files(FILES);
        let (sender, happenings) = mpsc::unbounded_channel();
        let news = sender.clone();
        let settings = host::Settings {
            patience: silence,
            observe: Arc::new(move |news_item| {
                // Nobody listens any more when the class is over.
                let _ = news.send(Happening::News(news_item));
            }),
            ..host::Settings::new(LOOPBACK, scale.clone())
        };
        let mut class =
            Self { host: Host::open(settings).await?, pupils: BTreeMap::new(), happenings };
        // One after the other, so that they have their numbers from the file's order.
        for (named, (_, value)) in grades.named().into_iter().zip(&grades.pupils) {
            let id = named.id;
            let misbehaviour = misbehaving.filter(|(who, _)| *who == id).map(|(_, way)| way);
            let settings =
                pupil::Settings { misbehaviour, ..pupil::Settings::new(&named.name, LOOPBACK) };
            let seen = sender.clone();
            let observe = Arc::new(move |event| {
                let _ = seen.send(Happening::Pupil(id, event));
            });
            let pupil = Attendance::join(class.host.code(), settings, observe).await?;
            pupil.bring(*value).await?;
            class.pupils.insert(id, pupil);
        }
        class.host.gathered(grades.pupils.len()).await;
        Ok(class)
    }

    /// The host, to leave somebody out.
    pub fn host(&mut self) -> &mut Host {
        &mut self.host
    }

    /// Who would play now.
    pub fn players(&self) -> Vec<Named> {
        self.host.players()
    }

    /// Plays a round. With a keyboard every number waits for Enter.
    pub async fn play(
        &mut self,
        protocol: Protocol,
        mut keyboard: Option<&mut Keyboard>,
        stop: &CancellationToken,
        audience: &mut impl Audience,
    ) -> Result<(Played, Seen), Failure> {
        let mut seen = Seen::default();
        let (step, mut steps) = mpsc::channel(1);
        let mut step = Some(step);
        let is_stepped = keyboard.is_some();
        let players = self.players();
        let mut play = Box::pin(self.host.play(protocol, is_stepped.then_some(&mut steps), stop));
        let outcome = loop {
            tokio::select! {
                biased;
                Some(happening) = self.happenings.recv() => match happening {
                    Happening::News(News::Waiting(lane)) => {
                        let question = prompt(&players, lane);
                        let pressed = match &mut keyboard {
                            Some(keyboard) => tokio::select! {
                                () = stop.cancelled() => false,
                                pressed = keyboard.waits(&question) => pressed,
                            },
                            None => true,
                        };
                        match (&step, pressed) {
                            // The round waits for this one step.
                            (Some(step), true) => drop(step.try_send(())),
                            // Without anybody to press a key the round stops.
                            _ => step = None,
                        }
                    }
                    other => note(&mut seen, other, audience)?,
                },
                outcome = &mut play => break outcome,
            }
        };
        drop(play);
        // What was sent before the end, and what everybody learned from it.
        while let Ok(happening) = self.happenings.try_recv() {
            note(&mut seen, happening, audience)?;
        }
        let played = outcome.map_err(|error| match stop.is_cancelled() {
            true => Failure::ClassInterrupted(super::run::ENDED),
            false => Failure::from(error),
        })?;
        while seen.learned.len() < played.outcome.pupils {
            let Some(happening) = self.happenings.recv().await else { break };
            note(&mut seen, happening, audience)?;
        }
        Ok((played, seen))
    }

    /// Lets pupils put together what they saw of the last round.
    pub async fn collude(
        &mut self,
        colluders: &[PupilId],
        stop: &CancellationToken,
    ) -> Result<Finding, RingError> {
        let mut finding = Box::pin(self.host.collude(colluders, stop));
        loop {
            tokio::select! {
                finding = &mut finding => return finding,
                Some(happening) = self.happenings.recv() => {
                    if let Happening::Pupil(id, Event::AskedForView { .. }) = happening
                        && let Some(pupil) = self.pupils.get(&id)
                    {
                        pupil.show(true).await?;
                    }
                }
            }
        }
    }

    /// Sends everybody home.
    pub async fn end(self) {
        self.host.end().await;
        for (_, mut pupil) in self.pupils {
            // Who left before has nothing to be told.
            let _ = pupil.ended().await;
        }
    }
}

fn note(
    seen: &mut Seen,
    happening: Happening,
    audience: &mut impl Audience,
) -> Result<(), Failure> {
    let Happening::Pupil(id, event) = happening else { return Ok(()) };
    match event {
        Event::Sent(message) => {
            seen.messages.push(message);
            audience.message(seen.messages.len(), &message)?;
        }
        // Everybody hears it; it is noted once.
        Event::Announced(said) if !seen.announcements.contains(&said) => {
            seen.announcements.push(said);
        }
        Event::Learned(learned) => {
            seen.learned.insert(id, *learned);
        }
        _ => {}
    }
    Ok(())
}

fn prompt(players: &[Named], lane: Lane) -> String {
    // Seats are those of the players in their order.
    let name = |seat: Seat| players.get(seat.index()).map(ToString::to_string).unwrap_or_default();
    format!("Enter: {} sends to {} ", name(lane.from), name(lane.to))
}

/// Raises the limit of open files, as far as the system lets us. Without it a large class meets the
/// limit, and says so.
fn allow_files(wanted: u64) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX).min(wanted);
    if limit.current.is_some_and(|current| current < most) {
        let raised = Rlimit { current: Some(most), maximum: limit.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::debug!(%error, "the limit of open files stays");
        }
    }
}
