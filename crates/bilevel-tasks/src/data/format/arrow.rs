//! Arrow IPC: files (also called Feather, version 2) and streams.

mod messages;

use std::io::{BufReader, Cursor};

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Date64Type, Decimal128Type, Float16Type, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrowPrimitiveType, RecordBatch};
use arrow_schema::{ArrowError, DataType, TimeUnit};

use super::file::{Format, Opened};
use super::typed::{Filling, Sink, Typed};
use crate::Error;
use crate::data::guarded::guarded;
use crate::data::header::{Header, Role};
use crate::data::malformed::Malformed;
use crate::data::problem::{ColumnProblem, ColumnRemedy, TableProblem};
use crate::data::room::NoRoom;
use crate::data::source::RandomAccess;
use crate::data::table::Table;

/// What a damaged file may have.
const OFFSETS: &str = "offsets that lead nowhere";
/// Longer lists are a mistake.
const LONGEST_LIST: usize = 1 << 20;
/// The mark of a message, which begins a stream.
const STREAM: &[u8] = b"\xff\xff\xff\xff";

pub(super) const FORMAT: Format = Format {
    name: "an Arrow file or stream",
    is: |start| start.has(&messages::FILE) || start.has(STREAM),
    read,
    rewrite: None,
    columns: false,
};

fn read(opened: Opened<'_>) -> Result<Table, Error> {
    let (path, wanted) = (opened.path, opened.wanted);
    let wrong = |error: ArrowError| match error {
        ArrowError::IoError(_, error) if error.get_ref().is_some_and(|e| e.is::<NoRoom>()) => {
            Error::reading(path, error)
        }
        error => damaged(&error).at(path),
    };
    let room = opened.source.room();
    let is_file = opened.source.start().starts_with(&messages::FILE);
    let batches = if is_file {
        let access = opened.source.into_random_access();
        let access = access.map_err(|error| Error::reading(path, error))?;
        guarded(|| match access {
            RandomAccess::File(file) => messages::of_file(BufReader::new(file), &room),
            RandomAccess::Memory(bytes) => messages::of_file(Cursor::new(bytes), &room),
        })
    } else {
        let reader = BufReader::new(opened.source.into_reader());
        guarded(|| messages::of_stream(reader, &room))
    };
    let batches = batches.unwrap_or_else(|| Err(ArrowError::IpcError(OFFSETS.to_owned())));
    let (schema, batches) = batches.map_err(wrong)?;
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
                return Err(wrong(ArrowError::IpcError(OFFSETS.to_owned())));
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

fn damaged(error: &ArrowError) -> Malformed {
    Malformed::new(
        "a whole Arrow file",
        format!("it cut short or damaged: {error}"),
    )
}

/// The length of lists of one length.
fn length(kind: &DataType) -> Option<usize> {
    match kind {
        DataType::FixedSizeList(_, length) => usize::try_from(*length)
            .ok()
            .filter(|&length| length <= LONGEST_LIST),
        _ => None,
    }
}

/// Adds each place of lists to its column.
fn lists(array: &dyn Array, to: &mut [Filling<'_>]) -> Result<bool, TableProblem> {
    let lists = array.as_fixed_size_list();
    for row in 0..lists.len() {
        if lists.is_null(row) {
            for to in &mut *to {
                to.missing()?;
            }
            continue;
        }
        let list = lists.value(row);
        for (place, to) in to.iter_mut().enumerate() {
            if !cells(list.slice(place, 1).as_ref(), to)? {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// Adds the cells of an array; false if they are of no known type.
fn cells(array: &dyn Array, to: &mut Filling<'_>) -> Result<bool, TableProblem> {
    const DAY: f64 = 86_400.0;
    match array.data_type() {
        DataType::Null => (0..array.len()).try_for_each(|_| to.missing())?,
        DataType::Boolean => {
            for value in array.as_boolean() {
                match value {
                    Some(value) => to.boolean(value)?,
                    None => to.missing()?,
                }
            }
        }
        DataType::Int8 => each::<Int8Type>(array, to, |to, v| to.integer(i64::from(v)))?,
        DataType::Int16 => each::<Int16Type>(array, to, |to, v| to.integer(i64::from(v)))?,
        DataType::Int32 => each::<Int32Type>(array, to, |to, v| to.integer(i64::from(v)))?,
        DataType::Int64 => each::<Int64Type>(array, to, Filling::integer)?,
        DataType::UInt8 => each::<UInt8Type>(array, to, |to, v| to.integer(i64::from(v)))?,
        DataType::UInt16 => each::<UInt16Type>(array, to, |to, v| to.integer(i64::from(v)))?,
        DataType::UInt32 => each::<UInt32Type>(array, to, |to, v| to.integer(i64::from(v)))?,
        DataType::UInt64 => each::<UInt64Type>(array, to, Filling::unsigned)?,
        DataType::Float16 => each::<Float16Type>(array, to, |to, v| to.number(f64::from(v)))?,
        DataType::Float32 => each::<Float32Type>(array, to, |to, v| to.number(f64::from(v)))?,
        DataType::Float64 => each::<Float64Type>(array, to, Filling::number)?,
        DataType::Decimal128(_, scale) => {
            let scale = 10_f64.powi(i32::from(*scale));
            each::<Decimal128Type>(array, to, |to, v| to.number(v as f64 / scale))?;
        }
        DataType::Date32 => each::<Date32Type>(array, to, |to, v| to.date(f64::from(v)))?,
        DataType::Date64 => {
            each::<Date64Type>(array, to, |to, v| to.date(v as f64 / (DAY * 1e3)))?;
        }
        DataType::Timestamp(TimeUnit::Second, _) => {
            each::<TimestampSecondType>(array, to, |to, v| to.date(v as f64 / DAY))?;
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            each::<TimestampMillisecondType>(array, to, |to, v| to.date(v as f64 / (DAY * 1e3)))?;
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            each::<TimestampMicrosecondType>(array, to, |to, v| to.date(v as f64 / (DAY * 1e6)))?;
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            each::<TimestampNanosecondType>(array, to, |to, v| to.date(v as f64 / (DAY * 1e9)))?;
        }
        DataType::Utf8 => texts(array.as_string::<i32>().iter(), to)?,
        DataType::LargeUtf8 => texts(array.as_string::<i64>().iter(), to)?,
        DataType::Utf8View => texts(array.as_string_view().iter(), to)?,
        DataType::Dictionary(_, _) => {
            let dictionary = array.as_any_dictionary();
            let values = dictionary.values();
            let keys = dictionary.normalized_keys();
            for (row, key) in keys.into_iter().enumerate() {
                let known = if array.is_null(row) {
                    to.missing().map(|()| true)?
                } else {
                    cells(values.slice(key, 1).as_ref(), to)?
                };
                if !known {
                    return Ok(false);
                }
            }
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn each<'f, T: ArrowPrimitiveType>(
    array: &dyn Array,
    to: &mut Filling<'f>,
    push: impl Fn(&mut Filling<'f>, T::Native) -> Result<(), TableProblem>,
) -> Result<(), TableProblem> {
    for value in array.as_primitive::<T>() {
        match value {
            Some(value) => push(to, value)?,
            None => to.missing()?,
        }
    }
    Ok(())
}

fn texts<'a>(
    texts: impl Iterator<Item = Option<&'a str>>,
    to: &mut Filling<'_>,
) -> Result<(), TableProblem> {
    for text in texts {
        match text {
            Some(text) => to.text(text)?,
            None => to.missing()?,
        }
    }
    Ok(())
}
