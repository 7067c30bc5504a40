//! Text with columns, written again with changes.

use std::collections::HashMap;

use super::blocks::Blocks;
use super::dialect::Dialect;
use super::head::{Block, Failure, names};
use super::records::Records;
use super::utf16;
use crate::Error;
use crate::data::changes::{Edit, Rewrite};
use crate::data::format::file::Opened;
use crate::data::header::Role;
use crate::data::own_cells::OwnCells;
use crate::data::problem::TableProblem;

/// The bytes of the text with changes.
pub(super) fn rewrite(opened: Opened<'_>, changes: &Rewrite) -> Result<Vec<u8>, Error> {
    let (path, wanted) = (opened.path, opened.wanted);
    let wide = Wide::of(opened.source.start());
    let (dialect, mut bytes) = whole(opened)?;
    let mut out = bytes[..dialect.skip].to_vec();
    bytes.drain(..dialect.skip);
    let first = Block {
        bytes,
        line: dialect.line,
    };
    let text = Text {
        dialect,
        changes,
        bytes: &first.bytes,
    };
    text.write(&first, wanted, &mut out)
        .map_err(|failure| match failure {
            Failure::Read(error) => Error::reading(path, error),
            Failure::Problem(problem) => problem.at(path),
        })?;
    Ok(match wide {
        None => out,
        Some(wide) => wide.encoded(&String::from_utf8_lossy(&out)),
    })
}

/// The names of the first `most` columns, and their cells in these rows; none for rows that there are not.
pub(in crate::data::format) fn cells(
    opened: Opened<'_>,
    rows: &[usize],
    most: usize,
) -> Result<OwnCells, Error> {
    let path = opened.path;
    let source = utf16::decoded(opened.source).map_err(|error| Error::reading(path, error))?;
    let dialect = Dialect::of(source.start(), source.is_short(), path, opened.wanted);
    let read = || -> Result<OwnCells, Failure> {
        let mut blocks = Blocks::new(source.into_reader(), dialect.form, dialect.line);
        blocks.skip(dialect.skip)?;
        let Some(mut block) = blocks.next()? else {
            return Err(TableProblem::Empty.into());
        };
        let (header, length, line) = names(&block, dialect)?;
        block.bytes.drain(..length);
        block.line = line;
        let places: HashMap<usize, usize> = rows
            .iter()
            .enumerate()
            .map(|(place, &row)| (row, place))
            .collect();
        let mut found = OwnCells::new(header.names, most, rows.len());
        let mut row = 0;
        loop {
            let mut records = Records::new(&block.bytes, dialect.form, block.line);
            while records.next()?.is_some() {
                if let Some(&place) = places.get(&row) {
                    found.put(place, records.cells());
                }
                row += 1;
            }
            let Some(next) = blocks.next()? else {
                return Ok(found);
            };
            blocks.spare.push(std::mem::replace(&mut block, next).bytes);
        }
    };
    read().map_err(|failure| match failure {
        Failure::Read(error) => Error::reading(path, error),
        Failure::Problem(problem) => problem.at(path),
    })
}

/// How a text is separated, and all of it in UTF-8.
fn whole(opened: Opened<'_>) -> Result<(Dialect, Vec<u8>), Error> {
    let path = opened.path;
    let reading = |error| Error::reading(path, error);
    let source = utf16::decoded(opened.source).map_err(reading)?;
    let dialect = Dialect::of(source.start(), source.is_short(), path, opened.wanted);
    Ok((dialect, source.into_bytes().map_err(reading)?))
}

struct Text<'a> {
    dialect: Dialect,
    changes: &'a Rewrite,
    bytes: &'a [u8],
}

impl Text<'_> {
    fn write(
        &self,
        first: &Block,
        wanted: &crate::data::roles::TableColumns,
        out: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        let (header, ..) = names(first, self.dialect)?;
        let roles = header.assign(wanted)?.roles;
        let label = roles.iter().position(|role| *role == Role::Label);
        let mut records = Records::new(self.bytes, self.dialect.form, self.dialect.line);
        let mut at = 0;
        if self.dialect.header && records.next()?.is_some() {
            // No name twice.
            let taken = header.names.iter().map(String::as_str);
            let added = self.changes.columns.iter();
            let names = added.map(|column| column.free_name(&taken));
            self.record((&records, at), None, names, out);
            at = records.position();
        }
        let mut row = 0;
        while records.next()?.is_some() {
            let edit = self.changes.edit(row);
            if *edit != Edit::Drop {
                let replaced = match (edit, label) {
                    (Edit::Label(text), Some(column)) => Some((column, text.as_str())),
                    _ => None,
                };
                let added = self.changes.added(row).map(str::to_owned);
                self.record((&records, at), replaced, added, out);
            }
            at = records.position();
            row += 1;
        }
        out.extend_from_slice(&self.bytes[at..]);
        Ok(())
    }

    /// A record that begins at a place, with a cell replaced, and cells behind the last.
    fn record(
        &self,
        (records, begin): (&Records<'_>, usize),
        replaced: Option<(usize, &str)>,
        added: impl Iterator<Item = String>,
        out: &mut Vec<u8>,
    ) {
        let spans = records.spans();
        let mut at = begin;
        if let Some((column, text)) = replaced
            && let Some(&(start, end)) = spans.get(column)
        {
            out.extend_from_slice(&self.bytes[at..start]);
            let quoted = self.bytes.get(start) == Some(&b'"');
            out.extend_from_slice(&self.cell(text, quoted));
            at = end;
        }
        let end = spans.last().map_or(at, |&(_, end)| end);
        out.extend_from_slice(&self.bytes[at..end]);
        for text in added {
            out.push(self.dialect.form.separator);
            out.extend_from_slice(&self.cell(&text, false));
        }
        out.extend_from_slice(&self.bytes[end..records.position()]);
    }

    /// A cell, in quotes if it must or should be.
    fn cell(&self, text: &str, quoted: bool) -> Vec<u8> {
        let separator = self.dialect.form.separator;
        let special = |byte: u8| byte == separator || matches!(byte, b'"' | b'\n' | b'\r');
        let outside = text.starts_with(' ') || text.ends_with(' ');
        let empty = text.is_empty() && separator == b' ';
        if quoted || outside || empty || text.bytes().any(special) {
            format!("\"{}\"", text.replace('"', "\"\"")).into_bytes()
        } else {
            text.as_bytes().to_vec()
        }
    }
}

/// UTF-16, with the order of its bytes.
struct Wide {
    big: bool,
}

impl Wide {
    fn of(start: &[u8]) -> Option<Self> {
        let big = start.starts_with(b"\xfe\xff");
        utf16::is(start).then_some(Self { big })
    }

    fn encoded(&self, text: &str) -> Vec<u8> {
        let units = std::iter::once(0xfeff).chain(text.encode_utf16());
        units
            .flat_map(|unit| {
                if self.big {
                    unit.to_be_bytes()
                } else {
                    unit.to_le_bytes()
                }
            })
            .collect()
    }
}
