//! Tables as text: CSV, TSV and their kin, with or without a line of column names.

mod blocks;
mod dialect;
mod head;
mod plain;
mod records;
mod rewritten;
mod utf16;

use std::path::Path;

use memchr::{memchr, memchr_iter};
use rayon::prelude::*;

use super::file::{Format, Opened, Start};
use crate::Error;
use crate::data::cell::Decimal;
use crate::data::cells::Cells;
use crate::data::header::{Assigned, Header, Role};
use crate::data::problem::{Place, TableProblem};
use crate::data::source::Source;
use crate::data::table::{ReadNote, Table, TableColumns};
use blocks::{Blocks, Group};
use dialect::Dialect;
use head::{Block, Failure, names};
use plain::Plain;
use records::Records;
pub(super) use rewritten::cells;
use rewritten::rewrite;

pub(super) const FORMAT: Format = Format {
    name: "text with columns (CSV, TSV)",
    is: |start| start.is_text() || utf16::is(start.bytes),
    read,
    rewrite: Some(rewrite),
    columns: true,
};

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
    blocks.expect_lines_of(start);
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
