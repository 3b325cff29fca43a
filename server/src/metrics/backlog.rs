//! Backlog: since when each submission waits for its verification.
//!
//! The order of arrival is stored and the time is not, so the times are kept here. What waited when
//! the server started counts from then. As many entries as submissions wait, which is limited.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use mpc::ids::{StudyId, SubmissionId};

/// Submissions that wait, by study.
#[derive(Debug, Default)]
pub struct Backlog {
    waiting: Mutex<HashMap<StudyId, HashMap<SubmissionId, Instant>>>,
}

impl Backlog {
    /// Notes a submission before it is stored. `false`: it waited already.
    pub fn enter(&self, study: StudyId, submission: SubmissionId, now: Instant) -> bool {
        let mut waiting = self.lock();
        let of_study = waiting.entry(study).or_default();
        let is_new = !of_study.contains_key(&submission);
        of_study.entry(submission).or_insert(now);
        is_new
    }

    /// Forgets submissions that were decided about, or never stored.
    pub fn leave<'a>(
        &self,
        study: StudyId,
        submissions: impl IntoIterator<Item = &'a SubmissionId>,
    ) {
        let mut waiting = self.lock();
        let Some(of_study) = waiting.get_mut(&study) else { return };
        for submission in submissions {
            of_study.remove(submission);
        }
        if of_study.is_empty() {
            waiting.remove(&study);
        }
    }

    /// Forgets a study that has ended.
    pub fn end(&self, study: StudyId) {
        self.lock().remove(&study);
    }

    /// How long the oldest one has waited.
    pub fn oldest(&self, now: Instant) -> Duration {
        let waiting = self.lock();
        let first = waiting.values().flat_map(HashMap::values).min();
        first.map_or(Duration::ZERO, |first| now.saturating_duration_since(*first))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<StudyId, HashMap<SubmissionId, Instant>>> {
        // Every critical section leaves the map consistent.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_that_waits_is_the_lag_until_it_is_decided() {
        let (backlog, start) = (Backlog::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let (a, b, study) = (SubmissionId([1; 16]), SubmissionId([2; 16]), StudyId([1; 32]));
        let other = StudyId([2; 32]);
        assert_eq!(backlog.oldest(start), Duration::ZERO);
        assert!(backlog.enter(study, a, at(0)));
        assert!(!backlog.enter(study, a, at(5)), "sent again");
        assert!(backlog.enter(other, b, at(3)));
        assert_eq!(backlog.oldest(at(10)), Duration::from_secs(10));
        backlog.leave(study, [&a]);
        assert_eq!(backlog.oldest(at(10)), Duration::from_secs(7));
        backlog.end(other);
        assert_eq!(backlog.oldest(at(10)), Duration::ZERO);
        assert!(backlog.lock().is_empty());
    }
}
