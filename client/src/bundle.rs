//! Bundle: the public record of an ended study in one file, to be checked without any server.
//!
//! The file is the record as a server sends it ([`mpc::record`]) and, at its end, the SHA-256 of
//! everything before: a file that was cut short or damaged is told from one that lies. It is read
//! message by message, so that memory does not grow with the number of submissions.

use std::{
    fs::File,
    io::{self, BufReader, Read as _},
    path::{Path, PathBuf},
};

use mpc::{
    record::{Assembler, FRAME_HEAD, FrameHead, Head, MAX_FRAME, Section},
    wire::WireError,
};
use sha2::{Digest as _, Sha256};

use crate::error::{Exit, plain};

mod download;
mod partial;

pub use download::{Fetched, Until, download, fetch};
#[cfg(feature = "testing")]
pub use partial::follow;

/// Why a bundle cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// Reading or writing failed.
    #[error("{}: {}", file.display(), plain(.source))]
    Io {
        /// The file.
        file: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file is something else.
    #[error("{}: this is not a bundle: `sotto result ID --bundle FILE` writes one", file.display())]
    NotABundle {
        /// The file.
        file: PathBuf,
    },
    /// The file ends before the record does.
    #[error(
        "{}: the file ends at byte {offset}, before the record does: `sotto result ID --bundle FILE` downloads it again",
        file.display()
    )]
    Short {
        /// The file.
        file: PathBuf,
        /// Its length.
        offset: u64,
    },
    /// The bytes at a place are not what the format says.
    #[error("{}: the file is damaged at byte {offset} ({cause}): download it again", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// Where the message begins.
        offset: u64,
        /// What is wrong.
        cause: WireError,
    },
    /// The bytes are not those that were written.
    #[error("{}: the file is damaged: its checksum is not that of its content; download it again", file.display())]
    Checksum {
        /// The file.
        file: PathBuf,
    },
    /// The bundle is of another study.
    #[error("{}: this is the bundle of study {found}: name another file", file.display())]
    OtherStudy {
        /// The file.
        file: PathBuf,
        /// The study that it is of.
        found: mpc::ids::StudyId,
    },
    /// The file is there already, and a server was named to download it from.
    #[error("{}: this was downloaded earlier: delete it to download it from {server}, or name another file", file.display())]
    Earlier {
        /// The file.
        file: PathBuf,
        /// The server that was named.
        server: String,
    },
    /// Another run writes the file now.
    #[error("{}: another run is downloading into this file: wait until it has finished", file.display())]
    InUse {
        /// The file.
        file: PathBuf,
    },
}

impl BundleError {
    /// The exit code of a command that ends with this error.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Io { .. }
            | Self::OtherStudy { .. }
            | Self::Earlier { .. }
            | Self::InUse { .. } => Exit::Usage,
            Self::NotABundle { .. }
            | Self::Short { .. }
            | Self::Damaged { .. }
            | Self::Checksum { .. } => Exit::InvalidData,
        }
    }
}

/// Reads a bundle, message by message.
pub struct Bundle {
    file: PathBuf,
    source: BufReader<File>,
    assembler: Assembler,
    hasher: Sha256,
    /// Where the message that was read last begins.
    offset: u64,
    /// Bytes read.
    end: u64,
    /// Whether the checksum at the end was read.
    is_done: bool,
    head: Head,
}

impl Bundle {
    /// Opens a bundle and reads its head.
    pub fn open(file: &Path) -> Result<Self, BundleError> {
        let failed = |source| BundleError::Io { file: file.to_owned(), source };
        let opened = File::open(file).map_err(failed)?;
        let not_a_bundle = || BundleError::NotABundle { file: file.to_owned() };
        if !opened.metadata().map_err(failed)?.is_file() {
            return Err(not_a_bundle());
        }
        let mut bundle = Self {
            file: file.to_owned(),
            source: BufReader::with_capacity(MAX_FRAME, opened),
            assembler: Assembler::default(),
            hasher: Sha256::new(),
            offset: 0,
            end: 0,
            is_done: false,
            head: Head { study: mpc::ids::StudyId([0; 32]), end: mpc::record::End::Aborted },
        };
        let mut message = Vec::new();
        match bundle.read(&mut message) {
            Ok(Some(Section::Head)) => {}
            Err(error @ BundleError::Io { .. }) => return Err(error),
            Ok(_) | Err(_) => return Err(not_a_bundle()),
        }
        bundle.head = Head::decode(&message).map_err(|_| not_a_bundle())?;
        Ok(bundle)
    }

    /// Which study it is of, and how it ended.
    pub fn head(&self) -> Head {
        self.head
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Where the message that was read last begins.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Reads the next message into `message`. `None` behind the last one, when the checksum at the
    /// end was that of the content.
    pub fn next(&mut self, message: &mut Vec<u8>) -> Result<Option<Section>, BundleError> {
        if self.is_done {
            return Ok(None);
        }
        let before = self.hasher.clone();
        match self.read(message)? {
            Some(Section::Sum) => {}
            Some(section) => return Ok(Some(section)),
            None => {
                return Err(BundleError::Short { file: self.file.clone(), offset: self.end });
            }
        }
        let sum: [u8; 32] = before.finalize().into();
        if message[..] != sum {
            return Err(BundleError::Checksum { file: self.file.clone() });
        }
        match self.source.read(&mut [0]) {
            Ok(0) => {
                self.is_done = true;
                Ok(None)
            }
            Ok(_) => Err(self.damaged(WireError::Trailing(1))),
            Err(source) => Err(BundleError::Io { file: self.file.clone(), source }),
        }
    }

    /// A fault of the message that was read last.
    pub fn damaged(&self, cause: WireError) -> BundleError {
        BundleError::Damaged { file: self.file.clone(), offset: self.offset, cause }
    }

    /// The next message, `None` at the end of the file.
    fn read(&mut self, message: &mut Vec<u8>) -> Result<Option<Section>, BundleError> {
        message.clear();
        self.offset = self.end;
        loop {
            let mut head = [0; FRAME_HEAD];
            let len = self.fill(&mut head)?;
            if len == 0 && message.is_empty() {
                return Ok(None);
            }
            if len < FRAME_HEAD {
                return Err(BundleError::Short { file: self.file.clone(), offset: self.end });
            }
            let frame = FrameHead::decode(&head).map_err(|cause| self.damaged(cause))?;
            let is_last = self.assembler.frame(frame).map_err(|cause| self.damaged(cause))?;
            let from = message.len();
            message.resize(from + frame.len, 0);
            // `message` was made that long.
            if self.fill(&mut message[from..])? < frame.len {
                return Err(BundleError::Short { file: self.file.clone(), offset: self.end });
            }
            if is_last {
                return Ok(Some(frame.section));
            }
        }
    }

    /// Fills `bytes` as far as the file goes.
    fn fill(&mut self, bytes: &mut [u8]) -> Result<usize, BundleError> {
        let mut filled = 0;
        while filled < bytes.len() {
            match self.source.read(&mut bytes[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(BundleError::Io { file: self.file.clone(), source }),
            }
        }
        self.hasher.update(&bytes[..filled]);
        self.end += filled as u64;
        Ok(filled)
    }
}

#[cfg(test)]
mod tests;
