//! Parquet files: columns with types, read column by column on all threads.

mod chunks;
mod columns;
mod labels;
mod pages;
mod rewritten;
mod schema;
mod tests;

use rayon::prelude::*;

use self::chunks::{damaged, lost, open};
use self::columns::{Failure, fill, name};
use super::file::{Format, Opened};
use super::typed::{Filling, Sink, Typed};
use crate::Error;
use crate::data::guarded::guarded;
use crate::data::header::{Header, Role};
use crate::data::problem::TableProblem;
use crate::data::table::Table;

pub(super) const FORMAT: Format = Format {
    name: "a Parquet file",
    is: |start| start.has(b"PAR1"),
    read,
    rewrite: Some(rewritten::rewrite),
    columns: true,
};

/// Cells for which memory is asked at once, before they have been seen.
const MOST_RESERVED: usize = 1 << 22;

fn read(opened: Opened<'_>) -> Result<Table, Error> {
    let (path, wanted) = (opened.path, opened.wanted);
    let room = opened.source.room();
    let file = open(opened.source, path)?;
    let metadata = file.metadata().file_metadata();
    let schema = metadata.schema_descr();
    let rows = usize::try_from(metadata.num_rows()).unwrap_or_default();
    let leaves: Vec<_> = (0..schema.num_columns())
        .map(|leaf| schema.column(leaf))
        .collect();
    let names = leaves.iter().map(|leaf| name(leaf)).collect();
    let header = Header::new(names, 1);
    let assigned = header.assign(wanted).map_err(|problem| problem.at(path))?;
    let columns: Vec<usize> = (0..leaves.len()).collect();
    let read: Vec<Result<Vec<Sink>, Failure>> = columns
        .par_iter()
        .map(|&column| {
            let role = assigned.roles[column];
            if role == Role::Unused {
                return Ok(vec![Sink::Unused]);
            }
            let mut filling = Filling::new(role, &header.names[column], path, wanted, &room);
            // A damaged file may declare any number.
            filling.reserve(rows.min(MOST_RESERVED));
            let filled = guarded(|| fill(&file, column, &leaves[column], filling, path));
            filled.unwrap_or_else(|| Err(lost().into()))
        })
        .collect();
    let mut sinks = Vec::with_capacity(read.len());
    let mut problems = Vec::new();
    for column in read {
        match column {
            Ok(column) => sinks.push(column),
            Err(Failure::Column(problem)) => problems.push(problem),
            Err(Failure::Problem(problem)) => return Err(problem.at(path)),
            Err(Failure::Parquet(error)) => return Err(damaged(&error).at(path)),
        }
    }
    if !problems.is_empty() {
        return Err(TableProblem::Columns { columns: problems }.at(path));
    }
    let typed = Typed {
        path,
        kind: "a Parquet file",
        header,
        assigned,
        rows,
    };
    typed.table(sinks, wanted)
}
