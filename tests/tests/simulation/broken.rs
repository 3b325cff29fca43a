//! Broken: faults that a server or the client library might have, each of which the simulation must find.

/// A fault of all servers, or of all providers who use the library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// A receipt is signed before its submission is durable.
    LosesWhatItSignedFor,
    /// A receipt is signed for what comes after the close.
    SignsAfterTheClose,
    /// Amendments are acknowledged, and no more.
    ForgetsAmendments,
    /// A run that was begun is begun again, which would use its masks twice.
    BeginsARunAgain,
    /// The first of three or more submissions is not in anybody's list.
    OverlooksASubmission,
    /// A provider's submissions that were under way when its process ended are made anew.
    ForgetsWhatLiesReady,
}
