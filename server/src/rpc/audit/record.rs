//! The record of an ended study as a stream: read page by page, and only as fast as it is taken.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use mpc::{
    collect::Reason,
    ids::{StudyId, SubmissionId},
    publish::Published,
    record::{self, Cursor, End, Head, Section},
};
use proto::v1;
use tokio::sync::mpsc::Sender;
use tonic::Status;

use super::super::status::RpcError;
use crate::{
    node::Node,
    storage::{EntryStatus, PublicRow, StorageError},
};

/// Bytes from which on a part is sent. With the one that waits, and one page, that is what a
/// reader makes this server hold.
const PART: usize = record::MAX_FRAME;
/// Submissions read from the database at a time, below 1 KiB each.
const PAGE: usize = 256;
/// How long a reader may take nothing before it is cut off.
const STALL: Duration = Duration::from_secs(30);

/// What a record is made of.
pub(super) struct Record {
    node: Arc<Node>,
    study: StudyId,
    end: End,
    /// The study's canonical encoding.
    bytes: Vec<u8>,
    published: Option<Published>,
    /// What the agreed set leaves out, if the servers agreed on one, with the reasons.
    rejected: Option<BTreeMap<SubmissionId, Reason>>,
}

/// Why a record is not sent to its end.
enum Stop {
    /// The reader is gone, or too slow.
    Reader,
    /// Something to tell the reader.
    Error(RpcError),
}

impl<E: Into<RpcError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

impl Record {
    /// The record of a study that has ended, at a server that saw how.
    pub(super) async fn of(node: Arc<Node>, study: StudyId) -> Result<Self, RpcError> {
        let row = node.storage.study(study).await?.ok_or(RpcError::UnknownStudy)?;
        let end = super::end(row.state)?;
        if node.storage.transcript(study, None, 1).await?.is_empty() {
            return Err(RpcError::NoTranscript);
        }
        let published = match end {
            End::Published => Some(node.published(study).await?),
            End::Refused | End::Aborted => None,
        };
        let rejected = match &published {
            Some(published) => Some(published.rejected.iter().copied().collect()),
            None => agreed(&node, study).await?,
        };
        Ok(Self { node, study, end, bytes: row.bytes, published, rejected })
    }

    /// Sends what is behind `after` to `parts`, until the end or until nobody takes it.
    pub(super) async fn send(
        self,
        after: Option<Cursor>,
        parts: Sender<Result<v1::RecordPart, Status>>,
    ) {
        let stop = self.node.stop.clone();
        let mut writer = Writer { parts: parts.clone(), buffer: Vec::new(), stall: STALL };
        let written = tokio::select! {
            biased;
            () = stop.cancelled() => Err(RpcError::Stopping.into()),
            written = self.write(after, &mut writer) => written,
        };
        if let Err(Stop::Error(error)) = written {
            // A reader that does not take this either has been cut off anyway.
            let _ = tokio::time::timeout(STALL, parts.send(Err(error.into()))).await;
        }
    }

    async fn write(&self, after: Option<Cursor>, out: &mut Writer) -> Result<(), Stop> {
        let wanted = |section: Section| match after {
            None => true,
            Some(after) if section == after.section => !section.is_single(),
            Some(after) => section > after.section,
        };
        let behind = |section| after.filter(|after| after.section == section);
        if wanted(Section::Head) {
            out.put(Section::Head, &Head { study: self.study, end: self.end }.encode()).await?;
        }
        if wanted(Section::Study) {
            out.put(Section::Study, &self.bytes).await?;
        }
        if wanted(Section::Transcript) {
            self.transcript(behind(Section::Transcript), out).await?;
        }
        if let Some(published) = self.published.as_ref().filter(|_| wanted(Section::Published)) {
            out.put(Section::Published, &published.encode()).await?;
        }
        if wanted(Section::Amendment) {
            self.amendments(behind(Section::Amendment), out).await?;
        }
        if wanted(Section::Submission) {
            self.submissions(behind(Section::Submission), out).await?;
        }
        out.flush(true).await
    }

    async fn transcript(&self, after: Option<Cursor>, out: &mut Writer) -> Result<(), Stop> {
        // Parts are numbered from 0, so as many as are held end with the one before.
        let mut after = after.and_then(|after| after.count.checked_sub(1));
        loop {
            // One at a time: a list of submissions may be long.
            let page = self.node.storage.transcript(self.study, after, 1).await?;
            let Some((number, part)) = page.into_iter().next() else { return Ok(()) };
            out.put(Section::Transcript, &part).await?;
            after = Some(number);
        }
    }

    /// All at once: a study holds 8 MiB of them at most.
    async fn amendments(&self, after: Option<Cursor>, out: &mut Writer) -> Result<(), Stop> {
        let amendments = self.node.storage.agreed_amendments(self.study).await?;
        let held = after.map_or(Ok(0), |after| usize::try_from(after.count)).unwrap_or(usize::MAX);
        for amendment in amendments.iter().skip(held) {
            out.put(Section::Amendment, amendment).await?;
        }
        Ok(())
    }

    async fn submissions(&self, after: Option<Cursor>, out: &mut Writer) -> Result<(), Stop> {
        let mut after = after.and_then(|after| after.submission);
        let mut message = Vec::new();
        loop {
            let page = self.node.storage.public_parts(self.study, after, PAGE).await?;
            for row in &page {
                let Some(is_counted) = self.is_counted(row) else { continue };
                message.clear();
                message.push(u8::from(is_counted));
                message.extend_from_slice(&row.public);
                out.put(Section::Submission, &message).await?;
            }
            after = page.last().map(|row| row.id);
            if page.len() < PAGE {
                return Ok(());
            }
        }
    }

    /// Whether a submission is counted. `None`: it is no part of the record, because not all
    /// servers hold it alike.
    ///
    /// Without a set nothing else is known than this server's own verdicts; what it has none on is
    /// shown where a study was aborted, since that can be in the verification of just that.
    fn is_counted(&self, row: &PublicRow) -> Option<bool> {
        match &self.rejected {
            Some(rejected) => match rejected.get(&row.id) {
                None => Some(true),
                Some(reason) => reason.is_of_all_servers().then_some(false),
            },
            None => match row.status {
                EntryStatus::Unverified => (self.end == End::Aborted).then_some(false),
                EntryStatus::Accepted => Some(true),
                EntryStatus::Rejected(_) => Some(false),
            },
        }
    }
}

/// What the agreed set of a study without a result leaves out; none: there is no such set.
async fn agreed(
    node: &Node,
    study: StudyId,
) -> Result<Option<BTreeMap<SubmissionId, Reason>>, RpcError> {
    let Some(rejected) = node.storage.rejected(study).await? else { return Ok(None) };
    let known = |(id, code)| Reason::from_code(code).map(|reason| (id, reason));
    let damaged = StorageError::Damaged("a submission is rejected for no known reason");
    let rejected = rejected.into_iter().map(known).collect::<Option<_>>().ok_or(damaged)?;
    Ok(Some(rejected))
}

/// Gathers frames into parts and hands these over.
struct Writer {
    parts: Sender<Result<v1::RecordPart, Status>>,
    buffer: Vec<u8>,
    /// How long a reader may take nothing.
    stall: Duration,
}

impl Writer {
    async fn put(&mut self, section: Section, message: &[u8]) -> Result<(), Stop> {
        for (head, bytes) in record::frames(section, message) {
            self.buffer.extend_from_slice(&head);
            self.buffer.extend_from_slice(bytes);
            if self.buffer.len() >= PART {
                self.flush(false).await?;
            }
        }
        Ok(())
    }

    async fn flush(&mut self, last: bool) -> Result<(), Stop> {
        let frames = std::mem::take(&mut self.buffer).into();
        let part = self.parts.send(Ok(v1::RecordPart { frames, last }));
        match tokio::time::timeout(self.stall, part).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Stop::Reader),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_reader_that_takes_nothing_is_cut_off_with_one_part_waiting() {
        let (parts, mut stream) = mpsc::channel(1);
        let mut writer = Writer { parts, buffer: Vec::new(), stall: Duration::from_millis(20) };
        let message = vec![7; 10 * PART];
        assert!(matches!(writer.put(Section::Transcript, &message).await, Err(Stop::Reader)));
        drop(writer);
        let mut waiting = 0;
        while let Some(part) = stream.recv().await {
            waiting += part.unwrap().frames.len();
        }
        assert!(waiting <= PART + record::FRAME_HEAD, "{waiting} bytes waited");
    }

    #[tokio::test]
    async fn parts_hold_whole_frames_and_the_last_one_says_so() {
        let (parts, mut stream) = mpsc::channel(1);
        let mut writer = Writer { parts, buffer: Vec::new(), stall: STALL };
        let message = vec![7; PART + 100];
        let mut expected = Vec::new();
        record::put(&mut expected, Section::Transcript, &message);
        record::put(&mut expected, Section::Submission, b"x");
        tokio::spawn(async move {
            assert!(writer.put(Section::Transcript, &message).await.is_ok());
            assert!(writer.put(Section::Submission, b"x").await.is_ok());
            assert!(writer.flush(true).await.is_ok());
        });
        let (mut received, mut lasts) = (Vec::new(), Vec::new());
        while let Some(part) = stream.recv().await {
            let part = part.unwrap();
            received.extend_from_slice(&part.frames);
            lasts.push(part.last);
        }
        assert!(received == expected);
        assert_eq!(lasts, [false, true]);
    }
}
