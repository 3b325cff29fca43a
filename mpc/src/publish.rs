//! Publish: k servers agree on a set of submissions and open the totals over it, and only those.
//!
//! # Parties
//! Servers S_0..S_{k−1}, each with its list of submissions and an output share per accepted one.
//!
//! # Assumes
//! A [`Mesh`]; signing keys known to all; durable storage for the set of [`agree`]
//! *before* [`confirm`] signs it: a server signs one set per study, ever, so totals
//! over two different sets (whose difference would tell something) are never opened. A [`Ledger`]
//! that keeps all commitments before anything is opened, and the result before it is signed: a
//! run that is repeated (because a server fell silent, or pretended to) opens the same shares and
//! signs the same result, or names who changed its word.
//!
//! # Security
//! What is opened is S_j's integer sum A_j of its output shares. Given the other servers' shares,
//! A_j tells beyond the total only how often a uniform field element fell below an input x, which
//! has probability (x + 1)/p each; with max_records · max coordinate < 2^88 the sum is below
//! 2^−40. Commit-then-open keeps the last server from choosing its share after seeing the others',
//! in this run and, by the ledger, in every other.
//! Each message is signed over the running hash of all earlier ones, so a server that tells its
//! peers different things is noticed one round later. A wrong opening of a commitment, a list that
//! is not the one under its root, or a false signature names its server. A share that was falsified
//! before it was committed to is caught only where the total is more than valid records can have;
//! with it a server can also make small cells look large. The Pedersen commitments of the
//! submissions, whose place in the messages is kept, will close that.
//!
//! # Noise
//! Under differential privacy S_j adds noise e_j to A_j before it commits, FULL noise for every
//! coordinate: k − 1 servers that leave theirs out, or subtract it later, still face the noise of
//! the last one, which alone meets the budget. The result's variance is that of k draws.
//!
//! e_j is added as a signed integer, A_j + e_j, and not as its residue mod p: A_j is a number
//! that the other servers know up to the total (see Security), so a p that is there or not would
//! tell the sign of e_j. The price is that A_j + e_j must stay in the range of integer sums, 0 to
//! n·(p − 1), or nothing is opened. One of the n shares is uniform given everything else, so that A_j
//! is within T of either end with probability at most 2·(T + 1)/p, which is below 2^−80 for noise
//! below T = 2^46 and below 2^−62 for the 2^64 that a study may have at most; providers cannot
//! choose shares that do it, because all shares but one are outputs of a hash.
//!
//! A total may then be negative: a residue above p/2 stands for itself less p. Without the noise it
//! is at most the bound, below 2^88; what is further outside of 0..=bound than the noise reaches
//! (2^−64 per coordinate: [`crate::noise`]) is a lie.
//!
//! The noise of an opening is drawn once ([`Ledger::noise`]) and charged to the study's budget
//! before anything of it is said: with new noise in a repeated run, the average would tell.
//!
//! # Rounds
//! 1. `Roots`: Merkle root and number of the accepted submissions, hash and number of the others,
//!    hash and number of the amendments.
//! 2. `Lists`, only if round 1 differs: all entries and all amendments. Kept is what all servers
//!    accepted alike and no amendment of any server withdraws ([`crate::collect::resolve`]). What
//!    all hold alike but not all have verified (one crashed before it stored its verdict) is
//!    verified now, and the run starts again: a submission that all servers hold is never lost.
//! 3. `Set`: the agreed set's root and the amendments' hash, signed. All must be equal.
//! 4. `Commit`: SHA-256 commitment to (A_j, R_j, salt), where A_j holds S_j's noise, if any.
//! 5. `Open`: A_j, R_j, salt. Rounds 4 and 5 repeat while the study's disclosure rule asks for
//!    more (first the counts of cells, then the values of those that are large enough).
//! 6. `Result`: each server's signature over the result. k signatures make it published.
//!
//! # Cost
//! 5 rounds (7 with small-cell suppression, one more if lists differ); 24 bytes a coordinate from
//! each server to each other; 53 bytes a submission where lists must be exchanged.
//!
//! # Source
//! Commit-then-open and transcripts: Blum 1981; Baum, Damgård, Orlandi, SCN 2014 (publicly
//! auditable MPC). R_j is zero in this version.

use std::future::Future;

use curve25519_dalek::RistrettoPoint;

use crate::{
    ids::{Party, SubmissionId},
    mesh::Mesh,
    noise::{Draws, Mechanism},
    pedersen::Bases,
    transcript::{Transcript, TranscriptError},
};

pub mod audit;

mod agree;
mod open;
mod openings;
mod proof;
mod published;
mod set;
mod share;
mod sum;
mod tally;
mod word;

pub use agree::{
    AgreedSet, Agreement, Entry, Holdings, Limits, MAX_AMENDMENT_BYTES, MAX_AMENDMENTS, Status,
};
pub use published::{Published, PublishedError};
pub use set::{Counted, SignedSet};
pub use share::ResultShare;
pub use sum::Sum;
pub use word::{BrokenWord, ShownList, WordKept};

/// Why nothing was published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// A round gave nothing.
    #[error(transparent)]
    Transcript(#[from] TranscriptError),
    /// A server's list is not the one under the root that it signed.
    #[error("{party} sent another list than the one under its signed root")]
    ListMismatch {
        /// The server.
        party: Party,
    },
    /// Servers signed different sets, and the list that would tell which is false was not shown.
    #[error("servers signed different sets, and nothing shows which of them is false")]
    SetsDiffer,
    /// A server signed another set than the lists give.
    #[error("{party} signed another set than the lists give")]
    SetMismatch {
        /// The server.
        party: Party,
    },
    /// A server committed to another result share than in an earlier run.
    #[error("{party} committed to another result share than in an earlier run")]
    CommitmentChanged {
        /// The server.
        party: Party,
    },
    /// The openings so far, or the result, are not those of an earlier run.
    #[error("the openings are not those of an earlier run: some server's result share is false")]
    RunsDiffer,
    /// This server's memory failed.
    #[error("this server cannot store its word")]
    Ledger,
    /// There is no noise for an opening.
    #[error(transparent)]
    NoNoise(#[from] NoNoise),
    /// This server's result share with its noise is no possible sum of shares.
    #[error("the noise of coordinate {coordinate} does not fit into this server's result share")]
    NoiseOutOfRange {
        /// The coordinate.
        coordinate: usize,
    },
    /// A server opened something else than it had committed to.
    #[error("{party} opened another result share than it committed to")]
    OpeningMismatch {
        /// The server.
        party: Party,
    },
    /// A server's integer sum is larger than any sum of shares of the agreed set.
    #[error("{party} opened a result share that no set of submissions can have")]
    ShareOutOfRange {
        /// The server.
        party: Party,
    },
    /// A server's integer sums are not those under the submissions' commitments.
    #[error("{party} opened a result share that is not the sum of the shares it was given")]
    NotTheSum {
        /// The server.
        party: Party,
    },
    /// This server's stored shares are not those that it took.
    #[error(
        "this server's stored shares do not fit the submissions' commitments: its database is damaged"
    )]
    ShareDamaged,
    /// The total breaks the bound that every submission was proven to keep.
    #[error(
        "the total of coordinate {coordinate} is impossible: some server's result share is false"
    )]
    TotalOutOfRange {
        /// The coordinate.
        coordinate: usize,
    },
    /// A server's signature over the result does not verify.
    #[error("{party} signed another result")]
    ResultSignature {
        /// The server.
        party: Party,
    },
}

impl PublishError {
    /// Servers that provably broke the protocol.
    pub fn culprits(&self) -> Vec<Party> {
        match self {
            Self::Transcript(error) => error.culprits(),
            Self::ListMismatch { party }
            | Self::SetMismatch { party }
            | Self::CommitmentChanged { party }
            | Self::OpeningMismatch { party }
            | Self::ShareOutOfRange { party }
            | Self::NotTheSum { party }
            | Self::ResultSignature { party } => vec![*party],
            Self::RunsDiffer
            | Self::SetsDiffer
            | Self::Ledger
            | Self::ShareDamaged
            | Self::NoNoise(_)
            | Self::NoiseOutOfRange { .. }
            | Self::TotalOutOfRange { .. } => Vec::new(),
        }
    }
}

impl PublishError {
    /// Whether anybody who is shown the recording of the run finds the same.
    pub fn is_shown(&self) -> bool {
        match self {
            Self::Transcript(error) => error.is_shown(),
            Self::ListMismatch { .. }
            | Self::SetMismatch { .. }
            | Self::SetsDiffer
            | Self::OpeningMismatch { .. }
            | Self::ShareOutOfRange { .. }
            | Self::NotTheSum { .. }
            | Self::TotalOutOfRange { .. }
            | Self::ResultSignature { .. } => true,
            // What was said in earlier runs is not part of the recording.
            Self::CommitmentChanged { .. }
            | Self::RunsDiffer
            | Self::Ledger
            | Self::ShareDamaged
            | Self::NoNoise(_)
            | Self::NoiseOutOfRange { .. } => false,
        }
    }
}

/// Rounds 1 and 2: the set of submissions that all servers hold alike and that count by `limits`
/// and by the amendments that any server holds. Store what it returns, then [`confirm`] it, then (if
/// the study's rules allow a result) [`open`] the totals over it.
pub async fn agree<M: Mesh>(
    transcript: &mut Transcript<'_>,
    mesh: &mut M,
    mine: Holdings<'_>,
    limits: Limits,
) -> Result<Agreement, PublishError> {
    agree::agree(transcript, mesh, mine, limits).await
}

/// Round 3: signs the agreed set and checks that all servers signed the same. `mine` is what the
/// agreement was called with.
pub async fn confirm<M: Mesh>(
    transcript: &mut Transcript<'_>,
    mesh: &mut M,
    mine: Holdings<'_>,
    set: &AgreedSet,
) -> Result<(), PublishError> {
    agree::confirm(transcript, mesh, mine, set).await
}

/// Rounds 4 to 6, over this server's integer sums per coordinate. `next` is the study's disclosure
/// rule: which coordinates to open, given those open already, until it names none.
pub async fn open<M: Mesh>(
    transcript: &mut Transcript<'_>,
    mesh: &mut M,
    opening: Opening<'_>,
    ledger: &impl Ledger,
    next: impl Fn(&[Option<i128>]) -> Vec<usize>,
) -> Result<Published, PublishError> {
    let totals = open::open(transcript, mesh, &opening, ledger, next).await?;
    open::sign(transcript, mesh, opening.set, totals, ledger).await
}

/// What a server opens.
#[derive(Clone, Copy)]
pub struct Opening<'a> {
    /// The set that all servers signed.
    pub set: &'a AgreedSet,
    /// This server's sums over the set.
    pub share: &'a ResultShare,
    /// The sums of the submissions' commitments over the set, by party: see [`audit::Tally`].
    pub commitments: &'a [RistrettoPoint],
    /// The commitments' bases.
    pub bases: &'a Bases,
    /// The largest total that valid records can have, per coordinate.
    pub bounds: &'a [u128],
    /// What noise every server adds; none: nothing is asked of [`Ledger::noise`].
    pub mechanism: Option<&'a Mechanism>,
    /// Stored secret from which salts are derived.
    pub salt_seed: &'a [u8; 32],
}

/// A word that a server holds itself and its peers to, in this run and in every later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Word {
    /// Coordinates and all servers' commitments of an opening, by its number.
    Commitments(u8),
    /// The result that this server signs.
    Result,
}

/// Durable memory of words: the first one ever given stays.
pub trait Ledger: Sync {
    /// Stores `value` unless something is stored for `word` already; returns what is stored. `None`
    /// if nothing can be stored: the run ends.
    fn fix(&self, word: Word, value: Vec<u8>) -> impl Future<Output = Option<Vec<u8>>> + Send;

    /// This server's noise for an opening, by its number, in the order of `coordinates`. What it
    /// returns is charged to the study's budget and durable: asked again, it returns the same and
    /// charges nothing.
    fn noise(
        &self,
        opening: u8,
        coordinates: &[usize],
    ) -> impl Future<Output = Result<Draws, NoNoise>> + Send;
}

/// Why there is no noise for an opening, which therefore does not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoNoise {
    /// It cannot be drawn or stored now.
    #[error("this server cannot draw or store its noise")]
    Unavailable,
    /// The study's budget is used up.
    #[error(
        "the opening would exceed the study's privacy budget (epsilon): {charged} of {budget} parts are charged, and it costs {cost}"
    )]
    Budget {
        /// Parts that earlier openings were charged.
        charged: u64,
        /// What the opening costs.
        cost: u64,
        /// All parts of the budget.
        budget: u64,
    },
    /// The opening was charged for other coordinates.
    #[error("the privacy budget (epsilon) was charged for an opening of other coordinates")]
    OtherCoordinates,
}

/// Submissions that are not part of the agreed set, with the reason of each.
pub type Rejections = Vec<(SubmissionId, crate::collect::Reason)>;

#[cfg(test)]
mod tests;
