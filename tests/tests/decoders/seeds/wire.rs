//! Messages between clients and servers.

use decoders::{Row, fixture, messages, requests};
use mpc::{
    collect::{PublicPart, SignedAmendment, credential},
    receipt::{AmendmentReceipt, Receipt},
};
use prost::Message as _;
use proto::v1;
use server::{
    lives,
    storage::{Life, Moment, Start},
};

use super::{Seeds, chosen, named, parts};

fn bytes<const N: usize>(byte: u8) -> bytes::Bytes {
    vec![byte; N].into()
}

pub fn receipt(receipt: Receipt) -> Vec<u8> {
    v1::Receipt::from(receipt).encode_to_vec()
}

pub fn acknowledgement(receipt: AmendmentReceipt) -> Vec<u8> {
    v1::AmendmentReceipt::from(receipt).encode_to_vec()
}

pub fn amend_request(signed: &SignedAmendment) -> Vec<u8> {
    v1::AmendRequest {
        amendment: signed.amendment.encode().into(),
        credential: signed.signature.0.to_vec().into(),
    }
    .encode_to_vec()
}

/// An upload to each server, as it is and with what a stranger can do about another one.
pub fn submission() -> Seeds {
    let sharded = fixture::get().sharded();
    let public = sharded.public.encode();
    let signature = credential(&fixture::get().provider, PublicPart::hash_encoded(&public));
    let request = |payload: &[u8]| v1::SubmitRequest {
        public_part: public.clone().into(),
        payload: payload.to_vec().into(),
        credential: signature.0.to_vec().into(),
    };
    let mut seeds = Vec::new();
    for (server, payload) in (0..).zip(&sharded.payloads) {
        let request = request(payload).encode_to_vec();
        seeds.push((format!("to-{server}"), chosen(server, &request)));
        seeds.push((format!("made-for-{server}"), chosen(4 | server, &request)));
    }
    seeds
}

pub fn status() -> v1::StudyStatus {
    v1::StudyStatus {
        study_id: bytes::<32>(1),
        study: fixture::get().study.encode().into(),
        state: v1::StudyState::Open.into(),
        detail: "waits for beta".into(),
        servers: vec!["beta".into(), "gamma".into()],
        submissions: 17,
        records: 300,
        verified: 16,
        rejected: 1,
        share_bytes: 1 << 40,
        charged: 2,
        record: true,
    }
}

pub fn describe() -> v1::DescribeResponse {
    let roster = |name: &str| v1::RosterEntry { name: name.into(), identity: bytes::<32>(3) };
    v1::DescribeResponse {
        name: "alpha".into(),
        version: "0.1.0".into(),
        protocol_min: 1,
        protocol_max: 1,
        identity: bytes::<32>(3),
        roster_hash: bytes::<32>(4),
        unix_ms: 1_700_000_000_000,
        roster: vec![roster("alpha"), roster("beta")],
    }
}

pub fn outcome() -> v1::Outcome {
    v1::Outcome {
        study_id: bytes::<32>(1),
        state: v1::StudyState::Aborted.into(),
        detail: "beta sent a malformed message".into(),
        servers: vec!["beta".into()],
        published: bytes::<8>(1),
        transcript: vec![bytes::<17>(2), bytes::<120>(3)],
    }
}

fn hello() -> v1::HelloRequest {
    v1::HelloRequest {
        protocol_min: 1,
        protocol_max: 1,
        roster_hash: bytes::<32>(4),
        unix_ms: 1_700_000_000_000,
        version: "0.1.0".into(),
    }
}

fn start() -> v1::StartRequest {
    v1::StartRequest {
        nonce: bytes::<16>(9),
        study_id: bytes::<32>(1),
        protocol: v1::Protocol::Verify.into(),
        submission_ids: vec![bytes::<16>(8); 4],
    }
}

/// A study's database, as its first server signs for it.
pub fn life(server: usize) -> (v1::Life, Vec<v1::Start>) {
    let start = |start, age| Start { start: [start; 16], age };
    let now = Moment { identity: [7; 16], start: [3; 16], age: 50 };
    let life = Life { now, starts: vec![start(1, 0), start(2, 10), start(3, 30)] };
    lives::signed(&life, &fixture::get().signers[server])
}

/// What strangers and peers ask: as a server takes it.
pub fn requests() -> Seeds {
    let (id, ids) = (bytes::<32>(1), vec![bytes::<16>(6), bytes::<16>(8)]);
    let (life, starts) = life(0);
    let section = mpc::record::Section::Submission as u32;
    let cursor = v1::RecordCursor { section, count: 3, submission_id: bytes::<16>(8) };
    let command =
        v1::Command { study_id: id.clone(), public_key: bytes::<32>(2), signature: bytes::<64>(3) };
    let study = fixture::get().study.encode().into();
    let propose = v1::ProposeRequest { study, signature: bytes::<64>(5) };
    let batch = vec![bytes::<16>(8), bytes::<16>(9)];
    let start = v1::StartRequest { submission_ids: batch, ..start() };
    let frame = |session, round, part: &'static [u8], last| {
        let (session_id, part) = (vec![session; 16].into(), bytes::Bytes::from_static(part));
        v1::Frame { session_id, round, part, last }
    };
    let meet = v1::MeetRequest { life: Some(life), starts };
    let list = v1::ListStudiesRequest { after: id.clone(), limit: 100 };
    let record = v1::RecordRequest { study_id: id.clone(), after: Some(cursor.clone()) };
    let prove = v1::ProveRequest { study_id: id.clone(), submission_ids: ids };
    let mut seeds = asked([
        ("HelloRequest", hello().encode_to_vec()),
        ("MeetRequest", meet.encode_to_vec()),
        ("StartRequest", start.encode_to_vec()),
        ("Frame", frame(9, 2, b"word", true).encode_to_vec()),
        ("GetStudyRequest", v1::GetStudyRequest { study_id: id }.encode_to_vec()),
        ("ListStudiesRequest", list.encode_to_vec()),
        ("ProposeRequest", propose.encode_to_vec()),
        ("Command", command.encode_to_vec()),
        ("RecordRequest", record.encode_to_vec()),
        ("RecordCursor", cursor.encode_to_vec()),
        ("ProveRequest", prove.encode_to_vec()),
    ]);
    let several = [
        frame(9, 0, b"one ", false),
        frame(8, 1, b"other", true),
        frame(9, 0, b"two", true),
        frame(8, u32::MAX, b"", true),
        frame(9, 0, b"three", true),
    ];
    let several = parts(several.iter().map(prost::Message::encode_to_vec));
    let behind = u8::try_from(requests::READ.len()).unwrap();
    seeds.push(("frames".into(), chosen(behind, several)));
    seeds
}

/// Behind the byte by which `requests` chooses.
fn asked<const N: usize>(messages: [(&'static str, Vec<u8>); N]) -> Seeds {
    named(messages.map(|(name, message)| (name, chosen(place(&requests::READ, name), message))))
}

/// The place of a message among those that a target reads.
pub fn place(rows: &[Row], name: &str) -> u8 {
    let place = rows.iter().position(|row| row.name() == name);
    u8::try_from(place.expect("a message of that name")).unwrap()
}

pub fn messages() -> Seeds {
    let (id, ids) = (bytes::<32>(1), vec![bytes::<16>(8); 3]);
    let cursor = v1::RecordCursor { section: 7, count: 3, submission_id: bytes::<16>(8) };
    let inclusion = v1::Inclusion {
        submission_id: bytes::<16>(8),
        public_hash: bytes::<32>(4),
        records: 64,
        proof: bytes::<48>(0),
    };
    let propose = v1::ProposeRequest { study: bytes::<40>(b'{'), signature: bytes::<64>(5) };
    let command =
        v1::Command { study_id: id.clone(), public_key: bytes::<32>(2), signature: bytes::<64>(3) };
    let frame =
        v1::Frame { session_id: bytes::<16>(9), round: 2, part: bytes::<90>(1), last: true };
    let record = v1::RecordRequest { study_id: id.clone(), after: Some(cursor.clone()) };
    let prove = v1::ProveRequest { study_id: id.clone(), submission_ids: ids };
    let proven = v1::ProveResponse { inclusions: vec![inclusion.clone()] };
    let list = v1::ListStudiesResponse { studies: vec![status(), status()] };
    let messages = [
        ("DescribeResponse", describe().encode_to_vec()),
        ("ProposeRequest", propose.encode_to_vec()),
        ("GetStudyRequest", v1::GetStudyRequest { study_id: id }.encode_to_vec()),
        ("ListStudiesResponse", list.encode_to_vec()),
        ("StudyStatus", status().encode_to_vec()),
        ("Command", command.encode_to_vec()),
        ("Outcome", outcome().encode_to_vec()),
        ("RecordRequest", record.encode_to_vec()),
        ("RecordCursor", cursor.encode_to_vec()),
        ("ProveRequest", prove.encode_to_vec()),
        ("ProveResponse", proven.encode_to_vec()),
        ("Inclusion", inclusion.encode_to_vec()),
        ("HelloRequest", hello().encode_to_vec()),
        ("StartRequest", start().encode_to_vec()),
        ("Frame", frame.encode_to_vec()),
        ("ids", vec![7; 32]),
    ];
    named(messages.map(|(name, message)| (name, chosen(messages::code(name), message))))
}
