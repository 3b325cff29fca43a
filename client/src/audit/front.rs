//! What stands in a bundle before its submissions: the study, the messages, the result, the
//! amendments.

use mpc::{
    dst,
    ids::StudyId,
    publish::Published,
    record::{End, Section},
    sign::PublicKey,
    transcript::Recording,
};
use study::Study;

use super::finding::{Failed, Finding};
use crate::{bundle::Bundle, error::ClientError};

/// Everything before the submissions.
pub(crate) struct Front {
    /// The study's id.
    pub id: StudyId,
    /// How it ended, says the record.
    pub end: End,
    /// The study.
    pub study: Study,
    /// The servers' keys, by party.
    pub keys: Vec<PublicKey>,
    /// The messages of the run that ended it; no signature is checked yet.
    pub recording: Recording,
    /// The result; no signature is checked yet.
    pub published: Option<Published>,
    /// The amendments, as they were signed.
    pub amendments: Vec<Vec<u8>>,
    /// The first submission, if there is one: the message that was read last.
    pub first: Option<Vec<u8>>,
}

impl Front {
    /// [`Front::read`] for those who need no report.
    pub(crate) fn of(bundle: &mut Bundle) -> Result<Self, ClientError> {
        Self::read(bundle).map_err(|failed| match failed {
            Failed::Client(error) => error,
            Failed::Finding(Finding { text, .. }) | Failed::Strangers(text) => {
                ClientError::FalseRecord { file: bundle.file().to_owned(), text }
            }
        })
    }

    /// Reads a bundle up to its first submission, and checks that the study is the one that its id
    /// names.
    pub(super) fn read(bundle: &mut Bundle) -> Result<Self, Failed> {
        let head = bundle.head();
        let mut message = Vec::new();
        let mut section = bundle.next(&mut message)?;
        if section != Some(Section::Study) || dst::hash(dst::STUDY_ID, &[&message]) != head.study.0
        {
            let text = format!("the record's study is not {}", head.study);
            return Err(Finding::of("study", text).into());
        }
        let study = Study::decode(&message);
        let study = study.map_err(|error| Finding::of("study", error.to_string()))?;
        let (mut parts, mut published, mut amendments) = (Vec::new(), None, Vec::new());
        loop {
            section = bundle.next(&mut message)?;
            match section {
                Some(Section::Transcript) => parts.push(std::mem::take(&mut message)),
                Some(Section::Published) => {
                    let decoded = Published::decode(&message);
                    let decoded = decoded.map_err(|error| Finding::of("result", error.to_string()));
                    published = Some(decoded?);
                }
                Some(Section::Amendment) => amendments.push(std::mem::take(&mut message)),
                _ => break,
            }
        }
        let recording = Recording::decode(parts.iter().map(Vec::as_slice))
            .map_err(|error| Finding::of("transcript", format!("it cannot be read: {error}")))?;
        Ok(Self {
            id: head.study,
            end: head.end,
            keys: study.servers().iter().map(|server| server.identity).collect(),
            study,
            recording,
            published,
            amendments,
            first: section.map(|_| message),
        })
    }
}
