//! What a long operation tells its caller while it runs, so that the library itself stays silent.

/// One piece of news. Counts are totals so far, never differences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Rows of the file that were checked.
    Checking {
        /// Rows so far.
        rows: u64,
    },
    /// The upload starts, or goes on after an earlier run.
    Uploading {
        /// Records in the whole file.
        records: u64,
        /// Records whose receipts an earlier run already holds.
        done: u64,
    },
    /// Records whose receipts are recorded, the earlier run's included.
    Uploaded {
        /// Records so far.
        records: u64,
    },
    /// A server does not take a submission now; it will be sent again.
    Retrying {
        /// The server.
        server: String,
        /// Its reason.
        reason: String,
    },
    /// Submissions of so many records are made and verified here, to see how long that takes.
    Measuring {
        /// Records of one submission.
        records: u32,
    },
    /// A server does not have what is asked for, or cannot be asked; another one gave it.
    AskingAnother {
        /// The server.
        server: String,
        /// Why not this one.
        reason: String,
    },
    /// A record is downloaded.
    Downloading {
        /// Bytes in the file so far.
        bytes: u64,
    },
    /// Submissions of a record are checked.
    Auditing {
        /// Submissions so far.
        submissions: u64,
    },
    /// Nothing can be done until something happens elsewhere.
    Waiting {
        /// For what, and for whom.
        what: String,
    },
}

/// Receives [`Event`]s. Called from several threads.
pub trait Progress: Send + Sync {
    /// Takes one piece of news; must not block.
    fn event(&self, event: Event);
}

/// Ignores everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn event(&self, _: Event) {}
}
