//! Broken: faults that a server might have, each of which the simulation must find.

/// A fault of all servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// A receipt is signed before its submission is durable.
    LosesWhatItSignedFor,
    /// A receipt is signed for what comes after the close.
    SignsAfterTheClose,
    /// Amendments are acknowledged, and no more.
    ForgetsAmendments,
    /// The first of three or more submissions is not in anybody's list.
    OverlooksASubmission,
}
