//! Record: everything public about an ended study, as one stream of bytes that anybody can check.
//!
//! The stream is a list of messages, grouped into sections in the order of [`Section`]. It is the
//! same from every server that took part in the run that published the study, so that a download
//! which broke off goes on at any of them, behind the last message that is whole: that is what a
//! [`Cursor`] names.
//!
//! # Security
//! What is in it is public. A public part tells nothing of its records: its commitments hide what
//! they commit to perfectly, since their blindings are uniform and never leave the payloads; a hash
//! of a payload is over that blinding, 32 bytes that nobody else has, so that no guess of the rest
//! can be tried; Prio3's joint randomness parts are hashes under blinds of 32 bytes of the same kind.
//! The sums of the blindings that a publication opens are uniform, too, given all but one of their
//! terms. What is left is who submitted how many records in which submission, and what was counted.
//!
//! # Format
//! A frame is kind (1) ‖ length (4) ‖ bytes; at most [`MAX_FRAME`] bytes. The kind is the code of a
//! section; its highest bit says that the message goes on in the next frame, which then has the
//! same section. A frame that goes on is full, so that every record has one encoding.

use crate::{
    ids::{StudyId, SubmissionId},
    wire::{Reader, WireError},
};

/// The most bytes of one frame, without its head.
pub const MAX_FRAME: usize = 256 << 10;

/// Bytes before those of a frame.
pub const FRAME_HEAD: usize = 5;

/// The bit of a frame's kind that says that its message goes on.
const MORE: u8 = 0x80;

/// The beginning of a record.
const MAGIC: &[u8; 12] = b"sotto/record";

/// The version of the format.
const VERSION: u8 = 1;

/// What a message of a record is. The codes are written: never reuse one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Section {
    /// A [`Head`], once.
    Head = 1,
    /// The study's canonical encoding, once.
    Study = 2,
    /// The transcript of the run that ended the study: first its head, then every message.
    Transcript = 3,
    /// The published result, if there is one.
    Published = 4,
    /// An amendment that the set was made with, in their order.
    Amendment = 5,
    /// A submission: 1 if it is counted, else 0 ‖ its public part. By id.
    Submission = 6,
    /// SHA-256 over all bytes before: written by whoever stores a record, never sent.
    Sum = 7,
}

impl Section {
    /// Every section, in their order.
    pub const ALL: [Self; 7] = [
        Self::Head,
        Self::Study,
        Self::Transcript,
        Self::Published,
        Self::Amendment,
        Self::Submission,
        Self::Sum,
    ];

    /// The section of a code.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|section| *section as u8 == code)
    }

    /// The most bytes that a message of the section may have.
    pub fn max_message(self) -> usize {
        match self {
            Self::Head => Head::BYTES,
            Self::Study => 1 << 20,
            // A list of a million submissions has 53 MB, and amendments may come with it.
            Self::Transcript => 256 << 20,
            Self::Published => 64 << 20,
            Self::Amendment => 4 << 20,
            Self::Submission => 4 << 10,
            Self::Sum => 32,
        }
    }

    /// The most bytes that all messages of the section may have together.
    pub fn max_total(self) -> u64 {
        match self {
            // Who audits holds the whole transcript.
            Self::Transcript => 1 << 30,
            Self::Amendment => 16 << 20,
            // A study has a million submissions at most, below 1 KiB each.
            Self::Submission => 2 << 30,
            Self::Head | Self::Study | Self::Published | Self::Sum => u64::MAX,
        }
    }

    /// Whether a record has one message of the section at most.
    pub fn is_single(self) -> bool {
        !matches!(self, Self::Transcript | Self::Amendment | Self::Submission)
    }
}

/// How a study ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum End {
    /// With a result.
    Published = 5,
    /// A rule of the study forbade a result.
    Refused = 6,
    /// A server broke the protocol.
    Aborted = 7,
}

impl End {
    /// The end of a code.
    pub fn from_code(code: u8) -> Option<Self> {
        [Self::Published, Self::Refused, Self::Aborted].into_iter().find(|end| *end as u8 == code)
    }
}

/// The first message of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The study.
    pub study: StudyId,
    /// How it ended at the server that the record is from.
    pub end: End,
}

impl Head {
    /// Bytes of the encoding.
    pub const BYTES: usize = 12 + 1 + 1 + 32;

    /// "sotto/record" ‖ version (1) ‖ end (1) ‖ study (32).
    pub fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&[VERSION, self.end as u8]);
        out.extend_from_slice(&self.study.0);
        out
    }

    /// The inverse of [`Head::encode`].
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes);
        if reader.array()? != *MAGIC {
            return Err(WireError::Range("magic"));
        }
        if reader.u8()? != VERSION {
            return Err(WireError::Range("version"));
        }
        let end = End::from_code(reader.u8()?).ok_or(WireError::Range("end"))?;
        let study = StudyId(reader.array()?);
        reader.finish()?;
        Ok(Self { study, end })
    }
}

/// A place in a record: behind a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The message's section.
    pub section: Section,
    /// Messages of the section up to there, this one included.
    pub count: u64,
    /// In [`Section::Submission`]: the submission.
    pub submission: Option<SubmissionId>,
}

/// A message's frames: the head of each, and its bytes.
pub fn frames(
    section: Section,
    message: &[u8],
) -> impl Iterator<Item = ([u8; FRAME_HEAD], &[u8])> + use<'_> {
    let last = message.len().div_ceil(MAX_FRAME).max(1) - 1;
    (0..=last).map(move |number| {
        let start = number * MAX_FRAME;
        let bytes = &message[start..message.len().min(start + MAX_FRAME)];
        // At most MAX_FRAME.
        let [a, b, c, d] = (bytes.len() as u32).to_be_bytes();
        let more = if number == last { 0 } else { MORE };
        ([section as u8 | more, a, b, c, d], bytes)
    })
}

/// Appends a message as one or more frames.
pub fn put(out: &mut Vec<u8>, section: Section, message: &[u8]) {
    for (head, bytes) in frames(section, message) {
        out.extend_from_slice(&head);
        out.extend_from_slice(bytes);
    }
}

/// The head of a frame: what message it belongs to, and how many bytes follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHead {
    /// The section.
    pub section: Section,
    /// Whether the message goes on in the next frame.
    pub more: bool,
    /// Bytes of this frame.
    pub len: usize,
}

impl FrameHead {
    /// Reads a head; refuses what [`put`] does not write.
    pub fn decode(bytes: &[u8; FRAME_HEAD]) -> Result<Self, WireError> {
        let [kind, length @ ..] = *bytes;
        let section = Section::from_code(kind & !MORE).ok_or(WireError::Range("kind of frame"))?;
        let more = kind & MORE != 0;
        let len = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if len > MAX_FRAME || (more && len != MAX_FRAME) {
            return Err(WireError::Range("length of frame"));
        }
        Ok(Self { section, more, len })
    }
}

/// Puts frames together again: sections in their order, messages of bounded length.
#[derive(Debug, Clone)]
pub struct Assembler {
    section: Section,
    count: u64,
    is_open: bool,
    len: usize,
    total: u64,
}

impl Default for Assembler {
    fn default() -> Self {
        Self { section: Section::Head, count: 0, is_open: false, len: 0, total: 0 }
    }
}

impl Assembler {
    /// Takes the next frame's head. `Ok(true)`: the frame is the last of its message.
    pub fn frame(&mut self, head: FrameHead) -> Result<bool, WireError> {
        if !self.is_open {
            self.begin(head.section)?;
        } else if head.section != self.section {
            return Err(WireError::Range("section of frame"));
        }
        // No message is empty, and one of whole frames ends with the last of them. So every frame counts,
        // and its head with it.
        if head.len == 0 {
            return Err(WireError::Range("length of frame"));
        }
        self.len += head.len;
        self.total += (FRAME_HEAD + head.len) as u64;
        if self.len > self.section.max_message() {
            return Err(WireError::Range("length of message"));
        }
        if self.total > self.section.max_total() {
            return Err(WireError::Range("length of section"));
        }
        self.is_open = head.more;
        Ok(!head.more)
    }

    /// Messages of the section that the last frame belongs to, that one included.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Whether the last message is whole.
    pub fn is_whole(&self) -> bool {
        !self.is_open
    }

    fn begin(&mut self, section: Section) -> Result<(), WireError> {
        let is_first = self.count == 0;
        let fits = match section.cmp(&self.section) {
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Equal => is_first || !section.is_single(),
            // Head and study are always there.
            std::cmp::Ordering::Greater => {
                !is_first && (self.section > Section::Head || section == Section::Study)
            }
        };
        if !fits {
            return Err(WireError::Range("order of sections"));
        }
        if section != self.section {
            (self.section, self.count, self.total) = (section, 0, 0);
        }
        self.count += 1;
        self.len = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All messages of a record's bytes.
    fn read(mut bytes: &[u8]) -> Result<Vec<(Section, Vec<u8>)>, WireError> {
        let mut assembler = Assembler::default();
        let (mut messages, mut message) = (Vec::new(), Vec::new());
        while let Some((head, rest)) = bytes.split_first_chunk() {
            let head = FrameHead::decode(head)?;
            let is_last = assembler.frame(head)?;
            let (body, rest) = rest.split_at_checked(head.len).ok_or(WireError::Short)?;
            message.extend_from_slice(body);
            if is_last {
                messages.push((head.section, std::mem::take(&mut message)));
            }
            bytes = rest;
        }
        Ok(messages)
    }

    fn write(messages: &[(Section, Vec<u8>)]) -> Vec<u8> {
        let mut out = Vec::new();
        messages.iter().for_each(|(section, message)| put(&mut out, *section, message));
        out
    }

    #[test]
    fn messages_of_any_length_come_back_in_their_one_encoding() {
        let head = (Section::Head, vec![1; Head::BYTES]);
        for len in [1, 2, MAX_FRAME - 1, MAX_FRAME, MAX_FRAME + 1, 2 * MAX_FRAME, 3 * MAX_FRAME - 1]
        {
            let messages = vec![
                head.clone(),
                (Section::Study, vec![6]),
                (Section::Transcript, vec![7; len]),
                (Section::Transcript, vec![8; 3]),
                (Section::Submission, vec![9; 3]),
            ];
            assert_eq!(read(&write(&messages)), Ok(messages), "{len}");
        }
    }

    #[test]
    fn a_message_without_bytes_is_refused_so_that_every_frame_counts() {
        let head = (Section::Head, vec![1; Head::BYTES]);
        let empty = (Section::Transcript, Vec::new());
        let messages = vec![head, (Section::Study, vec![6]), empty];
        assert!(read(&write(&messages)).is_err());
    }

    #[test]
    fn sections_out_of_order_or_twice_are_refused() {
        use Section::{Amendment, Head, Published, Study, Submission, Transcript};
        let read = |sections: &[Section]| {
            read(&write(&sections.iter().map(|section| (*section, vec![0])).collect::<Vec<_>>()))
        };
        assert!(read(&[Head, Study, Transcript, Transcript, Published, Submission]).is_ok());
        for sections in [
            &[Study][..],
            &[Head, Transcript],
            &[Head, Head],
            &[Head, Study, Study],
            &[Head, Study, Published, Published],
            &[Head, Study, Published, Transcript],
            &[Head, Study, Submission, Amendment],
        ] {
            assert_eq!(read(sections), Err(WireError::Range("order of sections")), "{sections:?}");
        }
    }

    #[test]
    fn a_message_that_is_too_long_or_split_otherwise_is_refused() {
        let mut bytes = write(&[(Section::Head, vec![0]), (Section::Study, vec![0])]);
        let start = bytes.len();
        put(&mut bytes, Section::Submission, &[0; (4 << 10) + 1]);
        assert_eq!(read(&bytes), Err(WireError::Range("length of message")));
        bytes.truncate(start);
        bytes.extend_from_slice(&[Section::Submission as u8 | MORE, 0, 0, 0, 1, 5]);
        assert_eq!(read(&bytes), Err(WireError::Range("length of frame")));
        bytes.truncate(start);
        put(&mut bytes, Section::Transcript, &[0; MAX_FRAME + 1]);
        let second = start + FRAME_HEAD + MAX_FRAME;
        bytes[second] = Section::Submission as u8;
        assert_eq!(read(&bytes), Err(WireError::Range("section of frame")));
        bytes.truncate(second);
        bytes.extend_from_slice(&[Section::Transcript as u8, 0, 0, 0, 0]);
        assert_eq!(read(&bytes), Err(WireError::Range("length of frame")));
    }

    #[test]
    fn a_head_of_another_version_or_program_is_refused() {
        let head = Head { study: StudyId([3; 32]), end: End::Aborted };
        let bytes = head.encode();
        assert_eq!(bytes.len(), Head::BYTES);
        assert_eq!(Head::decode(&bytes), Ok(head));
        for place in 0..14 {
            let mut changed = bytes.clone();
            changed[place] ^= 0x40;
            assert!(Head::decode(&changed).is_err(), "byte {place}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_of_any_bytes_is_what_they_are_written_from(
            bytes in prop::collection::vec(0u8..9, 0..200),
        ) {
            if let Ok(messages) = read(&bytes) {
                let written = write(&messages);
                prop_assert!(bytes.starts_with(&written));
            }
        }
    }
}
