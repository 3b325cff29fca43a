//! A pupil's browser: the page's part in the lesson, with the arithmetic of `mpc::ring`.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use http_body_util::BodyExt as _;
use hyper::{StatusCode, body::Incoming};
use mpc::{
    ids::RunId,
    ring::{
        Announcement, Lane, Message, Protocol, Seat,
        plan::Plan,
        pupil::{Action, Pupil},
    },
};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{
    seal::{KeyPair, Way, told},
    site::{Connection, Site},
};

/// What a pupil does that it should not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Nothing.
    Honest,
    /// Closes its page when something comes for it.
    Closes,
    /// Sends its neighbour a second, different number.
    Twice,
    /// Sends what is no number of the round.
    Garbage,
    /// Sends what is not even a request.
    Noise,
    /// Says before anything came that it cannot open it.
    Accuses,
    /// Says that it cannot open what it can.
    Denies,
    /// Does not play.
    Declines,
    /// Was told another round than everybody else, under the same run.
    Misinformed,
    /// Announces a number of its own.
    Announces,
    /// Does not show its view.
    Secretive,
    /// Shows another number than it received.
    Lies,
}

/// A pupil with its page open.
pub struct Browser {
    pub pupil: u16,
    pub token: String,
    pub connection: Connection,
    /// The total that it knows of the last round, modulo 2^64.
    pub learned: watch::Receiver<Option<(String, u64)>>,
    /// All its secrets: values, shares, masks, masked numbers.
    pub secrets: Arc<Mutex<Vec<u64>>>,
}

/// Reads a stream of events, line by line.
pub struct Events {
    body: Incoming,
    read: String,
}

/// The state of a page.
struct Page {
    pupil: u16,
    value: u64,
    manner: Manner,
    key: KeyPair,
    connection: Connection,
    token: String,
    keys: BTreeMap<u16, String>,
    play: Option<Play>,
    learned: watch::Sender<Option<(String, u64)>>,
    secrets: Arc<Mutex<Vec<u64>>>,
}

/// The round as a page sees it.
struct Play {
    run: RunId,
    seats: Vec<u16>,
    round: [u8; 32],
    pupil: Pupil,
}

impl Browser {
    /// Joins a class with a value, and takes part from then on.
    pub async fn join(site: &Site, name: &str, value: i64, manner: Manner) -> Self {
        let connection = site.door.connect().await;
        let key = KeyPair::draw();
        let join = json!({"code": site.code, "name": name, "key": key.public()});
        let joined = connection.post("/api/join", "", &join).await.json();
        let pupil = u16::try_from(joined["pupil"].as_u64().unwrap()).unwrap();
        let token = joined["token"].as_str().unwrap().to_owned();
        let (learned, has_learned) = watch::channel(None);
        let value = value.cast_unsigned();
        let secrets = Arc::new(Mutex::new(vec![value]));
        let mut page = Page {
            pupil,
            value,
            manner,
            key,
            connection: connection.clone(),
            token: token.clone(),
            keys: BTreeMap::new(),
            play: None,
            learned,
            secrets: Arc::clone(&secrets),
        };
        let mut events = Events::new(connection.events(&token, 0).await.into_body());
        page.post(json!({"type": "ready"})).await;
        tokio::spawn(async move {
            while let Some(event) = events.next().await {
                page.event(&event).await;
            }
        });
        Self { pupil, token, connection, learned: has_learned, secrets }
    }
}

impl Events {
    pub fn new(body: Incoming) -> Self {
        Self { body, read: String::new() }
    }

    /// The next event; none, when the stream is over.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some((line, rest)) = self.read.split_once('\n') {
                let event: Value = serde_json::from_str(line).unwrap();
                self.read = rest.to_owned();
                if event["type"] != "alive" {
                    return Some(event);
                }
                continue;
            }
            let frame = self.body.frame().await?.ok()?;
            self.read += std::str::from_utf8(frame.data_ref()?).unwrap();
        }
    }
}

impl Page {
    async fn event(&mut self, event: &Value) {
        match event["type"].as_str().unwrap() {
            "class" => {
                for pupil in event["pupils"].as_array().unwrap() {
                    self.keys.insert(number(&pupil["pupil"]), text(&pupil["key"]));
                }
            }
            "started" => self.started(event).await,
            "deliver" => self.deliver(event).await,
            "announced" => self.announced(event).await,
            "ask-view" => self.asked().await,
            "outcome" | "stopped" | "ended" => {}
            other => panic!("a pupil was told {other}"),
        }
    }

    async fn started(&mut self, event: &Value) {
        let seats: Vec<u16> = event["seats"].as_array().unwrap().iter().map(number).collect();
        let Some(seat) = seats.iter().position(|&pupil| pupil == self.pupil) else { return };
        let protocol: Protocol = text(&event["protocol"]).parse().unwrap();
        let plan = Arc::new(Plan::new(protocol, seats.len()).unwrap());
        let rings: Vec<Vec<u16>> = plan
            .rings()
            .iter()
            .map(|ring| ring.iter().map(|s| seats[s.index()]).collect())
            .collect();
        assert_eq!(event["rings"], json!(rings));
        let seat = Seat(u16::try_from(seat).unwrap());
        let mut pupil = Pupil::new(plan, seat, self.value, &mut rand::rng());
        let actions = pupil.start();
        let run = text(&event["run"]).parse().unwrap();
        let view = pupil.reveal_view();
        self.secrets.lock().unwrap().extend(view.shares.iter().chain(&view.masks));
        let keyed: Vec<_> = seats.iter().map(|seat| (*seat, self.keys[seat].as_str())).collect();
        let round = told(protocol, &keyed);
        self.play = Some(Play { run, seats, round, pupil });
        match self.manner {
            Manner::Noise => {
                self.post(json!({"type": "sealed", "value": 999})).await;
                return;
            }
            Manner::Accuses => {
                // The first pupil receives from the last; everybody else from the one before.
                let before = self.seat_before();
                self.unreadable(before).await;
                return;
            }
            Manner::Announces => self.announce(3).await,
            Manner::Declines => {
                let run = run.to_string();
                self.post(json!({"type": "decline", "run": run})).await;
                return;
            }
            Manner::Misinformed => {
                // It was told another protocol under the same run.
                let play = self.play.as_mut().unwrap();
                play.round[0] ^= 1;
            }
            _ => {}
        }
        self.perform(actions).await;
    }

    async fn deliver(&mut self, event: &Value) {
        if self.manner == Manner::Closes {
            self.connection.cut();
            return;
        }
        let (ring, from) = (number(&event["ring"]), number(&event["from"]));
        if self.manner == Manner::Denies {
            self.unreadable(from).await;
            return;
        }
        let play = self.play.as_mut().unwrap();
        if event["run"] != play.run.to_string() {
            return;
        }
        let way = Way { run: play.run, ring, from, to: self.pupil, round: play.round };
        let (iv, sealed) = (text(&event["iv"]), text(&event["box"]));
        let Some(value) = self.key.open(&self.keys[&from], way, &iv, &sealed) else {
            self.unreadable(from).await;
            return;
        };
        let lane = Lane { ring, from: play.seat(from), to: play.seat(self.pupil) };
        let actions = play.pupil.receive(Message { lane, value }).unwrap();
        self.perform(actions).await;
    }

    async fn announced(&mut self, event: &Value) {
        let (from, value) = (number(&event["from"]), text(&event["value"]).parse().unwrap());
        let Some(play) = self.play.as_mut().filter(|play| event["run"] == play.run.to_string())
        else {
            return;
        };
        if from != self.pupil {
            let announcement = Announcement { from: play.seat(from), value };
            let actions = play.pupil.hear(announcement).unwrap();
            self.perform(actions).await;
        }
    }

    async fn asked(&mut self) {
        let play = self.play.as_ref().unwrap();
        let (run, view) = (play.run.to_string(), play.pupil.reveal_view());
        if self.manner == Manner::Secretive {
            self.post(json!({"type": "no-view", "run": run})).await;
            return;
        }
        let off = u64::from(self.manner == Manner::Lies);
        let texts = |numbers: &[u64]| numbers.iter().map(u64::to_string).collect::<Vec<_>>();
        let shown = |messages: &[Message], off: u64| -> Vec<Value> {
            let shown = |m: &Message| {
                json!({"ring": m.lane.ring, "from": play.seats[m.lane.from.index()],
                    "to": play.seats[m.lane.to.index()],
                    "value": m.value.wrapping_add(off).to_string()})
            };
            messages.iter().map(shown).collect()
        };
        let view = json!({"value": view.value.to_string(), "shares": texts(&view.shares),
            "masks": texts(&view.masks), "sent": shown(&view.sent, 0),
            "received": shown(&view.received, off)});
        self.post(json!({"type": "view", "run": run, "view": view})).await;
    }

    async fn perform(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Send(message) => self.send(message).await,
                Action::Announce(announcement) => {
                    self.announce(announcement.value).await;
                }
                Action::Learn(total) => {
                    let run = self.play.as_ref().unwrap().run.to_string();
                    self.learned.send_replace(Some((run, total)));
                }
            }
        }
    }

    async fn send(&mut self, Message { lane, value }: Message) {
        self.secrets.lock().unwrap().push(value);
        let play = self.play.as_ref().unwrap();
        let (run, ring, to) = (play.run, lane.ring, play.seats[lane.to.index()]);
        let way = Way { run, ring, from: self.pupil, to, round: play.round };
        let key = &self.keys[&to];
        let times = if self.manner == Manner::Twice { 2 } else { 1 };
        for _ in 0..times {
            let (iv, sealed) = self.key.seal(key, way, value);
            let to = if self.manner == Manner::Garbage { self.pupil } else { to };
            let body = json!({"type": "sealed", "run": run.to_string(), "ring": ring, "to": to,
                "iv": iv, "box": sealed});
            let status = self.post(body.clone()).await;
            assert_eq!(status, StatusCode::OK);
            // What a page does when it does not know whether the first one arrived.
            assert_eq!(self.post(body).await, StatusCode::OK);
        }
    }

    async fn announce(&self, value: u64) {
        let run = self.play.as_ref().unwrap().run.to_string();
        self.post(json!({"type": "announce", "run": run, "value": value.to_string()})).await;
    }

    async fn unreadable(&self, from: u16) {
        let run = self.play.as_ref().unwrap().run.to_string();
        self.post(json!({"type": "unreadable", "run": run, "ring": 0, "from": from})).await;
    }

    fn seat_before(&self) -> u16 {
        let seats = &self.play.as_ref().unwrap().seats;
        let place = seats.iter().position(|&pupil| pupil == self.pupil).unwrap();
        seats[(place + seats.len() - 1) % seats.len()]
    }

    async fn post(&self, body: Value) -> StatusCode {
        self.connection.post("/api/pupil", &self.token, &body).await.status
    }
}

impl Play {
    fn seat(&self, pupil: u16) -> Seat {
        let place = self.seats.iter().position(|&other| other == pupil).unwrap();
        Seat(u16::try_from(place).unwrap())
    }
}

fn number(value: &Value) -> u16 {
    u16::try_from(value.as_u64().unwrap()).unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
