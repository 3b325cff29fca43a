//! The contract of runs: none is begun twice, and what the last one said stays.

use std::sync::Arc;

use mpc::ids::RunId;

use super::{Place, filled, finish, study};
use crate::storage::{Finish, Storage, StorageError, StudyState};

/// A run is begun once in each study, also after a crash and when the study has ended.
pub async fn check_a_run_is_begun_once<P: Place>(place: P) {
    let storage = place.open().await;
    let (one, two) = (filled(&storage, 1, &[1]).await, filled(&storage, 2, &[]).await);
    assert!(storage.begin_run(one, RunId([7; 16])).await.unwrap());
    assert!(!storage.begin_run(one, RunId([7; 16])).await.unwrap());
    assert!(storage.begin_run(one, RunId([8; 16])).await.unwrap());
    assert!(storage.begin_run(two, RunId([7; 16])).await.unwrap());
    let unknown = storage.begin_run(study(9).id, RunId([7; 16])).await;
    assert!(matches!(unknown, Err(StorageError::UnknownStudy(_))));
    let crashed = place.crash().await.open().await;
    assert!(!crashed.begin_run(one, RunId([7; 16])).await.unwrap());
    assert!(crashed.finish(one, finish(StudyState::Aborted, 0, true)).await.unwrap());
    assert!(!crashed.begin_run(one, RunId([8; 16])).await.unwrap());
}

/// Of those who begin one run at the same time, one begins it.
pub async fn check_concurrent_beginnings_let_one_begin<P: Place>(place: P) {
    let storage = Arc::new(place.open().await);
    let id = filled(&*storage, 1, &[]).await;
    let begun = (0..20).map(|_| {
        let storage = Arc::clone(&storage);
        tokio::spawn(async move { storage.begin_run(id, RunId([7; 16])).await.unwrap() })
    });
    let begun: Vec<_> = begun.collect();
    let mut number = 0;
    for begun in begun {
        number += u8::from(begun.await.unwrap());
    }
    assert_eq!(number, 1);
}

/// A transcript comes back part by part, from any of them on, after the scrub too; the one of the
/// end that counted stays.
pub async fn check_a_transcript_is_kept_in_parts<P: Place>(place: P) {
    let storage = place.open().await;
    let (one, two) = (filled(&storage, 1, &[1]).await, filled(&storage, 2, &[]).await);
    assert!(storage.transcript(one, None, 9).await.unwrap().is_empty());
    let parts: Vec<Vec<u8>> = (0..5).map(|part| vec![part; usize::from(part)]).collect();
    let end = |transcript| Finish { transcript, ..finish(StudyState::Published, 0, true) };
    assert!(storage.finish(one, end(parts.clone())).await.unwrap());
    assert!(!storage.finish(one, end(vec![vec![9]])).await.unwrap());
    assert!(storage.finish(two, end(Vec::new())).await.unwrap());
    let unknown = storage.transcript(study(9).id, None, 1).await;
    assert!(matches!(unknown, Err(StorageError::UnknownStudy(_))));
    let all: Vec<(u64, Vec<u8>)> = (0..).zip(parts).collect();
    let crashed = place.crash().await.open().await;
    for storage in [storage, crashed] {
        assert_eq!(storage.transcript(one, None, 9).await.unwrap(), all);
        assert_eq!(storage.transcript(one, Some(1), 2).await.unwrap(), all[2..4]);
        assert!(storage.transcript(one, Some(4), 9).await.unwrap().is_empty());
        assert!(storage.transcript(two, None, 9).await.unwrap().is_empty());
    }
}
