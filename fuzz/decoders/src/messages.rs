//! Every message of `sotto.v1`: read, written and read again; and the ids in them.

use std::{any::type_name, fmt::Debug};

use mpc::ids::{AmendmentId, PublicHash, StudyId, SubmissionId};
use prost::Message;
use proto::{codec::has_too_many_fields, convert::field, v1};

use crate::{choice, last};

/// One message: the path of its type, and what is checked of its bytes.
struct Row {
    path: fn() -> &'static str,
    check: fn(&[u8]),
}

impl Row {
    const fn of<M: Message + Default + PartialEq + Debug>() -> Self {
        Self { path: type_name::<M>, check: again::<M> }
    }
}

/// What stands for each message in the first byte of an input: its place here. Behind them: ids.
const MESSAGES: [Row; 63] = [
    Row::of::<v1::DescribeRequest>(),
    Row::of::<v1::MeasureRequest>(),
    Row::of::<v1::MeasureResponse>(),
    Row::of::<v1::DescribeResponse>(),
    Row::of::<v1::RosterEntry>(),
    Row::of::<v1::ProposeRequest>(),
    Row::of::<v1::GetStudyRequest>(),
    Row::of::<v1::ListStudiesRequest>(),
    Row::of::<v1::ListStudiesResponse>(),
    Row::of::<v1::Command>(),
    Row::of::<v1::StudyStatus>(),
    Row::of::<v1::SubmitRequest>(),
    Row::of::<v1::Receipt>(),
    Row::of::<v1::AmendRequest>(),
    Row::of::<v1::AmendmentReceipt>(),
    Row::of::<v1::Outcome>(),
    Row::of::<v1::RecordRequest>(),
    Row::of::<v1::RecordCursor>(),
    Row::of::<v1::RecordPart>(),
    Row::of::<v1::ProveRequest>(),
    Row::of::<v1::ProveResponse>(),
    Row::of::<v1::Inclusion>(),
    Row::of::<v1::HelloRequest>(),
    Row::of::<v1::HelloResponse>(),
    Row::of::<v1::Life>(),
    Row::of::<v1::Start>(),
    Row::of::<v1::MeetRequest>(),
    Row::of::<v1::MeetResponse>(),
    Row::of::<v1::PeerStudyState>(),
    Row::of::<v1::StartRequest>(),
    Row::of::<v1::StartResponse>(),
    Row::of::<v1::Frame>(),
    Row::of::<v1::LinkAck>(),
    Row::of::<v1::PupilSays>(),
    Row::of::<v1::HostSays>(),
    Row::of::<v1::RingJoin>(),
    Row::of::<v1::RingWelcome>(),
    Row::of::<v1::RingReady>(),
    Row::of::<v1::RingLeave>(),
    Row::of::<v1::RingEnded>(),
    Row::of::<v1::RingRun>(),
    Row::of::<v1::RingDeclined>(),
    Row::of::<v1::RingSeats>(),
    Row::of::<v1::RingSeat>(),
    Row::of::<v1::RingLane>(),
    Row::of::<v1::RingStep>(),
    Row::of::<v1::MaskedNumber>(),
    Row::of::<v1::Acknowledgement>(),
    Row::of::<v1::RingAnnouncement>(),
    Row::of::<v1::Heard>(),
    Row::of::<v1::RingLearned>(),
    Row::of::<v1::RingFinished>(),
    Row::of::<v1::RingStopped>(),
    Row::of::<v1::RingAskView>(),
    Row::of::<v1::RingReport>(),
    Row::of::<v1::RingSlip>(),
    Row::of::<v1::RingDelivered>(),
    Row::of::<v1::RingGarbage>(),
    Row::of::<v1::RingTwice>(),
    Row::of::<v1::RingAnnouncedTwice>(),
    Row::of::<v1::RingView>(),
    Row::of::<v1::RingMessage>(),
    Row::of::<v1::RingSaid>(),
];

/// The names of all messages.
pub(crate) fn names() -> Vec<&'static str> {
    MESSAGES.iter().map(|row| last((row.path)())).collect()
}

/// The first byte of an input that is this message; behind all of them, that of an id.
pub fn code(message: &str) -> u8 {
    let place = names().iter().position(|name| *name == message);
    u8::try_from(place.unwrap_or(MESSAGES.len())).expect("few messages")
}

pub(crate) fn check(data: &[u8]) {
    let (which, rest) = choice(data);
    // As it is on every connection.
    if has_too_many_fields(rest) {
        return;
    }
    match MESSAGES.get(usize::from(which) % (MESSAGES.len() + 1)) {
        Some(row) => (row.check)(rest),
        None => ids(rest),
    }
}

/// What is read is written in one way, which is read as the same.
fn again<M: Message + Default + PartialEq + Debug>(bytes: &[u8]) {
    let Ok(message) = M::decode(bytes) else { return };
    let written = message.encode_to_vec();
    assert_eq!(written.len(), message.encoded_len());
    let read = M::decode(&written[..]).expect("what was written");
    assert_eq!(read, message);
    assert_eq!(read.encode_to_vec(), written);
}

fn ids(bytes: &[u8]) {
    let is_id = |len: usize| bytes.len() == len;
    assert_eq!(field::<StudyId>("study_id", bytes).is_ok(), is_id(32));
    assert_eq!(field::<SubmissionId>("submission_id", bytes).is_ok(), is_id(16));
    assert_eq!(field::<AmendmentId>("amendment_id", bytes).is_ok(), is_id(16));
    assert_eq!(field::<PublicHash>("public_hash", bytes).is_ok(), is_id(32));
}
