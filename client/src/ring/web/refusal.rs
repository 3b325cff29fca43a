//! Refusal: why a request was not done, in one sentence for people and one word for the page.

use mpc::ring::plan::WrongNumber;

use crate::ring::{class::Full, name::Named};

/// Why a request was not done.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The body is not what the interface describes.
    #[error("this host does not understand the page: {0}; load the page again")]
    Malformed(String),
    /// The class code is another.
    #[error("this is not the code of the class: compare it with the teacher's screen")]
    WrongCode,
    /// Nobody has this token.
    #[error("this host does not know the page: open the link again")]
    WrongToken,
    /// A hundred are there.
    #[error(transparent)]
    Full(#[from] Full),
    /// Two pupils with one key could not be told apart.
    #[error("somebody of this class has the same key: load the page again")]
    KeyTaken,
    /// A message of a round that is not being played.
    #[error("the round is over")]
    Over,
    /// A message of somebody who does not play.
    #[error("this pupil does not play in the round")]
    NotPlaying,
    /// There is a round already.
    #[error("a round is being played: stop it first")]
    Busy,
    /// Too few or too many.
    #[error("{0}; those who are connected, have typed a value and are not left out play")]
    Pupils(#[from] WrongNumber),
    /// Nothing to step, to stop or to attack.
    #[error("{0}: play a round first")]
    NoRound(&'static str),
    /// Nobody has this number.
    #[error("there is no pupil P{0} in the class")]
    Unknown(u16),
    /// The pupil did not play in the last round.
    #[error("{0} did not play in the last round: ask those who did")]
    NotInRound(Named),
    /// The pupil cannot be asked.
    #[error("{0} is not connected: ask somebody else, or play again")]
    Away(Named),
    /// Nobody, everybody, or somebody twice.
    #[error("colluders are some of the pupils, each named once, and not all of them")]
    Colluders,
    /// A view that nobody asked for.
    #[error("the teacher has not asked this pupil")]
    NotAsked,
    /// The class is over.
    #[error("the class is over")]
    Ended,
    /// The name under which this host was reached is not its own.
    #[error("this host is not called that: use the link that the teacher shows")]
    WrongHost,
    /// A page of somebody else sends this.
    #[error("requests of other sites' pages are refused: use the link that the teacher shows")]
    WrongOrigin,
    /// Not JSON.
    #[error("a request has Content-Type: application/json")]
    WrongType,
    /// More than any page sends.
    #[error("the request has more bytes than a page ever sends: load the page again")]
    TooLarge,
    /// The body did not come.
    #[error("the request took too long: try again")]
    TooSlow,
    /// More than a class sends.
    #[error("too many requests: try again in a moment")]
    TooFast,
    /// There is no such page.
    #[error("there is nothing here: use the link that the teacher shows")]
    NotFound,
    /// The resource takes another method.
    #[error("this is not done in this way: load the page again")]
    WrongMethod,
    /// The computation died.
    #[error("the host failed to compute this: say so to whoever maintains it")]
    Broken,
}

impl Refusal {
    /// The cause in one word.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::WrongCode => "code",
            Self::WrongToken => "token",
            Self::Full(_) => "full",
            Self::KeyTaken => "key-taken",
            Self::Over => "over",
            Self::NotPlaying => "not-playing",
            Self::Busy => "busy",
            Self::Pupils(_) => "pupils",
            Self::NoRound(_) => "no-round",
            Self::Unknown(_) => "unknown-pupil",
            Self::NotInRound(_) => "not-in-round",
            Self::Away(_) => "away",
            Self::Colluders => "colluders",
            Self::NotAsked => "not-asked",
            Self::Ended => "ended",
            Self::WrongHost => "host",
            Self::WrongOrigin => "origin",
            Self::WrongType => "type",
            Self::TooLarge => "too-large",
            Self::TooSlow => "too-slow",
            Self::TooFast => "too-fast",
            Self::NotFound => "not-found",
            Self::WrongMethod => "method",
            Self::Broken => "broken",
        }
    }

    /// The cause as HTTP's number.
    pub fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) => 400,
            Self::WrongToken => 401,
            Self::WrongCode | Self::WrongOrigin => 403,
            Self::Unknown(_) | Self::NotFound => 404,
            Self::WrongMethod => 405,
            Self::TooSlow => 408,
            Self::Full(_)
            | Self::KeyTaken
            | Self::Over
            | Self::NotPlaying
            | Self::Busy
            | Self::Pupils(_)
            | Self::NoRound(_)
            | Self::NotInRound(_)
            | Self::Away(_)
            | Self::Colluders
            | Self::NotAsked => 409,
            Self::Ended => 410,
            Self::TooLarge => 413,
            Self::WrongType => 415,
            Self::WrongHost => 421,
            Self::TooFast => 429,
            Self::Broken => 500,
        }
    }
}
