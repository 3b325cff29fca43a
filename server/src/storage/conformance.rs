//! What every implementation of [`Storage`] must do, as checks that each of them
//! runs.
//!
//! An implementation gives a [`Place`] and calls each `check_*` with a fresh one. A check panics
//! when the contract is broken.

// The suite is test code that happens to be compiled into the library for other crates' tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::missing_panics_doc)]

use async_trait::async_trait;
use mpc::ids::{PublicHash, StudyId, SubmissionId};
use mpc::sign::{PublicKey, Signature};
use zeroize::Zeroizing;

use super::{
    Detail, Finish, NewStudy, NewSubmission, PutLimits, PutOutcome, Storage, StudySecrets,
    StudyState, Verdict,
};

mod amendments;
mod charges;
mod endings;
mod lives;
mod model;
mod studies;
mod submissions;
mod transcripts;

pub use amendments::{
    check_a_provider_submits_again_after_a_withdrawal,
    check_acknowledged_amendment_survives_a_crash, check_agreed_amendments_are_kept,
    check_amendment_limits_hold, check_amendments_are_same_or_conflict,
    check_only_an_open_study_takes_amendments, check_submissions_keep_their_amendment,
    check_withdrawn_submissions_leave_room,
};
pub use charges::{
    check_a_charge_is_for_its_coordinates, check_a_charge_survives_a_crash,
    check_an_ended_study_is_not_charged, check_an_opening_is_charged_once_and_keeps_its_noise,
    check_charges_never_exceed_the_budget, check_concurrent_charges_get_one_noise,
};
pub use endings::{
    check_finish_happens_once, check_first_set_wins, check_first_word_wins, check_rejected_stay,
    check_scrub_forgets_everything_secret,
};
pub use lives::{
    check_a_storage_that_works_says_so, check_an_old_copy_does_not_remember,
    check_databases_of_a_peer_are_few, check_the_age_rises_with_every_change,
    check_the_furthest_sighting_stays,
};
pub use model::check_agrees_with_a_plain_model;
pub use studies::{
    check_close_is_final, check_commitments_are_fixed_once, check_opening_stores_the_key,
    check_studies_are_listed_in_pages, check_study_survives_reopening,
    check_summary_counts_states_and_what_waits, check_transition_compares_and_sets,
    check_unknown_study_is_named,
};
pub use submissions::{
    check_acknowledged_submission_survives_a_crash, check_concurrent_puts_store_exactly_one,
    check_limits_hold, check_lists_are_sorted_and_paged,
    check_only_an_open_study_takes_submissions, check_provider_submits_once,
    check_public_parts_are_paged_and_outlive_the_scrub, check_same_and_conflict,
    check_verdicts_change_only_the_unverified,
};
pub use transcripts::{
    check_a_run_is_begun_once, check_a_transcript_is_kept_in_parts,
    check_concurrent_beginnings_let_one_begin,
};

/// Where one storage keeps its data. A new place is empty.
#[async_trait]
pub trait Place: Send + Sync + Sized {
    /// The implementation.
    type Storage: Storage;
    /// Opens the storage, over what is there already.
    async fn open(&self) -> Self::Storage;
    /// A place that holds what this one would hold if its process were killed now.
    async fn crash(&self) -> Self;
    /// Every byte that the closed storage left behind.
    async fn bytes(&self) -> Vec<u8>;
}

/// A study whose every byte depends on `tag`.
pub fn study(tag: u8) -> NewStudy {
    NewStudy {
        id: StudyId([tag; 32]),
        bytes: vec![tag; 100],
        signature: Signature([tag; 64]),
        detail: Detail { text: "waits for its operator".into(), servers: vec!["alpha".into()] },
        secrets: StudySecrets {
            contribution: Zeroizing::new([tag ^ 0x55; 32]),
            salt_seed: Zeroizing::new([tag ^ 0xaa; 32]),
            verify_key: None,
        },
        now_ms: 1_000,
    }
}

/// A submission of `tag` records whose id, hash and bytes all depend on `tag`.
pub fn submission(tag: u8) -> NewSubmission {
    NewSubmission {
        id: SubmissionId([tag; 16]),
        public: vec![tag; 300],
        public_hash: PublicHash([tag; 32]),
        records: u32::from(tag),
        provider: PublicKey([tag; 32]),
        amendment: None,
        payload: Zeroizing::new(vec![tag; 5_000]),
    }
}

/// Limits that nothing here reaches.
pub const AMPLE: PutLimits = PutLimits {
    max_submissions: 1_000_000,
    max_records: 1_000_000,
    max_unverified: 1_000_000,
    one_per_provider: false,
};

pub(super) fn accepted(tag: u8) -> Verdict {
    Verdict::Accepted {
        output_share: Zeroizing::new(vec![tag; 64]),
        verifier_share: vec![tag ^ 0xff; 48],
    }
}

pub(super) fn rejected(reason: u8) -> Verdict {
    Verdict::Rejected { reason, verifier_share: vec![reason; 48] }
}

pub(super) fn finish(to: StudyState, rejected: u64, scrub: bool) -> Finish {
    let detail = Detail { text: "the end".into(), servers: vec!["beta".into()] };
    let outcome = b"outcome".to_vec();
    Finish { to, detail, outcome, transcript: Vec::new(), rejected, scrub, now_ms: 9_000 }
}

/// Inserts the study and takes it to Open.
pub(super) async fn opened(storage: &impl Storage, tag: u8) -> StudyId {
    let study = study(tag);
    let id = study.id;
    assert!(storage.insert_study(study).await.unwrap());
    let (from, to) = ([StudyState::Proposed], StudyState::Approved);
    assert!(storage.transition(id, &from, to, Detail::default(), 2_000).await.unwrap());
    assert!(storage.open_study(id, [tag ^ 0x33; 32], 3_000).await.unwrap());
    id
}

/// Opens a study that holds a submission per tag.
pub(super) async fn filled(storage: &impl Storage, study: u8, tags: &[u8]) -> StudyId {
    let id = opened(storage, study).await;
    for tag in tags {
        let outcome = storage.put_submission(id, submission(*tag), AMPLE).await.unwrap();
        assert_eq!(outcome, PutOutcome::Stored);
    }
    id
}

pub(super) fn ids(tags: &[u8]) -> Vec<SubmissionId> {
    tags.iter().map(|tag| SubmissionId([*tag; 16])).collect()
}
