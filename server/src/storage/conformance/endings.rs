//! The contract of a study's end: one set, one outcome, and no secret left behind.

use mpc::ids::SubmissionId;
use zeroize::Zeroizing;

use super::{
    AMPLE, Place, accepted, charges::charged_with, filled, finish, ids, study, submission,
};
use crate::storage::{
    Detail, EntryStatus, PutOutcome, Stage, Storage, StorageError, StudySecrets, StudyState,
    Verdict,
};

/// The set that came first stays.
pub async fn check_first_set_wins<P: Place>(place: P) {
    let storage = place.open().await;
    let id = filled(&storage, 1, &[1]).await;
    assert_eq!(storage.set(id).await.unwrap(), None);
    assert!(!storage.study(id).await.unwrap().unwrap().has_set);
    assert_eq!(storage.fix_set(id, b"first".to_vec()).await.unwrap(), b"first");
    assert_eq!(storage.fix_set(id, b"second".to_vec()).await.unwrap(), b"first");
    assert_eq!(storage.set(id).await.unwrap(), Some(b"first".to_vec()));
    assert!(storage.study(id).await.unwrap().unwrap().has_set);
}

/// What the set leaves out is that of the first set, also when the study has ended.
pub async fn check_rejected_stay<P: Place>(place: P) {
    let storage = place.open().await;
    let (one, two) = (filled(&storage, 1, &[1]).await, filled(&storage, 2, &[2]).await);
    let first = vec![(SubmissionId([3; 16]), 6), (SubmissionId([4; 16]), 1)];
    assert_eq!(storage.rejected(one).await.unwrap(), None);
    storage.fix_rejected(one, first.clone()).await.unwrap();
    storage.fix_rejected(one, Vec::new()).await.unwrap();
    storage.fix_rejected(two, Vec::new()).await.unwrap();
    assert!(storage.finish(one, finish(StudyState::Refused, 2, true)).await.unwrap());
    assert_eq!(storage.rejected(one).await.unwrap(), Some(first));
    assert_eq!(storage.rejected(two).await.unwrap(), Some(Vec::new()));
}

/// The word that was given first stays, for each word of each study.
pub async fn check_first_word_wins<P: Place>(place: P) {
    let storage = place.open().await;
    let (one, two) = (filled(&storage, 1, &[1]).await, filled(&storage, 2, &[2]).await);
    for (id, word) in [(one, 0), (one, 1), (two, 0)] {
        let first = vec![id.0[0], word as u8];
        assert_eq!(storage.fix_word(id, word, first.clone()).await.unwrap(), first);
        assert_eq!(storage.fix_word(id, word, b"other".to_vec()).await.unwrap(), first);
    }
    let unknown = storage.fix_word(study(9).id, 0, Vec::new()).await;
    assert!(matches!(unknown, Err(StorageError::UnknownStudy(_))));
}

/// A study ends once, in a final state, and its outcome stays.
pub async fn check_finish_happens_once<P: Place>(place: P) {
    use StudyState::{Aborted, Cancelled, Closing, Published};
    let storage = place.open().await;
    let id = filled(&storage, 1, &[1, 2]).await;
    assert!(!storage.finish(study(9).id, finish(Published, 0, true)).await.unwrap());
    let refused = storage.finish(id, finish(Closing, 0, true)).await;
    assert!(matches!(refused, Err(StorageError::NotFinal(Closing))));
    assert_eq!(storage.outcome(id).await.unwrap(), None);
    assert!(storage.finish(id, finish(Published, 2, false)).await.unwrap());
    assert!(!storage.finish(id, finish(Aborted, 0, true)).await.unwrap());
    let row = storage.study(id).await.unwrap().unwrap();
    assert_eq!((row.state, row.updated_ms), (Published, 9_000));
    assert_eq!(
        (row.detail.text.as_str(), &row.detail.servers[..]),
        ("the end", &["beta".into()][..])
    );
    assert!(row.secrets.is_some(), "not scrubbed");
    assert_eq!(storage.outcome(id).await.unwrap(), Some(b"outcome".to_vec()));
    assert_eq!(storage.counts(id).await.unwrap().rejected, 2);
    assert!(storage.insert_study(study(2)).await.unwrap());
    assert!(storage.finish(study(2).id, finish(Cancelled, 0, true)).await.unwrap());
}

/// After a scrub no byte of a payload, share or secret is left on disk, the public part is, and
/// another study is as it was.
pub async fn check_scrub_forgets_everything_secret<P: Place>(place: P) {
    let secret = |tag: u8| format!("planted secret number {tag:03}!!");
    let storage = place.open().await;
    let id = planted_study(&storage, &secret).await;
    let other = filled(&storage, 2, &[1, 2]).await;
    storage.record_verdicts(other, vec![(SubmissionId([1; 16]), accepted(1))]).await.unwrap();
    let crashed = place.crash().await.bytes().await;
    assert!((0..=10).all(|tag| contains(&crashed, &secret(tag))), "the search finds what is there");

    assert!(storage.finish(id, finish(StudyState::Published, 1, true)).await.unwrap());
    check_what_stays(&storage, id).await;
    let kept = storage.submissions(other, &ids(&[1, 2])).await.unwrap();
    let stages: Vec<_> = kept.into_iter().map(|row| row.unwrap().stage).collect();
    assert_eq!(stages[0], Stage::Accepted { verifier_share: vec![1 ^ 0xff; 48] });
    assert_eq!(stages[1], Stage::Unverified { payload: submission(2).payload });
    assert_eq!(storage.output_shares(other, None, 9).await.unwrap().len(), 1);

    let killed = place.crash().await.bytes().await;
    storage.close().await;
    let closed = place.bytes().await;
    for bytes in [killed, closed] {
        for tag in 0..=10 {
            assert!(!contains(&bytes, &secret(tag)), "secret {tag} is still on disk");
        }
        assert!(contains(&bytes, "public part 1"));
    }
}

/// A study with one accepted, one rejected and two unverified submissions, each secret in it
/// being one of `secret(0..=10)`; the payloads of the judged ones are 3 and 4.
async fn planted_study(
    storage: &impl Storage,
    secret: &impl Fn(u8) -> String,
) -> mpc::ids::StudyId {
    let seed = |tag| {
        let mut bytes = [0; 32];
        bytes[..secret(tag).len()].copy_from_slice(secret(tag).as_bytes());
        Zeroizing::new(bytes)
    };
    let mut new = study(1);
    new.secrets = StudySecrets { contribution: seed(0), salt_seed: seed(1), verify_key: None };
    let id = new.id;
    assert!(storage.insert_study(new).await.unwrap());
    let (from, to) = ([StudyState::Proposed], StudyState::Approved);
    assert!(storage.transition(id, &from, to, Detail::default(), 2).await.unwrap());
    assert!(storage.open_study(id, *seed(2), 3).await.unwrap());
    for tag in 3..=6u8 {
        let mut new = submission(tag);
        new.public = format!("public part {}", tag - 2).into_bytes();
        // Long enough to fill pages of its own.
        new.payload = Zeroizing::new(secret(tag).repeat(1_000).into_bytes());
        let outcome = storage.put_submission(id, new, AMPLE).await.unwrap();
        assert_eq!(outcome, PutOutcome::Stored);
    }
    let accepted = Verdict::Accepted {
        output_share: Zeroizing::new(secret(7).into_bytes()),
        verifier_share: secret(8).into_bytes(),
    };
    let rejected = Verdict::Rejected { reason: 1, verifier_share: secret(9).into_bytes() };
    // The payloads that the verdicts drop stay findable in the log until the scrub.
    let verdicts = vec![(SubmissionId([3; 16]), accepted), (SubmissionId([4; 16]), rejected)];
    storage.record_verdicts(id, verdicts).await.unwrap();
    charged_with(storage, id, secret(10).repeat(1_000).as_bytes()).await;
    id
}

async fn check_what_stays(storage: &impl Storage, id: mpc::ids::StudyId) {
    let row = storage.study(id).await.unwrap().unwrap();
    assert_eq!((row.state, row.secrets), (StudyState::Published, None));
    assert!(storage.output_shares(id, None, 9).await.unwrap().is_empty());
    let rows = storage.submissions(id, &ids(&[3, 4, 5])).await.unwrap();
    let rows: Vec<_> = rows.into_iter().map(Option::unwrap).collect();
    assert_eq!(rows[0].stage, Stage::Accepted { verifier_share: Vec::new() });
    assert_eq!(rows[1].stage, Stage::Rejected { reason: 1, verifier_share: Vec::new() });
    assert_eq!(rows[2].stage, Stage::Unverified { payload: Zeroizing::new(Vec::new()) });
    assert_eq!(rows[0].public, b"public part 1");
    assert_eq!(rows[0].public_hash, submission(3).public_hash);
    let statuses: Vec<_> =
        storage.entries(id, None, 9).await.unwrap().iter().map(|entry| entry.status).collect();
    let expected = [
        EntryStatus::Accepted,
        EntryStatus::Rejected(1),
        EntryStatus::Unverified,
        EntryStatus::Unverified,
    ];
    assert_eq!(statuses, expected);
    let again = storage.put_submission(id, submission(3), AMPLE).await.unwrap();
    assert_eq!(again, PutOutcome::Same, "a late repetition is still recognised");
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}
