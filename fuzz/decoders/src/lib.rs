//! Decoders: what everything that reads a stranger's bytes has to hold to, as functions of any bytes.
//!
//! Each [`Target`] gives bytes to the decoders of one kind and panics where one of them takes what it
//! must not, gives back something else than it took, or needs more memory than its input is worth.
//! cargo-fuzz calls them with bytes of its own (`fuzz/`), a test with all of `fuzz/corpus/`
//! (`tests/tests/decoders/`).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a property that does not hold, panics"
)]

use std::any::type_name;

use peak_alloc::PeakAlloc;
use prost::Message;

mod amendment;
pub mod answers;
mod bundle;
pub mod covered;
pub mod fixture;
pub mod messages;
mod receipts;
pub mod requests;
mod ring;
mod roster;
mod study;
mod submission;
mod table;
mod texts;
mod transcript;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Bytes that the search for faults in longer inputs would only make slower.
pub const LONGEST: usize = 64 << 10;

/// Bytes of a sentence that may repeat some of a stranger's words: names of all servers of a study.
const LONGEST_SAID: usize = 20 << 10;

/// One kind of input.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, which is that of its corpus.
    pub name: &'static str,
    /// What it gives the bytes to.
    pub covers: &'static str,
    check: fn(&[u8]),
    /// Bytes of memory that it may take for nothing, and for each byte of an input.
    memory: (usize, usize),
}

/// All targets.
pub const TARGETS: [Target; 14] = [
    Target {
        name: "submission",
        covers: "an upload: request, public part, credential, payload, verifier share, output share",
        check: submission::check,
        // All but the first server expand a seed: whatever its length, to a share of 1 MiB at most.
        memory: (4 << 20, 64),
    },
    Target {
        name: "amendment",
        covers: "amendments, signed ones, and which submissions count by a list of them",
        check: amendment::check,
        memory: (64 << 10, 256),
    },
    Target {
        name: "study",
        covers: "the canonical encoding of a study, and the plan of what is one",
        check: study::check_encoding,
        memory: (256 << 20, 64),
    },
    Target {
        name: "study_file",
        covers: "study files",
        check: study::check_file,
        memory: (256 << 20, 256),
    },
    Target {
        name: "table",
        covers: "tables of records, and the circuit's word on each of them",
        check: table::check,
        memory: (8 << 20, 64),
    },
    Target {
        name: "receipts",
        covers: "receipts files, stored batches, receipts and acknowledgements",
        check: receipts::check,
        memory: (256 << 10, 64),
    },
    Target {
        name: "bundle",
        covers: "the public record of a study: frames, file, audit",
        check: bundle::check,
        memory: (32 << 20, 64),
    },
    Target {
        name: "transcript",
        covers: "servers' messages, recordings, lists, sets, openings, blame, results and proofs",
        check: transcript::check,
        memory: (8 << 20, 256),
    },
    Target {
        name: "messages",
        covers: "every message of `sotto.v1`, and ids and cursors in them",
        check: messages::check,
        memory: (2 << 20, 256),
    },
    Target {
        name: "requests",
        covers: "what strangers and peers ask of a server, and the frames of peers",
        check: requests::check,
        memory: (256 << 10, 512),
    },
    Target {
        name: "answers",
        covers: "what servers answer to clients and to each other",
        check: answers::check,
        memory: (8 << 20, 256),
    },
    Target {
        name: "roster",
        covers: "the roster, which operators take from each other",
        check: roster::check,
        memory: (256 << 10, 256),
    },
    Target {
        name: "ring",
        covers: "what pupils, hosts and pages of a class say, and what pupils do upon it",
        check: ring::check,
        memory: (256 << 10, 512),
    },
    Target {
        name: "texts",
        covers: "profiles, class codes, trace contexts, ids, pins, keys, numbers",
        check: texts::check,
        memory: (256 << 10, 256),
    },
];

impl Target {
    /// The target of that name.
    pub fn named(name: &str) -> &'static Self {
        TARGETS.iter().find(|target| target.name == name).expect("a target of that name")
    }

    /// Gives it bytes.
    ///
    /// # Panics
    /// If a decoder is wrong about them.
    pub fn run(&self, data: &[u8]) {
        let (flat, per_byte) = self.memory;
        // What is made once and kept is no decoder's.
        fixture::ready();
        let before = MEMORY.current_usage();
        MEMORY.reset_peak_usage();
        (self.check)(data);
        let taken = MEMORY.peak_usage().saturating_sub(before);
        let allowed = flat + per_byte * data.len();
        assert!(taken <= allowed, "{} bytes of input took {taken} bytes of memory", data.len());
    }
}

/// The first byte, by which a target with several decoders chooses, and the rest.
fn choice(data: &[u8]) -> (u8, &[u8]) {
    data.split_first().map_or((0, data), |(first, rest)| (*first, rest))
}

/// The parts of an input that is several byte strings: a length of two bytes before each.
fn parts(mut data: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    while let Some((length, rest)) = data.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length)).min(rest.len());
        let (part, rest) = rest.split_at(length);
        parts.push(part);
        data = rest;
    }
    parts
}

/// The decoder of one message: what `Reads` says of it.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    path: fn() -> &'static str,
    read: fn(&[u8]) -> bool,
}

/// A message with a decoder of its own.
pub(crate) trait Reads: Message + Default {
    /// Gives it to that decoder; whether it is taken.
    fn read(self) -> bool;
}

impl Row {
    pub(crate) const fn of<M: Reads>() -> Self {
        Self { path: type_name::<M>, read: |bytes| M::decode(bytes).is_ok_and(M::read) }
    }

    /// The message's name: that of its type, so that no list can be wrong about it.
    pub fn name(&self) -> &'static str {
        last((self.path)())
    }

    /// Whether the bytes are such a message, and its decoder takes it.
    pub fn takes(&self, bytes: &[u8]) -> bool {
        (self.read)(bytes)
    }
}

/// The last part of a type's path.
fn last(path: &'static str) -> &'static str {
    path.rsplit("::").next().unwrap_or(path)
}

/// An error for people stands in one line, and steers no terminal.
fn check_line(text: &str) {
    assert!(!text.chars().any(char::is_control), "{text:?} is not one line of text");
}

/// What is said to people of a stranger's words is short, too.
fn check_said(text: &str) {
    check_line(text);
    assert!(text.len() <= LONGEST_SAID, "{} bytes of a stranger's words", text.len());
}
