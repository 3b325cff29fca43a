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
//! Each message is signed and chained ([`crate::transcript`]), so a lie is shown to anybody by what
//! the liar signed ([`audit`]): a list that is not the one under its root, a set that the lists do
//! not give, an opening that is not the one committed to, a false signature, two different words to
//! two peers. Commit-then-open keeps the last server from choosing its share after seeing the
//! others', in this run and, by the ledger, in every other.
//!
//! What S_j opens, A_j at some coordinates, is held against the submissions' commitments to its
//! shares, C_ij, and its own commitments to noise, D_j, of all openings φ so far:
//!
//! ```text
//! T = Σ_i C_ij + Σ_φ D_jφ − Σ_{c opened so far} A_j[c]·G_c
//! ```
//!
//! If nothing stays closed S_j reveals R_j = Σ_i r_ij + Σ_φ s_jφ, and T = R_j·H is checked. While
//! coordinates stay closed R_j stays secret, for with it a guess of a small closed sum could be
//! checked; then S_j proves that it knows a representation of T over the closed bases and H. S_j
//! knows an opening of every C_ij (it checked them at its door) and of D_j; with other A_j it would
//! know two representations of one point, that is a relation between the bases. So a share that is
//! not the sum of what the server was given, and noise that is not what it committed to, name it.
//! A server that makes up a submission together with a provider is not found by this, as it is not
//! by the proofs: then only totals that no valid records can have are.
//!
//! # Why opening integer sums and commitments leaks nothing
//! The others, S_0 … without the honest S_j, know their own shares of every input x_i at every
//! coordinate, whose sum is t_i mod p, uniform (each is, as long as one of the k shares is). S_j
//! holds o_i = (x_i − t_i) mod p. What they see of S_j, by parts:
//!
//! - A = Σ o_i over the integers, instead of mod p. o_i is x_i − t_i, plus p if t_i > x_i. So A is
//!   the total less Σ t_i, which they know, plus p · #{i : t_i > x_i}: beyond the total it tells how
//!   many shares fell short, t_i ≤ x_i, each of which has probability (x_i + 1)/p. Whoever replaces
//!   that number by 0 needs the total alone and errs with probability at most Σ_i (x_i + 1)/p. With
//!   max_records · max coordinate < 2^88 this is below 2^−39 a coordinate. So the views for two lists
//!   of inputs with the same totals are at most Σ_i (max(x_i, x'_i) + 1)/p apart, and the same where
//!   the others' shares are such that none falls short.
//! - C_i = Σ_c o_i\[c\]·G_c + r_i·H with r_i uniform: uniform points, whatever the shares are. Given
//!   R = Σ r_i, too, they are uniform among the lists of points with the sum Σ_c A\[c\]·G_c + R·H, which
//!   is known from A and R: for any other shares with the same A there are as many blindings that
//!   give the same points and the same R. And R itself is uniform, independent of the shares. So
//!   commitments and R add nothing to A. (Were the r_i zero, C_i would tell o_i to whoever guesses
//!   it.)
//! - While a coordinate is closed, R stays closed, and the C_i are uniform points, independent of
//!   everything that is opened; T follows from them. The proof of knowledge is zero-knowledge: K and
//!   the answers can be made without the secrets, by choosing answers and challenge first. So nothing
//!   is said of closed coordinates, at which A is not opened either. When they are opened later, the
//!   two points above hold for all of them.
//! - D_j with uniform s_j is a uniform point, so it tells nothing of the noise; and R_j holds s_j, so
//!   that opening R_j tells nothing of s_j but by the equation that A_j satisfies anyway. s_j is the
//!   output of a hash of a stored secret, for one set and opening: uniform in the random oracle
//!   model, and the same in a repeated run, as the noise is.
//!
//! What was not counted is out of the sums, and its r_ij are never revealed. The first two points are
//! counted out, for one coordinate on a toy field and group, in `tests/views.rs`.
//!
//! # Noise
//! Under differential privacy S_j adds noise e_j to A_j before it commits, FULL noise for every
//! coordinate: k − 1 servers that leave theirs out, or subtract it later, still face the noise of
//! the last one, which alone meets the budget. The result's variance is that of k draws. That a
//! server drew its noise as it should cannot be seen; that it stays with what it drew before it saw
//! anything, can: D_jφ = Σ_c e_j\[c\]·G_c + s_jφ·H.
//!
//! e_j is added as a signed integer, A_j + e_j, and not as its residue mod p: A_j is a number
//! that the other servers know up to the total (see above), so a p that is there or not would
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
//!    hash and number of the amendments, number of submissions without a verdict.
//! 2. `Lists`, only if round 1 differs: all entries and all amendments. Kept is what all servers
//!    accepted alike and no amendment of any server withdraws ([`crate::collect::resolve`]). What
//!    all hold alike but not all have verified (one crashed before it stored its verdict) is
//!    verified now, and the run starts again: a submission that all servers hold is never lost.
//! 3. `Set`: the agreed set's root and the amendments' hash, signed. All must be equal; if they are
//!    not, and no lists were exchanged, servers show theirs, so that others see who is wrong.
//! 4. `Noise`, only if there is any: D_j (32).
//! 5. `Commit`: SHA-256 commitment to the opening of round 6.
//! 6. `Open`: salt (32) ‖ A_j (24 a coordinate), noise included ‖ R_j (32), or the proof: K (32)
//!    ‖ z (32) ‖ z_c (32 a closed coordinate). Rounds 4 to 6 repeat while the study's disclosure rule
//!    asks for more (first the counts of cells, then the values of those that are large enough).
//! 7. `Result`: each server's signature over the result. k signatures make it published.
//!
//! # Cost
//! 5 rounds (7 with small-cell suppression, one more if lists differ, and one more an opening with
//! noise); from each server to each other 24 bytes an opened coordinate and 32 a closed one for each
//! opening; 53 bytes a submission where lists must be exchanged. A submission costs k decompressions
//! of points; an opening two multiplications of as many points as there are coordinates, and one
//! more for each server that is checked.
//!
//! # Source
//! Commit-then-open and transcripts: Blum 1981; Baum, Damgård, Orlandi, SCN 2014 (publicly
//! auditable MPC). Commitments: Pedersen, CRYPTO 1991 ([`crate::pedersen`]). Proofs: Schnorr 1991,
//! Okamoto, CRYPTO 1992.

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
    AgreedSet, Agreement, Entry, Holdings, Limits, MAX_AMENDMENT_BYTES,
    MAX_AMENDMENT_BYTES_OF_PROVIDER, MAX_AMENDMENTS, MAX_AMENDMENTS_OF_PROVIDER, Status,
};
pub use published::{Published, PublishedError};
pub use set::{Counted, SignedSet};
pub use share::ResultShare;
pub use sum::Sum;
pub use word::{BrokenWord, ShownList, WholeSet, WordKept};

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
