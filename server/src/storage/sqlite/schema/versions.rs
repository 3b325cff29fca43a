//! Databases of every older version: taken over with everything in them, or left as they are.

use mpc::{
    collect::PublicPart,
    ids::{RunId, StudyId, SubmissionId},
    sign::PublicKey,
};
use zeroize::Zeroizing;

use super::*;
use crate::storage::{
    Finish, PutOutcome, Stage, Storage as _, StudyState, Verdict,
    conformance::{AMPLE, submission},
    sqlite::SqliteStorage,
};

const STUDY: StudyId = StudyId([1; 32]);
/// Submissions of a fixture: more than the writer keeps in memory.
const SUBMISSIONS: u16 = 600;

/// A submission as every version stored it.
fn public_part(number: u16) -> PublicPart {
    let mut id = [2; 16];
    id[..2].copy_from_slice(&number.to_be_bytes());
    PublicPart {
        study: STUDY,
        submission: SubmissionId(id),
        records: 3,
        provider: PublicKey([0xab; 32]),
        amendment: None,
        joint_rand: vec![5; 64],
        commitments: Vec::new(),
        payload_hashes: vec![[6; 32]; 2],
    }
}

/// A database of an open study as the program of `version` left it, made by that program's statements.
fn fixture(version: usize) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sotto.db");
    let old = Connection::open(&path).unwrap();
    old.pragma_update(None, "journal_mode", "WAL").unwrap();
    MIGRATIONS[..version].iter().for_each(|script| old.execute_batch(script).unwrap());
    old.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
    old.pragma_update(None, "user_version", i64::try_from(version).unwrap()).unwrap();
    old.execute(
        "INSERT INTO study VALUES (7, ?1, x'00', ?2, 3, '', '[]', NULL, 1, 1)",
        (STUDY.0, [0; 64]),
    )
    .unwrap();
    old.execute("INSERT INTO study_secret VALUES (7, ?1, ?2, ?3)", ([4; 32], [5; 32], [6; 32]))
        .unwrap();
    old.execute(
        "INSERT INTO study_count (study, submissions, records) VALUES (7, ?1, 3 * ?1)",
        [SUBMISSIONS],
    )
    .unwrap();
    let mut insert = old
        .prepare(
            "INSERT INTO submission (study, id, public_hash, records, payload_len, public) \
             VALUES (7, ?1, ?2, 3, 10, ?3)",
        )
        .unwrap();
    old.execute_batch("BEGIN").unwrap();
    for number in 0..SUBMISSIONS {
        let public = public_part(number);
        insert.execute((public.submission.0, [4; 32], public.encode())).unwrap();
    }
    old.execute_batch("COMMIT").unwrap();
    old.execute("INSERT INTO submission_payload SELECT arrival, x'0123' FROM submission", [])
        .unwrap();
    if version >= 2 {
        old.execute("UPDATE submission SET provider = ?1", [[0xab; 32]]).unwrap();
    }
    drop(insert);
    (directory, path)
}

/// What the program of an old version sees: its version number and its submissions.
fn as_the_old_program_sees_it(path: &Path) -> (i64, u16) {
    let old = Connection::open(path).unwrap();
    let version = old.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    let counts = "SELECT count(*) FROM submission JOIN submission_payload USING (arrival)";
    (version, old.query_row(counts, [], |row| row.get(0)).unwrap())
}

/// The study of a fixture goes on to its end.
async fn goes_on(path: &Path) {
    let storage = SqliteStorage::open(path).unwrap();
    let study = storage.study(STUDY).await.unwrap().unwrap();
    let secrets = study.secrets.unwrap();
    assert_eq!((study.state, *secrets.contribution), (StudyState::Open, [4; 32]));
    assert_eq!(secrets.verify_key.map(|key| *key), Some([6; 32]));
    let first = public_part(0);
    let entries = storage.entries(STUDY, None, usize::from(SUBMISSIONS) + 1).await.unwrap();
    assert_eq!(entries.len(), usize::from(SUBMISSIONS));
    assert_eq!((entries[0].id, entries[0].records), (first.submission, 3));
    assert_eq!((entries[0].provider, entries[0].amendment), (first.provider, None));
    let counts = storage.counts(STUDY).await.unwrap();
    assert_eq!((counts.submissions, counts.charged), (u64::from(SUBMISSIONS), 0));
    let stored = storage.submissions(STUDY, &[first.submission]).await.unwrap().remove(0).unwrap();
    assert_eq!(stored.public, first.encode());
    assert!(matches!(&stored.stage, Stage::Unverified { payload } if payload[..] == [0x01, 0x23]));

    let new = submission(200);
    let ids = [first.submission, new.id];
    let put = storage.put_submission(STUDY, new, AMPLE).await.unwrap();
    assert_eq!(put, PutOutcome::Stored);
    assert!(storage.begin_run(STUDY, RunId([1; 16])).await.unwrap());
    let accepted = |id: &SubmissionId| {
        let output_share = Zeroizing::new(vec![1; 8]);
        (*id, Verdict::Accepted { output_share, verifier_share: vec![2; 8] })
    };
    storage.record_verdicts(STUDY, ids.iter().map(accepted).collect()).await.unwrap();
    assert_eq!(storage.output_shares(STUDY, None, 9).await.unwrap().len(), 2);
    assert_eq!(storage.fix_set(STUDY, vec![1]).await.unwrap(), [1]);
    let finish = Finish {
        to: StudyState::Published,
        detail: Default::default(),
        outcome: vec![1],
        transcript: vec![vec![2]],
        rejected: 0,
        scrub: true,
        now_ms: 9,
    };
    assert!(storage.finish(STUDY, finish).await.unwrap());
    assert!(storage.output_shares(STUDY, None, 9).await.unwrap().is_empty());
    assert_eq!(storage.outcome(STUDY).await.unwrap(), Some(vec![1]));
    assert!(storage.life().await.unwrap().age > 0);
    storage.close().await;
    let again = SqliteStorage::open(path).unwrap();
    assert_eq!(again.study(STUDY).await.unwrap().unwrap().state, StudyState::Published);
}

#[tokio::test]
async fn a_database_of_every_older_version_is_taken_over_and_its_study_goes_on() {
    for version in 1..=MIGRATIONS.len() {
        let (_directory, path) = fixture(version);
        goes_on(&path).await;
        let (found, _) = as_the_old_program_sees_it(&path);
        assert_eq!(found, i64::try_from(MIGRATIONS.len()).unwrap(), "from {version}");
    }
}

#[tokio::test]
async fn a_process_killed_while_it_takes_a_database_over_leaves_the_old_version() {
    for version in 1..MIGRATIONS.len() {
        let (_directory, path) = fixture(version);
        let mut taking_over = Connection::open(&path).unwrap();
        // So that most of it is in the log before the commit.
        taking_over.pragma_update(None, "cache_size", 10).unwrap();
        let transaction = taking_over.transaction().unwrap();
        for script in &MIGRATIONS[version..] {
            transaction.execute_batch(script).unwrap();
        }
        transaction.execute("UPDATE submission SET records = records + 1", []).unwrap();
        transaction.pragma_update(None, "user_version", 5).unwrap();
        let killed = tempfile::tempdir().unwrap();
        for name in ["sotto.db", "sotto.db-wal"] {
            fs::copy(path.with_file_name(name), killed.path().join(name)).unwrap();
        }
        drop(transaction);
        let path = killed.path().join("sotto.db");
        let log = fs::metadata(killed.path().join("sotto.db-wal")).unwrap().len();
        assert!(log > 100_000, "much was written before the end: {log}");
        let old = i64::try_from(version).unwrap();
        assert_eq!(as_the_old_program_sees_it(&path), (old, SUBMISSIONS));
        goes_on(&path).await;
    }
}

#[tokio::test]
async fn a_database_that_cannot_be_taken_over_stays_as_it_is() {
    for version in 1..MIGRATIONS.len() {
        let old = i64::try_from(version).unwrap();
        let (_directory, path) = fixture(version);
        let mut broken = MIGRATIONS.to_vec();
        broken.push("CREATE TABLE half (x); CREATE TABLE broken (");
        let mut connection = Connection::open(&path).unwrap();
        assert!(migrate(&mut connection, version, &broken).is_err());
        drop(connection);
        assert_eq!(as_the_old_program_sees_it(&path), (old, SUBMISSIONS));
        // No room for what is new.
        let mut connection = Connection::open(&path).unwrap();
        let pages: i64 =
            connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
        let full = migrate(&mut connection, version, MIGRATIONS);
        assert!(matches!(full, Err(StorageError::Full)), "{full:?}");
        drop(connection);
        assert_eq!(as_the_old_program_sees_it(&path), (old, SUBMISSIONS));
        goes_on(&path).await;
    }
}
