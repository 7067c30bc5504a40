//! Tables as text: CSV, TSV and their kin, with or without a line of column names.

mod dialect;
mod head;
mod plain;
mod records;
mod rewritten;
mod utf16;

use std::io::{self, Read};
use std::path::Path;

use memchr::{memchr, memchr_iter, memrchr};
use rayon::prelude::*;

use super::file::{Format, Opened, Start};
use crate::Error;
use crate::data::cell::Decimal;
use crate::data::cells::Cells;
use crate::data::header::{Assigned, Header, Role};
use crate::data::problem::{Place, TableProblem};
use crate::data::source::Source;
use crate::data::table::{ReadNote, Table, TableColumns};
use dialect::Dialect;
use head::{Block, Failure, names};
use plain::Plain;
use records::{Form, Records};
pub(super) use rewritten::cells;
use rewritten::rewrite;

pub(super) const FORMAT: Format = Format {
    name: "text with columns (CSV, TSV)",
    is: |start| start.is_text() || utf16::is(start.bytes),
    read,
    rewrite: Some(rewrite),
    columns: true,
};

/// Bytes that one thread reads at a time, or as many lines if they are long: each piece has columns of its own.
const BLOCK: usize = 1 << 20;
const LINES: usize = 32;
const LARGEST_BLOCK: usize = 1 << 26;
/// Memory of a column without cells, with its name, about.
const COLUMN: u64 = 512;

fn read(opened: Opened<'_>) -> Result<Table, Error> {
    let (path, wanted) = (opened.path, opened.wanted);
    let source = match utf16::decoded(opened.source) {
        Ok(source) => source,
        Err(error) => return Err(Error::reading(path, error)),
    };
    let start = Start {
        bytes: source.start(),
        whole: source.is_short(),
    };
    let dialect = Dialect::of(start.bytes, start.whole, path, wanted);
    parse(source, dialect, path, wanted).map_err(|failure| match failure {
        Failure::Read(error) => Error::reading(path, error),
        Failure::Problem(problem) => problem.at(path),
    })
}

fn parse(
    source: Source,
    dialect: Dialect,
    path: &Path,
    wanted: &TableColumns,
) -> Result<Table, Failure> {
    let room = source.room();
    let mut blocks = Blocks::new(source.into_reader(), dialect.form, dialect.line);
    blocks.skip(dialect.skip)?;
    let Some(mut first) = blocks.next()? else {
        return Err(TableProblem::Empty.into());
    };
    let start = memchr(dialect.form.newline, &first.bytes).unwrap_or(first.bytes.len());
    blocks.size = (LINES * start).clamp(BLOCK, LARGEST_BLOCK);
    let separators = memchr_iter(dialect.form.separator, &first.bytes[..start]).count();
    room.ask(COLUMN * separators as u64)
        .map_err(TableProblem::from)?;
    let (header, length, line) = names(&first, dialect)?;
    first.bytes.drain(..length);
    first.line = line;
    let assigned = header.assign(wanted)?;
    let parser = Parser {
        dialect,
        path,
        wanted,
        header: &header,
        assigned: &assigned,
    };
    let mut cells = Cells::new(path, &assigned, wanted);
    let mut group = Group {
        blocks: vec![first],
        failure: None,
    };
    let mut parsed = Vec::new();
    loop {
        // While a group is parsed on all threads, the one before it is put together and the next one is read.
        let parse = || -> Vec<_> {
            let blocks = group.blocks.par_iter();
            blocks.map(|block| parser.cells(block)).collect()
        };
        let before = std::mem::take(&mut parsed);
        let (merged, (now, next)) = rayon::join(
            || merge(&mut cells, before),
            || rayon::join(parse, || blocks.group()),
        );
        // What comes first in the file is told first.
        merged?;
        parsed = now;
        blocks
            .spare
            .extend(group.blocks.drain(..).map(|block| block.bytes));
        let failure = group.failure.take();
        group = next;
        if failure.is_some() || (group.blocks.is_empty() && group.failure.is_none()) {
            merge(&mut cells, std::mem::take(&mut parsed))?;
            match failure {
                Some(failure) => return Err(failure),
                None => break,
            }
        }
    }
    if cells.rows == 0 {
        return Err(TableProblem::NoRows.into());
    }
    let mut table = cells.into_table(path, dialect.words(), header, assigned);
    if !dialect.header && wanted.text.header.is_none() {
        table.notes.push(ReadNote {
            kind: "no_header",
            column: None,
            count: 1,
            message: "the first line has no names of columns, so that the columns are called \"0\", \"1\", …".to_owned(),
        });
    }
    Ok(table)
}

/// Adds parsed blocks in their order.
fn merge(cells: &mut Cells, parsed: Vec<Result<Cells, TableProblem>>) -> Result<(), TableProblem> {
    for part in parsed {
        let part = part.map_err(|problem| problem.later(cells.rows))?;
        cells.append(&part);
    }
    Ok(())
}

/// Makes cells of blocks of text.
struct Parser<'a> {
    dialect: Dialect,
    path: &'a Path,
    wanted: &'a TableColumns,
    header: &'a Header,
    assigned: &'a Assigned,
}

impl Parser<'_> {
    /// Reads plain records, if the roles of the columns and the dialect allow any.
    fn plain(&self) -> Option<Plain<'_>> {
        let separator = self.dialect.form.separator;
        let points = self.dialect.decimal != Decimal::Comma;
        let usual = self.wanted.missing.is_empty() && self.wanted.category.is_empty();
        // Any character may be said to separate cells; one that is part of numbers does not end them.
        let ends =
            !(separator == b' ' || b"+-.eE".contains(&separator) || separator.is_ascii_digit());
        (ends && points && usual).then(|| Plain::new(separator, &self.assigned.roles))
    }

    /// Adds a plain record of this line.
    fn add_plain(
        &self,
        cells: &mut Cells,
        plain: &Plain<'_>,
        whole: &str,
        line: u64,
    ) -> Result<(), TableProblem> {
        for &(position, value) in &plain.numbers {
            cells.features[position].push_plain(value);
        }
        let row = cells.rows;
        for (column, range) in &plain.texts {
            let place = || Place {
                row,
                line: Some(line),
                column: self.header.names.get(*column).cloned(),
            };
            let reading = (self.dialect.decimal, self.wanted.missing.as_slice());
            let role = self.assigned.roles[*column];
            // Separators and digits are ASCII, so that the cells of UTF-8 are texts.
            let text = whole.get(range.clone()).unwrap_or_default();
            cells.push(role, text, &place, reading)?;
        }
        cells.lines.push(line);
        cells.rows += 1;
        Ok(())
    }

    /// The cells of a block; rows in problems count from its first.
    fn cells(&self, block: &Block) -> Result<Cells, TableProblem> {
        let mut cells = Cells::new(self.path, self.assigned, self.wanted);
        let reading = (self.dialect.decimal, self.wanted.missing.as_slice());
        let names = &self.header.names;
        let whole = std::str::from_utf8(&block.bytes).ok();
        let mut records = Records::new(&block.bytes, self.dialect.form, block.line);
        let mut plain = self.plain();
        loop {
            if let (Some(plain), Some(whole)) = (&mut plain, whole)
                && let Some(end) = plain.read(&block.bytes, records.position())
            {
                self.add_plain(&mut cells, plain, whole, records.line())?;
                records.pass(end);
                continue;
            }
            let Some(line) = records.next()? else {
                break;
            };
            let place = |column: Option<&String>| Place {
                row: cells.rows,
                line: Some(line),
                column: column.cloned(),
            };
            // An empty cell behind the last separator of a line is none.
            let extra = records.len() == names.len() + 1
                && records.cells().last().is_some_and(<[u8]>::is_empty);
            if records.len() != names.len() && !extra {
                return Err(TableProblem::Ragged {
                    place: place(None),
                    expected: names.len(),
                    found: records.len(),
                });
            }
            let row = cells.rows;
            for ((cell, &role), name) in records.texts(whole).zip(&self.assigned.roles).zip(names) {
                if role == Role::Unused {
                    continue;
                }
                let place = || Place {
                    row,
                    line: Some(line),
                    column: Some(name.clone()),
                };
                let text = cell.map_err(|cell| TableProblem::Text {
                    place: place(),
                    found: String::from_utf8_lossy(cell).chars().take(40).collect(),
                })?;
                cells.push(role, text, &place, reading)?;
            }
            cells.lines.push(line);
            cells.rows += 1;
        }
        Ok(cells)
    }
}

/// Blocks that follow each other, and what went wrong behind them.
struct Group {
    blocks: Vec<Block>,
    failure: Option<Failure>,
}

/// Cuts text into blocks of whole records.
struct Blocks<R> {
    reader: R,
    form: Form,
    line: u64,
    /// Text behind the last whole record.
    rest: Vec<u8>,
    /// Memory of blocks that were read.
    spare: Vec<Vec<u8>>,
    ended: bool,
    /// Bytes of a block.
    size: usize,
}

impl<R: Read> Blocks<R> {
    fn new(reader: R, form: Form, line: u64) -> Self {
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

    fn skip(&mut self, bytes: usize) -> io::Result<()> {
        let skipped = self.reader.by_ref().take(bytes as u64);
        io::copy(&mut { skipped }, &mut io::sink()).map(|_| ())
    }

    /// As many blocks as keep the threads busy; none behind the last.
    fn group(&mut self) -> Group {
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

    fn next(&mut self) -> Result<Option<Block>, Failure> {
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
