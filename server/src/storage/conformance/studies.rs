//! The contract of a study's life.

use mpc::ids::StudyId;

use super::{AMPLE, Place, accepted, filled, finish, opened, rejected, study, submission};
use crate::storage::{Charge, Detail, Storage, StorageError, StudyState, Summary};

/// A study comes back as it was stored, after a reopening too, and is stored once.
pub async fn check_study_survives_reopening<P: Place>(place: P) {
    let storage = place.open().await;
    let new = study(1);
    assert!(storage.insert_study(new.clone()).await.unwrap());
    let mut other = study(2);
    other.id = new.id;
    assert!(!storage.insert_study(other).await.unwrap(), "the same id is stored once");
    let before = storage.study(new.id).await.unwrap().unwrap();
    storage.close().await;
    drop(storage);
    let storage = place.open().await;
    let row = storage.study(new.id).await.unwrap().unwrap();
    assert_eq!(row, before);
    assert_eq!((row.bytes, row.signature, row.detail), (new.bytes, new.signature, new.detail));
    assert_eq!(row.secrets, Some(new.secrets));
    assert_eq!((row.state, row.has_set), (StudyState::Proposed, false));
    assert_eq!((row.created_ms, row.updated_ms), (1_000, 1_000));
    assert_eq!(row.setup_commitments, None);
    assert_eq!(storage.study(StudyId([9; 32])).await.unwrap(), None);
}

/// Pages of studies are sorted by id and together hold each study once.
pub async fn check_studies_are_listed_in_pages<P: Place>(place: P) {
    let storage = place.open().await;
    for tag in [3, 1, 5, 4, 2] {
        assert!(storage.insert_study(study(tag)).await.unwrap());
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = storage.studies(after, 2).await.unwrap();
        assert!(page.len() <= 2);
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        seen.extend(page.iter().map(|row| row.id));
    }
    assert_eq!(seen, [1, 2, 3, 4, 5].map(|tag| StudyId([tag; 32])));
}

/// The summary has every study in its state, and what waits in those that have not ended.
pub async fn check_summary_counts_states_and_what_waits<P: Place>(place: P) {
    let storage = place.open().await;
    assert_eq!(storage.summary().await.unwrap(), Summary::default());
    for tag in [3, 4] {
        assert!(storage.insert_study(study(tag)).await.unwrap());
    }
    let open = filled(&storage, 1, &[7, 8, 9]).await;
    let ended = filled(&storage, 2, &[7, 8, 9]).await;
    let decided = vec![(submission(7).id, accepted(7)), (submission(8).id, rejected(1))];
    storage.record_verdicts(open, decided).await.unwrap();
    assert!(storage.finish(ended, finish(StudyState::Cancelled, 0, true)).await.unwrap());
    let summary = storage.summary().await.unwrap();
    let expected = StudyState::ALL.map(|state| match state {
        StudyState::Proposed => 2,
        StudyState::Open | StudyState::Cancelled => 1,
        _ => 0,
    });
    assert_eq!(summary, Summary { studies: expected, unverified: 1 });
}

/// A transition happens from a listed state alone, and from there exactly once.
pub async fn check_transition_compares_and_sets<P: Place>(place: P) {
    use StudyState::{Approved, Cancelled, Closing, Open, Proposed};
    let storage = place.open().await;
    let id = study(1).id;
    let detail = Detail { text: "waits".into(), servers: vec!["beta".into(), "ga,\"mma".into()] };
    let go = async |from: &[StudyState], to, now_ms| {
        storage.transition(id, from, to, detail.clone(), now_ms).await.unwrap()
    };
    assert!(!go(&[Proposed], Approved, 5).await, "no such study");
    assert!(storage.insert_study(study(1)).await.unwrap());
    assert!(!go(&[Open, Closing], Cancelled, 5).await);
    assert!(!go(&[], Cancelled, 5).await);
    assert!(go(&[Approved, Proposed], Approved, 6).await);
    assert!(!go(&[Proposed], Approved, 7).await);
    let row = storage.study(id).await.unwrap().unwrap();
    assert_eq!((row.state, row.detail, row.updated_ms), (Approved, detail.clone(), 6));
    assert_eq!(row.created_ms, 1_000);
    assert!(go(&[Approved], Approved, 8).await, "the detail can be renewed");
    assert_eq!(storage.study(id).await.unwrap().unwrap().updated_ms, 8);
}

/// The commitments that came first stay.
pub async fn check_commitments_are_fixed_once<P: Place>(place: P) {
    let storage = place.open().await;
    let id = study(1).id;
    assert!(storage.insert_study(study(1)).await.unwrap());
    let first = vec![[1; 32], [2; 32], [3; 32]];
    assert_eq!(storage.fix_setup_commitments(id, &first).await.unwrap(), first);
    assert_eq!(storage.fix_setup_commitments(id, &[[9; 32]; 3]).await.unwrap(), first);
    let row = storage.study(id).await.unwrap().unwrap();
    assert_eq!(row.setup_commitments, Some(first));
}

/// Opening needs an approved study, stores the key with it, and happens once.
pub async fn check_opening_stores_the_key<P: Place>(place: P) {
    let storage = place.open().await;
    let id = study(1).id;
    assert!(!storage.open_study(id, [7; 32], 5).await.unwrap(), "no such study");
    assert!(storage.insert_study(study(1)).await.unwrap());
    assert!(!storage.open_study(id, [7; 32], 5).await.unwrap(), "not approved");
    let key = |row: crate::storage::StudyRow| row.secrets.unwrap().verify_key.map(|key| *key);
    assert_eq!(key(storage.study(id).await.unwrap().unwrap()), None);
    let id = opened(&storage, 2).await;
    assert!(!storage.open_study(id, [8; 32], 6).await.unwrap(), "open already");
    let row = storage.study(id).await.unwrap().unwrap();
    assert_eq!((row.state, row.updated_ms), (StudyState::Open, 3_000));
    assert_eq!(row.detail, Detail::default());
    assert_eq!(key(row), Some([2 ^ 0x33; 32]));
}

/// Whatever is asked about a study that nobody proposed is refused in its name.
pub async fn check_unknown_study_is_named<P: Place>(place: P) {
    let storage = place.open().await;
    let id = StudyId([9; 32]);
    let refused = |error: StorageError| match error {
        StorageError::UnknownStudy(named) => assert_eq!(named, id),
        other => panic!("{other}"),
    };
    refused(storage.put_submission(id, submission(1), AMPLE).await.unwrap_err());
    refused(storage.fix_setup_commitments(id, &[]).await.unwrap_err());
    refused(storage.unverified(id, None, 1).await.unwrap_err());
    refused(storage.submissions(id, &[]).await.unwrap_err());
    refused(storage.record_verdicts(id, Vec::new()).await.unwrap_err());
    refused(storage.entries(id, None, 1).await.unwrap_err());
    refused(storage.output_shares(id, None, 1).await.unwrap_err());
    refused(storage.fix_set(id, Vec::new()).await.unwrap_err());
    let charge = Charge {
        opening: 0,
        coordinates: Vec::new(),
        cost: 0,
        budget: 0,
        noise: Default::default(),
    };
    refused(storage.charge(id, charge).await.unwrap_err());
    refused(storage.set(id).await.unwrap_err());
    refused(storage.outcome(id).await.unwrap_err());
    refused(storage.counts(id).await.unwrap_err());
    storage.health().await.unwrap();
}

/// After a close nothing works, and a second close is harmless.
pub async fn check_close_is_final<P: Place>(place: P) {
    let storage = place.open().await;
    storage.health().await.unwrap();
    storage.close().await;
    storage.close().await;
    assert!(matches!(storage.health().await, Err(StorageError::Closed)));
    assert!(matches!(storage.insert_study(study(1)).await, Err(StorageError::Closed)));
    assert!(matches!(storage.studies(None, 1).await, Err(StorageError::Closed)));
}
