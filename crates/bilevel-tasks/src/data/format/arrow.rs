//! Arrow IPC: files (also called Feather, version 2) and streams.

mod cells;
mod labels;
mod messages;
mod opened;
mod rewritten;
mod tests;

use arrow_array::RecordBatch;

use self::cells::{cells, length, lists};
use self::messages::Contents;
use self::opened::{contents, lost};
use super::file::{Format, Opened};
use super::typed::{Filling, Sink, Typed};
use crate::Error;
use crate::data::guarded::guarded;
use crate::data::header::{Header, Role};
use crate::data::problem::{ColumnProblem, ColumnRemedy, TableProblem};
use crate::data::table::Table;

/// The mark of a message, which begins a stream.
const STREAM: &[u8] = b"\xff\xff\xff\xff";

pub(super) const FORMAT: Format = Format {
    name: "an Arrow file or stream",
    is: |start| start.has(&messages::FILE) || start.has(STREAM),
    read,
    rewrite: Some(rewritten::rewrite),
    columns: true,
};

fn read(opened: Opened<'_>) -> Result<Table, Error> {
    let (path, wanted) = (opened.path, opened.wanted);
    let room = opened.source.room();
    let Contents {
        schema, batches, ..
    } = contents(opened.source, path)?;
    let names = schema
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    let header = Header::new(names, 1);
    let assigned = header.assign(wanted).map_err(|problem| problem.at(path))?;
    let mut sinks = Vec::new();
    let mut problems = Vec::new();
    for (column, &role) in assigned.roles.iter().enumerate() {
        let name = &header.names[column];
        if role == Role::Unused {
            sinks.push(vec![Sink::Unused]);
            continue;
        }
        let mut to = vec![Filling::new(role, name, path, wanted, &room)];
        let mut list = None;
        for batch in &batches {
            let array = batch.column(column).as_ref();
            let mut fill = || match length(array.data_type()) {
                Some(places) if matches!(role, Role::Feature(_)) => {
                    if list.is_none() {
                        let one = |_| Filling::new(role, name, path, wanted, &room);
                        to = (0..places).map(one).collect();
                        list = Some(places);
                    }
                    lists(array, &mut to)
                }
                _ => cells(array, &mut to[0]),
            };
            let Some(filled) = guarded(&mut fill) else {
                return Err(lost(path));
            };
            match filled {
                Ok(true) => {}
                Ok(false) => {
                    problems.push(ColumnProblem {
                        column: name.clone(),
                        message: format!(
                            "column {name:?}: expected numbers, texts, booleans or dates, found {}",
                            array.data_type()
                        ),
                        remedy: ColumnRemedy::Ignore,
                    });
                    break;
                }
                Err(problem) => return Err(problem.at(path)),
            }
        }
        let numbered = to.into_iter().enumerate().map(|(place, filling)| {
            let mut sink = filling.sink;
            if let (Sink::Feature(column), Some(_)) = (&mut sink, list) {
                column.name = format!("{name}[{place}]");
            }
            sink
        });
        sinks.push(numbered.collect());
    }
    if !problems.is_empty() {
        return Err(TableProblem::Columns { columns: problems }.at(path));
    }
    let typed = Typed {
        path,
        kind: "an Arrow file",
        rows: batches.iter().map(RecordBatch::num_rows).sum(),
        header,
        assigned,
    };
    typed.table(sinks, wanted)
}
