//! Every message of `sotto.v1`: read, written and read again; and the ids in them.

use std::fmt::Debug;

use mpc::{
    ids::{AmendmentId, PublicHash, StudyId, SubmissionId},
    merkle::Proof,
    record::Section,
};
use prost::Message;
use proto::{codec::has_too_many_fields, convert::field, v1};

use crate::choice;

type Check = fn(&[u8]);

/// What stands for each message in the first byte of an input: its place here.
const MESSAGES: [(&str, Check); 37] = [
    ("MeasureRequest", again::<v1::MeasureRequest>),
    ("DescribeResponse", again::<v1::DescribeResponse>),
    ("ProposeRequest", again::<v1::ProposeRequest>),
    ("GetStudyRequest", again::<v1::GetStudyRequest>),
    ("ListStudiesRequest", again::<v1::ListStudiesRequest>),
    ("ListStudiesResponse", again::<v1::ListStudiesResponse>),
    ("Command", again::<v1::Command>),
    ("StudyStatus", again::<v1::StudyStatus>),
    ("SubmitRequest", again::<v1::SubmitRequest>),
    ("Receipt", again::<v1::Receipt>),
    ("AmendRequest", again::<v1::AmendRequest>),
    ("AmendmentReceipt", again::<v1::AmendmentReceipt>),
    ("Outcome", again::<v1::Outcome>),
    ("RecordRequest", again::<v1::RecordRequest>),
    ("RecordCursor", cursor),
    ("RecordPart", again::<v1::RecordPart>),
    ("ProveRequest", again::<v1::ProveRequest>),
    ("ProveResponse", again::<v1::ProveResponse>),
    ("Inclusion", inclusion),
    ("HelloRequest", again::<v1::HelloRequest>),
    ("HelloResponse", again::<v1::HelloResponse>),
    ("PeerStudyState", again::<v1::PeerStudyState>),
    ("StartRequest", again::<v1::StartRequest>),
    ("Frame", again::<v1::Frame>),
    ("LinkAck", again::<v1::LinkAck>),
    ("PupilSays", again::<v1::PupilSays>),
    ("HostSays", again::<v1::HostSays>),
    ("RingJoin", again::<v1::RingJoin>),
    ("RingWelcome", again::<v1::RingWelcome>),
    ("RingSeats", again::<v1::RingSeats>),
    ("MaskedNumber", again::<v1::MaskedNumber>),
    ("Acknowledgement", again::<v1::Acknowledgement>),
    ("RingAnnouncement", again::<v1::RingAnnouncement>),
    ("RingFinished", again::<v1::RingFinished>),
    ("RingReport", again::<v1::RingReport>),
    ("RingView", again::<v1::RingView>),
    ("ids", ids),
];

/// The first byte of an input that is this message.
pub fn code(message: &str) -> u8 {
    let place = MESSAGES.iter().position(|(name, _)| *name == message);
    u8::try_from(place.expect("a message of that name")).expect("few messages")
}

pub(crate) fn check(data: &[u8]) {
    let (which, rest) = choice(data);
    // As it is on every connection.
    if has_too_many_fields(rest) {
        return;
    }
    let (_, check) = MESSAGES[usize::from(which) % MESSAGES.len()];
    check(rest);
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

fn cursor(bytes: &[u8]) {
    again::<v1::RecordCursor>(bytes);
    let Ok(cursor) = v1::RecordCursor::decode(bytes) else { return };
    let section = u8::try_from(cursor.section).ok().and_then(Section::from_code);
    assert!(section.is_none_or(|section| section as u32 == cursor.section));
}

fn inclusion(bytes: &[u8]) {
    again::<v1::Inclusion>(bytes);
    let Ok(inclusion) = v1::Inclusion::decode(bytes) else { return };
    if let Ok(proof) = Proof::decode(&inclusion.proof) {
        assert_eq!(proof.encode(), inclusion.proof);
    }
}

fn ids(bytes: &[u8]) {
    let is_id = |len: usize| bytes.len() == len;
    assert_eq!(field::<StudyId>("study_id", bytes).is_ok(), is_id(32));
    assert_eq!(field::<SubmissionId>("submission_id", bytes).is_ok(), is_id(16));
    assert_eq!(field::<AmendmentId>("amendment_id", bytes).is_ok(), is_id(16));
    assert_eq!(field::<PublicHash>("public_hash", bytes).is_ok(), is_id(32));
}
