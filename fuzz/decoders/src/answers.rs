//! What servers answer: to clients, who trust no single one of them, and to each other.

use std::{path::Path, sync::OnceLock, time::Duration};

use client::{Profile, testing::Answering};
use mpc::{
    ids::{PublicHash, SubmissionId},
    publish::Published,
    transcript::Recording,
};
use prost::Message as _;
use proto::v1;
use server::{lives, testing};

use crate::{
    Reads, Row, check_said, choice,
    fixture::{self, Fixture, NAMES},
    requests::{NOW_MS, greeting},
};

/// A published result, behind a byte, and the proofs of all that it counts: nobody can make others.
const PUBLISHED: &[u8] = include_bytes!("../../corpus/transcript/published");
const PROOFS: &[u8] = include_bytes!("../../corpus/answers/ProveResponse");

/// What an input is, by its first byte: its place here.
pub const READ: [Row; 9] = [
    Row::of::<v1::DescribeResponse>(),
    Row::of::<v1::HelloResponse>(),
    Row::of::<v1::StudyStatus>(),
    Row::of::<v1::ListStudiesResponse>(),
    Row::of::<v1::Outcome>(),
    Row::of::<v1::RecordPart>(),
    Row::of::<v1::ProveResponse>(),
    Row::of::<v1::MeetResponse>(),
    Row::of::<v1::PeerStudyState>(),
];

pub(crate) fn check(data: &[u8]) {
    let (which, rest) = choice(data);
    READ[usize::from(which) % READ.len()].takes(rest);
}

/// Whom the answers are read against.
struct Asked {
    server: Answering,
    profile: Profile,
    published: Published,
    proofs: Vec<v1::Inclusion>,
}

fn asked() -> &'static Asked {
    static ASKED: OnceLock<Asked> = OnceLock::new();
    ASKED.get_or_init(|| {
        let keys = fixture::get().keys();
        let server = |(name, key): (&str, _)| {
            let tls = "ab".repeat(32);
            format!(
                "[[server]]\nname = \"{name}\"\nendpoint = \"https://localhost:1\"\n\
                 identity = \"{key}\"\ntls = \"{tls}\"\n"
            )
        };
        let servers: String = NAMES.into_iter().zip(&keys).map(server).collect();
        let text = format!("roots = \"ca.pem\"\n{servers}");
        // While the corpus is made for the first time, there are none.
        let proofs = v1::ProveResponse::decode(PROOFS.get(1..).unwrap_or_default());
        Asked {
            server: Answering::new("alpha", keys[0]).expect("a runtime"),
            profile: Profile::parse(&text, Path::new("sotto.toml")).expect("a profile"),
            published: Published::decode(&PUBLISHED[1..]).expect("a result"),
            proofs: proofs.unwrap_or_default().inclusions,
        }
    })
}

/// Makes what is made once.
pub(crate) fn ready() {
    asked();
}

fn refused(error: &impl std::fmt::Display) -> bool {
    check_said(&error.to_string());
    false
}

impl Reads for v1::DescribeResponse {
    fn read(self) -> bool {
        let now = Duration::from_millis(NOW_MS);
        for finding in asked().server.examined(self.clone(), &asked().profile) {
            check_said(&finding.found);
        }
        match asked().server.describes(&self, now) {
            Ok(roster) => {
                check_said(&roster);
                assert_eq!(self.identity[..], fixture::get().keys()[0].0);
                true
            }
            Err(error) => refused(&error),
        }
    }
}

impl Reads for v1::HelloResponse {
    fn read(self) -> bool {
        match greeting().check_answer(&self) {
            Ok(()) => proto::PROTOCOL.contains(&self.protocol),
            Err(error) => refused(&error),
        }
    }
}

impl Reads for v1::StudyStatus {
    fn read(self) -> bool {
        v1::ListStudiesResponse { studies: vec![self] }.read()
    }
}

impl Reads for v1::ListStudiesResponse {
    fn read(self) -> bool {
        let asked_for = self.studies.len();
        match asked().server.lists([self.clone()]) {
            Ok(reports) => {
                assert_eq!(reports.len(), asked_for);
                assert!(reports.is_sorted_by(|one, next| one.0 < next.0));
                for (id, report, study) in reports {
                    check_said(&report.why());
                    report.waits_for.iter().for_each(|name| check_said(name));
                    assert!(study.is_none_or(|study| study.id() == id), "another study");
                }
                let again = asked().server.lists([self.clone(), self]);
                assert!(again.is_err() || asked_for == 0, "a list that begins again");
                true
            }
            Err(error) => refused(&error),
        }
    }
}

impl Reads for v1::Outcome {
    fn read(self) -> bool {
        let Fixture { study, .. } = fixture::get();
        if let Ok(recording) = Recording::decode(self.transcript.iter().map(AsRef::as_ref)) {
            assert_eq!(recording.encode(), self.transcript, "one encoding of a recording");
        }
        match asked().server.tells(study, &fixture::get().keys(), self) {
            Ok((_, detail, published)) => {
                check_said(&detail);
                let known = &asked().published;
                assert!(published.is_none_or(|other| other == *known), "a result nobody signed");
                true
            }
            Err(error) => refused(&error),
        }
    }
}

impl Reads for v1::RecordPart {
    fn read(self) -> bool {
        let kept = client::testing::follow(&self.frames);
        assert!(kept.is_none_or(|kept| kept <= self.frames.len()));
        kept.is_some()
    }
}

impl Reads for v1::ProveResponse {
    fn read(self) -> bool {
        let Asked { published, proofs, .. } = asked();
        let is_proof = |inclusion: &v1::Inclusion| {
            let id = SubmissionId::try_from(&inclusion.submission_id[..]);
            let public = PublicHash::try_from(&inclusion.public_hash[..]);
            let (Ok(id), Ok(public)) = (id, public) else { return false };
            let holds = client::testing::proves(inclusion, published, &id, &public);
            assert!(!holds || proofs.contains(inclusion), "a proof of what is not counted");
            holds
        };
        self.inclusions.iter().filter(|inclusion| is_proof(inclusion)).count() > 0
    }
}

impl Reads for v1::MeetResponse {
    fn read(self) -> bool {
        let signers = &fixture::get().signers;
        let (own, peer) = (&signers[0], &signers[1]);
        let seen = lives::heard(self.seen.as_ref(), &own.public());
        let theirs = testing::life(self.life.as_ref(), &self.starts, &peer.public());
        check_said(&lives::ago(NOW_MS, self.seen_ms));
        match (theirs, seen) {
            (Ok((life, _)), Ok((moment, _))) => {
                let (said, starts) = lives::signed(&life, peer);
                assert_eq!((Some(said), starts), (self.life, self.starts), "what nobody signed");
                let life = server::storage::Life { now: moment, starts: Vec::new() };
                assert_eq!(Some(lives::signed(&life, own).0), self.seen, "what nobody signed");
                true
            }
            (Err(error), _) => refused(&error),
            (_, Err(error)) => refused(&error),
        }
    }
}

impl Reads for v1::PeerStudyState {
    fn read(self) -> bool {
        let again = testing::state(self);
        assert!(again.is_none_or(|again| again == self));
        again.is_some()
    }
}
