//! The text of a table: checks what kind of file it is, and its quotes.

use std::collections::VecDeque;
use std::io::{self, Cursor, Read};
use std::path::Path;

use super::TableProblem;
use super::kind::FileKind;
use crate::Error;
use crate::data::source;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// Signatures of files mistaken for tables.
const OTHER_KINDS: [(&[u8], FileKind); 7] = [
    (b"PK\x03\x04", FileKind::Zip),
    (b"PAR1", FileKind::Parquet),
    (b"\x93NUMPY", FileKind::Npy),
    (b"\x00\x00\x08", FileKind::Idx),
    (b"\xff\xfe", FileKind::Utf16),
    (b"\xfe\xff", FileKind::Utf16),
    (b"\x89PNG", FileKind::Png),
];
/// The length of the longest signature.
const START: u64 = 6;

/// An error while reading.
pub(super) enum Failure {
    Read(io::Error),
    Problem(TableProblem),
}

impl Failure {
    pub(super) fn at(self, path: &Path) -> Error {
        let path = path.to_owned();
        match self {
            Self::Read(source) => Error::Read { path, source },
            Self::Problem(problem) => Error::Table {
                path,
                problem: Box::new(problem),
            },
        }
    }
}

impl From<TableProblem> for Failure {
    fn from(problem: TableProblem) -> Self {
        Self::Problem(problem)
    }
}

/// An error of the reader below is a problem of the table, if it is one of ours.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.downcast::<TableProblem>() {
            Ok(problem) => Self::Problem(problem),
            Err(error) => match error.downcast::<source::Damaged>() {
                Ok(damaged) => Self::Problem(TableProblem::Gzip {
                    source: damaged.source,
                }),
                Err(error) => Self::Read(error),
            },
        }
    }
}

impl From<csv::Error> for Failure {
    fn from(error: csv::Error) -> Self {
        match error.into_kind() {
            csv::ErrorKind::Io(error) => error.into(),
            other => Self::Read(io::Error::other(format!("{other:?}"))),
        }
    }
}

/// The text of a file, without byte order mark.
pub(super) fn open(path: &Path) -> Result<Box<dyn Read>, Failure> {
    text(source::open(path)?)
}

/// The same for the bytes of a file.
pub(super) fn plain(file: impl Read + 'static) -> Result<Box<dyn Read>, Failure> {
    text(source::unpacked(file)?)
}

fn text(mut file: Box<dyn Read>) -> Result<Box<dyn Read>, Failure> {
    let mut start = Vec::new();
    file.by_ref().take(START).read_to_end(&mut start)?;
    if let Some(&(_, found)) = OTHER_KINDS.iter().find(|(kind, _)| start.starts_with(kind)) {
        return Err(TableProblem::Kind { found }.into());
    }
    if start.starts_with(BYTE_ORDER_MARK) {
        start.drain(..BYTE_ORDER_MARK.len());
    }
    Ok(Box::new(Cursor::new(start).chain(file)))
}

/// Passes text through, records where each record begins, and fails on unbalanced quotes:
/// the parser would otherwise take the rest of the file for one cell.
pub(super) struct Quotes<R> {
    inner: R,
    separator: u8,
    state: State,
    line: u64,
    opened: u64,
    starts: VecDeque<u64>,
    /// Held until the text before it is passed on, so that the first problem is reported.
    problem: Option<TableProblem>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    RecordStart,
    CellStart,
    Plain,
    Quoted,
    Closed,
}

impl<R: Read> Quotes<R> {
    pub(super) fn new(inner: R, separator: u8) -> Self {
        Self {
            inner,
            separator,
            state: State::RecordStart,
            line: 1,
            opened: 1,
            starts: VecDeque::new(),
            problem: None,
        }
    }

    /// The line where the next record begins; call once per record.
    pub(super) fn next_start(&mut self) -> u64 {
        self.starts.pop_front().unwrap_or(self.line)
    }

    fn pass(&mut self, byte: u8) -> Result<(), TableProblem> {
        if self.state == State::RecordStart && !matches!(byte, b'\r' | b'\n') {
            self.starts.push_back(self.line);
        }
        self.state = match (self.state, byte) {
            (State::RecordStart | State::CellStart, b'"') => {
                self.opened = self.line;
                State::Quoted
            }
            // A quote inside quotes closes them, or is the first of two that stand for one.
            (State::Quoted, b'"') => State::Closed,
            (State::Closed, b'"') | (State::Quoted, _) => State::Quoted,
            (_, b'\r' | b'\n') => State::RecordStart,
            (_, byte) if byte == self.separator => State::CellStart,
            (State::Closed, byte) => {
                return Err(TableProblem::BehindQuote {
                    line: self.line,
                    opened: self.opened,
                    found: char::from(byte),
                });
            }
            _ => State::Plain,
        };
        self.line += u64::from(byte == b'\n');
        Ok(())
    }
}

impl<R: Read> Read for Quotes<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let failure = |problem| Err(io::Error::new(io::ErrorKind::InvalidData, problem));
        if let Some(problem) = self.problem.take() {
            return failure(problem);
        }
        let length = self.inner.read(buffer)?;
        if length == 0 && !buffer.is_empty() && self.state == State::Quoted {
            self.state = State::RecordStart;
            return failure(TableProblem::UnclosedQuote { line: self.opened });
        }
        for (index, &byte) in buffer[..length].iter().enumerate() {
            if let Err(problem) = self.pass(byte) {
                if index == 0 {
                    return failure(problem);
                }
                self.problem = Some(problem);
                return Ok(index);
            }
        }
        Ok(length)
    }
}
