//! Messages between clients and servers.

use decoders::{fixture, messages};
use mpc::{
    collect::{PublicPart, SignedAmendment, credential},
    receipt::{AmendmentReceipt, Receipt},
};
use prost::Message as _;
use proto::v1;

use super::{Seeds, chosen, named};

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

fn status() -> v1::StudyStatus {
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

fn describe() -> v1::DescribeResponse {
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

fn outcome() -> v1::Outcome {
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
