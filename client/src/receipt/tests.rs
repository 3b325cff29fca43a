//! A server's receipt against what it signed at the close, with messages made by hand.

use mpc::{
    collect::Reason,
    ids::Party,
    merkle,
    publish::{Published, SignedSet, WholeSet},
    record::End,
    sign::Signer,
    transcript::{About, Message, Recording, Session, Statement, Step},
};
use proto::v1;
use study::{StudyContext, StudyServer};

use super::{
    ground::{Proven, Whole},
    *,
};
use crate::audit::Front;

const STUDY: &str = r#"
title = "Ages"
[[column]]
name = "age"
type = "integer"
min = 0
max = 100
[[statistic]]
name = "mean"
kind = "mean"
of = "age"
"#;
const SESSION: Session = Session { nonce: [2; 16], about: About::Publish };
const ID: SubmissionId = SubmissionId([5; 16]);
const PUBLIC: PublicHash = PublicHash([6; 32]);

fn signers() -> Vec<Signer> {
    [1, 2].map(|seed| Signer::from_seed(&[seed; 32])).to_vec()
}

fn study() -> Study {
    let names = ["alpha", "beta"];
    let server = |(name, signer): (&str, &Signer)| StudyServer {
        name: name.into(),
        identity: signer.public(),
    };
    let signers = signers();
    let available: Vec<StudyServer> = names.into_iter().zip(&signers).map(server).collect();
    let context =
        StudyContext { available: &available, analyst: signers[0].public(), nonce: [7; 16] };
    Study::from_file(STUDY, "study.toml", context).unwrap()
}

/// A list as it is sent, with these submissions.
fn list(held: &[(SubmissionId, PublicHash)]) -> Vec<u8> {
    let mut body = (held.len() as u32).to_be_bytes().to_vec();
    for (id, public) in held {
        body.extend_from_slice(&id.0);
        body.extend_from_slice(&public.0);
        body.extend_from_slice(&[0, 0, 0, 1, 255]);
    }
    body
}

fn message(study: &Study, party: usize, step: Step, body: Vec<u8>) -> Message {
    let place = SESSION.place(study.id());
    let code = (step as u8, 1);
    let party_id = Party(party as u8);
    let statement = Statement::sign(&signers()[party], place, party_id, code, [3; 32], &body);
    Message { statement, body: body.into() }
}

/// What the result says when it gives `reason` for the submission, and the servers said `bodies`.
fn ground(reason: Option<Reason>, step: Step, bodies: [Vec<u8>; 2]) -> Ground {
    let study = study();
    let rounds = vec![
        bodies
            .into_iter()
            .zip(0..)
            .map(|(body, party)| message(&study, party, step, body))
            .collect(),
    ];
    let published = Published {
        root: merkle::root([]),
        submissions: 0,
        records: 0,
        rejected: reason.map(|reason| (ID, reason)).into_iter().collect(),
        totals: Vec::new(),
        signatures: Vec::new(),
    };
    let front = Front {
        id: study.id(),
        end: End::Published,
        keys: study.servers().iter().map(|server| server.identity).collect(),
        study: study.clone(),
        recording: Recording { session: SESSION, rounds },
        published: Some(published.clone()),
        amendments: Vec::new(),
        first: None,
    };
    let mut ground = Ground::of(study, Some(published));
    ground.front = Some(front);
    ground
}

/// The submission, with valid receipts of these servers.
fn held(study: &Study, of: [bool; 2]) -> Held {
    let receipt = |(signer, signed): (&Signer, bool)| {
        signed.then(|| Receipt::sign(signer, study.id(), ID, PUBLIC))
    };
    let receipts = signers().iter().zip(of).map(receipt).collect();
    Held { batch: 0, id: ID, public: PUBLIC, records: 1, receipts }
}

#[test]
fn a_server_whose_signed_list_lacks_what_it_signed_a_receipt_for_is_named_with_both_words() {
    let other = (SubmissionId([9; 16]), PUBLIC);
    for (reason, theirs) in [
        (Reason::Incomplete, list(&[other])),
        (Reason::PublicPartsDiffer, list(&[(ID, PublicHash([8; 32]))])),
    ] {
        let ground = ground(Some(reason), Step::Lists, [list(&[(ID, PUBLIC)]), theirs]);
        let held = held(&ground.study, [true, true]);
        let report = ground.report(ground.study.id(), std::slice::from_ref(&held));
        assert_eq!((report.counted, report.rejected, report.broken), (0, 0, 1));
        assert_eq!(report.submissions[0].fate, Fate::Broken);
        let [evidence] = &report.evidence[..] else { panic!("{:?}", report.evidence) };
        assert_eq!(
            (evidence.server.as_str(), evidence.message.step.as_str()),
            ("beta", "lists of submissions")
        );
        assert_eq!(evidence.identity, signers()[1].public().to_string());
        let receipt = held.receipts[1].unwrap();
        assert_eq!(evidence.receipt.signature, hex::encode(receipt.signature.0));
    }
}

#[test]
fn without_a_receipt_nobody_is_accused() {
    let lists = [list(&[(ID, PUBLIC)]), list(&[])];
    let ground = ground(Some(Reason::Incomplete), Step::Lists, lists);
    let held = held(&ground.study, [true, false]);
    let report = ground.report(ground.study.id(), &[held]);
    assert_eq!((report.rejected, report.broken), (1, 0));
    assert_eq!(report.submissions[0].what, Reason::Incomplete.describe());
    assert_eq!(report.submissions[0].without_receipt, ["beta"]);
}

/// A set without any submission, signed by both servers.
fn empty_set() -> Ground {
    let result = ground(None, Step::Set, [Vec::new(), Vec::new()]).published.unwrap();
    let counted = result.counted();
    let set = SignedSet { counted, amendments: 0, amendments_hash: [0; 32] }.encode();
    ground(None, Step::Set, [set.clone(), set])
}

fn whole(submissions: &[(SubmissionId, PublicHash)]) -> Option<Whole> {
    let mut set = WholeSet::new(Vec::new(), [(ID, PUBLIC)]);
    for (id, public) in submissions {
        set.push(*id, *public, 1);
    }
    Some(Whole { set, bundle: "5a".into() })
}

#[test]
fn a_submission_that_is_not_in_the_whole_signed_set_is_a_broken_word_of_all_who_signed_a_receipt() {
    let mut ground = empty_set();
    ground.whole = whole(&[]);
    let held = held(&ground.study, [true, true]);
    let report = ground.report(ground.study.id(), &[held]);
    let names: Vec<&str> = report.evidence.iter().map(|one| one.server.as_str()).collect();
    assert_eq!(names, ["alpha", "beta"]);
    assert_eq!(report.evidence[0].bundle.as_deref(), Some("5a"), "it takes the bundle to see it");
}

#[test]
fn that_nobody_proves_a_submission_accuses_nobody() {
    let mut ground = empty_set();
    let held = held(&ground.study, [true, true]);
    // Without all submissions, or with others than those of the root.
    for whole in [None, whole(&[(SubmissionId([9; 16]), PUBLIC)])] {
        ground.whole = whole;
        let report = ground.report(ground.study.id(), std::slice::from_ref(&held));
        assert_eq!((report.unproven, report.rejected, report.broken), (1, 0, 0));
        assert!(report.evidence.is_empty());
    }
}

#[test]
fn what_does_not_count_without_a_receipt_or_a_reason_is_not_proven() {
    let mut ground = empty_set();
    ground.whole = whole(&[]);
    let held = held(&ground.study, [false, false]);
    let report = ground.report(ground.study.id(), &[held]);
    assert_eq!((report.unproven, report.rejected, report.broken), (1, 0, 0));
}

#[test]
fn a_broken_word_is_found_in_a_study_that_ended_without_a_result() {
    let mut ground = ground(None, Step::Lists, [list(&[(ID, PUBLIC)]), list(&[])]);
    ground.published = None;
    let held = held(&ground.study, [true, true]);
    let report = ground.report(ground.study.id(), std::slice::from_ref(&held));
    assert_eq!((report.broken, report.evidence[0].server.as_str()), (1, "beta"));
    ground.front = None;
    let report = ground.report(ground.study.id(), &[held]);
    assert_eq!((report.rejected, report.evidence.len()), (1, 0));
}

#[test]
fn a_wrong_number_of_records_in_the_receipts_file_makes_no_proof_false() {
    let mut ground = empty_set();
    let mut held = held(&ground.study, [true, true]);
    held.records = 7;
    let published = ground.published.as_mut().unwrap();
    let mut tree = merkle::Tree::default();
    tree.push_and_prove(merkle::leaf(&ID, &PUBLIC, 1));
    let (root, proofs) = tree.finish();
    (published.root, published.submissions) = (root, 1);
    let inclusion = v1::Inclusion {
        submission_id: ID.0.to_vec().into(),
        public_hash: PUBLIC.0.to_vec().into(),
        records: 1,
        proof: proofs[0].encode().into(),
    };
    let of = (&held.id, &held.public);
    assert!(prove::proves(&inclusion, published, of));
    assert!(!prove::proves(&v1::Inclusion { records: 7, ..inclusion }, published, of));
    ground.proven.insert(ID, Proven { by: vec!["alpha".into()], records: 1 });
    let report = ground.report(ground.study.id(), &[held]);
    assert_eq!((report.counted, report.submissions[0].counted_records), (1, Some(1)));
}

#[test]
fn a_reason_that_the_servers_gave_is_told() {
    let lists = [list(&[]), list(&[])];
    for reason in [Reason::InvalidProof, Reason::Withdrawn, Reason::RecordsExhausted] {
        let ground = ground(Some(reason), Step::Lists, lists.clone());
        let held = held(&ground.study, [true, true]);
        let report = ground.report(ground.study.id(), &[held]);
        assert_eq!((report.rejected, report.broken), (1, 0));
        assert_eq!(report.submissions[0].what, reason.describe());
    }
}
