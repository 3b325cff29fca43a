//! Stop: why a round ended without a result, in words for a class.

use super::name::{Named, PupilId, list};

/// Why a round was stopped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Stop {
    /// A pupil's connection ended.
    #[error("{who} left before the round was over")]
    Left {
        /// The pupil.
        who: Named,
    },
    /// A pupil does not play.
    #[error("{who} does not play this round: {reason}")]
    Declined {
        /// The pupil.
        who: Named,
        /// Its words.
        reason: String,
    },
    /// Pupils did not do what everybody waited for.
    #[error("nothing came from {}: the round waited for it", list(who))]
    Silent {
        /// The pupils.
        who: Vec<Named>,
    },
    /// A pupil sent two different numbers where one belongs.
    #[error("{who} answered twice: it sent {to} two different numbers")]
    Twice {
        /// Who sent them.
        who: Named,
        /// To whom.
        to: Named,
    },
    /// A pupil announced two different numbers.
    #[error("{who} announced two different numbers")]
    AnnouncedTwice {
        /// The pupil.
        who: Named,
    },
    /// A pupil sent what is no number, or where nothing of it belongs.
    #[error("{who} sent something that is not a number of this round")]
    Garbage {
        /// The pupil.
        who: Named,
    },
    /// A pupil accused its neighbour, and what it showed proves the opposite.
    #[error("{who} accused {accused} of something that {accused} did not do")]
    FalseAccusation {
        /// Who said it.
        who: Named,
        /// Of whom.
        accused: Named,
    },
    /// Two pupils say different things about a message, and nobody else can tell who is right.
    #[error(
        "{one} and {other} say different things about the message between them, and only they saw it: one of them is wrong, or their connection is broken"
    )]
    Disagree {
        /// The sender.
        one: Named,
        /// The receiver.
        other: Named,
    },
    /// A total that no values of the scale have.
    #[error(
        "the total cannot be the sum of {pupils} values between {min} and {max}: somebody did not follow the rules, and in a ring nobody can tell who"
    )]
    ImpossibleTotal {
        /// How many pupils played.
        pupils: usize,
        /// The smallest value.
        min: String,
        /// The largest value.
        max: String,
    },
    /// The teacher stopped it.
    #[error("the teacher stopped the round")]
    Teacher,
}

impl Stop {
    /// A word for scripts.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Left { .. } => "left",
            Self::Declined { .. } => "declined",
            Self::Silent { .. } => "silent",
            Self::Twice { .. } | Self::AnnouncedTwice { .. } => "twice",
            Self::Garbage { .. } => "garbage",
            Self::FalseAccusation { .. } => "false-accusation",
            Self::Disagree { .. } => "disagree",
            Self::ImpossibleTotal { .. } => "impossible-total",
            Self::Teacher => "teacher",
        }
    }

    /// Without whom the round may be played again: those who did it, or may have done it.
    pub fn suspects(&self) -> Vec<PupilId> {
        let who: Vec<&Named> = match self {
            Self::Left { who }
            | Self::Declined { who, .. }
            | Self::Twice { who, .. }
            | Self::AnnouncedTwice { who }
            | Self::Garbage { who }
            | Self::FalseAccusation { who, .. } => vec![who],
            Self::Silent { who } => who.iter().collect(),
            Self::Disagree { one, other } => vec![one, other],
            Self::ImpossibleTotal { .. } | Self::Teacher => Vec::new(),
        };
        who.into_iter().map(|named| named.id).collect()
    }
}
