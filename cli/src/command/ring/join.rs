//! `sotto ring join`: one pupil of a class.

use std::{collections::BTreeMap, fs, net::SocketAddr, path::PathBuf, sync::Arc};

use client::ring::{
    code::Code,
    error::RingError,
    name::{Named, list},
    pupil::{self, Attendance, Event, Learned, Seating},
    scale::{Scale, ScaleError},
};
use mpc::ring::{Lane, Message, Protocol, Seat};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::{Global, keyboard::Keyboard, show};
use crate::{
    failure::Failure,
    report::{self, Format},
    signal,
};

/// Join a class by the code that its host shows.
///
/// Asks for your value when the host has said which values there are. The value stays on this
/// machine: what is sent is masked, and goes to your neighbours alone. Ctrl-C leaves the class, with
/// the exit code 130; when the host ends it, the exit code is 0.
#[derive(Debug, clap::Args)]
pub struct Join {
    /// The code that the host shows.
    #[arg(value_parser = code, required = true, num_args = 1..)]
    code: Vec<String>,
    /// Your name, for the others to see.
    #[arg(long, default_value = "", value_name = "NAME", hide_default_value = true)]
    name: String,
    /// Read the value from this file instead of asking for it.
    #[arg(long, value_name = "FILE")]
    value_file: Option<PathBuf>,
    /// Address and port to listen on for your neighbours; port 0 takes a free one.
    #[arg(long, default_value = "0.0.0.0:0", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// Name or address under which the others reach this machine; else its address in the local net.
    #[arg(long, value_name = "HOST")]
    address: Option<String>,
    /// Show what you saw without being asked, when the teacher plays a coalition with you.
    #[arg(long)]
    show_when_asked: bool,
}

/// A part of a code: it may be typed with spaces.
fn code(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

/// What an interruption means for a pupil.
const LEFT: &str = "you have left the class; with the same command you join as somebody new";

/// What a pupil knows after a round, for scripts, on one line.
#[derive(Serialize)]
struct Known {
    pupil: String,
    protocol: &'static str,
    pupils: usize,
    value: f64,
    received: Vec<Number>,
    sent: Vec<Number>,
    total: f64,
    average: f64,
    others_total: f64,
}

#[derive(Serialize)]
struct Number {
    ring: u32,
    from: String,
    to: String,
    value: String,
}

impl Join {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let code: Code = self.code.concat().parse().map_err(Failure::Code)?;
        let stop = signal::stop();
        let (sender, mut events) = mpsc::unbounded_channel();
        let settings = pupil::Settings {
            address: self.address.clone(),
            ..pupil::Settings::new(&self.name, self.listen)
        };
        let observe = Arc::new(move |event| {
            // Nobody listens any more when the command ends.
            let _ = sender.send(event);
        });
        let joined = tokio::select! {
            () = stop.cancelled() => return Err(Failure::ClassInterrupted(LEFT)),
            joined = Attendance::join(&code, settings, observe) => joined?,
        };
        eprintln!("you are {}; the host is {}", joined.named(), code.authority());
        let mut person = Person {
            named: joined.named().clone(),
            scale: joined.scale().clone(),
            attendance: joined,
            keyboard: Keyboard::new(),
            format: global.format(),
            shows: self.show_when_asked,
            seating: None,
            came: BTreeMap::new(),
        };
        let outcome = person.attend(self.value_file.as_deref(), &mut events, &stop).await;
        match outcome {
            Err(interrupted @ Failure::ClassInterrupted(_)) => {
                person.attendance.leave().await?;
                Err(interrupted)
            }
            other => other,
        }
    }
}

/// Somebody at a terminal.
struct Person {
    named: Named,
    scale: Scale,
    attendance: Attendance,
    keyboard: Keyboard,
    format: Format,
    shows: bool,
    seating: Option<Seating>,
    /// What came and has not been passed on, by ring.
    came: BTreeMap<u16, u64>,
}

impl Person {
    /// From the value to the end of the class.
    async fn attend(
        &mut self,
        file: Option<&std::path::Path>,
        events: &mut mpsc::UnboundedReceiver<Event>,
        stop: &CancellationToken,
    ) -> Result<(), Failure> {
        let value = tokio::select! {
            () = stop.cancelled() => return Err(Failure::ClassInterrupted(LEFT)),
            ended = self.attendance.ended() => return self.over(ended),
            value = value(&mut self.keyboard, &self.scale, file) => value?,
        };
        self.attendance.bring(*value).await?;
        eprintln!("waiting for the round to begin");
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Err(Failure::ClassInterrupted(LEFT)),
                Some(event) = events.recv() => self.hear(event, stop).await?,
                ended = self.attendance.ended() => return self.over(ended),
            }
        }
    }

    fn over(&self, ended: Result<(), RingError>) -> Result<(), Failure> {
        ended?;
        eprintln!("the class has ended");
        Ok(())
    }

    async fn hear(&mut self, event: Event, stop: &CancellationToken) -> Result<(), Failure> {
        match event {
            Event::Seated(seating) => {
                let names: Vec<String> = seating.pupils.iter().map(ToString::to_string).collect();
                let (protocol, who, check) = (seating.protocol, list(&names), &seating.check);
                let text = format!("{protocol}: {who} play. Every screen shows {check}.");
                self.say(&format!("\n{}", show::wrap(&text, 0)))?;
                self.seating = Some(seating);
                self.came.clear();
            }
            Event::Received(message) => {
                self.came.insert(message.lane.ring, message.value);
                self.message("received from", message.lane.from, &message)?;
            }
            Event::Sent(message) => {
                self.added(&message)?;
                self.message("sent to", message.lane.to, &message)?;
            }
            Event::Announced(said) => {
                let who = self.name(said.from);
                let number = match self.protocol() {
                    Some(Protocol::Shares) => said.value.to_string(),
                    _ => self.scale.show(said.value.cast_signed()),
                };
                self.say(&format!("{who} announces {number}"))?;
            }
            Event::Learned(learned) => self.learned(&learned)?,
            Event::Stopped { kind, message } => {
                if self.format == Format::Json {
                    let ended =
                        serde_json::json!({ "stopped": { "kind": kind, "message": message } });
                    report::print(&ended.to_string())?;
                }
                eprintln!("the round is stopped: {message}");
            }
            Event::AskedForView { with } => {
                let shows = self.shows || self.asks(&with, stop).await;
                self.attendance.show(shows).await?;
                eprintln!("{}", if shows { "shown" } else { "not shown" });
            }
        }
        Ok(())
    }

    async fn asks(&mut self, with: &[Named], stop: &CancellationToken) -> bool {
        let others = with.iter().filter(|named| named.id != self.named.id);
        let others: Vec<String> = others.map(ToString::to_string).collect();
        let question = match others.is_empty() {
            true => "The teacher asks for what you saw. Show your value and your numbers?".into(),
            false => format!(
                "The teacher asks you to collude with {}. Show your value and your numbers?",
                list(&others)
            ),
        };
        tokio::select! {
            () = stop.cancelled() => false,
            agrees = self.keyboard.agrees(&question, false) => agrees,
        }
    }

    fn message(&self, did: &str, other: Seat, message: &Message) -> Result<(), Failure> {
        self.line(message.lane, &format!("{did} {}", self.name(other)), Some(message.value))
    }

    /// What is added before a number is passed on.
    fn added(&mut self, sent: &Message) -> Result<(), Failure> {
        let what = match self.protocol() {
            Some(Protocol::Ring) => "value",
            Some(Protocol::Rings) => "share",
            // Nothing is passed on.
            Some(Protocol::Shares) | None => return Ok(()),
        };
        match self.came.remove(&sent.lane.ring) {
            Some(came) => {
                let added = sent.value.wrapping_sub(came);
                self.line(sent.lane, &format!("added your {what}"), Some(added))
            }
            None => self.line(sent.lane, &format!("drew a mask and added your {what}"), None),
        }
    }

    fn line(&self, lane: Lane, did: &str, number: Option<u64>) -> Result<(), Failure> {
        let ring = match self.protocol() {
            Some(Protocol::Rings) => format!("ring {:<3} ", u32::from(lane.ring) + 1),
            _ => String::new(),
        };
        let number = number.map(|number| number.to_string()).unwrap_or_default();
        self.say(format!("{ring}{did:<44} {number:>20}").trim_end())
    }

    fn learned(&self, learned: &Learned) -> Result<(), Failure> {
        let outcome = &learned.outcome;
        let own = learned.view.value.cast_signed();
        let others = outcome.total - own;
        match (self.format, &self.seating) {
            (Format::Json, Some(seating)) => {
                let number = |message: &Message| Number {
                    ring: u32::from(message.lane.ring) + 1,
                    from: self.id(message.lane.from),
                    to: self.id(message.lane.to),
                    value: message.value.to_string(),
                };
                let known = Known {
                    pupil: self.named.id.to_string(),
                    protocol: seating.protocol.name(),
                    pupils: outcome.pupils,
                    value: self.scale.number(own),
                    received: learned.view.received.iter().map(number).collect(),
                    sent: learned.view.sent.iter().map(number).collect(),
                    total: self.scale.number(outcome.total),
                    average: outcome.average,
                    others_total: self.scale.number(others),
                };
                let text =
                    serde_json::to_string(&known).map_err(|error| Failure::Output(error.into()))?;
                report::print(&text)
            }
            _ => {
                let known = format!(
                    "You know besides that the values of the others add up to {}, and from \
                     this round alone nothing else about any of them.",
                    self.scale.show(others)
                );
                let average = show::average(outcome, &self.scale);
                report::print(&format!("{average}\n{}", show::wrap(&known, 0)))
            }
        }
    }

    fn protocol(&self) -> Option<Protocol> {
        self.seating.as_ref().map(|seating| seating.protocol)
    }

    fn pupil(&self, seat: Seat) -> Option<&Named> {
        self.seating.as_ref()?.pupils.get(seat.index())
    }

    fn name(&self, seat: Seat) -> String {
        self.pupil(seat).map(ToString::to_string).unwrap_or_default()
    }

    fn id(&self, seat: Seat) -> String {
        self.pupil(seat).map(|named| named.id.to_string()).unwrap_or_default()
    }

    /// For people on stdout; scripts are told the end alone.
    fn say(&self, text: &str) -> Result<(), Failure> {
        match self.format {
            Format::Json => Ok(()),
            Format::Text => report::print(text),
        }
    }
}

/// The person's value: from the file, or asked for until it is one of the scale.
async fn value(
    keyboard: &mut Keyboard,
    scale: &Scale,
    file: Option<&std::path::Path>,
) -> Result<Zeroizing<i64>, Failure> {
    if let Some(file) = file {
        let text = fs::read_to_string(file)
            .map(Zeroizing::new)
            .map_err(|source| client::ClientError::File { path: file.to_owned(), source })?;
        return Ok(Zeroizing::new(scale.parse(&text).map_err(RingError::Value)?));
    }
    let (min, max) = (scale.show(*scale.range().start()), scale.show(*scale.range().end()));
    let question = format!("your value, from {min} to {max}: ");
    loop {
        let Some(line) = keyboard.ask(&question).await else {
            return Err(Failure::NoValue);
        };
        match scale.parse(&line) {
            Ok(value) => return Ok(Zeroizing::new(value)),
            Err(error) if Keyboard::is_terminal() => eprintln!("{}", plain(&error)),
            Err(error) => return Err(RingError::Value(error).into()),
        }
    }
}

fn plain(error: &ScaleError) -> String {
    format!("{error}; nothing was sent")
}
