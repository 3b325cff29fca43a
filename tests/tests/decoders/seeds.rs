//! Real messages of every kind, the same in every run.

use client::{
    submit::pending::Batch,
    submit::receipts::{Acknowledged, Entry, Header, Replaces, Retired},
};
use decoders::fixture::{self, Fixture};
use futures::{executor::block_on, future::join_all};
use mpc::{
    collect::{self, Amendment, Item, Sharded},
    ids::{AmendmentHash, AmendmentId, Party, PublicHash, StudyId, SubmissionId},
    mesh::local::LocalMesh,
    receipt::{AmendmentReceipt, Receipt},
    setup,
    sign::PublicKey,
    transcript::{About, Recording, Session, Step, Transcript},
};
use proto::pin::Pin;
use server::config::{Roster, RosterServer};
use sotto_tests::recorded::{Recorded, Unpublished};
use study::Value;

mod answers;
mod ring;
mod wire;

/// Seeds by name.
pub type Seeds = Vec<(String, Vec<u8>)>;

/// All of them, by target.
pub fn all() -> Vec<(&'static str, Seeds)> {
    vec![
        ("submission", wire::submission()),
        ("amendment", amendment()),
        ("study", study()),
        ("study_file", study_file()),
        ("table", table()),
        ("receipts", receipts()),
        ("bundle", bundle()),
        ("transcript", transcript()),
        ("messages", wire::messages()),
        ("requests", wire::requests()),
        ("answers", answers::seeds()),
        ("roster", roster()),
        ("ring", ring::seeds()),
        ("texts", texts()),
    ]
}

/// A message behind the byte by which a target chooses.
fn chosen(how: u8, bytes: impl AsRef<[u8]>) -> Vec<u8> {
    [&[how], bytes.as_ref()].concat()
}

fn named(seeds: impl IntoIterator<Item = (&'static str, Vec<u8>)>) -> Seeds {
    seeds.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect()
}

/// Several byte strings: a length of two bytes before each.
fn parts(parts: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let part = |part: Vec<u8>| {
        let length = u16::try_from(part.len()).expect("a short part").to_be_bytes();
        [&length[..], &part].concat()
    };
    parts.into_iter().flat_map(part).collect()
}

fn amendments() -> Vec<Amendment> {
    let ids = |ids: &[u8]| ids.iter().map(|id| SubmissionId([*id; 16])).collect::<Vec<_>>();
    let amendment = |id: u8, sequence, old: &[u8], new: &[u8]| Amendment {
        study: fixture::get().study.id(),
        id: AmendmentId([id; 16]),
        sequence,
        provider: fixture::get().provider.public(),
        old: ids(old),
        new: ids(new),
    };
    vec![
        amendment(1, 1, &[1, 2], &[3, 4]),
        amendment(2, 2, &[1, 2, 3, 4], &[5]),
        amendment(3, 2, &[9], &[]),
    ]
}

fn amendment() -> Seeds {
    let all = amendments();
    let signed = |amendment: &Amendment| amendment.clone().sign(&fixture::get().provider);
    named([
        ("replacement", chosen(0, all[0].encode())),
        ("withdrawal", chosen(0, all[2].encode())),
        ("signed", chosen(1, signed(&all[1]).encode())),
        ("request", chosen(2, wire::amend_request(&signed(&all[1])))),
        ("several", chosen(3, parts(all.iter().map(Amendment::encode)))),
    ])
}

fn shipped(place: &str) -> Vec<u8> {
    std::fs::read(format!("{}/../{place}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn files() -> [(&'static str, Vec<u8>); 3] {
    [
        ("seeds", fixture::STUDY.into()),
        ("penguins", shipped("study/tests/vectors/penguins.toml")),
        ("noise", NOISE.into()),
    ]
}

/// What the others have nothing of.
const NOISE: &str = r#"
title = "Noise"
servers = ["alpha", "gamma"]
providers = ["ed4928c628d1c2c6eae90338905995612959273a5c63f93636c14614ac8737d1"]
max_records = 1000
[privacy]
min_records = 10
epsilon = 1.5
delta = 1e-9
unit = "record"
[[column]]
name = "score"
type = "integer"
min = 1
max = 5
[[statistic]]
name = "scores"
kind = "sum"
of = "score"
"#;

fn study_file() -> Seeds {
    named(files())
}

fn study() -> Seeds {
    let signers = &fixture::get().signers;
    let available = fixture::servers(signers);
    let analyst = fixture::get().study.analyst();
    let context = study::StudyContext { available: &available, analyst, nonce: [3; 16] };
    let encoded = |(name, text): (&'static str, Vec<u8>)| {
        let text = String::from_utf8(text).unwrap();
        (name, study::Study::from_file(&text, name, context).unwrap().encode())
    };
    named(files().map(encoded))
}

fn table() -> Seeds {
    named([
        (
            "good",
            b"wage,name,member,region,age\n20.67,A,yes,North,41\n0,B,0,NA,\n".to_vec(),
        ),
        (
            "quoted",
            b"\xef\xbb\xbf\"age\",\"wage\",\"member\",\"region\"\r\n\"7\",\"1.5\",\"TRUE\",\"South, \"\"deep\"\"\"\r\n\r\n".to_vec(),
        ),
        ("bad", b"age,wage,member,region\n121,-1,maybe,East\n1,2\nNA,3.456,no,\xff\n".to_vec()),
    ])
}

fn receipts() -> Seeds {
    let Fixture { signers, study, provider, .. } = fixture::get();
    let (id, submission, public) = (study.id(), SubmissionId([8; 16]), PublicHash([4; 32]));
    let receipt = Receipt::sign(&signers[0], id, submission, public);
    let (amendment, hash) = (AmendmentId([2; 16]), AmendmentHash([5; 32]));
    let acknowledgement = AmendmentReceipt::sign(&signers[0], id, amendment, hash);
    let header = Header::new(id, [6; 32], 4096, 64, provider.public(), false);
    let replaces = Replaces {
        receipts: "old.receipts".into(),
        amendment: amendment.to_string(),
        sequence: 3,
        old: vec![SubmissionId([1; 16]).to_string()],
    };
    let signature = hex::encode(receipt.signature.0);
    let signatures = || fixture::NAMES.map(|name| (name.to_owned(), signature.clone())).into();
    let entry = Entry {
        batch: 0,
        first_row: 1,
        records: 64,
        submission: submission.to_string(),
        public_hash: public.to_string(),
        receipts: signatures(),
    };
    let retired = Retired {
        retired_by: amendment.to_string(),
        sequence: 4,
        receipts: Some("new.receipts".into()),
        unfinished: vec![SubmissionId([7; 16]).to_string()],
    };
    let acknowledged = Acknowledged {
        amendment: amendment.to_string(),
        hash: hash.to_string(),
        acknowledged: signatures(),
    };
    let line = |line: serde_json::Result<String>| line.unwrap() + "\n";
    let first = line(serde_json::to_string(&header)) + &line(serde_json::to_string(&entry));
    let replacement = line(serde_json::to_string(&header.replacing(replaces)))
        + &line(serde_json::to_string(&entry))
        + &line(serde_json::to_string(&acknowledged));
    let batch = Batch::new(3, 193, fixture::get().sharded(), provider);
    named([
        ("file", chosen(0, &first)),
        ("torn", chosen(0, first.clone() + "{\"batch\":1,\"fir")),
        ("retired", chosen(0, first + &line(serde_json::to_string(&retired)))),
        ("replacement", chosen(0, replacement)),
        ("batch", chosen(1, client::testing::stored(&batch).as_slice())),
        ("receipt", chosen(2, wire::receipt(receipt))),
        ("acknowledgement", chosen(3, wire::acknowledgement(acknowledgement))),
    ])
}

/// The bundles of the audit's vectors, without their checksums.
fn bundle() -> Seeds {
    const SUM: usize = 5 + 32;
    named(["published", "amended", "aborted"].map(|name| {
        let bytes = shipped(&format!("docs/audit-vectors/{name}.bundle"));
        (name, bytes[..bytes.len() - SUM].to_vec())
    }))
}

/// A publication of the fixture's study.
fn publication() -> Recorded {
    let mut unpublished = Unpublished::new(fixture::STUDY, 3, 7);
    assert_eq!(unpublished.study, fixture::get().study);
    let record = |age, region| {
        let values = [Value::Number(age), Value::Number(1_50), Value::Boolean(true)];
        values.into_iter().chain([Value::Category(region)]).collect::<Vec<_>>()
    };
    let first = unpublished.submit(&[record(41, 0), record(17, 1)]);
    unpublished.submit(&[record(90, 1), record(33, 1), record(35, 0)]);
    unpublished.submit_to_some(&[record(1, 2)]);
    unpublished.amend(first, Some(&[record(42, 0), record(18, 1)]));
    block_on(unpublished.publish())
}

type Run<'a> = (Transcript<'a>, LocalMesh, usize);

/// What three servers say in a run.
fn recorded(session: &Session, run: impl AsyncFn(&mut Run<'_>)) -> Recording {
    let Fixture { signers, study, .. } = fixture::get();
    let keys: Vec<PublicKey> = fixture::get().keys();
    let servers = LocalMesh::connect(3).into_iter().enumerate().map(|(me, mesh)| {
        let (keys, run) = (&keys, &run);
        async move {
            let place = session.place(study.id());
            let mut one = (Transcript::new(place, keys, &signers[me]), mesh, me);
            run(&mut one).await;
            Recording::of(&one.0, session.clone())
        }
    });
    block_on(join_all(servers)).swap_remove(0)
}

fn setup_run() -> Recording {
    let session = Session { nonce: [9; 16], about: About::Setup };
    recorded(&session, async |(transcript, mesh, me)| {
        let contribution = [u8::try_from(*me).unwrap(); 32];
        let received = setup::commit(transcript, mesh, &contribution).await.unwrap();
        setup::reveal(transcript, mesh, &contribution, &received, &received).await.unwrap();
    })
}

fn verify_run() -> Recording {
    let about = About::Verify(vec![SubmissionId([8; 16]), SubmissionId([9; 16])]);
    let session = Session { nonce: [9; 16], about };
    let sharded: Sharded = fixture::get().sharded();
    recorded(&session, async |(transcript, mesh, me)| {
        let party = Party(u8::try_from(*me).unwrap());
        let collect = &fixture::get().collect;
        let prepared = collect.prepare(&[7; 32], party, &sharded.public, &sharded.payloads[*me]);
        let fresh = Item::Fresh {
            public: sharded.public.hash(),
            records: sharded.public.records,
            prepared: Box::new(prepared.unwrap()),
        };
        let verdicts = collect::verify(transcript, mesh, collect, vec![fresh, Item::Missing]).await;
        assert_eq!(verdicts.unwrap().len(), 2);
    })
}

/// A recording as what its messages say, which the target signs.
fn said(recording: &Recording) -> Vec<u8> {
    parts(recording.rounds.iter().flat_map(|round| {
        round.iter().enumerate().map(|(place, message)| {
            let head = [message.statement.party.0, message.statement.step, u8::from(place == 0)];
            [&head[..], &message.body].concat()
        })
    }))
}

fn transcript() -> Seeds {
    let (setup, verify) = (setup_run(), verify_run());
    let Recorded { recording: publication, published, .. } = publication();
    let first = &publication.rounds[0][0];
    let list = publication.rounds.iter().flatten();
    let list = list.clone().find(|said| said.statement.step == Step::Lists as u8).unwrap();
    let set = publication.rounds.iter().flatten();
    let set = set.clone().find(|said| said.statement.step == Step::Set as u8).unwrap();
    let head = mpc::record::Head { study: StudyId([1; 32]), end: mpc::record::End::Aborted };
    let mut tree = mpc::merkle::Tree::default();
    (0..5).for_each(|leaf| tree.push_and_prove([leaf; 32]));
    let (_, proofs) = tree.finish();
    named([
        ("recording", chosen(0, parts(publication.encode()))),
        ("recording-setup", chosen(0, parts(setup.encode()))),
        ("message", chosen(1, first.encode())),
        ("setup", chosen(2, said(&setup))),
        ("verify", chosen(3, said(&verify))),
        ("publish", chosen(4, said(&publication))),
        ("published", chosen(5, published.encode())),
        ("proof", chosen(6, proofs[4].encode())),
        ("set", chosen(6, &set.body)),
        ("head", chosen(6, head.encode())),
        ("list", chosen(7, &list.body)),
    ])
}

fn roster() -> Seeds {
    let server = |(place, name): (u8, &str)| RosterServer {
        name: name.to_owned(),
        endpoint: format!("https://127.0.0.1:{}", 41_231 + u16::from(place)),
        identity: fixture::get().keys()[usize::from(place)],
        tls: Pin([place; 32]),
    };
    let three = || (0..).zip(fixture::NAMES).map(server).collect::<Vec<_>>();
    let roster = |servers| Roster::try_from(servers).unwrap().to_toml();
    let quoted = [(0, "Institut f\u{fc}r \"Z\\ahlen\""), (1, "[[server]]")].map(server);
    let twice =
        roster(three()) + &RosterServer { tls: Pin([9; 32]), ..three().remove(1) }.to_toml();
    named([
        ("three", roster(three()).into()),
        ("quoted", roster(quoted.into()).into()),
        ("twice", twice.into()),
        ("no-port", roster(three()).replace(":41232", "").into()),
        ("found-control-character", b"\"\\u001b[2J\" = 1\n".to_vec()),
    ])
}

fn texts() -> Seeds {
    let key = fixture::get().keys()[0];
    let profile = format!(
        "roots = \"ca.pem\"\n[analyst]\nkey = \"analyst.key\"\n[provider]\nkey = \"p.key\"\n\
         [[server]]\nname = \"alpha\"\nendpoint = \"https://127.0.0.1:41231\"\n\
         identity = \"{key}\"\ntls = \"{}\"\n",
        "ab".repeat(32)
    );
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    named([
        ("trace", chosen(0, trace)),
        ("profile", chosen(1, profile)),
        ("found-control-character", chosen(1, "\"\\u001b[2J\" = 1\n")),
        ("code", chosen(2, ring::code())),
        ("id", chosen(3, "ab".repeat(32))),
        ("short-id", chosen(3, "ab".repeat(16))),
        ("key", chosen(4, key.to_string())),
        ("number", chosen(5, "-170.25")),
        ("parameter", chosen(6, "1.5e-9")),
        ("scale", chosen(7, "1.0 6.0 2.75")),
    ])
}
