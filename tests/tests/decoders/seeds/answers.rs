//! What servers answer.

use decoders::{answers, fixture};
use mpc::{merkle, record::Section};
use prost::Message as _;
use proto::v1;
use sotto_tests::recorded::Recorded;

use super::{Seeds, bundle, chosen, named, publication, wire};

/// A proof of every submission that counts, as a server makes them.
fn proofs(recorded: &Recorded) -> v1::ProveResponse {
    let published = &recorded.published;
    let parts = recorded.submissions.iter();
    let counted: Vec<_> =
        parts.filter(|part| published.reason(&part.submission).is_none()).collect();
    let mut tree = merkle::Tree::default();
    for part in &counted {
        tree.push_and_prove(merkle::leaf(&part.submission, &part.hash(), part.records));
    }
    let (root, proofs) = tree.finish();
    assert_eq!(root, published.root, "these submissions count");
    let inclusions = counted.iter().zip(proofs).map(|(part, proof)| v1::Inclusion {
        submission_id: part.submission.0.to_vec().into(),
        public_hash: part.hash().0.to_vec().into(),
        records: part.records,
        proof: proof.encode().into(),
    });
    v1::ProveResponse { inclusions: inclusions.collect() }
}

pub fn seeds() -> Seeds {
    let recorded = publication();
    let id: bytes::Bytes = fixture::get().study.id().0.to_vec().into();
    let status = v1::StudyStatus { study_id: id.clone(), ..wire::status() };
    let other = v1::StudyStatus {
        study_id: vec![0; 32].into(),
        study: Default::default(),
        ..wire::status()
    };
    let identity = fixture::get().keys()[0].0.to_vec().into();
    let describe = v1::DescribeResponse { identity, ..wire::describe() };
    let hello = v1::HelloResponse {
        protocol: 1,
        unix_ms: describe.unix_ms,
        version: describe.version.clone(),
    };
    let outcome = v1::Outcome {
        study_id: id.clone(),
        state: v1::StudyState::Published.into(),
        published: recorded.published.encode().into(),
        transcript: recorded.recording.encode().into_iter().map(Into::into).collect(),
        ..Default::default()
    };
    let aborted = v1::Outcome { study_id: id, ..wire::outcome() };
    let mut frames = bundle().swap_remove(2).1;
    frames.truncate(4_096);
    assert_eq!(frames.first(), Some(&(Section::Head as u8)));
    let part = v1::RecordPart { frames: frames.into(), last: false };
    let (theirs, starts) = wire::life(1);
    let (seen, _) = wire::life(0);
    let meet = v1::MeetResponse {
        life: Some(theirs),
        starts,
        seen: Some(seen),
        seen_ms: 1_699_999_000_000,
    };
    let state = v1::PeerStudyState { state: v1::StudyState::Open.into() };
    let list = v1::ListStudiesResponse { studies: vec![other, status.clone()] };
    let place = |name: &str| wire::place(&answers::READ, name);
    let mut seeds = named([
        ("DescribeResponse", describe.encode_to_vec()),
        ("HelloResponse", hello.encode_to_vec()),
        ("StudyStatus", status.encode_to_vec()),
        ("ListStudiesResponse", list.encode_to_vec()),
        ("Outcome", outcome.encode_to_vec()),
        ("RecordPart", part.encode_to_vec()),
        ("ProveResponse", proofs(&recorded).encode_to_vec()),
        ("MeetResponse", meet.encode_to_vec()),
        ("PeerStudyState", state.encode_to_vec()),
    ]);
    for (name, seed) in &mut seeds {
        seed.insert(0, place(name));
    }
    seeds.push(("aborted".into(), chosen(place("Outcome"), aborted.encode_to_vec())));
    seeds
}
