//! `sotto ring run`: a whole class on this machine, every message shown as it passes.

use std::{path::PathBuf, time::Duration};

use client::ring::{
    error::RingError,
    misbehaviour::Misbehaviour,
    name::{PupilId, list},
    stop::Stop,
};
use mpc::ring::{FEWEST, Message, Protocol, Seat};
use tokio_util::sync::CancellationToken;

use super::{
    Global, ScaleOptions, breach, check_once,
    document::{Document, Ended, Stopped},
    grades::Grades,
    keyboard::Keyboard,
    local::{Audience, LocalClass},
    pupil, show,
};
use crate::{
    command::usage,
    failure::Failure,
    report::{self, Format},
    signal,
};

/// Play a round on this machine: one gRPC peer per pupil, every message shown.
///
/// Without --values the class of 20 that comes with the program plays. Numbers travel directly
/// from neighbour to neighbour, over TLS, as with `sotto ring host` and `sotto ring join`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Run {
    /// CSV file with a header and one row per pupil.
    #[arg(long, value_name = "FILE")]
    values: Option<PathBuf>,
    /// The column with the values; may be left out where only one has numbers.
    #[arg(long, value_name = "NAME")]
    column: Option<String>,
    #[command(flatten)]
    scale: ScaleOptions,
    /// How the sum is computed: `ring`, `rings` or `shares`.
    #[arg(long, default_value_t = Protocol::Ring, value_name = "PROTOCOL")]
    protocol: Protocol,
    /// Let these pupils put together what they saw: P3,P5.
    #[arg(long, value_delimiter = ',', value_name = "PUPILS", value_parser = pupil)]
    collude: Vec<PupilId>,
    /// Wait for Enter before each message.
    #[arg(long)]
    step: bool,
    /// Let a pupil break the rules: P4=drops, silent, twice, garbage or lies.
    #[arg(long, value_name = "PUPIL=HOW", value_parser = breach)]
    misbehave: Option<(PupilId, Misbehaviour)>,
    /// How long a round waits for a pupil, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=3600))]
    silence: u64,
}

/// What an interruption means for a class on this machine.
pub const ENDED: &str = "the class is over, and a round does not go on where it stopped";

const EXAMPLES: &str = "\
Examples:
  sotto ring run --step                            every message with Enter
  sotto ring run --collude P3,P5                   the attack on P4
  sotto ring run --protocol rings --collude P3,P5  the repair
  sotto ring run --misbehave P4=garbage            who breaks the rules is named

Exit codes: 0 with a result, 6 when the round was stopped, 130 after Ctrl-C, which
ends the class: the next one begins from the start.";

impl Run {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let scale = self.scale.scale()?;
        let grades = match &self.values {
            Some(file) => Grades::load(file, self.column.as_deref(), &scale)?,
            None => Grades::shipped(&scale)?,
        };
        self.check_names(grades.pupils.len());
        let stop = signal::stop();
        let silence = Duration::from_secs(self.silence);
        let mut class = LocalClass::start(&scale, &grades, silence, self.misbehave).await?;
        let outcome = self.rounds(&mut class, global.format(), &stop).await;
        class.end().await;
        outcome
    }

    /// Plays until there is a result, or the teacher does not want to go on.
    async fn rounds(
        &self,
        class: &mut LocalClass,
        format: Format,
        stop: &CancellationToken,
    ) -> Result<(), Failure> {
        let mut keyboard = Keyboard::new();
        let mut stopped = Vec::new();
        loop {
            match play(
                class,
                self.protocol,
                &self.collude,
                self.step.then_some(&mut keyboard),
                format,
                stop,
            )
            .await
            {
                Ok(mut document) => {
                    document.stopped = stopped;
                    return match format {
                        Format::Json => report::print(&report::json(&document)?),
                        Format::Text => Ok(()),
                    };
                }
                Err(Failure::Class(RingError::Stopped(why))) => {
                    let again = ask_again(&why, class, &mut keyboard, stop).await;
                    if stop.is_cancelled() {
                        return Err(Failure::ClassInterrupted(ENDED));
                    }
                    if !again {
                        if format == Format::Json {
                            report::print(&report::json(&Ended::of(self.protocol, &why))?)?;
                        }
                        return Err(RingError::Stopped(why).into());
                    }
                    stopped.push(Stopped::of(&why));
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Names on the command line are pupils of the class.
    fn check_names(&self, pupils: usize) {
        check_once(&self.collude);
        let named = self.collude.iter().map(|id| ("--collude", id));
        let breach = self.misbehave.iter().map(|(id, _)| ("--misbehave", id));
        for (flag, id) in named.chain(breach) {
            if usize::from(id.0) > pupils {
                usage(&format!("{flag} {id}: the class has {pupils} pupils, P1 to P{pupils}"));
            }
        }
        if self.collude.len() == pupils {
            usage(&format!("--collude names all {pupils} pupils: leave out who is to be attacked"));
        }
    }
}

/// One round with all that is shown of it.
pub async fn play(
    class: &mut LocalClass,
    protocol: Protocol,
    colluders: &[PupilId],
    keyboard: Option<&mut Keyboard>,
    format: Format,
    stop: &CancellationToken,
) -> Result<Document, Failure> {
    let players = class.players();
    if let Some(id) = colluders.iter().find(|id| players.iter().all(|named| named.id != **id)) {
        return Err(RingError::NotPlaying(*id).into());
    }
    let names: Vec<String> = players.iter().map(|named| named.id.to_string()).collect();
    if format == Format::Text {
        report::print(&show::opening(protocol, players.len()))?;
    }
    let mut audience = Terminal { format, protocol, names, is_first: true };
    let (played, seen) = class.play(protocol, keyboard, stop, &mut audience).await?;
    if format == Format::Text {
        report::print(&show::result(&played, &seen))?;
    }
    let finding = match colluders {
        [] => None,
        colluders => Some(class.collude(colluders, stop).await?),
    };
    if let (Format::Text, Some(finding)) = (format, &finding) {
        report::print(&show::finding(finding))?;
    }
    Ok(Document::new(&played, &seen, finding))
}

/// Asks whether the class plays again without those who disturbed the round.
async fn ask_again(
    why: &Stop,
    class: &mut LocalClass,
    keyboard: &mut Keyboard,
    stop: &CancellationToken,
) -> bool {
    let suspects = why.suspects();
    let rest = class.players().iter().filter(|named| !suspects.contains(&named.id)).count();
    if suspects.is_empty() || rest < FEWEST {
        return false;
    }
    eprintln!("\nthe round is stopped: {why}");
    let names: Vec<String> = suspects.iter().map(ToString::to_string).collect();
    let question = format!("Play again without {}?", list(&names));
    let agrees = tokio::select! {
        () = stop.cancelled() => false,
        agrees = keyboard.agrees(&question, true) => agrees,
    };
    for id in suspects.into_iter().filter(|_| agrees) {
        // Who has left is not there, which comes to the same.
        let _ = class.host().leave_out(id, true);
    }
    agrees
}

/// Messages on the terminal, as they pass.
struct Terminal {
    format: Format,
    protocol: Protocol,
    names: Vec<String>,
    is_first: bool,
}

impl Audience for Terminal {
    fn message(&mut self, number: usize, message: &Message) -> Result<(), Failure> {
        if self.format == Format::Json {
            return Ok(());
        }
        if std::mem::take(&mut self.is_first) {
            report::print(&show::header(self.protocol))?;
        }
        let name = |seat: Seat| self.names.get(seat.index()).cloned().unwrap_or_default();
        report::print(&show::message(self.protocol, number, message, &name))
    }
}
