//! The file into which a record is downloaded: what is whole of it stays when a download breaks off.

use std::{
    ffi::OsString,
    fs::{self, File, TryLockError},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use mpc::{
    ids::SubmissionId,
    record::{self, Assembler, Cursor, FRAME_HEAD, FrameHead, Head, MAX_FRAME, Section},
    wire::WireError,
};
use sha2::{Digest as _, Sha256};

use super::BundleError;

/// Bytes of a submission's message up to its id and with it: whether it is counted, version, number
/// of servers, study, id.
const UP_TO_ID: usize = 1 + 2 + 32 + 16;

/// A record on its way into a file.
pub(super) struct Partial {
    target: PathBuf,
    path: PathBuf,
    file: File,
    whole: Whole,
    /// Servers that sent it, as a file beside it remembers.
    sources: Vec<String>,
}

/// What is whole of a record: everything up to the end of a message.
#[derive(Clone)]
struct Whole {
    len: u64,
    hasher: Sha256,
    assembler: Assembler,
    cursor: Option<Cursor>,
    head: Option<Head>,
}

/// Follows frames as they come.
struct Follower {
    whole: Whole,
    /// As far as the frames of a message that is not whole yet go.
    hasher: Sha256,
    assembler: Assembler,
    len: u64,
    start: Vec<u8>,
}

impl Partial {
    /// Opens `FILE.part`, with what an earlier run left there of the same study; of other things
    /// nothing is left.
    pub(super) fn open(target: &Path, study: mpc::ids::StudyId) -> Result<Self, BundleError> {
        let mut name = target.as_os_str().to_owned();
        name.push(OsString::from(".part"));
        let path = PathBuf::from(name);
        let failed = |source| BundleError::Io { file: path.clone(), source };
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(BundleError::InUse { file: path }),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let whole = scan(&file).map_err(failed)?;
        let sources = match fs::read_to_string(sources_file(&path)) {
            Ok(text) => text.lines().map(str::to_owned).collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(source) => return Err(failed(source)),
        };
        let mut partial =
            Self { target: target.to_owned(), path: path.clone(), file, whole, sources };
        // Whose bytes they are must be known.
        let is_known = !partial.sources.is_empty();
        match is_known && partial.whole.head.is_some_and(|head| head.study == study) {
            true => partial.cut()?,
            false => partial.restart()?,
        }
        Ok(partial)
    }

    /// The file's bytes so far.
    pub(super) fn len(&self) -> u64 {
        self.whole.len
    }

    /// Behind which message the download goes on.
    pub(super) fn cursor(&self) -> Option<Cursor> {
        self.whole.cursor
    }

    /// The head, once it is there.
    pub(super) fn head(&self) -> Option<Head> {
        self.whole.head
    }

    /// Servers that sent what there is.
    pub(super) fn sources(&self) -> &[String] {
        &self.sources
    }

    /// Forgets everything.
    pub(super) fn restart(&mut self) -> Result<(), BundleError> {
        self.whole = Whole::default();
        self.sources.clear();
        self.cut()
    }

    /// Forgets what is not whole: the next part begins behind the last whole message.
    pub(super) fn cut(&mut self) -> Result<(), BundleError> {
        let cut = self.file.set_len(self.whole.len);
        let cut = cut.and_then(|()| self.file.seek(SeekFrom::Start(self.whole.len)));
        cut.map(drop).map_err(|source| self.failed(source))
    }

    /// Takes frames that follow; refuses what cannot follow, so that nobody fills the disk with
    /// something else.
    pub(super) fn append(
        &mut self,
        server: &str,
        follower: &mut Frames,
        bytes: &[u8],
    ) -> Result<(), Refusal> {
        follower.0.take(bytes)?;
        self.note(server).map_err(|source| Refusal::File(self.failed(source)))?;
        self.file.write_all(bytes).map_err(|source| Refusal::File(self.failed(source)))?;
        self.whole = follower.0.whole.clone();
        Ok(())
    }

    /// Starts following frames behind what is whole.
    pub(super) fn frames(&self) -> Frames {
        Frames(Follower::behind(self.whole.clone()))
    }

    /// Remembers that a server's bytes follow, before they do.
    fn note(&mut self, server: &str) -> io::Result<()> {
        if self.sources.last().is_some_and(|last| last == server) {
            return Ok(());
        }
        self.sources.retain(|source| source != server);
        self.sources.push(server.to_owned());
        fs::write(sources_file(&self.path), self.sources.join("\n"))
    }

    /// Ends the file with its checksum and gives it its name; returns who sent it.
    pub(super) fn finish(mut self) -> Result<Vec<String>, BundleError> {
        let mut sum = Vec::new();
        let hash: [u8; 32] = self.whole.hasher.clone().finalize().into();
        record::put(&mut sum, Section::Sum, &hash);
        let finish = |file: &mut File| {
            file.write_all(&sum)?;
            file.sync_all()?;
            fs::rename(&self.path, &self.target)?;
            let dir = self.target.parent().filter(|dir| !dir.as_os_str().is_empty());
            File::open(dir.unwrap_or(Path::new("."))).and_then(|dir| dir.sync_all())
        };
        let finished = finish(&mut self.file);
        finished.map_err(|source| self.failed(source))?;
        // What is left of it harms nobody: it is of a file that is no more.
        let _ = fs::remove_file(sources_file(&self.path));
        Ok(self.sources)
    }

    fn failed(&self, source: io::Error) -> BundleError {
        BundleError::Io { file: self.path.clone(), source }
    }
}

/// Where it is remembered who sent a file's bytes: `FILE.part.from`.
fn sources_file(part: &Path) -> PathBuf {
    let mut name = part.as_os_str().to_owned();
    name.push(".from");
    PathBuf::from(name)
}

/// The frames of one stream.
pub(super) struct Frames(Follower);

impl Frames {
    /// Whether the last message is whole.
    pub(super) fn is_whole(&self) -> bool {
        self.0.assembler.is_whole()
    }
}

/// Why frames are not taken.
pub(super) enum Refusal {
    /// They cannot follow.
    Frames(WireError),
    /// The file.
    File(BundleError),
}

impl From<WireError> for Refusal {
    fn from(error: WireError) -> Self {
        Self::Frames(error)
    }
}

impl Default for Whole {
    fn default() -> Self {
        let (hasher, assembler) = (Sha256::new(), Assembler::default());
        Self { len: 0, hasher, assembler, cursor: None, head: None }
    }
}

impl Follower {
    fn behind(whole: Whole) -> Self {
        let (hasher, assembler, len) = (whole.hasher.clone(), whole.assembler.clone(), whole.len);
        Self { whole, hasher, assembler, len, start: Vec::new() }
    }

    /// Follows whole frames.
    fn take(&mut self, mut bytes: &[u8]) -> Result<(), WireError> {
        while !bytes.is_empty() {
            let (head, rest) = bytes.split_first_chunk().ok_or(WireError::Short)?;
            let frame = FrameHead::decode(head)?;
            let (body, rest) = rest.split_at_checked(frame.len).ok_or(WireError::Short)?;
            self.frame(head, frame, body)?;
            bytes = rest;
        }
        Ok(())
    }

    fn frame(
        &mut self,
        head: &[u8; FRAME_HEAD],
        frame: FrameHead,
        body: &[u8],
    ) -> Result<(), WireError> {
        if frame.section == Section::Sum {
            return Err(WireError::Range("section of frame"));
        }
        let is_last = self.assembler.frame(frame)?;
        self.hasher.update(head);
        self.hasher.update(body);
        self.len += (FRAME_HEAD + body.len()) as u64;
        let room = UP_TO_ID - self.start.len();
        self.start.extend_from_slice(body.get(..room).unwrap_or(body));
        if !is_last {
            return Ok(());
        }
        let count = self.assembler.count();
        if frame.section == Section::Head {
            self.whole.head = Some(Head::decode(&self.start)?);
        }
        let submission = match frame.section {
            Section::Submission => Some(id_of(&self.start).ok_or(WireError::Short)?),
            _ => None,
        };
        self.start.clear();
        self.whole.cursor = Some(Cursor { section: frame.section, count, submission });
        self.whole.hasher = self.hasher.clone();
        self.whole.assembler = self.assembler.clone();
        self.whole.len = self.len;
        Ok(())
    }
}

/// How many of these bytes a download would keep: up to the end of the last whole message, if all of
/// them can follow each other.
#[cfg(feature = "testing")]
pub fn follow(bytes: &[u8]) -> Option<usize> {
    let mut follower = Follower::behind(Whole::default());
    follower.take(bytes).ok()?;
    usize::try_from(follower.whole.len).ok()
}

fn id_of(message: &[u8]) -> Option<SubmissionId> {
    message.get(UP_TO_ID - 16..).and_then(|id| SubmissionId::try_from(id).ok())
}

/// What of a file is whole. A file that is something else has nothing that is.
fn scan(mut file: &File) -> io::Result<Whole> {
    let mut follower = Follower::behind(Whole::default());
    let mut reader = io::BufReader::with_capacity(MAX_FRAME, &mut file);
    let mut frame = vec![0; FRAME_HEAD + MAX_FRAME];
    while let Some(head) = frame.first_chunk_mut() {
        if !filled(reader.read_exact(head))? {
            break;
        }
        let (Ok(FrameHead { len, .. }), Some(body)) =
            (FrameHead::decode(head), frame.get_mut(FRAME_HEAD..))
        else {
            break;
        };
        // A frame has MAX_FRAME bytes at most.
        if !filled(reader.read_exact(&mut body[..len]))? {
            break;
        }
        if follower.take(&frame[..FRAME_HEAD + len]).is_err() {
            break;
        }
    }
    Ok(follower.whole)
}

fn filled(read: io::Result<()>) -> io::Result<bool> {
    match read {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
