//! What is asked of a server: by strangers, and by peers, who may be anybody of the roster.

use std::collections::BTreeMap;

use prost::Message as _;
use proto::v1;
use server::{clock::Clock, lives, peers::Greeting, testing};

use crate::{Reads, Row, check_said, choice, fixture, parts};

/// A peer that has given a session up says it in place of a round.
const ABANDONED: u32 = u32::MAX;
/// When it is.
pub(crate) const NOW_MS: u64 = 1_700_000_000_000;

/// What an input is, by its first byte: its place here. Behind them: frames of a peer.
pub const READ: [Row; 11] = [
    Row::of::<v1::HelloRequest>(),
    Row::of::<v1::MeetRequest>(),
    Row::of::<v1::StartRequest>(),
    Row::of::<v1::Frame>(),
    Row::of::<v1::GetStudyRequest>(),
    Row::of::<v1::ListStudiesRequest>(),
    Row::of::<v1::ProposeRequest>(),
    Row::of::<v1::Command>(),
    Row::of::<v1::RecordRequest>(),
    Row::of::<v1::RecordCursor>(),
    Row::of::<v1::ProveRequest>(),
];

pub(crate) fn check(data: &[u8]) {
    let (which, rest) = choice(data);
    match READ.get(usize::from(which) % (READ.len() + 1)) {
        Some(row) => drop(row.takes(rest)),
        None => frames(rest),
    }
}

/// What the fixture's first server compares with others.
pub(crate) fn greeting() -> Greeting {
    let clock = Clock::new(|| NOW_MS);
    Greeting { roster_hash: [4; 32], clock, protocol: proto::PROTOCOL }
}

/// Whether a decoder took a message; why not stands in one line.
fn is_taken<M: PartialEq + std::fmt::Debug>(again: Result<M, String>, message: &M) -> bool {
    match again {
        Ok(again) => {
            assert_eq!(again, *message, "one message of what was read");
            true
        }
        Err(error) => {
            check_said(&error);
            false
        }
    }
}

impl Reads for v1::HelloRequest {
    fn read(self) -> bool {
        match greeting().check(&self) {
            Ok(protocol) => {
                assert!((self.protocol_min..=self.protocol_max).contains(&protocol));
                assert!(proto::PROTOCOL.contains(&protocol));
                assert_eq!(self.roster_hash[..], [4; 32]);
                assert!(self.unix_ms.abs_diff(NOW_MS) <= 300_000);
                true
            }
            Err(error) => {
                check_said(&error);
                false
            }
        }
    }
}

impl Reads for v1::MeetRequest {
    fn read(self) -> bool {
        let signer = &fixture::get().signers[0];
        let again = testing::life(self.life.as_ref(), &self.starts, &signer.public());
        let again = again.map(|(life, _)| {
            let (life, starts) = lives::signed(&life, signer);
            Self { life: Some(life), starts }
        });
        is_taken(again, &self)
    }
}

impl Reads for v1::StartRequest {
    fn read(self) -> bool {
        is_taken(testing::start(&self), &self)
    }
}

impl Reads for v1::Frame {
    fn read(self) -> bool {
        let held = testing::frames(&[self]);
        held.refusal.iter().for_each(|why| check_said(why));
        held.taken == 1
    }
}

impl Reads for v1::GetStudyRequest {
    fn read(self) -> bool {
        is_taken(testing::study(&self), &self)
    }
}

impl Reads for v1::ListStudiesRequest {
    fn read(self) -> bool {
        let wanted = self.limit.clamp(1, 100);
        is_taken(testing::page(&self), &Self { limit: wanted, ..self })
    }
}

impl Reads for v1::ProposeRequest {
    fn read(self) -> bool {
        is_taken(testing::proposal(&self), &self)
    }
}

impl Reads for v1::Command {
    fn read(self) -> bool {
        is_taken(testing::command(&self), &self)
    }
}

impl Reads for v1::RecordRequest {
    fn read(self) -> bool {
        let mut wanted = self.clone();
        if let Some(after) = wanted.after.as_mut().filter(|after| after.section != SUBMISSION) {
            after.submission_id = Default::default();
        }
        is_taken(testing::record(self), &wanted)
    }
}

/// The section whose messages have ids.
const SUBMISSION: u32 = mpc::record::Section::Submission as u32;

impl Reads for v1::RecordCursor {
    fn read(self) -> bool {
        v1::RecordRequest { study_id: vec![1; 32].into(), after: Some(self) }.read()
    }
}

impl Reads for v1::ProveRequest {
    fn read(self) -> bool {
        let mut wanted = self.clone();
        wanted.submission_ids.sort_unstable();
        wanted.submission_ids.dedup();
        let taken = is_taken(testing::proofs(&self), &wanted);
        assert!(!taken || self.submission_ids.len() <= 256);
        taken
    }
}

/// Frames in any order: a message is whole when its last part is there, and is its parts one behind
/// the other.
fn frames(bytes: &[u8]) {
    let frames = parts(bytes).into_iter().map(v1::Frame::decode);
    let Ok(frames) = frames.collect::<Result<Vec<_>, _>>() else { return };
    let held = testing::frames(&frames);
    held.refusal.iter().for_each(|why| check_said(why));
    assert_eq!(held.taken < frames.len(), held.refusal.is_some());
    let mut messages: BTreeMap<([u8; 16], u32), (Vec<u8>, bool)> = BTreeMap::new();
    for frame in &frames[..held.taken] {
        let session = frame.session_id[..].try_into().expect("16 bytes");
        let (said, is_whole) = messages.entry((session, frame.round)).or_default();
        if frame.round != ABANDONED {
            assert!(!*is_whole && frame.round < 256, "a frame that belongs nowhere");
            said.extend_from_slice(&frame.part);
            *is_whole = frame.last;
        }
    }
    let expected = |(said, is_whole): (Vec<u8>, bool)| is_whole.then_some(said);
    let expected: BTreeMap<_, _> =
        messages.into_iter().map(|(place, message)| (place, expected(message))).collect();
    assert_eq!(held.messages, expected);
    let mut sessions: Vec<_> = held.messages.keys().map(|(session, _)| session).collect();
    sessions.dedup();
    assert!(sessions.len() <= 32, "{} sessions that were never started", sessions.len());
}
