//! `bilevel bench read`: how long a file takes to read, and how much memory.

use std::time::Instant;

use bilevel_tasks::data::table::{LabelsWanted, Table, TableColumns};
use serde::Serialize;

use crate::arguments::BenchReadArguments;
use crate::failure::Failure;
use crate::folder::Folder;
use crate::memory;

#[derive(Serialize)]
struct ReadResult {
    case: &'static str,
    seconds: f64,
    rows: usize,
    columns: usize,
    peak_rss_mb: Option<f64>,
    /// What kind of file it is.
    kind: String,
}

pub(crate) fn run(arguments: &BenchReadArguments) -> Result<(), Failure> {
    Folder::expect_new(arguments.common.out.as_deref())?;
    let wanted = TableColumns {
        labels: LabelsWanted::IfThere,
        ..TableColumns::default()
    };
    let begin = Instant::now();
    let table = Table::read(&arguments.file, &wanted).map_err(Failure::usage)?;
    let result = ReadResult {
        case: "read",
        seconds: begin.elapsed().as_secs_f64(),
        rows: table.rows(),
        columns: table.width().max(table.names().len()),
        peak_rss_mb: memory::peak_mb(),
        kind: table.kind().to_owned(),
    };
    crate::command::deliver(&arguments.common, "bench", &result, || text(&result))
}

fn text(result: &ReadResult) -> String {
    let memory = result.peak_rss_mb.map_or_else(String::new, |peak| {
        format!(", memory at the peak {peak:.0} MB")
    });
    format!(
        "{} of {} rows and {} columns: {:.3} s{memory}\n",
        result.kind, result.rows, result.columns, result.seconds
    )
}
