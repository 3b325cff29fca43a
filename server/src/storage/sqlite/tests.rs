//! SQLite against the contract of every storage, and what only a file can get wrong.

use std::{fs, sync::Arc};

use super::*;
use crate::storage::conformance::{self, AMPLE, Place};

struct Directory(tempfile::TempDir);

impl Directory {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

#[async_trait]
impl Place for Directory {
    type Storage = SqliteStorage;

    async fn open(&self) -> SqliteStorage {
        SqliteStorage::open(&self.0.path().join("sotto.db")).unwrap()
    }

    async fn crash(&self) -> Self {
        let copy = Self::new();
        for entry in fs::read_dir(self.0.path()).unwrap() {
            let path = entry.unwrap().path();
            // The shared-memory file is an index of the log that is rebuilt when it is missing.
            if !path.to_string_lossy().ends_with("-shm") {
                fs::copy(&path, copy.0.path().join(path.file_name().unwrap())).unwrap();
            }
        }
        copy
    }

    async fn bytes(&self) -> Vec<u8> {
        let files = fs::read_dir(self.0.path()).unwrap();
        files.flat_map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect()
    }
}

macro_rules! conforms {
    ($($check:ident => $claim:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $claim() {
                conformance::$check(Directory::new()).await;
            }
        )*
    };
}

conforms! {
    check_study_survives_reopening => study_survives_reopening,
    check_studies_are_listed_in_pages => studies_are_listed_in_pages,
    check_summary_counts_states_and_what_waits => summary_counts_states_and_what_waits,
    check_transition_compares_and_sets => transition_compares_and_sets,
    check_commitments_are_fixed_once => commitments_are_fixed_once,
    check_opening_stores_the_key => opening_stores_the_key,
    check_unknown_study_is_named => unknown_study_is_named,
    check_close_is_final => close_is_final,
    check_same_and_conflict => same_and_conflict_are_told_apart,
    check_only_an_open_study_takes_submissions => only_an_open_study_takes_submissions,
    check_limits_hold => limits_hold,
    check_acknowledged_submission_survives_a_crash => acknowledged_submission_survives_a_crash,
    check_concurrent_puts_store_exactly_one => concurrent_puts_store_exactly_one,
    check_verdicts_change_only_the_unverified => verdicts_change_only_the_unverified,
    check_lists_are_sorted_and_paged => lists_are_sorted_and_paged,
    check_public_parts_are_paged_and_outlive_the_scrub =>
        public_parts_are_paged_and_outlive_the_scrub,
    check_amendments_are_same_or_conflict => amendments_are_same_or_conflict,
    check_only_an_open_study_takes_amendments => only_an_open_study_takes_amendments,
    check_amendment_limits_hold => amendment_limits_hold,
    check_withdrawn_submissions_leave_room => withdrawn_submissions_leave_room,
    check_a_provider_submits_again_after_a_withdrawal =>
        a_provider_submits_again_after_a_withdrawal,
    check_acknowledged_amendment_survives_a_crash => acknowledged_amendment_survives_a_crash,
    check_agreed_amendments_are_kept => agreed_amendments_are_kept,
    check_submissions_keep_their_amendment => submissions_keep_their_amendment,
    check_first_set_wins => first_set_wins,
    check_first_word_wins => first_word_wins,
    check_rejected_stay => rejected_stay,
    check_provider_submits_once => provider_submits_once,
    check_an_opening_is_charged_once_and_keeps_its_noise => opening_is_charged_once,
    check_charges_never_exceed_the_budget => charges_never_exceed_the_budget,
    check_a_charge_is_for_its_coordinates => charge_is_for_its_coordinates,
    check_a_charge_survives_a_crash => charge_survives_a_crash,
    check_concurrent_charges_get_one_noise => concurrent_charges_get_one_noise,
    check_an_ended_study_is_not_charged => ended_study_is_not_charged,
    check_finish_happens_once => finish_happens_once,
    check_a_run_is_begun_once => run_is_begun_once,
    check_concurrent_beginnings_let_one_begin => concurrent_beginnings_let_one_begin,
    check_a_transcript_is_kept_in_parts => transcript_is_kept_in_parts,
    check_the_furthest_sighting_stays => furthest_sighting_stays,
    check_an_old_copy_does_not_remember => old_copy_does_not_remember,
    check_databases_of_a_peer_are_few => databases_of_a_peer_are_few,
    check_a_storage_that_works_says_so => storage_that_works_says_so,
    check_scrub_forgets_everything_secret => scrub_forgets_everything_secret,
}

#[tokio::test]
async fn age_rises_with_every_change() {
    conformance::check_the_age_rises_with_every_change(Directory::new(), Directory::new()).await;
}

#[test]
fn random_runs_agree_with_a_plain_model() {
    conformance::check_agrees_with_a_plain_model(Directory::new);
}

#[tokio::test]
async fn a_database_in_use_is_refused_by_name_and_free_after_the_close() {
    let directory = Directory::new();
    let path = directory.0.path().join("sotto.db");
    let first = SqliteStorage::open(&path).unwrap();
    let refused = SqliteStorage::open(&path).err().unwrap();
    assert!(matches!(&refused, StorageError::InUse { path } if path.ends_with("sotto.db.lock")));
    assert!(refused.to_string().contains("in use by another process"));
    first.close().await;
    SqliteStorage::open(&path).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn many_submissions_share_commits_and_none_is_lost() {
    let directory = Directory::new();
    let storage = Arc::new(directory.open().await);
    let id = conformance::opened(&*storage, 1).await;
    let puts: Vec<_> = (0..500u32)
        .map(|number| {
            let storage = Arc::clone(&storage);
            let mut new = conformance::submission(1);
            new.id.0[..4].copy_from_slice(&number.to_be_bytes());
            tokio::spawn(async move { storage.put_submission(id, new, AMPLE).await.unwrap() })
        })
        .collect();
    for put in puts {
        assert_eq!(put.await.unwrap(), PutOutcome::Stored);
    }
    let crashed = directory.crash().await;
    let reopened = crashed.open().await;
    assert_eq!(reopened.counts(id).await.unwrap().submissions, 500);
    assert_eq!(reopened.unverified(id, None, 1_000).await.unwrap().len(), 500);
}

#[tokio::test]
async fn a_database_without_room_takes_nothing_until_it_has_some_and_loses_nothing() {
    let directory = Directory::new();
    let storage = directory.open().await;
    let id = conformance::opened(&storage, 1).await;
    let failure = storage.failure();
    let limit = |c: &rusqlite::Connection| {
        let pages: i64 = c.pragma_query_value(None, "page_count", |row| row.get(0))?;
        Ok(c.pragma_update_and_check(None, "max_page_count", pages + 10, |_| Ok(()))?)
    };
    storage.write(limit).await.unwrap();
    let put = async |number: u8| {
        let new = conformance::submission(number);
        storage.put_submission(id, new, AMPLE).await
    };
    let mut taken = 0;
    let refused = loop {
        match put(taken + 1).await {
            Ok(outcome) => assert_eq!(outcome, PutOutcome::Stored),
            Err(error) => break error,
        }
        taken += 1;
    };
    assert!((1..100).contains(&taken), "{taken}");
    assert!(matches!(refused, StorageError::Full), "{refused}");
    assert!(matches!(*failure.borrow(), Some(StorageError::Full)), "at once");
    // Nothing is tried, what would fit neither, and everything can be read.
    let age = storage.life().await.unwrap().now.age;
    let small = storage.begin_run(id, RunId([1; 16])).await;
    assert!(matches!(small, Err(StorageError::Full)));
    assert_eq!(storage.counts(id).await.unwrap().submissions, u64::from(taken));
    assert_eq!(storage.life().await.unwrap().now.age, age);
    // The limit is one of the connection, so that opening the database again makes room.
    storage.health().await.unwrap();
    assert!(failure.borrow().is_none());
    assert_eq!(put(taken + 1).await.unwrap(), PutOutcome::Stored);
    let crashed = directory.crash().await.open().await;
    for storage in [&storage, &crashed] {
        assert_eq!(storage.counts(id).await.unwrap().submissions, u64::from(taken) + 1);
        let ids: Vec<_> = (1..=taken + 1).map(|tag| SubmissionId([tag; 16])).collect();
        let stored = storage.submissions(id, &ids).await.unwrap();
        assert!(stored.iter().all(Option::is_some));
    }
}

#[tokio::test]
async fn secrets_are_not_printed() {
    let new = conformance::study(1);
    let noise = Zeroizing::new(vec![7; 16]);
    let charged = Charged::Noise(noise.clone());
    let charge = Charge { opening: 0, coordinates: vec![0], cost: 1, budget: 1, noise };
    let text = format!("{:?} {:?} {charge:?} {charged:?}", new, conformance::submission(7));
    assert!(text.contains("redacted"));
    for byte in [1 ^ 0x55, 1 ^ 0xaa] {
        assert!(!text.contains(&format!("{byte}, {byte}")));
    }
    assert!(!text.contains("7, 7, 7"));
}
