//! Whole classes on loopback: real hosts, real pupils, TLS between all of them.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use mpc::ring::{Message, Protocol};
use tokio_util::sync::CancellationToken;

use super::{
    error::RingError,
    host::{self, Host, News, Played},
    misbehaviour::Misbehaviour,
    name::PupilId,
    pupil::{self, Attendance, Event},
    scale::Scale,
    stop::Stop,
};

mod breaches;
mod lessons;
mod strangers;

const LOOPBACK: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);
/// Longer than anything takes here: only a test of silence waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A class with everything that its pupils and its host notice.
struct Lesson {
    host: Host,
    pupils: Vec<Attendance>,
    seen: Arc<Mutex<Vec<(PupilId, Event)>>>,
    news: Arc<Mutex<Vec<News>>>,
    traffic: Arc<Mutex<Vec<u8>>>,
}

/// How a class is made.
struct Plan {
    values: Vec<i64>,
    patience: Duration,
    misbehaving: Option<(u16, Misbehaviour)>,
}

fn lesson(values: impl IntoIterator<Item = i64>) -> Plan {
    Plan { values: values.into_iter().collect(), patience: PATIENCE, misbehaving: None }
}

impl Plan {
    fn with(self, pupil: u16, way: Misbehaviour) -> Self {
        Self { misbehaving: Some((pupil, way)), ..self }
    }

    fn patient_for(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    async fn start(self) -> Lesson {
        let scale = Scale::new("0", "100", 1).unwrap();
        let (seen, news) = (Arc::default(), Arc::default());
        let traffic: Arc<Mutex<Vec<u8>>> = Arc::default();
        let settings = host::Settings {
            patience: self.patience,
            observe: observer(&news, |news| news),
            traffic: Some({
                let traffic = Arc::clone(&traffic);
                Arc::new(move |bytes| traffic.lock().unwrap().extend_from_slice(bytes))
            }),
            ..host::Settings::new(LOOPBACK, scale)
        };
        let host = Host::open(settings).await.unwrap();
        let mut lesson = Lesson { host, pupils: Vec::new(), seen, news, traffic };
        for (value, number) in self.values.into_iter().zip(1..) {
            let misbehaviour = self.misbehaving.filter(|(id, _)| *id == number).map(|(_, way)| way);
            lesson.join(value, misbehaviour).await;
        }
        lesson
    }
}

fn observer<T: 'static + Send, E>(
    list: &Arc<Mutex<Vec<T>>>,
    note: impl Fn(E) -> T + Send + Sync + 'static,
) -> Arc<dyn Fn(E) + Send + Sync> {
    let list = Arc::clone(list);
    Arc::new(move |event| list.lock().unwrap().push(note(event)))
}

impl Lesson {
    async fn join(&mut self, value: i64, misbehaviour: Option<Misbehaviour>) {
        let id = PupilId(u16::try_from(self.host.members().len()).unwrap() + 1);
        let settings = pupil::Settings { misbehaviour, ..pupil::Settings::new("", LOOPBACK) };
        let observe = observer(&self.seen, move |event| (id, event));
        let pupil = Attendance::join(self.host.code(), settings, observe).await.unwrap();
        assert_eq!(pupil.named().id, id);
        pupil.bring(value).await.unwrap();
        let here = self.host.players().len();
        self.host.gathered(here.max(self.pupils.len() + 1)).await;
        self.pupils.push(pupil);
    }

    async fn play(&mut self, protocol: Protocol) -> Result<Played, RingError> {
        self.seen.lock().unwrap().clear();
        let played = self.host.play(protocol, None, &CancellationToken::new()).await?;
        while self.learned().len() < played.outcome.pupils {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(played)
    }

    /// Plays a round that is stopped.
    async fn stopped(&mut self, protocol: Protocol) -> Stop {
        match self.play(protocol).await {
            Err(RingError::Stopped(stop)) => stop,
            other => panic!("not stopped: {other:?}"),
        }
    }

    /// The numbers that were sent in the last round.
    fn sent(&self) -> Vec<Message> {
        let seen = self.seen.lock().unwrap();
        let sent = seen.iter().filter_map(|(_, event)| match event {
            Event::Sent(message) => Some(*message),
            _ => None,
        });
        sent.collect()
    }

    /// What the pupils learned in the last round: who, the total, and in how many values.
    fn learned(&self) -> Vec<(u16, i64, usize)> {
        let seen = self.seen.lock().unwrap();
        let learned = seen.iter().filter_map(|(id, event)| match event {
            Event::Learned(learned) => Some((id.0, learned.outcome.total, learned.outcome.pupils)),
            _ => None,
        });
        let mut learned: Vec<_> = learned.collect();
        learned.sort_unstable();
        learned
    }

    /// Waits until every one of these pupils was told that the round is stopped.
    async fn told(&self, pupils: usize) -> Vec<String> {
        loop {
            let told: Vec<String> = {
                let seen = self.seen.lock().unwrap();
                let messages = seen.iter().filter_map(|(_, event)| match event {
                    Event::Stopped { message, .. } => Some(message.clone()),
                    _ => None,
                });
                messages.collect()
            };
            if told.len() >= pupils {
                return told;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
