//! The names of the columns of a text, and its pieces.

use std::io;

use super::dialect::Dialect;
use super::records::Records;
use crate::data::header::Header;
use crate::data::problem::TableProblem;

const NO_NAMES: &str =
    "; the file seems to have no line of names, so that its columns are called \"0\", \"1\", …";

/// Whole records.
pub(super) struct Block {
    pub(super) bytes: Vec<u8>,
    /// The line where they begin.
    pub(super) line: u64,
}

/// What went wrong.
pub(super) enum Failure {
    Read(io::Error),
    Problem(TableProblem),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

impl From<TableProblem> for Failure {
    fn from(problem: TableProblem) -> Self {
        Self::Problem(problem)
    }
}

/// The names of the columns, the bytes that they take, and the line behind them.
pub(super) fn names(first: &Block, dialect: Dialect) -> Result<(Header, usize, u64), TableProblem> {
    let mut records = Records::new(&first.bytes, dialect.form, first.line);
    let Some(line) = records.next()? else {
        return Err(TableProblem::Empty);
    };
    if !dialect.header {
        let header = Header::numbered(records.len(), NO_NAMES);
        return Ok((header, 0, first.line));
    }
    let names = records.cells().enumerate().map(|(index, name)| {
        String::from_utf8(name.to_vec()).map_err(|_| TableProblem::HeaderText {
            line,
            cell: index + 1,
        })
    });
    let mut names = names.collect::<Result<Vec<_>, _>>()?;
    let end = (records.position(), records.line());
    // R leaves out the name of the names of the rows.
    if let Ok(Some(_)) = records.next()
        && records.len() == names.len() + 1
        && records.cells().last().is_some_and(|cell| !cell.is_empty())
    {
        names.insert(0, String::new());
    }
    Ok((Header::new(names, line), end.0, end.1))
}
