//! Text is read in blocks of whole records.

use std::io::{self, Read};

use memchr::{memchr, memchr_iter, memrchr};

use super::head::{Block, Failure};
use super::records::{Form, Records};
use crate::data::problem::TableProblem;

/// Bytes that one thread reads at a time, or as many lines if they are long: each piece has columns of its own.
const BLOCK: usize = 1 << 20;
const LINES: usize = 32;
const LARGEST_BLOCK: usize = 1 << 26;

/// Blocks that follow each other, and what went wrong behind them.
pub(super) struct Group {
    pub(super) blocks: Vec<Block>,
    pub(super) failure: Option<Failure>,
}

/// Cuts text into blocks of whole records.
pub(super) struct Blocks<R> {
    reader: R,
    form: Form,
    line: u64,
    /// Text behind the last whole record.
    rest: Vec<u8>,
    /// Memory of blocks that were read.
    pub(super) spare: Vec<Vec<u8>>,
    ended: bool,
    /// Bytes of a block.
    size: usize,
}

impl<R: Read> Blocks<R> {
    pub(super) fn new(reader: R, form: Form, line: u64) -> Self {
        Self {
            reader,
            form,
            line,
            rest: Vec::new(),
            spare: Vec::new(),
            ended: false,
            size: BLOCK,
        }
    }

    /// Of lines of about so many bytes, a block takes several.
    pub(super) fn expect_lines_of(&mut self, bytes: usize) {
        self.size = (LINES * bytes).clamp(BLOCK, LARGEST_BLOCK);
    }

    pub(super) fn skip(&mut self, bytes: usize) -> io::Result<()> {
        let skipped = self.reader.by_ref().take(bytes as u64);
        io::copy(&mut { skipped }, &mut io::sink()).map(|_| ())
    }

    /// As many blocks as keep the threads busy; none behind the last.
    pub(super) fn group(&mut self) -> Group {
        let mut blocks = Vec::new();
        let mut failure = None;
        while blocks.len() < 2 * rayon::current_num_threads() {
            match self.next() {
                Ok(Some(block)) => blocks.push(block),
                Ok(None) => break,
                Err(error) => {
                    failure = Some(error);
                    self.ended = true;
                    self.rest.clear();
                    break;
                }
            }
        }
        Group { blocks, failure }
    }

    pub(super) fn next(&mut self) -> Result<Option<Block>, Failure> {
        loop {
            if self.ended && self.rest.is_empty() {
                return Ok(None);
            }
            if !self.ended {
                let wanted = self.rest.len().max(self.size) as u64;
                let read = self
                    .reader
                    .by_ref()
                    .take(wanted)
                    .read_to_end(&mut self.rest)?;
                self.ended = (read as u64) < wanted;
            }
            let end = if self.ended {
                Some(self.rest.len())
            } else {
                self.whole_records()
            };
            let Some(end) = end else {
                // One record is longer than all that was read.
                continue;
            };
            let mut rest = self.spare.pop().unwrap_or_default();
            rest.clear();
            rest.extend_from_slice(&self.rest[end..]);
            self.rest.truncate(end);
            let bytes = std::mem::replace(&mut self.rest, rest);
            let line = self.line;
            self.line += memchr_iter(self.form.newline, &bytes).count() as u64;
            return Ok(Some(Block { bytes, line }));
        }
    }

    /// Where the last whole record ends.
    fn whole_records(&self) -> Option<usize> {
        let bytes = &self.rest;
        if memchr(b'"', bytes).is_none() {
            // A CR at the very end may be half of a line end.
            let end = memrchr(self.form.newline, bytes)?;
            return (self.form.newline == b'\n' || end + 1 < bytes.len()).then_some(end + 1);
        }
        let mut records = Records::new(bytes, self.form, 1);
        let mut end = None;
        // A problem is told when the records before it have been read.
        loop {
            match records.next() {
                Ok(Some(_)) if records.is_complete() && records.position() < bytes.len() => {
                    end = Some(records.position());
                }
                Err(TableProblem::BehindQuote { .. }) => return Some(bytes.len()),
                Ok(_) | Err(_) => return end,
            }
        }
    }
}
