//! The study's rules on what counts, which every server checked before it signed the set: by whom
//! submissions are, how many of each, and how many records in all.
//!
//! That a provider had a credential is not in a record: it is the word of all servers.

use std::collections::HashSet;

use mpc::{collect::PublicPart, sign::PublicKey};
use study::Study;

use super::finding::Finding;

/// The check that fails here.
const CHECK: &str = "rules";

/// What the submissions that count keep of the rules.
pub(super) struct Admission {
    /// The providers that the study lists; none: anybody.
    listed: HashSet<PublicKey>,
    is_one_per_provider: bool,
    max_records: u64,
    records: u64,
    /// Providers that a submission counts of, where one of each counts.
    seen: HashSet<PublicKey>,
    /// The first rule that was broken.
    broken: Option<String>,
}

impl Admission {
    pub(super) fn of(study: &Study) -> Self {
        Self {
            listed: study.providers().iter().copied().collect(),
            is_one_per_provider: study.privacy().is_one_per_provider(),
            max_records: study.max_records(),
            records: 0,
            seen: HashSet::new(),
            broken: None,
        }
    }

    /// Takes note of a submission that counts.
    pub(super) fn count(&mut self, public: &PublicPart) {
        self.records = self.records.saturating_add(u64::from(public.records));
        if self.broken.is_none() {
            self.broken = self.breach(public);
        }
    }

    /// Only after the root was found to be the one that all servers signed: before, the submissions
    /// are the word of whoever gave out the record.
    pub(super) fn finish(self, servers: &[String]) -> Result<(), Finding> {
        let Self { records, max_records, broken, .. } = self;
        let too_many = || {
            let is_full = records > max_records;
            is_full.then(|| format!("{records} records count, and the study takes {max_records}"))
        };
        match broken.or_else(too_many) {
            Some(text) => Err(Finding::by_all(CHECK, text, servers)),
            None => Ok(()),
        }
    }

    fn breach(&mut self, public: &PublicPart) -> Option<String> {
        let PublicPart { submission, provider, records, .. } = *public;
        if !self.listed.is_empty() && !self.listed.contains(&provider) {
            return Some(format!(
                "submission {submission} counts, and its provider {provider} is not listed"
            ));
        }
        if !self.is_one_per_provider {
            return None;
        }
        if records > 1 {
            return Some(format!(
                "submission {submission} counts with {records} records, and each provider has one"
            ));
        }
        (!self.seen.insert(provider))
            .then(|| format!("two submissions of provider {provider} count, and each has one"))
    }
}

#[cfg(test)]
mod tests {
    use mpc::{
        ids::{StudyId, SubmissionId},
        sign::Signer,
    };

    use super::*;

    fn admission(listed: &[u8], is_one_per_provider: bool) -> Admission {
        Admission {
            listed: listed.iter().map(|seed| key(*seed)).collect(),
            is_one_per_provider,
            max_records: 10,
            records: 0,
            seen: HashSet::new(),
            broken: None,
        }
    }

    fn key(seed: u8) -> PublicKey {
        Signer::from_seed(&[seed; 32]).public()
    }

    /// What is found where providers have submissions of so many records.
    fn found(mut admission: Admission, submissions: &[(u8, u32)]) -> Option<String> {
        for (number, (provider, records)) in (0..).zip(submissions) {
            admission.count(&PublicPart {
                study: StudyId([1; 32]),
                submission: SubmissionId([number; 16]),
                records: *records,
                provider: key(*provider),
                amendment: None,
                joint_rand: Vec::new(),
                commitments: Vec::new(),
                payload_hashes: Vec::new(),
            });
        }
        let servers = ["alpha".to_owned(), "beta".to_owned()];
        let finding = admission.finish(&servers).err()?;
        assert_eq!(finding.culprits, servers, "each of them signed the set");
        Some(finding.text)
    }

    #[test]
    fn what_the_rules_allow_is_no_finding() {
        assert_eq!(found(admission(&[], false), &[(1, 4), (1, 4), (2, 2)]), None);
        assert_eq!(found(admission(&[1, 2], false), &[(1, 4), (2, 6)]), None);
        assert_eq!(found(admission(&[], true), &[(1, 1), (2, 1)]), None);
    }

    #[test]
    fn whoever_is_not_listed_or_has_more_than_one_or_too_many_records_is_found() {
        for (admission, submissions, says) in [
            (admission(&[1, 2], false), &[(1, 1), (3, 1)][..], "is not listed"),
            (admission(&[], true), &[(1, 2)], "counts with 2 records"),
            (admission(&[], true), &[(1, 1), (2, 1), (1, 1)], "two submissions of provider"),
            (admission(&[], false), &[(1, 5), (2, 6)], "11 records count"),
        ] {
            let text = found(admission, submissions).unwrap();
            assert!(text.contains(says), "{text}");
        }
    }
}
