//! Lines: the rows of a CSV file as fields, with bounded memory and exact line numbers.

use std::io::{self, Read};

use csv_core::ReadRecordResult;
use zeroize::Zeroize;

use super::problem::TableError;

/// Bytes of one row at most.
pub(super) const ROW_BYTES: usize = 1 << 20;

const BUFFER_BYTES: usize = 1 << 16;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A CSV file that is being read row by row.
pub(super) struct Lines<R> {
    input: R,
    parser: csv_core::Reader,
    buffer: Vec<u8>,
    /// What of the buffer is filled and not yet parsed: start ≤ end ≤ its length, always.
    start: usize,
    end: usize,
    is_started: bool,
    /// The physical line of the next byte, counted from 1.
    line: u64,
    /// Whether the last byte was a carriage return, whose line feed is still to come.
    after_return: bool,
    fields: Vec<u8>,
    ends: Vec<usize>,
}

/// One row.
#[derive(Clone, Copy)]
pub(super) struct Line<'a> {
    /// The physical line on which it starts.
    pub(super) number: u64,
    fields: &'a [u8],
    ends: &'a [usize],
}

/// Why the file cannot be read any further.
#[derive(Debug)]
pub(super) enum Broken {
    Io(io::Error),
    /// The row that starts on this line is longer than [`ROW_BYTES`].
    TooLong(u64),
    /// In the row that starts on this line a quotation mark is never closed.
    Open(u64),
}

impl<R: Read> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            parser: csv_core::Reader::new(),
            buffer: vec![0; BUFFER_BYTES],
            start: 0,
            end: 0,
            is_started: false,
            line: 1,
            after_return: false,
            fields: vec![0; 1 << 10],
            ends: vec![0; 1 << 6],
        }
    }

    /// The next row that is not empty; none at the end of the file.
    pub(super) fn next(&mut self) -> Result<Option<Line<'_>>, Broken> {
        self.skip_empty_lines().map_err(Broken::Io)?;
        let number = self.line;
        let (mut bytes, mut fields, mut ends) = (0, 0, 0);
        loop {
            if self.start == self.end {
                self.fill().map_err(Broken::Io)?;
            }
            let is_over = self.start == self.end;
            if is_over && bytes == 0 {
                return Ok(None);
            }
            // Where the file is over its last line is ended, in case that it is not: inside of an
            // open quotation that ends nothing, and the parser asks for more. The parser reads and
            // writes no more than it is given, so that every range here is within its buffer.
            let input = if is_over { b"\n" } else { &self.buffer[self.start..self.end] };
            let (result, read, written, ended) =
                self.parser.read_record(input, &mut self.fields[fields..], &mut self.ends[ends..]);
            if !is_over {
                self.advance(read);
            }
            bytes += read;
            fields += written;
            ends += ended;
            match result {
                ReadRecordResult::InputEmpty if is_over => return Err(Broken::Open(number)),
                ReadRecordResult::End => return Ok(None),
                ReadRecordResult::Record => break,
                _ if bytes > ROW_BYTES => return Err(Broken::TooLong(number)),
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => double(&mut self.fields),
                ReadRecordResult::OutputEndsFull => double(&mut self.ends),
            }
        }
        if bytes > ROW_BYTES {
            return Err(Broken::TooLong(number));
        }
        Ok(Some(Line { number, fields: &self.fields[..fields], ends: &self.ends[..ends] }))
    }

    /// Passes over line ends, so that a row starts on the line of its first byte.
    fn skip_empty_lines(&mut self) -> io::Result<()> {
        if !self.is_started {
            self.is_started = true;
            self.fill()?;
            if self.buffer[..self.end].starts_with(BYTE_ORDER_MARK) {
                self.start = BYTE_ORDER_MARK.len();
            }
        }
        loop {
            if self.start == self.end {
                self.fill()?;
            }
            match self.buffer[self.start..self.end].first() {
                Some(b'\r' | b'\n') => self.advance(1),
                _ => {
                    self.after_return = false;
                    return Ok(());
                }
            }
        }
    }

    /// Fills the empty buffer, at least with the length of a byte order mark, unless the file ends.
    fn fill(&mut self) -> io::Result<()> {
        (self.start, self.end) = (0, 0);
        while self.end < BYTE_ORDER_MARK.len() {
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(0) => break,
                Ok(read) => self.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Moves past bytes of the buffer and counts the lines that they end: at LF, CRLF or CR.
    fn advance(&mut self, count: usize) {
        for &byte in &self.buffer[self.start..self.start + count] {
            let is_second_half = byte == b'\n' && self.after_return;
            self.line += u64::from(matches!(byte, b'\r' | b'\n') && !is_second_half);
            self.after_return = byte == b'\r';
        }
        self.start += count;
    }
}

impl<'a> Line<'a> {
    /// How many fields there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// A field; empty where there is none.
    pub(super) fn field(&self, place: usize) -> &'a [u8] {
        let Some(&end) = self.ends.get(place) else { return &[] };
        let start = place.checked_sub(1).and_then(|before| self.ends.get(before));
        self.fields.get(start.copied().unwrap_or(0)..end).unwrap_or_default()
    }

    /// Whether there is a NUL byte, which no text has.
    pub(super) fn has_nul(&self) -> bool {
        self.fields.contains(&0)
    }
}

impl Broken {
    pub(super) fn into_error(self, file: &str) -> TableError {
        let file = file.to_string();
        match self {
            Self::Io(source) => TableError::Io { file, source },
            Self::TooLong(line) => TableError::TooLong { file, line },
            Self::Open(line) => TableError::OpenQuotation { file, line },
        }
    }
}

impl<R> std::fmt::Debug for Lines<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lines").field("line", &self.line).finish_non_exhaustive()
    }
}

impl<R> Drop for Lines<R> {
    fn drop(&mut self) {
        self.buffer.zeroize();
        self.fields.zeroize();
    }
}

fn double<T: Clone + Default>(buffer: &mut Vec<T>) {
    buffer.resize(2 * buffer.len(), T::default());
}
