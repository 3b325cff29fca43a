//! The contract of submissions: taken once, counted at once, judged once.

use std::sync::Arc;

use mpc::ids::{PublicHash, SubmissionId};
use mpc::sign::PublicKey;
use zeroize::Zeroizing;

use super::{AMPLE, Place, accepted, filled, finish, ids, opened, rejected, study, submission};
use crate::storage::{
    Counts, Detail, EntryStatus, NewSubmission, PublicRow, PutLimits, PutOutcome, Stage, Storage,
    StudyState, Verdict,
};

/// The same submission again is recognised, another one of the same id is refused, whatever the
/// study's state and limits are.
pub async fn check_same_and_conflict<P: Place>(place: P) {
    let storage = place.open().await;
    let id = filled(&storage, 1, &[7]).await;
    let mut other = submission(7);
    other.public_hash = PublicHash([8; 32]);
    other.payload = Zeroizing::new(vec![8; 10]);
    let nothing = PutLimits { max_submissions: 0, max_records: 0, max_unverified: 0, ..AMPLE };
    for state in [StudyState::Open, StudyState::Closing] {
        let same = storage.put_submission(id, submission(7), nothing).await.unwrap();
        assert_eq!(same, PutOutcome::Same);
        let conflict = storage.put_submission(id, other.clone(), nothing).await.unwrap();
        assert_eq!(conflict, PutOutcome::Conflict);
        let from = [StudyState::Open, state];
        let to = StudyState::Closing;
        assert!(storage.transition(id, &from, to, Detail::default(), 5).await.unwrap());
    }
    let stored = storage.submissions(id, &ids(&[7])).await.unwrap().remove(0).unwrap();
    assert_eq!(stored.stage, Stage::Unverified { payload: submission(7).payload });
    let counts = storage.counts(id).await.unwrap();
    assert_eq!((counts.submissions, counts.records, counts.share_bytes), (1, 7, 5_000));
}

/// A study takes submissions in the state Open alone, and says which state it is in.
pub async fn check_only_an_open_study_takes_submissions<P: Place>(place: P) {
    let storage = place.open().await;
    let new = study(1);
    let id = new.id;
    assert!(storage.insert_study(new).await.unwrap());
    for state in StudyState::ALL {
        let moved =
            storage.transition(id, &StudyState::ALL, state, Detail::default(), 5).await.unwrap();
        assert!(moved);
        let outcome = storage.put_submission(id, submission(state.code()), AMPLE).await.unwrap();
        if state == StudyState::Open {
            assert_eq!(outcome, PutOutcome::Stored);
        } else {
            assert_eq!(outcome, PutOutcome::NotOpen(state));
        }
    }
    assert_eq!(storage.counts(id).await.unwrap().submissions, 1);
}

/// A limit may be reached and not crossed; only accepted records use up a study.
pub async fn check_limits_hold<P: Place>(place: P) {
    let storage = place.open().await;
    let id = filled(&storage, 1, &[4, 5]).await;
    let put = async |tag, max_records, max_unverified| {
        let limits = PutLimits { max_records, max_unverified, ..AMPLE };
        storage.put_submission(id, submission(tag), limits).await.unwrap()
    };
    assert_eq!(put(3, 2, 10).await, PutOutcome::RecordsExhausted);
    assert_eq!(put(3, 3, 2).await, PutOutcome::Backlog);
    assert_eq!(put(3, 3, 3).await, PutOutcome::Stored);
    let verdicts = vec![(SubmissionId([5; 16]), rejected(1)), (SubmissionId([3; 16]), accepted(3))];
    storage.record_verdicts(id, verdicts).await.unwrap();
    assert_eq!(put(6, 8, 10).await, PutOutcome::RecordsExhausted);
    assert_eq!(put(2, 5, 1).await, PutOutcome::Backlog);
    assert_eq!(put(2, 5, 2).await, PutOutcome::Stored);
    let full = PutLimits { max_submissions: 4, ..AMPLE };
    let outcome = storage.put_submission(id, submission(1), full).await.unwrap();
    assert_eq!(outcome, PutOutcome::SubmissionsExhausted);
    // Another study's records do not count here.
    let other = opened(&storage, 2).await;
    let limits = PutLimits { max_submissions: 1, max_records: 4, max_unverified: 1, ..AMPLE };
    let outcome = storage.put_submission(other, submission(4), limits).await.unwrap();
    assert_eq!(outcome, PutOutcome::Stored);
}

/// Where each provider submits once, another submission is refused until the first is rejected;
/// elsewhere any number is taken.
pub async fn check_provider_submits_once<P: Place>(place: P) {
    let storage = place.open().await;
    let (id, other) = (opened(&storage, 1).await, opened(&storage, 2).await);
    let put = async |study, tag, provider, one_per_provider| {
        let new = NewSubmission { provider: PublicKey([provider; 32]), ..submission(tag) };
        let limits = PutLimits { one_per_provider, ..AMPLE };
        storage.put_submission(study, new, limits).await.unwrap()
    };
    let judge = async |study, tag, verdict| {
        let verdicts = vec![(SubmissionId([tag; 16]), verdict)];
        storage.record_verdicts(study, verdicts).await.unwrap();
    };
    assert_eq!(put(id, 1, 50, true).await, PutOutcome::Stored);
    assert_eq!(put(id, 1, 50, true).await, PutOutcome::Same);
    assert_eq!(put(id, 2, 50, true).await, PutOutcome::SecondOfProvider);
    assert_eq!(put(id, 3, 51, true).await, PutOutcome::Stored, "another provider");
    assert_eq!(put(other, 2, 50, true).await, PutOutcome::Stored, "another study");
    judge(id, 1, rejected(1)).await;
    assert_eq!(put(id, 2, 50, true).await, PutOutcome::Stored, "the first was rejected");
    judge(id, 2, accepted(2)).await;
    assert_eq!(put(id, 4, 50, true).await, PutOutcome::SecondOfProvider);
    assert_eq!(put(id, 1, 50, true).await, PutOutcome::Same, "a repetition is recognised");
    assert_eq!(storage.counts(id).await.unwrap().submissions, 3);
    assert_eq!(put(id, 4, 50, false).await, PutOutcome::Stored, "where any number is taken");
}

/// What was acknowledged is there after the process is killed.
pub async fn check_acknowledged_submission_survives_a_crash<P: Place>(place: P) {
    let storage = place.open().await;
    let id = filled(&storage, 1, &[1, 2, 3]).await;
    storage.record_verdicts(id, vec![(SubmissionId([2; 16]), accepted(2))]).await.unwrap();
    let before = storage.counts(id).await.unwrap();
    let crashed = place.crash().await;
    storage.close().await;
    let storage = crashed.open().await;
    assert_eq!(storage.counts(id).await.unwrap(), before);
    let stored = storage.submissions(id, &ids(&[1, 2, 3])).await.unwrap();
    let stages: Vec<_> = stored.into_iter().map(|row| row.unwrap().stage).collect();
    assert_eq!(stages[0], Stage::Unverified { payload: submission(1).payload });
    assert_eq!(stages[1], Stage::Accepted { verifier_share: vec![2 ^ 0xff; 48] });
    assert_eq!(stages[2], Stage::Unverified { payload: submission(3).payload });
    let same = storage.put_submission(id, submission(1), AMPLE).await.unwrap();
    assert_eq!(same, PutOutcome::Same);
}

/// Of many submissions of one id that arrive together, one is stored and the others conflict.
pub async fn check_concurrent_puts_store_exactly_one<P: Place>(place: P) {
    let storage = Arc::new(place.open().await);
    let id = opened(&*storage, 1).await;
    let puts: Vec<_> = (1..=40u8)
        .map(|tag| {
            let storage = Arc::clone(&storage);
            let mut new = submission(tag);
            new.id = SubmissionId([0; 16]);
            tokio::spawn(async move { storage.put_submission(id, new, AMPLE).await.unwrap() })
        })
        .collect();
    let mut outcomes = Vec::new();
    for put in puts {
        outcomes.push(put.await.unwrap());
    }
    let stored: Vec<_> = (1..=40u8)
        .zip(&outcomes)
        .filter_map(|(tag, outcome)| (*outcome == PutOutcome::Stored).then_some(tag))
        .collect();
    assert_eq!(stored.len(), 1);
    let conflicts = outcomes.iter().filter(|outcome| **outcome == PutOutcome::Conflict).count();
    assert_eq!(conflicts, 39);
    let row = storage.submissions(id, &ids(&[0])).await.unwrap().remove(0).unwrap();
    assert_eq!(row.public, submission(stored[0]).public);
    assert_eq!(row.stage, Stage::Unverified { payload: submission(stored[0]).payload });
    assert_eq!(storage.counts(id).await.unwrap().submissions, 1);
}

/// The first verdict stays, what is not stored is passed over, and payloads go.
pub async fn check_verdicts_change_only_the_unverified<P: Place>(place: P) {
    let storage = place.open().await;
    let id = filled(&storage, 1, &[1, 2, 3]).await;
    let other = filled(&storage, 2, &[1]).await;
    let verdicts = |list: &[(u8, Verdict)]| -> Vec<_> {
        list.iter().map(|(tag, verdict)| (SubmissionId([*tag; 16]), verdict.clone())).collect()
    };
    let first = verdicts(&[(1, accepted(1)), (2, rejected(6)), (9, accepted(9))]);
    storage.record_verdicts(id, first).await.unwrap();
    let second = verdicts(&[(1, rejected(7)), (2, accepted(2)), (2, rejected(8))]);
    storage.record_verdicts(id, second).await.unwrap();
    let rows = storage.submissions(id, &ids(&[2, 1, 9, 3])).await.unwrap();
    let stages: Vec<_> = rows.into_iter().map(|row| row.map(|row| row.stage)).collect();
    assert_eq!(stages[0], Some(Stage::Rejected { reason: 6, verifier_share: vec![6; 48] }));
    assert_eq!(stages[1], Some(Stage::Accepted { verifier_share: vec![1 ^ 0xff; 48] }));
    assert_eq!(stages[2], None);
    assert_eq!(stages[3], Some(Stage::Unverified { payload: submission(3).payload }));
    let expected = Counts {
        submissions: 3,
        records: 6,
        verified: 2,
        rejected: 1,
        accepted_records: 1,
        share_bytes: 15_000,
        charged: 0,
    };
    assert_eq!(storage.counts(id).await.unwrap(), expected);
    assert_eq!(expected.unverified(), 1);
    assert_eq!(storage.counts(other).await.unwrap().verified, 0, "ids belong to their study");
    let shares = storage.output_shares(id, None, 10).await.unwrap();
    assert_eq!(shares, [(SubmissionId([1; 16]), Zeroizing::new(vec![1; 64]))]);
}

/// Lists come in their order, page by page, and hold what belongs there and nothing else.
pub async fn check_lists_are_sorted_and_paged<P: Place>(place: P) {
    let storage = place.open().await;
    let id = filled(&storage, 1, &[5, 3, 1, 4, 2]).await;
    filled(&storage, 2, &[6, 3]).await;
    let verdicts = [(3, accepted(3)), (4, rejected(9)), (1, accepted(1))];
    let verdicts = verdicts.map(|(tag, verdict)| (SubmissionId([tag; 16]), verdict));
    storage.record_verdicts(id, verdicts.to_vec()).await.unwrap();

    let (mut waiting, mut after) = (Vec::new(), None);
    while let [row] = storage.unverified(id, after, 1).await.unwrap()[..] {
        assert_eq!(row.payload_len, 5_000);
        waiting.push((row.id.0[0], row.records));
        after = Some(row.arrival);
    }
    assert_eq!(waiting, [(5, 5), (2, 2)], "in the order of arrival");

    let (mut listed, mut after) = (Vec::new(), None);
    while let [entry] = storage.entries(id, after, 1).await.unwrap()[..] {
        assert_eq!(entry.public_hash, submission(entry.id.0[0]).public_hash);
        assert_eq!(entry.provider, submission(entry.id.0[0]).provider);
        listed.push((entry.records, entry.status));
        after = Some(entry.id);
    }
    let expected = [
        (1, EntryStatus::Accepted),
        (2, EntryStatus::Unverified),
        (3, EntryStatus::Accepted),
        (4, EntryStatus::Rejected(9)),
        (5, EntryStatus::Unverified),
    ];
    assert_eq!(listed, expected);

    let first = storage.output_shares(id, None, 1).await.unwrap();
    assert_eq!(first, [(SubmissionId([1; 16]), Zeroizing::new(vec![1; 64]))]);
    let rest = storage.output_shares(id, Some(first[0].0), 10).await.unwrap();
    assert_eq!(rest, [(SubmissionId([3; 16]), Zeroizing::new(vec![3; 64]))]);
}

/// Public parts come in the order of their ids, page by page, and stay when the study has ended.
pub async fn check_public_parts_are_paged_and_outlive_the_scrub<P: Place>(place: P) {
    let storage = place.open().await;
    let id = filled(&storage, 1, &[5, 3, 1, 4, 2]).await;
    filled(&storage, 2, &[6, 3]).await;
    let verdicts = [(3, accepted(3)), (4, rejected(9))];
    let verdicts = verdicts.map(|(tag, verdict)| (SubmissionId([tag; 16]), verdict));
    storage.record_verdicts(id, verdicts.to_vec()).await.unwrap();
    let status = |tag| match tag {
        3 => EntryStatus::Accepted,
        4 => EntryStatus::Rejected(9),
        _ => EntryStatus::Unverified,
    };
    let row = |tag| PublicRow {
        id: SubmissionId([tag; 16]),
        public: submission(tag).public,
        status: status(tag),
    };
    for ended in [false, true] {
        assert_eq!(storage.public_parts(id, None, 2).await.unwrap(), [row(1), row(2)]);
        let after = Some(SubmissionId([2; 16]));
        assert_eq!(storage.public_parts(id, after, 9).await.unwrap(), [row(3), row(4), row(5)]);
        assert!(storage.public_parts(id, Some(row(5).id), 9).await.unwrap().is_empty());
        assert!(ended || storage.finish(id, finish(StudyState::Published, 1, true)).await.unwrap());
    }
}
