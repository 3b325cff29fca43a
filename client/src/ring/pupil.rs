//! Pupil: attends a class on its own machine, and plays every round that the host starts.
//!
//! It has one stream to the host, and a server of its own to which its neighbours send. The value
//! stays here; what leaves is masked, and goes to the neighbours alone.

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use mpc::ring::{Announcement, Message, Protocol, Seat, plan::Plan, view::View};
use tokio::{sync::mpsc, task::JoinHandle};
use zeroize::Zeroizing;

use super::{
    code::Code,
    credentials::Credentials,
    error::RingError,
    misbehaviour::Misbehaviour,
    name::Named,
    place,
    round::Outcome,
    scale::{Scale, ScaleError},
    wire::Contact,
};

mod actor;
mod door;
mod entry;
mod play;

/// How a pupil joins.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its name, for the others to see.
    pub name: String,
    /// Where it listens for its neighbours.
    pub listen: SocketAddr,
    /// Under which name or address the others find it; none: where the host sees it.
    pub address: Option<String>,
    /// How it breaks the rules, if it does.
    pub misbehaviour: Option<Misbehaviour>,
}

/// What happens to a pupil.
#[derive(Debug)]
pub enum Event {
    /// A round begins.
    Seated(Seating),
    /// A neighbour's number came.
    Received(Message),
    /// A number is sent.
    Sent(Message),
    /// Somebody, or this pupil itself, announced a number.
    Announced(Announcement),
    /// The round is over, and everybody knows the total.
    Learned(Box<Learned>),
    /// The round is over without a result.
    Stopped {
        /// A word for programs.
        kind: String,
        /// A sentence for people.
        message: String,
    },
    /// The teacher asks for what this pupil saw: answer with [`Attendance::show`].
    AskedForView {
        /// Those who are to collude, this pupil among them.
        with: Vec<Named>,
    },
}

/// A pupil's place in a round.
#[derive(Debug, Clone)]
pub struct Seating {
    /// How the sum is computed.
    pub protocol: Protocol,
    /// Who plays, in the order of the seats.
    pub pupils: Vec<Named>,
    /// Where this pupil sits.
    pub seat: Seat,
    /// Who sends to whom.
    pub plan: Arc<Plan>,
    /// A few letters that are the same on all screens when everybody was told the same keys.
    pub check: String,
}

/// What a pupil knows after a round.
#[derive(Debug)]
pub struct Learned {
    /// The total and the average.
    pub outcome: Outcome,
    /// Everything that it saw.
    pub view: View,
}

/// Who hears of [`Event`]s, at once and in their order. It must not wait.
pub type Observer = Arc<dyn Fn(Event) + Send + Sync>;

/// A pupil that has joined. Dropping it leaves the class.
pub struct Attendance {
    named: Named,
    scale: Scale,
    commands: mpsc::Sender<Command>,
    task: JoinHandle<Result<(), RingError>>,
}

/// What the person says to its pupil.
enum Command {
    Bring(Zeroizing<i64>),
    Show(bool),
    Leave,
}

impl Settings {
    /// Somebody with this name, who listens there.
    pub fn new(name: &str, listen: SocketAddr) -> Self {
        Self { name: name.to_owned(), listen, address: None, misbehaviour: None }
    }
}

impl Attendance {
    /// Joins the class of a code.
    pub async fn join(
        code: &Code,
        settings: Settings,
        observe: Observer,
    ) -> Result<Self, RingError> {
        let towards = code.authority();
        let (tcp, host, port) =
            place::listen(settings.listen, settings.address.as_deref(), Some(&towards)).await?;
        let credentials = Credentials::make(&mut rand::rng())?;
        let contact = Contact {
            address: place::authority(&host, port),
            pin: credentials.pin,
            key: credentials.signer.public(),
        };
        let (welcome, host) = entry::enter(code, &settings.name, &contact).await?;
        let (commands, orders) = mpsc::channel(8);
        let named = Named::new(welcome.id, &settings.name);
        let scale = welcome.scale.clone();
        let door = door::open(tcp, &credentials);
        let actor = actor::Actor::new(actor::Start {
            named: named.clone(),
            contact,
            signer: credentials.signer,
            scale: scale.clone(),
            patience: delivery(welcome.patience),
            misbehaviour: settings.misbehaviour,
            observe,
            host,
        });
        let task = tokio::spawn(actor.run(door, orders));
        Ok(Self { named, scale, commands, task })
    }

    /// The pupil's number and name.
    pub fn named(&self) -> &Named {
        &self.named
    }

    /// The values of the class.
    pub fn scale(&self) -> &Scale {
        &self.scale
    }

    /// Brings a value, times 10^decimals, for the rounds to come. Nothing is sent but that there is
    /// one.
    pub async fn bring(&self, value: i64) -> Result<(), RingError> {
        if !self.scale.range().contains(&value) {
            let (min, max) = (*self.scale.range().start(), *self.scale.range().end());
            let (min, max) = (self.scale.show(min), self.scale.show(max));
            return Err(ScaleError::Outside { text: "the value".into(), min, max }.into());
        }
        self.command(Command::Bring(Zeroizing::new(value))).await
    }

    /// Shows the host what this pupil saw, or not, after it was asked.
    pub async fn show(&self, shows: bool) -> Result<(), RingError> {
        self.command(Command::Show(shows)).await
    }

    /// Returns when the class is over: an error when it ended without a word.
    pub async fn ended(&mut self) -> Result<(), RingError> {
        (&mut self.task).await.unwrap_or(Err(RingError::HostLost))
    }

    /// Leaves the class.
    pub async fn leave(mut self) -> Result<(), RingError> {
        match self.command(Command::Leave).await {
            Ok(()) => self.ended().await,
            // It was over already.
            Err(_) => Ok(()),
        }
    }

    async fn command(&self, command: Command) -> Result<(), RingError> {
        self.commands.send(command).await.map_err(|_| RingError::Ended)
    }
}

impl Drop for Attendance {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for Attendance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Attendance({})", self.named)
    }
}

/// How long a pupil tries to hand over a number: less than the class waits, so that the host hears
/// of the failure before it blames the sender.
fn delivery(patience: Duration) -> Duration {
    patience * 3 / 4
}
