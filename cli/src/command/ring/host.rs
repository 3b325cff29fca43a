//! `sotto ring host`: the class of pupils who join from their own machines.

use std::{collections::BTreeSet, future, net::SocketAddr, sync::Arc, time::Duration};

use client::ring::{
    error::RingError,
    finding::Finding,
    host::{self, News, Played},
    name::{PupilId, list},
    stop::Stop,
};
use mpc::ring::{FEWEST, Protocol};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{
    Global, ScaleOptions, check_once,
    document::{Ended, PupilShown, Said, ScaleShown, rings},
    keyboard::Keyboard,
    lesson::{self, Wish},
    pupil, show,
};
use crate::{
    failure::Failure,
    report::{self, Format},
    signal,
};

/// Open a class: shows a code by which pupils join, and starts, watches and stops rounds.
///
/// The host fixes the order and can read no number that pupils send each other. These travel
/// directly between neighbours; with --web, where phones cannot reach each other, they go through
/// the host, sealed for the neighbour. When so many pupils as --pupils says have joined, or you
/// press Enter, the round is played; then you are asked for the next one.
///
/// `quit`, Ctrl-C or SIGTERM ends the class, which is its normal end: exit code 0. Without a
/// terminal, a round of --pupils that is stopped has the exit code 6, and one whose colluders do
/// not all show what they saw has 7, after its result is printed.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Host {
    /// Address and port to listen on; port 0 takes a free one.
    #[arg(long, default_value = "0.0.0.0:0", value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,
    /// Name or address under which pupils reach this machine; else its address in the local net.
    #[arg(long, value_name = "HOST")]
    pub address: Option<String>,
    #[command(flatten)]
    pub scale: ScaleOptions,
    /// How long a round waits for a pupil, in seconds.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = host::PATIENCE.as_secs(),
        value_parser = clap::value_parser!(u64).range(1..=3600)
    )]
    pub silence: u64,
    /// Start as soon as so many are ready. Without a terminal one round is played.
    #[arg(long, value_name = "NUMBER", conflicts_with = "web", value_parser = clap::value_parser!(u16).range(3..=100))]
    pub pupils: Option<u16>,
    /// How the sum is computed: `ring`, `rings` or `shares`.
    #[arg(long, default_value_t = Protocol::Ring, value_name = "PROTOCOL", conflicts_with = "web")]
    pub protocol: Protocol,
    /// Ask these pupils for what they saw after the round, and show what they learned together.
    #[arg(long, value_delimiter = ',', value_name = "PUPILS", conflicts_with = "web", value_parser = pupil)]
    pub collude: Vec<PupilId>,
    /// Read what to do next from stdin although it is no terminal.
    #[arg(long, conflicts_with = "web")]
    pub stay: bool,
    /// Serve a page instead: pupils join with a browser, and the teacher projects the ring.
    #[arg(long)]
    pub web: bool,
    #[command(flatten)]
    pub page: super::web::PageOptions,
}

const EXAMPLES: &str = "\
Examples:
  sotto ring host                       shows the command by which pupils join
  sotto ring host --pupils 5 --json     one round with five pupils, for scripts
  sotto ring host --web                 pupils join with a phone";

/// How the class is joined, for scripts, on one line.
#[derive(Serialize)]
struct Invitation {
    code: String,
    join: String,
    address: String,
}

/// A round, for scripts, on one line: all that the host knows.
#[derive(Serialize)]
struct Round {
    protocol: &'static str,
    scale: ScaleShown,
    pupils: Vec<PupilShown>,
    rings: Vec<Vec<String>>,
    announcements: Vec<Said>,
    total: f64,
    average: f64,
    finding: Option<Finding>,
    /// Why colluders have found nothing, where some were asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    no_finding: Option<String>,
}

impl Host {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        check_once(&self.collude);
        let stop = signal::stop();
        let settings = host::Settings {
            address: self.address.clone(),
            patience: Duration::from_secs(self.silence),
            observe: Arc::new(tell),
            ..host::Settings::new(self.listen, self.scale.scale()?)
        };
        let mut class = Class {
            host: host::Host::open(settings).await?,
            format: global.format(),
            stop,
            protocol: self.protocol,
            collude: self.collude,
            finished: Vec::new(),
        };
        class.invite()?;
        let may_ask = Keyboard::is_terminal() || self.stay || self.pupils.is_none();
        let mut keyboard = may_ask.then(Keyboard::new);
        let outcome = class.lead(self.pupils.map(usize::from), &mut keyboard).await;
        class.host.end().await;
        outcome
    }
}

/// A class with how it is played.
struct Class {
    host: host::Host,
    format: Format,
    stop: CancellationToken,
    protocol: Protocol,
    collude: Vec<PupilId>,
    /// Who played in the rounds whose total is known.
    finished: Vec<BTreeSet<PupilId>>,
}

impl Class {
    fn invite(&self) -> Result<(), Failure> {
        let code = self.host.code();
        let join = format!("sotto ring join {code}");
        match self.format {
            Format::Json => {
                line(&Invitation { code: code.to_string(), join, address: code.authority() })
            }
            Format::Text => report::print(&format!(
                "The class is open at {}. Everybody joins with\n\n  {join}\n",
                code.authority()
            )),
        }
    }

    /// The first round, and then whatever the teacher wishes. Without a keyboard one round is all.
    async fn lead(
        &mut self,
        mut pupils: Option<usize>,
        keyboard: &mut Option<Keyboard>,
    ) -> Result<(), Failure> {
        while let Some(wish) = self.next(pupils, keyboard).await {
            let outcome = match wish {
                Wish::Quit => break,
                Wish::Without(id) => self.changes(id, true, keyboard).await,
                Wish::With(id) => self.changes(id, false, keyboard).await,
                Wish::Collude(ids) => self.finding(&ids).await,
                Wish::Again | Wish::Protocol(_) => {
                    if let Wish::Protocol(protocol) = wish {
                        self.protocol = protocol;
                    }
                    pupils = None;
                    self.round(keyboard).await
                }
            };
            if keyboard.is_none() {
                return outcome;
            }
            self.say(outcome)?;
        }
        Ok(())
    }

    /// What is done next: a round as soon as so many are ready, or what the teacher types.
    async fn next(&self, pupils: Option<usize>, keyboard: &mut Option<Keyboard>) -> Option<Wish> {
        let gathered = async {
            match pupils {
                Some(pupils) => self.host.gathered(pupils).await,
                None => future::pending().await,
            }
        };
        let may_type = keyboard.is_some() || pupils.is_none();
        tokio::select! {
            () = self.stop.cancelled() => None,
            () = gathered => Some(Wish::Again),
            wish = self.wish(keyboard), if may_type => wish,
        }
    }

    /// What goes wrong with one round does not end the class.
    fn say(&self, outcome: Result<(), Failure>) -> Result<(), Failure> {
        match outcome {
            Err(Failure::Class(error)) => {
                eprintln!("{error}");
                Ok(())
            }
            other => other,
        }
    }

    async fn wish(&self, keyboard: &mut Option<Keyboard>) -> Option<Wish> {
        let keyboard = keyboard.as_mut()?;
        loop {
            // A line of its own: news of pupils may follow it before anything is typed.
            let question = format!(
                "press Enter to play `{}`, or type `help` for what else there is\n",
                self.protocol
            );
            match lesson::wish(&keyboard.ask(&question).await?) {
                Ok(wish) => return Some(wish),
                Err(help) => eprintln!("{help}"),
            }
        }
    }

    /// Plays until there is a result, or the teacher does not want to go on.
    async fn round(&mut self, keyboard: &mut Option<Keyboard>) -> Result<(), Failure> {
        let played = loop {
            match self.host.play(self.protocol, None, &self.stop).await {
                Ok(played) => break played,
                Err(RingError::Stopped(why)) => {
                    if self.format == Format::Json {
                        line(&Ended::of(self.protocol, &why))?;
                    }
                    if !self.goes_on(&why, keyboard).await {
                        return Err(RingError::Stopped(why).into());
                    }
                }
                Err(error) => return Err(error.into()),
            }
        };
        self.finished.push(played.round.pupils().iter().map(|named| named.id).collect());
        self.show(&played)?;
        let colluders = self.collude.clone();
        if colluders.is_empty() {
            return self.answer(&played, None, None);
        }
        // The round has its result whether or not its colluders agree.
        match self.host.collude(&colluders, &self.stop).await {
            Ok(finding) => self.answer(&played, Some(finding), None),
            Err(error) => {
                self.answer(&played, None, Some(error.to_string()))?;
                Err(error.into())
            }
        }
    }

    /// Leaves a pupil out or takes it back; asks first where two totals would tell its value.
    async fn changes(
        &mut self,
        id: PupilId,
        left_out: bool,
        keyboard: &mut Option<Keyboard>,
    ) -> Result<(), Failure> {
        let mut next = self.playing();
        let is_change = if left_out { next.remove(&id) } else { next.insert(id) };
        if let (true, Some(warning), Some(keyboard)) =
            (is_change, lesson::compared(&self.finished, &next), keyboard.as_mut())
        {
            eprintln!("{}", show::wrap(&warning, 0));
            let word = if left_out { "without" } else { "with" };
            let question = format!("Play {word} {id} all the same?");
            let agrees = tokio::select! {
                () = self.stop.cancelled() => false,
                agrees = keyboard.agrees(&question, false) => agrees,
            };
            if !agrees {
                return Ok(());
            }
        }
        Ok(self.host.leave_out(id, left_out)?)
    }

    fn playing(&self) -> BTreeSet<PupilId> {
        self.host.players().into_iter().map(|named| named.id).collect()
    }

    async fn goes_on(&mut self, why: &Stop, keyboard: &mut Option<Keyboard>) -> bool {
        let suspects = why.suspects();
        let players = self.host.players();
        let rest = players.iter().filter(|named| !suspects.contains(&named.id)).count();
        let Some(keyboard) = keyboard else { return false };
        if suspects.is_empty() || rest < FEWEST {
            return false;
        }
        eprintln!("the round is stopped: {why}");
        let names: Vec<String> = suspects.iter().map(ToString::to_string).collect();
        let question = format!("Play again without {}?", list(&names));
        let next = players.iter().map(|named| named.id).filter(|id| !suspects.contains(id));
        let warning = lesson::compared(&self.finished, &next.collect());
        if let Some(warning) = &warning {
            eprintln!("{}", show::wrap(warning, 0));
        }
        let agrees = tokio::select! {
            () = self.stop.cancelled() => false,
            agrees = keyboard.agrees(&question, warning.is_none()) => agrees,
        };
        for id in suspects.into_iter().filter(|_| agrees) {
            // Who has left is not there, which comes to the same.
            let _ = self.host.leave_out(id, true);
        }
        agrees
    }

    async fn finding(&mut self, colluders: &[PupilId]) -> Result<(), Failure> {
        eprintln!("asking {} for what was seen", list(colluders));
        let finding = self.host.collude(colluders, &self.stop).await?;
        match self.format {
            Format::Json => line(&finding),
            Format::Text => report::print(&show::finding(&finding)),
        }
    }

    fn show(&self, played: &Played) -> Result<(), Failure> {
        match self.format {
            Format::Json => Ok(()),
            Format::Text => {
                let scale = self.host.scale();
                let total = scale.show(played.outcome.total);
                let average = show::average(&played.outcome, scale);
                report::print(&format!("{}: total {total}, {average}", self.protocol))
            }
        }
    }

    fn answer(
        &self,
        played: &Played,
        finding: Option<Finding>,
        no_finding: Option<String>,
    ) -> Result<(), Failure> {
        let round = &played.round;
        match self.format {
            Format::Text => finding.map_or(Ok(()), |it| report::print(&show::finding(&it))),
            Format::Json => line(&Round {
                protocol: round.plan().protocol().name(),
                scale: ScaleShown::of(round),
                pupils: round.pupils().iter().map(PupilShown::of).collect(),
                rings: rings(played),
                announcements: round
                    .announced()
                    .iter()
                    .map(|(from, value)| {
                        let said = mpc::ring::Announcement { from: *from, value: *value };
                        Said::of(played, &said)
                    })
                    .collect(),
                total: round.scale().number(played.outcome.total),
                average: played.outcome.average,
                finding,
                no_finding,
            }),
        }
    }
}

/// News for the teacher, on stderr.
fn tell(news: News) {
    match news {
        News::Joined(named) => eprintln!("{named} has joined"),
        News::Ready(named) => eprintln!("{named} is ready"),
        News::Left(named) => eprintln!("{named} has left"),
        News::Began { check } => eprintln!("a round begins; every screen shows {check}"),
        News::Waiting(_) | News::Passed(_) => {}
    }
}

/// A value as JSON on one line.
fn line(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(value).map_err(|error| Failure::Output(error.into()))?;
    report::print(&text)
}
