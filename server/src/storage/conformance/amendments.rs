//! The contract of amendments: taken once while the study is open, and kept to the end and after.

use mpc::ids::{AmendmentHash, AmendmentId, SubmissionId};
use mpc::sign::PublicKey;

use super::{AMPLE, Place, accepted, finish, opened, rejected, study, submission};
use crate::storage::{
    AmendLimits, AmendOutcome, Detail, NewAmendment, NewSubmission, PutLimits, PutOutcome, Room,
    Storage, StudyState,
};

/// An amendment of 100 bytes whose id, hash and bytes all depend on `tag`.
fn amendment(tag: u8, provider: u8) -> NewAmendment {
    NewAmendment {
        id: AmendmentId([tag; 16]),
        provider: PublicKey([provider; 32]),
        hash: AmendmentHash([tag; 32]),
        old: vec![SubmissionId([tag; 16])],
        is_withdrawal: true,
        bytes: vec![tag; 100],
    }
}

const NONE: Room = Room { amendments: 0, bytes: 0 };

/// The same amendment again is recognised, another one of the same provider and id is refused,
/// whatever the study's state and limits are.
pub async fn check_amendments_are_same_or_conflict<P: Place>(place: P) {
    let storage = place.open().await;
    let id = opened(&storage, 1).await;
    let put = async |amendment, limits| storage.put_amendment(id, amendment, limits).await.unwrap();
    assert_eq!(put(amendment(7, 1), AmendLimits::DOOR).await, AmendOutcome::Stored);
    assert_eq!(put(amendment(7, 2), AmendLimits::DOOR).await, AmendOutcome::Stored, "of another");
    let nothing = AmendLimits { study: NONE, provider: NONE };
    let other = NewAmendment { hash: AmendmentHash([8; 32]), ..amendment(7, 1) };
    for state in [StudyState::Open, StudyState::Closing] {
        assert_eq!(put(amendment(7, 1), nothing).await, AmendOutcome::Same);
        assert_eq!(put(other.clone(), nothing).await, AmendOutcome::Conflict);
        let (from, to) = ([StudyState::Open, state], StudyState::Closing);
        assert!(storage.transition(id, &from, to, Detail::default(), 5).await.unwrap());
    }
    assert_eq!(storage.amendments(id).await.unwrap(), [vec![7; 100], vec![7; 100]]);
}

/// A study takes amendments in the state Open alone, and says which state it is in.
pub async fn check_only_an_open_study_takes_amendments<P: Place>(place: P) {
    let storage = place.open().await;
    let new = study(1);
    let id = new.id;
    assert!(storage.insert_study(new).await.unwrap());
    for state in StudyState::ALL {
        let all = StudyState::ALL;
        assert!(storage.transition(id, &all, state, Detail::default(), 5).await.unwrap());
        let new = amendment(state.code(), 1);
        let outcome = storage.put_amendment(id, new, AmendLimits::DOOR).await.unwrap();
        match state {
            StudyState::Open => assert_eq!(outcome, AmendOutcome::Stored),
            _ => assert_eq!(outcome, AmendOutcome::NotOpen(state)),
        }
    }
    assert_eq!(storage.amendments(id).await.unwrap().len(), 1);
}

/// Room may be used up and not crossed, and one provider cannot use up a study's.
pub async fn check_amendment_limits_hold<P: Place>(place: P) {
    let storage = place.open().await;
    let id = opened(&storage, 1).await;
    let ample = Room { amendments: 100, bytes: 100_000 };
    let put = async |tag, by, study, provider| {
        let limits = AmendLimits { study, provider };
        storage.put_amendment(id, amendment(tag, by), limits).await.unwrap()
    };
    let room = |amendments, bytes| Room { amendments, bytes };
    assert_eq!(put(1, 1, ample, room(1, 100)).await, AmendOutcome::Stored);
    assert_eq!(put(2, 1, ample, room(1, 1_000)).await, AmendOutcome::ProviderExhausted);
    assert_eq!(put(2, 1, ample, room(9, 199)).await, AmendOutcome::ProviderExhausted);
    assert_eq!(put(2, 2, ample, room(1, 100)).await, AmendOutcome::Stored, "another provider");
    assert_eq!(put(3, 3, room(2, 1_000), ample).await, AmendOutcome::StudyExhausted);
    assert_eq!(put(3, 3, room(9, 299), ample).await, AmendOutcome::StudyExhausted);
    assert_eq!(put(3, 3, room(3, 300), ample).await, AmendOutcome::Stored);
    let other = opened(&storage, 2).await;
    let limits = AmendLimits { study: room(1, 100), provider: room(1, 100) };
    let outcome = storage.put_amendment(other, amendment(1, 1), limits).await.unwrap();
    assert_eq!(outcome, AmendOutcome::Stored, "another study");
}

/// What was acknowledged is there after the process is killed, in the order of provider and id.
pub async fn check_acknowledged_amendment_survives_a_crash<P: Place>(place: P) {
    let storage = place.open().await;
    let id = opened(&storage, 1).await;
    for (tag, provider) in [(3, 1), (1, 2), (2, 1)] {
        let new = amendment(tag, provider);
        let outcome = storage.put_amendment(id, new, AmendLimits::DOOR).await.unwrap();
        assert_eq!(outcome, AmendOutcome::Stored);
    }
    let crashed = place.crash().await;
    storage.close().await;
    let storage = crashed.open().await;
    let stored = storage.amendments(id).await.unwrap();
    assert_eq!(stored, [vec![2; 100], vec![3; 100], vec![1; 100]]);
    let same = storage.put_amendment(id, amendment(1, 2), AmendLimits::DOOR).await.unwrap();
    assert_eq!(same, AmendOutcome::Same);
}

/// The agreed amendments are apart from those received, the last ones given stay in their order, a
/// crash and the end of the study included.
pub async fn check_agreed_amendments_are_kept<P: Place>(place: P) {
    let storage = place.open().await;
    let (id, other) = (opened(&storage, 1).await, opened(&storage, 2).await);
    storage.put_amendment(id, amendment(5, 1), AmendLimits::DOOR).await.unwrap();
    assert!(storage.agreed_amendments(id).await.unwrap().is_empty());
    storage.fix_amendments(id, vec![vec![1; 10]]).await.unwrap();
    let agreed = vec![vec![9; 10], vec![5; 20], vec![7; 5]];
    storage.fix_amendments(id, agreed.clone()).await.unwrap();
    assert!(storage.finish(id, finish(StudyState::Published, 0, true)).await.unwrap());
    let crashed = place.crash().await;
    storage.close().await;
    let storage = crashed.open().await;
    assert_eq!(storage.agreed_amendments(id).await.unwrap(), agreed);
    assert_eq!(storage.amendments(id).await.unwrap(), [vec![5; 100]]);
    assert!(storage.agreed_amendments(other).await.unwrap().is_empty());
}

/// A submission is listed with the amendment that it is a part of.
pub async fn check_submissions_keep_their_amendment<P: Place>(place: P) {
    let storage = place.open().await;
    let id = opened(&storage, 1).await;
    for (tag, amendment) in [(1, None), (2, Some(AmendmentId([9; 16])))] {
        let new = NewSubmission { amendment, ..submission(tag) };
        storage.put_submission(id, new, AMPLE).await.unwrap();
    }
    let entries = storage.entries(id, None, 10).await.unwrap();
    let amendments: Vec<_> = entries.iter().map(|entry| entry.amendment).collect();
    assert_eq!(amendments, [None, Some(AmendmentId([9; 16]))]);
}

/// What is withdrawn leaves its room at the door, whichever of verdict and amendment is first; what
/// is replaced keeps it, and replacements have room of their own.
pub async fn check_withdrawn_submissions_leave_room<P: Place>(place: P) {
    let storage = place.open().await;
    for (study, amendment_first) in [(1, false), (2, true)] {
        let id = opened(&storage, study).await;
        let limits = PutLimits { max_records: 10, ..AMPLE };
        let put = async |tag, amendment: Option<u8>| {
            let amendment = amendment.map(|tag| AmendmentId([tag; 16]));
            let new = NewSubmission { amendment, provider: PublicKey([1; 32]), ..submission(tag) };
            storage.put_submission(id, new, limits).await.unwrap()
        };
        let judge = async |tag| {
            let verdict = vec![(SubmissionId([tag; 16]), accepted(tag))];
            storage.record_verdicts(id, verdict).await.unwrap();
        };
        let amend = async |tag, old: &[u8], is_withdrawal| {
            let old = old.iter().map(|tag| SubmissionId([*tag; 16])).collect();
            let new = NewAmendment { old, is_withdrawal, ..amendment(tag, 1) };
            let outcome = storage.put_amendment(id, new, AmendLimits::DOOR).await.unwrap();
            assert_eq!(outcome, AmendOutcome::Stored);
        };
        assert_eq!(put(10, None).await, PutOutcome::Stored);
        assert_eq!(put(9, Some(1)).await, PutOutcome::Stored);
        if !amendment_first {
            judge(10).await;
            judge(9).await;
            assert_eq!(put(1, None).await, PutOutcome::RecordsExhausted);
            assert_eq!(put(2, Some(2)).await, PutOutcome::RecordsExhausted);
        }
        amend(1, &[10], false).await;
        if amendment_first {
            judge(10).await;
            judge(9).await;
        }
        assert_eq!(put(1, None).await, PutOutcome::RecordsExhausted, "10 is replaced");
        amend(2, &[9, 10], false).await;
        assert_eq!(put(8, Some(2)).await, PutOutcome::Stored, "9 is replaced");
        assert_eq!(put(1, None).await, PutOutcome::RecordsExhausted, "10 is replaced");
        amend(3, &[8, 9, 10], true).await;
        amend(4, &[9, 10], true).await;
        judge(8).await;
        assert_eq!(put(7, None).await, PutOutcome::Stored, "all are withdrawn");
        judge(7).await;
        assert_eq!(put(4, None).await, PutOutcome::RecordsExhausted);
        assert_eq!(put(6, Some(5)).await, PutOutcome::Stored);
        assert_eq!(storage.counts(id).await.unwrap().accepted_records, 34);
    }
}

/// Where each provider submits once it may begin anew after a withdrawal, and its replacements are
/// bounded.
pub async fn check_a_provider_submits_again_after_a_withdrawal<P: Place>(place: P) {
    let storage = place.open().await;
    let id = opened(&storage, 1).await;
    let limits = PutLimits { one_per_provider: true, max_records: 100_000, ..AMPLE };
    let put = async |tag, by, amendment: Option<u8>| {
        let amendment = amendment.map(|tag| AmendmentId([tag; 16]));
        let new = NewSubmission { amendment, provider: PublicKey([by; 32]), ..submission(tag) };
        storage.put_submission(id, new, limits).await.unwrap()
    };
    let amend = async |tag, by, old, is_withdrawal| {
        let new = NewAmendment {
            old: vec![SubmissionId([old; 16])],
            is_withdrawal,
            ..amendment(tag, by)
        };
        storage.put_amendment(id, new, AmendLimits::DOOR).await.unwrap()
    };
    assert_eq!(put(1, 1, None).await, PutOutcome::Stored);
    amend(1, 2, 1, true).await;
    assert_eq!(put(2, 1, None).await, PutOutcome::SecondOfProvider, "another withdrew it");
    assert_eq!(put(3, 1, Some(2)).await, PutOutcome::Stored);
    amend(2, 1, 1, false).await;
    assert_eq!(put(2, 1, None).await, PutOutcome::SecondOfProvider, "it is replaced");
    amend(3, 1, 1, true).await;
    assert_eq!(put(2, 1, None).await, PutOutcome::Stored);
    assert_eq!(put(4, 1, None).await, PutOutcome::SecondOfProvider);
    let most = u8::try_from(PutLimits::AMENDED_OF_PROVIDER).unwrap();
    for tag in 0..most - 1 {
        assert_eq!(put(100 + tag, 1, Some(3)).await, PutOutcome::Stored);
    }
    let verdicts = vec![(SubmissionId([100; 16]), rejected(1))];
    storage.record_verdicts(id, verdicts).await.unwrap();
    assert_eq!(put(99, 1, Some(4)).await, PutOutcome::AmendedExhausted);
    assert_eq!(put(99, 2, Some(4)).await, PutOutcome::Stored, "another provider");
}
