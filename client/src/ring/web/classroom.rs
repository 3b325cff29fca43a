//! Classroom: the lesson with its clock and its listeners: who may speak for whom, and what each
//! has still to be told.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rand::RngExt as _;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::{
    event::{Audience, Event},
    lesson::{Lesson, Output, Rules},
    limits::{self, Known, Limits},
    log::{Log, PUPILS_EVENTS, TEACHERS_EVENTS},
    refusal::Refusal,
    request::Join,
    token::{Code, Token},
    traffic::Traffic,
};
use crate::ring::{finding::find, name::PupilId};

mod listener;

pub use listener::Listener;

/// How often listeners are told that the host is there.
const ALIVE: Duration = Duration::from_secs(10);
/// How long a listener may not read before it counts as gone.
const SLOWEST_READER: Duration = Duration::from_secs(30);
/// How often slow readers and quiet addresses are looked for.
const ROUNDS: Duration = Duration::from_secs(5);
/// The teacher's pages that may listen at once: a projector, a desk, and what was reloaded.
const TEACHERS_STREAMS: usize = 4;
/// How often the class is shown at most, however often pupils change their minds.
const CLASS_PACE: Duration = Duration::from_millis(250);
/// Events that are written to a listener at once.
const BATCH: usize = 64;

/// Who a page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// The teacher.
    Teacher,
    /// A pupil.
    Pupil(PupilId),
}

/// The lesson and everybody who listens.
#[derive(Debug)]
pub struct Classroom {
    state: Mutex<State>,
    /// The clock has to look again when it is due.
    changed: Notify,
    code: Code,
    link: String,
    alive: Duration,
    class_pace: Duration,
    /// What the host receives and sends.
    pub traffic: Traffic,
    /// How much strangers may send.
    pub limits: Limits,
}

#[derive(Debug)]
struct State {
    lesson: Lesson,
    clients: BTreeMap<Who, Client>,
    streams: u64,
    is_over: bool,
    /// The class as it is now, if nobody has been shown it.
    class: Option<Arc<Event>>,
    /// When the class may be shown again.
    class_at: Instant,
}

/// One page.
#[derive(Debug)]
struct Client {
    token: Token,
    log: Log,
    streams: Vec<Stream>,
    /// The number of the newest event; closed when the page is forgotten.
    news: watch::Sender<u64>,
    limit: Known,
    changes: Known,
}

/// One connection on which a page listens.
#[derive(Debug)]
struct Stream {
    id: u64,
    read_at: Instant,
}

impl Classroom {
    /// A classroom with a teacher and no pupils. `link` is the pupils' link.
    pub fn new(rules: Rules, code: Code, link: String, teacher: Token, traffic: Traffic) -> Self {
        let clients = BTreeMap::from([(Who::Teacher, Client::new(teacher, TEACHERS_EVENTS))]);
        let (lesson, class_at) = (Lesson::new(rules), Instant::now());
        let state = State { lesson, clients, streams: 0, is_over: false, class: None, class_at };
        let (state, changed, limits) = (Mutex::new(state), Notify::new(), Limits::default());
        let (alive, class_pace) = (ALIVE, CLASS_PACE);
        Self { state, changed, code, link, alive, class_pace, traffic, limits }
    }

    /// Whose token this is.
    pub fn who(&self, token: &str) -> Option<Who> {
        let shown = Token::read(token)?;
        let state = self.state();
        // All of them are compared, so that nothing is told by how long it takes.
        let mut found = None;
        for (who, client) in &state.clients {
            if client.token.is(&shown) {
                found = Some(*who);
            }
        }
        found
    }

    /// Whether a known page may make another request.
    pub fn admit(&self, who: Who) -> bool {
        self.state().clients.get(&who).is_some_and(|client| client.limit.check().is_ok())
    }

    /// Whether a pupil may say once more that it is ready, or that it is not.
    pub fn admit_change(&self, id: PupilId) -> bool {
        let state = self.state();
        let client = state.clients.get(&Who::Pupil(id));
        client.is_some_and(|client| client.changes.check().is_ok())
    }

    /// Takes a pupil in. Its number and token.
    pub fn join(self: &Arc<Self>, join: &Join) -> Result<(PupilId, Zeroizing<String>), Refusal> {
        if !self.code.is(&join.code) {
            return Err(Refusal::WrongCode);
        }
        let mut state = self.state();
        let id = state.lesson.join(&join.name, join.key, Instant::now())?;
        let token = Token::draw(&mut rand::rng());
        let shown = token.reveal();
        state.clients.insert(Who::Pupil(id), Client::new(token, PUPILS_EVENTS));
        self.hand_out(state);
        Ok((id, shown))
    }

    /// A text in which no token of this class can be read.
    pub fn without_tokens(&self, text: &str) -> String {
        let state = self.state();
        state.clients.values().fold(text.to_owned(), |text, client| {
            text.replace(client.token.reveal().as_str(), "(a token)")
        })
    }

    /// Does something in the lesson, and tells everybody what came of it.
    pub fn act<R>(self: &Arc<Self>, act: impl FnOnce(&mut Lesson, Instant) -> R) -> R {
        let mut state = self.state();
        let result = act(&mut state.lesson, Instant::now());
        self.hand_out(state);
        result
    }

    /// A page listens, from the event after that one on.
    pub fn listen(self: &Arc<Self>, who: Who, after: u64) -> Result<Listener, Refusal> {
        let mut state = self.state();
        state.streams += 1;
        let stream = state.streams;
        let client = state.clients.get_mut(&who).ok_or(Refusal::WrongToken)?;
        let most = if who == Who::Teacher { TEACHERS_STREAMS } else { 1 };
        client.streams.push(Stream { id: stream, read_at: Instant::now() });
        if client.streams.len() > most {
            client.streams.remove(0);
        }
        let news = client.news.subscribe();
        // Wakes the listener that has just been replaced.
        client.news.send_modify(|_| {});
        if let Who::Pupil(id) = who {
            state.lesson.reached(id);
        }
        self.hand_out(state);
        Ok(Listener { classroom: Arc::clone(self), who, stream, after, news })
    }

    /// Keeps the lesson's time until it is over.
    pub async fn keep_time(self: Arc<Self>, stop: CancellationToken) {
        loop {
            let due = self.next_due(Instant::now());
            tokio::select! {
                () = tokio::time::sleep_until(due.into()) => {}
                () = self.changed.notified() => continue,
                () = stop.cancelled() => break,
            }
            self.drop_slow_readers(Instant::now());
            self.limits.forget_quiet();
            self.act(Lesson::tick);
        }
        let mut state = self.state();
        state.lesson.end();
        state.is_over = true;
        self.hand_out(state);
    }

    fn next_due(&self, now: Instant) -> Instant {
        let state = self.state();
        let class_at = state.class.as_ref().map(|_| state.class_at);
        let due = state.lesson.next_tick().into_iter().chain(class_at).min();
        due.map_or(now + ROUNDS, |at| at.min(now + ROUNDS))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives everybody what the lesson has for them.
    fn hand_out(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        for output in state.lesson.outputs() {
            match output {
                Output::Tell(_, event @ Event::Class { .. }) => state.class = Some(Arc::new(event)),
                Output::Tell(to, event) => {
                    // Whoever reads that a round starts, or that the class is over, knows the
                    // class as it was then.
                    if matches!(event, Event::Started { .. } | Event::Ended {}) {
                        state.show_class();
                    }
                    state.tell(to, Arc::new(event));
                }
                Output::Forget(id) => {
                    state.clients.remove(&Who::Pupil(id));
                }
                Output::Find(round, views) => {
                    let classroom = Arc::clone(self);
                    tokio::spawn(async move {
                        let run = round.run();
                        let finding = tokio::task::spawn_blocking(move || find(&round, &views));
                        let finding = match finding.await {
                            Ok(finding) => finding.map_err(|error| error.to_string()),
                            Err(_) => Err(Refusal::Broken.to_string()),
                        };
                        classroom.act(|lesson, _| lesson.found(run, finding));
                    });
                }
            }
        }
        let now = Instant::now();
        if state.class_at <= now && state.show_class() {
            state.class_at = now + self.class_pace;
        }
        drop(state);
        self.changed.notify_one();
    }

    fn drop_slow_readers(&self, now: Instant) {
        let mut state = self.state();
        let State { clients, lesson, .. } = &mut *state;
        for (who, client) in clients {
            let streams = client.streams.len();
            client.streams.retain(|stream| now < stream.read_at + SLOWEST_READER);
            if client.streams.len() < streams {
                client.news.send_modify(|_| {});
            }
            if let Who::Pupil(id) = who
                && streams > 0
                && client.streams.is_empty()
            {
                lesson.out_of_reach(*id, now);
            }
        }
    }

    /// A connection on which somebody listened is gone.
    fn hung_up(self: &Arc<Self>, who: Who, stream: u64) {
        let mut state = self.state();
        let Some(client) = state.clients.get_mut(&who) else { return };
        let streams = client.streams.len();
        client.streams.retain(|other| other.id != stream);
        let is_last = client.streams.is_empty() && streams > 0;
        if let Who::Pupil(id) = who
            && is_last
        {
            state.lesson.out_of_reach(id, Instant::now());
        }
        self.hand_out(state);
    }
}

impl State {
    /// Shows the class as it is now to everybody. Whether it has changed.
    fn show_class(&mut self) -> bool {
        let class = self.class.take();
        let is_new = class.is_some();
        class.into_iter().for_each(|class| self.tell(Audience::Everybody, class));
        is_new
    }

    fn tell(&mut self, to: Audience, event: Arc<Event>) {
        match to {
            Audience::Everybody => {
                self.clients.values_mut().for_each(|client| client.tell(Arc::clone(&event)));
            }
            Audience::Teacher => self.tell_one(Who::Teacher, event),
            Audience::Pupil(id) => self.tell_one(Who::Pupil(id), event),
        }
    }

    fn tell_one(&mut self, who: Who, event: Arc<Event>) {
        if let Some(client) = self.clients.get_mut(&who) {
            client.tell(event);
        }
    }
}

impl Client {
    fn new(token: Token, events: usize) -> Self {
        let (log, news) = (Log::new(events), watch::Sender::new(0));
        let (limit, changes) = (limits::known(), limits::changes());
        Self { token, log, streams: Vec::new(), news, limit, changes }
    }

    fn tell(&mut self, event: Arc<Event>) {
        self.log.push(event);
        self.news.send_replace(self.log.last());
    }
}

impl std::fmt::Display for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Teacher => f.write_str("teacher"),
            Self::Pupil(id) => id.fmt(f),
        }
    }
}

/// A round's id that nobody has used.
pub fn new_run() -> mpc::ids::RunId {
    mpc::ids::RunId(rand::rng().random())
}

#[cfg(test)]
mod tests;
