//! Wire: what pupils and their host say to each other, as domain types; every length is checked
//! here, and nowhere else.

use std::{fmt, time::Duration};

use mpc::{
    ids::RunId,
    ring::{
        Announcement, Lane, MOST, Message, NoProtocol, Protocol, Seat,
        referee::{Report, Signed, SignedAnnouncement},
        slip::{self, Slip},
        view::View,
    },
    sign::{PublicKey, Signature},
};
use proto::{pin::Pin, v1};
use zeroize::Zeroizing;

use super::{
    code::Secret,
    name::{Named, PupilId},
    scale::Scale,
};

mod report;

/// The largest message on a control stream, in bytes: the roster of a full class.
pub const MOST_CONTROL: usize = 128 << 10;
/// The largest message between two pupils, in bytes.
pub const MOST_BETWEEN: usize = 1 << 10;
/// The longest address, in bytes.
pub const MOST_ADDRESS: usize = 280;
/// The longest reason or message, in characters.
const MOST_WORDS: usize = 400;
/// The longest name that is looked at, in bytes; [`Named`] cuts it further.
const MOST_NAME: usize = 400;

/// What a stranger sent is not a message of the ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is missing or malformed")]
pub struct Malformed(pub &'static str);

/// What a pupil says to its host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// The first words.
    Join(Join),
    /// It has a value.
    Ready,
    /// It leaves the class.
    Leave,
    /// Something about a round.
    Of(RunId, About),
}

/// What a pupil says to its host about one round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// It has taken its seat.
    Seated,
    /// It does not play.
    Declined(String),
    /// It waits before it sends the number of this lane.
    Held(Lane),
    /// Something for the referee.
    Report(Report),
    /// Its announcement.
    Announced(SignedAnnouncement),
    /// It knows the total, modulo 2^64.
    Learned(u64),
    /// What it saw.
    View(Box<View>),
    /// It does not show what it saw.
    NoView,
}

/// A pupil's introduction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Join {
    /// Versions that it speaks.
    pub protocol: (u32, u32),
    /// What it read in the code.
    pub secret: Secret,
    /// Its name, as typed.
    pub name: String,
    /// How the others reach it.
    pub contact: Contact,
}

/// How a pupil is reached, and by what it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// host:port.
    pub address: String,
    /// The pin of its TLS key.
    pub pin: Pin,
    /// The key that it signs with.
    pub key: PublicKey,
}

/// What the host says to a pupil.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// The pupil belongs to the class.
    Welcome(Welcome),
    /// A new round.
    Seats(Seats),
    /// The class is over.
    Ended,
    /// Something about a round.
    Of(RunId, Instruction),
}

/// What the host says about one round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Instruction {
    /// Everybody is seated.
    Begin,
    /// The number of this lane may be sent.
    Release(Lane),
    /// All announcements.
    Finished(Vec<SignedAnnouncement>),
    /// Everybody knows the total.
    Done,
    /// The sender says that the number of this lane does not arrive.
    Ask(Lane),
    /// The round is over without a result.
    Stopped {
        /// A word for programs.
        kind: String,
        /// A sentence for people.
        message: String,
    },
    /// The teacher asks for what the pupil saw.
    AskView(Vec<PupilId>),
}

/// The host's first words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Welcome {
    /// The version that is spoken.
    pub protocol: u32,
    /// The pupil's number.
    pub id: PupilId,
    /// The values of the class.
    pub scale: Scale,
    /// How long a round waits for somebody.
    pub patience: Duration,
}

/// Who plays a round, in the order of their seats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seats {
    /// The round.
    pub run: RunId,
    /// How the sum is computed.
    pub protocol: Protocol,
    /// The pupils.
    pub pupils: Vec<(Named, Contact)>,
    /// Whether every number waits to be released.
    pub stepped: bool,
}

/// A message from one pupil to another, as it travels. The body is not shown by `Debug`, and wiped
/// when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Parcel {
    /// The slip with the sender's signature.
    pub signed: Signed,
    /// The body that the slip is of; not more than [`slip::MOST`] bytes.
    pub body: Zeroizing<Vec<u8>>,
}

type Result<T> = std::result::Result<T, Malformed>;

impl TryFrom<v1::PupilSays> for Said {
    type Error = Malformed;

    fn try_from(message: v1::PupilSays) -> Result<Self> {
        use v1::pupil_says::Says;
        Ok(match message.says.ok_or(Malformed("what the pupil says"))? {
            Says::Join(join) => Self::Join(join.try_into()?),
            Says::Ready(v1::RingReady {}) => Self::Ready,
            Says::Leave(v1::RingLeave {}) => Self::Leave,
            Says::Seated(of) => Self::Of(run(&of.run)?, About::Seated),
            Says::Declined(v1::RingDeclined { run: of, reason }) => {
                Self::Of(run(&of)?, About::Declined(words(&reason)))
            }
            Says::Held(step) => Self::Of(run(&step.run)?, About::Held(lane(step.lane)?)),
            Says::Report(said) => {
                let of = run(&said.run)?;
                Self::Of(of, About::Report(report::read(of, said)?))
            }
            Says::Announced(said) => {
                Self::Of(run(&said.run)?, About::Announced(announcement(&said)?))
            }
            Says::Learned(learned) => Self::Of(run(&learned.run)?, About::Learned(learned.total)),
            Says::View(shown) => Self::Of(run(&shown.run)?, About::View(Box::new(view(&shown)?))),
            Says::NoView(of) => Self::Of(run(&of.run)?, About::NoView),
        })
    }
}

impl From<Said> for v1::PupilSays {
    fn from(said: Said) -> Self {
        use v1::pupil_says::Says;
        let of = |run: RunId| v1::RingRun { run: bytes(run) };
        let says = match said {
            Said::Join(join) => Says::Join(join.into()),
            Said::Ready => Says::Ready(v1::RingReady {}),
            Said::Leave => Says::Leave(v1::RingLeave {}),
            Said::Of(run, About::Seated) => Says::Seated(of(run)),
            Said::Of(run, About::Declined(reason)) => {
                Says::Declined(v1::RingDeclined { run: bytes(run), reason })
            }
            Said::Of(run, About::Held(lane)) => Says::Held(step(run, lane)),
            Said::Of(run, About::Report(report)) => Says::Report(report::write(run, &report)),
            Said::Of(run, About::Announced(said)) => Says::Announced(said_by(run, &said)),
            Said::Of(run, About::Learned(total)) => {
                Says::Learned(v1::RingLearned { run: bytes(run), total })
            }
            Said::Of(run, About::View(view)) => Says::View(shown(run, &view)),
            Said::Of(run, About::NoView) => Says::NoView(of(run)),
        };
        Self { says: Some(says) }
    }
}

impl TryFrom<v1::HostSays> for Order {
    type Error = Malformed;

    fn try_from(message: v1::HostSays) -> Result<Self> {
        use v1::host_says::Says;
        Ok(match message.says.ok_or(Malformed("what the host says"))? {
            Says::Welcome(welcome) => Self::Welcome(welcome.try_into()?),
            Says::Seats(seats) => Self::Seats(seats.try_into()?),
            Says::Ended(v1::RingEnded {}) => Self::Ended,
            Says::Begin(of) => Self::Of(run(&of.run)?, Instruction::Begin),
            Says::Release(step) => {
                Self::Of(run(&step.run)?, Instruction::Release(lane(step.lane)?))
            }
            Says::Done(of) => Self::Of(run(&of.run)?, Instruction::Done),
            Says::Ask(step) => Self::Of(run(&step.run)?, Instruction::Ask(lane(step.lane)?)),
            Says::Finished(v1::RingFinished { run: of, announced }) => {
                limit(announced.len(), MOST, "announcements")?;
                let all: Result<_> = announced.iter().map(announcement).collect();
                Self::Of(run(&of)?, Instruction::Finished(all?))
            }
            Says::Stopped(v1::RingStopped { run: of, kind, message }) => {
                let (kind, message) = (words(&kind), words(&message));
                Self::Of(run(&of)?, Instruction::Stopped { kind, message })
            }
            Says::AskView(v1::RingAskView { run: of, with }) => {
                limit(with.len(), MOST, "colluders")?;
                let with: Result<_> = with.into_iter().map(pupil).collect();
                Self::Of(run(&of)?, Instruction::AskView(with?))
            }
        })
    }
}

impl From<Order> for v1::HostSays {
    fn from(order: Order) -> Self {
        use v1::host_says::Says;
        let says = match order {
            Order::Welcome(welcome) => Says::Welcome(v1::RingWelcome {
                protocol: welcome.protocol,
                pupil: welcome.id.0.into(),
                min: *welcome.scale.range().start(),
                max: *welcome.scale.range().end(),
                decimals: welcome.scale.decimals().into(),
                patience_ms: u32::try_from(welcome.patience.as_millis()).unwrap_or(u32::MAX),
            }),
            Order::Seats(seats) => Says::Seats(seats.into()),
            Order::Ended => Says::Ended(v1::RingEnded {}),
            Order::Of(run, Instruction::Begin) => Says::Begin(v1::RingRun { run: bytes(run) }),
            Order::Of(run, Instruction::Release(lane)) => Says::Release(step(run, lane)),
            Order::Of(run, Instruction::Done) => Says::Done(v1::RingRun { run: bytes(run) }),
            Order::Of(run, Instruction::Ask(lane)) => Says::Ask(step(run, lane)),
            Order::Of(run, Instruction::Finished(all)) => {
                let announced = all.iter().map(|said| said_by(run, said)).collect();
                Says::Finished(v1::RingFinished { run: bytes(run), announced })
            }
            Order::Of(run, Instruction::Stopped { kind, message }) => {
                Says::Stopped(v1::RingStopped { run: bytes(run), kind, message })
            }
            Order::Of(run, Instruction::AskView(with)) => {
                let with = with.into_iter().map(|id| id.0.into()).collect();
                Says::AskView(v1::RingAskView { run: bytes(run), with })
            }
        };
        Self { says: Some(says) }
    }
}

impl TryFrom<v1::RingJoin> for Join {
    type Error = Malformed;

    fn try_from(join: v1::RingJoin) -> Result<Self> {
        limit(join.name.len(), MOST_NAME, "the name")?;
        Ok(Self {
            protocol: (join.protocol_min, join.protocol_max),
            secret: Secret::try_from(&join.secret[..]).map_err(|_| Malformed("the secret"))?,
            name: join.name,
            contact: contact(&join.address, &join.pin, &join.key)?,
        })
    }
}

impl From<Join> for v1::RingJoin {
    fn from(join: Join) -> Self {
        Self {
            protocol_min: join.protocol.0,
            protocol_max: join.protocol.1,
            secret: join.secret.reveal().to_vec().into(),
            name: join.name,
            address: join.contact.address,
            pin: join.contact.pin.0.to_vec().into(),
            key: join.contact.key.0.to_vec().into(),
        }
    }
}

impl TryFrom<v1::RingWelcome> for Welcome {
    type Error = Malformed;

    fn try_from(welcome: v1::RingWelcome) -> Result<Self> {
        let v1::RingWelcome { protocol, pupil: id, min, max, decimals, patience_ms } = welcome;
        let patience = Duration::from_millis(patience_ms.into());
        let decimals = u8::try_from(decimals).map_err(|_| Malformed("the scale"))?;
        let scale = Scale::of_range(min..=max, decimals).map_err(|_| Malformed("the scale"))?;
        Ok(Self { protocol, id: pupil(id)?, scale, patience })
    }
}

impl TryFrom<v1::RingSeats> for Seats {
    type Error = Malformed;

    fn try_from(seats: v1::RingSeats) -> Result<Self> {
        limit(seats.seats.len(), MOST, "seats")?;
        let read = |seat: &v1::RingSeat| -> Result<(Named, Contact)> {
            limit(seat.name.len(), MOST_NAME, "a name")?;
            let named = Named::new(pupil(seat.pupil)?, &seat.name);
            Ok((named, contact(&seat.address, &seat.pin, &seat.key)?))
        };
        Ok(Self {
            run: run(&seats.run)?,
            protocol: seats.protocol.parse().map_err(|NoProtocol| Malformed("the protocol"))?,
            pupils: seats.seats.iter().map(read).collect::<Result<_>>()?,
            stepped: seats.stepped,
        })
    }
}

impl From<Seats> for v1::RingSeats {
    fn from(seats: Seats) -> Self {
        let seat = |(named, contact): (Named, Contact)| v1::RingSeat {
            pupil: named.id.0.into(),
            name: named.name,
            address: contact.address,
            pin: contact.pin.0.to_vec().into(),
            key: contact.key.0.to_vec().into(),
        };
        Self {
            run: bytes(seats.run),
            protocol: seats.protocol.name().into(),
            seats: seats.pupils.into_iter().map(seat).collect(),
            stepped: seats.stepped,
        }
    }
}

impl TryFrom<v1::MaskedNumber> for Parcel {
    type Error = Malformed;

    fn try_from(number: v1::MaskedNumber) -> Result<Self> {
        limit(number.body.len(), slip::MOST, "the body")?;
        let slip = Slip::new(run(&number.run)?, lane(number.lane)?, &number.body);
        let signed = Signed { slip, signature: signature(&number.signature)? };
        Ok(Self { signed, body: Zeroizing::new(number.body.to_vec()) })
    }
}

impl fmt::Debug for Parcel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parcel").field("slip", &self.signed.slip).finish_non_exhaustive()
    }
}

impl From<&Parcel> for v1::MaskedNumber {
    fn from(parcel: &Parcel) -> Self {
        let Signed { slip, signature } = parcel.signed;
        Self {
            run: bytes(slip.run),
            lane: Some(write_lane(slip.lane)),
            body: parcel.body.to_vec().into(),
            signature: signature.0.to_vec().into(),
        }
    }
}

/// An announcement as it travels.
pub fn said_by(run: RunId, said: &SignedAnnouncement) -> v1::RingAnnouncement {
    v1::RingAnnouncement {
        run: bytes(run),
        from: said.announcement.from.0.into(),
        value: said.announcement.value,
        signature: said.signature.0.to_vec().into(),
    }
}

/// An announcement that came, and of which round it is.
pub fn heard(said: &v1::RingAnnouncement) -> Result<(RunId, SignedAnnouncement)> {
    Ok((run(&said.run)?, announcement(said)?))
}

/// The signature in an answer.
pub fn signature(bytes: &[u8]) -> Result<Signature> {
    Signature::try_from(bytes).map_err(|_| Malformed("a signature"))
}

fn announcement(said: &v1::RingAnnouncement) -> Result<SignedAnnouncement> {
    let announcement = Announcement { from: seat(said.from)?, value: said.value };
    Ok(SignedAnnouncement { announcement, signature: signature(&said.signature)? })
}

fn contact(address: &str, pin: &[u8], key: &[u8]) -> Result<Contact> {
    limit(address.len(), MOST_ADDRESS, "an address")?;
    let authority: tonic::transport::Uri =
        format!("https://{address}").parse().map_err(|_| Malformed("an address"))?;
    let is_plain = authority.authority().is_some_and(|authority| {
        authority.as_str() == address
            && authority.port_u16().is_some()
            && !address.contains('@')
            && !authority.host().is_empty()
    });
    let key = PublicKey::try_from(key).map_err(|_| Malformed("a key"))?;
    match is_plain && key.is_usable() {
        true => Ok(Contact {
            address: address.to_owned(),
            pin: Pin(pin.try_into().map_err(|_| Malformed("a pin"))?),
            key,
        }),
        false => Err(Malformed("an address or a key")),
    }
}

fn view(shown: &v1::RingView) -> Result<View> {
    let numbers = [shown.shares.len(), shown.masks.len(), shown.announced.len()];
    for len in numbers.into_iter().chain([shown.sent.len(), shown.received.len()]) {
        limit(len, MOST, "a view")?;
    }
    let message = |message: &v1::RingMessage| -> Result<Message> {
        Ok(Message { lane: lane(message.lane)?, value: message.value })
    };
    let said = |said: &v1::RingSaid| -> Result<Announcement> {
        Ok(Announcement { from: seat(said.from)?, value: said.value })
    };
    Ok(View {
        seat: seat(shown.seat)?,
        value: shown.value,
        shares: shown.shares.clone(),
        masks: shown.masks.clone(),
        sent: shown.sent.iter().map(message).collect::<Result<_>>()?,
        received: shown.received.iter().map(message).collect::<Result<_>>()?,
        announced: shown.announced.iter().map(said).collect::<Result<_>>()?,
    })
}

fn shown(run: RunId, view: &View) -> v1::RingView {
    let message = |message: &Message| v1::RingMessage {
        lane: Some(write_lane(message.lane)),
        value: message.value,
    };
    let said = |said: &Announcement| v1::RingSaid { from: said.from.0.into(), value: said.value };
    v1::RingView {
        run: bytes(run),
        seat: view.seat.0.into(),
        value: view.value,
        shares: view.shares.clone(),
        masks: view.masks.clone(),
        sent: view.sent.iter().map(message).collect(),
        received: view.received.iter().map(message).collect(),
        announced: view.announced.iter().map(said).collect(),
    }
}

fn step(run: RunId, lane: Lane) -> v1::RingStep {
    v1::RingStep { run: bytes(run), lane: Some(write_lane(lane)) }
}

fn write_lane(lane: Lane) -> v1::RingLane {
    v1::RingLane { ring: lane.ring.into(), from: lane.from.0.into(), to: lane.to.0.into() }
}

fn lane(lane: Option<v1::RingLane>) -> Result<Lane> {
    let lane = lane.ok_or(Malformed("a lane"))?;
    let ring = u16::try_from(lane.ring).map_err(|_| Malformed("a lane"))?;
    Ok(Lane { ring, from: seat(lane.from)?, to: seat(lane.to)? })
}

fn seat(number: u32) -> Result<Seat> {
    u16::try_from(number).map(Seat).map_err(|_| Malformed("a seat"))
}

fn pupil(number: u32) -> Result<PupilId> {
    match u16::try_from(number) {
        Ok(number @ 1..) => Ok(PupilId(number)),
        _ => Err(Malformed("a pupil's number")),
    }
}

fn run(bytes: &[u8]) -> Result<RunId> {
    bytes.try_into().map(RunId).map_err(|_| Malformed("the round"))
}

fn bytes(run: RunId) -> bytes::Bytes {
    run.0.to_vec().into()
}

/// Words of the other side, for people: nothing in them steers a terminal.
fn words(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MOST_WORDS).collect()
}

fn limit(len: usize, most: usize, what: &'static str) -> Result<()> {
    if len <= most { Ok(()) } else { Err(Malformed(what)) }
}

#[cfg(test)]
mod tests;
