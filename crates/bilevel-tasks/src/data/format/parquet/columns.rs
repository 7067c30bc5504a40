//! The columns of Parquet files.

use std::path::Path;

use ::parquet::basic::{ConvertedType, LogicalType, TimeUnit};
use ::parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use ::parquet::data_type::{ByteArray, DataType, FixedLenByteArray, Int96};
use ::parquet::errors::ParquetError;
use ::parquet::schema::types::ColumnDescriptor;

use super::chunks::Columns;
use crate::data::format::typed::{Filling, Sink};
use crate::data::header::Role;
use crate::data::problem::{ColumnProblem, ColumnRemedy, TableProblem};

/// Rows that are decoded at a time.
pub(super) const BATCH: usize = 1 << 14;
const SECONDS_OF_DAY: f64 = 86_400.0;
/// The Julian day of 1970-01-01.
const EPOCH: f64 = 2_440_588.0;

/// The name of a column; of a list, that of the list.
pub(super) fn name(leaf: &ColumnDescriptor) -> String {
    let parts = leaf.path().parts();
    if leaf.max_rep_level() > 0 {
        parts.first().cloned().unwrap_or_default()
    } else {
        parts.join(".")
    }
}

pub(super) enum Failure {
    Parquet(ParquetError),
    Problem(TableProblem),
    Column(ColumnProblem),
}

impl std::convert::From<ParquetError> for Failure {
    fn from(error: ParquetError) -> Self {
        Self::Parquet(error)
    }
}

impl std::convert::From<TableProblem> for Failure {
    fn from(problem: TableProblem) -> Self {
        Self::Problem(problem)
    }
}

/// What the numbers of a column mean.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Meaning {
    Plain,
    Unsigned,
    /// Days.
    Date,
    /// So many units are a day.
    Time(f64),
    /// The number is divided by this.
    Decimal(f64),
    Half,
}

impl Meaning {
    pub(super) fn of(leaf: &ColumnDescriptor) -> Self {
        let decimal = |scale: i32| Self::Decimal(10_f64.powi(scale));
        match leaf.logical_type_ref() {
            Some(LogicalType::Date) => return Self::Date,
            Some(LogicalType::Timestamp(time)) => {
                return Self::Time(match time.unit {
                    TimeUnit::MILLIS => SECONDS_OF_DAY * 1e3,
                    TimeUnit::MICROS => SECONDS_OF_DAY * 1e6,
                    TimeUnit::NANOS => SECONDS_OF_DAY * 1e9,
                });
            }
            Some(LogicalType::Decimal(_)) => return decimal(leaf.type_scale()),
            Some(LogicalType::Integer(integer)) if !integer.is_signed => return Self::Unsigned,
            Some(LogicalType::Float16) => return Self::Half,
            Some(_) | None => {}
        }
        match leaf.converted_type() {
            ConvertedType::DATE => Self::Date,
            ConvertedType::TIMESTAMP_MILLIS => Self::Time(SECONDS_OF_DAY * 1e3),
            ConvertedType::TIMESTAMP_MICROS => Self::Time(SECONDS_OF_DAY * 1e6),
            ConvertedType::DECIMAL => decimal(leaf.type_scale()),
            ConvertedType::UINT_8
            | ConvertedType::UINT_16
            | ConvertedType::UINT_32
            | ConvertedType::UINT_64 => Self::Unsigned,
            _ => Self::Plain,
        }
    }
}

/// Reads a column of all row groups.
pub(super) fn fill(
    columns: &Columns,
    column: usize,
    leaf: &ColumnDescriptor,
    filling: Filling<'_>,
    path: &Path,
) -> Result<Vec<Sink>, Failure> {
    let meaning = Meaning::of(leaf);
    let mut into = Into {
        lists: Vec::new(),
        filling,
        list: leaf.max_rep_level() > 0,
        most: leaf.max_def_level(),
        path,
    };
    if leaf.max_rep_level() > 1 {
        return Err(into.nested("lists of lists"));
    }
    for group in 0..columns.metadata().num_row_groups() {
        match columns.of_group(group, column)? {
            ColumnReader::BoolColumnReader(values) => {
                into.read(values, |to, &value| to.boolean(value))?;
            }
            ColumnReader::Int32ColumnReader(values) => {
                into.read(values, |to, &value| match meaning {
                    Meaning::Date => to.date(f64::from(value)),
                    Meaning::Decimal(scale) => to.number(f64::from(value) / scale),
                    Meaning::Unsigned => to.integer(i64::from(value as u32)),
                    _ => to.integer(i64::from(value)),
                })?;
            }
            ColumnReader::Int64ColumnReader(values) => {
                into.read(values, |to, &value| match meaning {
                    Meaning::Time(units) => to.date(value as f64 / units),
                    Meaning::Decimal(scale) => to.number(value as f64 / scale),
                    Meaning::Unsigned => to.unsigned(value as u64),
                    _ => to.integer(value),
                })?;
            }
            ColumnReader::Int96ColumnReader(values) => {
                into.read(values, |to, value| to.date(days(value)))?;
            }
            ColumnReader::FloatColumnReader(values) => {
                let one = |to: &mut Filling<'_>, &value: &f32| to.number(f64::from(value));
                into.read_all(values, one, Filling::numbers)?;
            }
            ColumnReader::DoubleColumnReader(values) => {
                let one = |to: &mut Filling<'_>, &value: &f64| to.number(value);
                into.read_all(values, one, Filling::numbers)?;
            }
            ColumnReader::ByteArrayColumnReader(values) => {
                into.read(values, |to, value: &ByteArray| {
                    bytes(to, value.data(), meaning)
                })?;
            }
            ColumnReader::FixedLenByteArrayColumnReader(values) => {
                into.read(values, |to, value: &FixedLenByteArray| {
                    bytes(to, value.data(), meaning)
                })?;
            }
        }
    }
    Ok(into.sinks())
}

/// Days since 1970-01-01 of nanoseconds of a day and a Julian day.
fn days(value: &Int96) -> f64 {
    let [low, high, day] = value.data() else {
        return f64::NAN;
    };
    let nanoseconds = (u64::from(*high) << 32) | u64::from(*low);
    f64::from(*day) - EPOCH + nanoseconds as f64 / (SECONDS_OF_DAY * 1e9)
}

/// Text, or a number in big-endian bytes.
fn bytes(to: &mut Filling<'_>, bytes: &[u8], meaning: Meaning) -> Result<(), TableProblem> {
    match (meaning, bytes) {
        (Meaning::Decimal(scale), _) => {
            let negative = bytes.first().is_some_and(|byte| byte >> 7 == 1);
            let start = if negative { -1.0 } else { 0.0 };
            let value = bytes
                .iter()
                .fold(start, |value, &byte| value * 256.0 + f64::from(byte));
            to.number(value / scale)
        }
        (Meaning::Half, &[low, high]) => {
            let bits = u16::from_le_bytes([low, high]);
            to.number(f64::from(crate::data::npy::half_to_f32(bits)))
        }
        _ => to.text(&String::from_utf8_lossy(bytes)),
    }
}

/// Where the values of a column go: to one column, or, of lists of one length, to one for each place.
struct Into<'a> {
    filling: Filling<'a>,
    /// Of a list: by place.
    lists: Vec<Filling<'a>>,
    list: bool,
    /// The definition level of a value that is there.
    most: i16,
    path: &'a Path,
}

impl<'a> Into<'a> {
    fn read<T: DataType>(
        &mut self,
        reader: ColumnReaderImpl<T>,
        push: impl Fn(&mut Filling<'a>, &T::T) -> Result<(), TableProblem>,
    ) -> Result<(), Failure> {
        let all = |to: &mut Filling<'a>, values: &[T::T]| {
            values.iter().try_for_each(|value| push(to, value))
        };
        self.read_all(reader, &push, all)
    }

    /// `all` does what `push` does for several values.
    fn read_all<T: DataType>(
        &mut self,
        mut reader: ColumnReaderImpl<T>,
        push: impl Fn(&mut Filling<'a>, &T::T) -> Result<(), TableProblem>,
        all: impl Fn(&mut Filling<'a>, &[T::T]) -> Result<(), TableProblem>,
    ) -> Result<(), Failure> {
        let (mut definitions, mut repetitions, mut values) = (Vec::new(), Vec::new(), Vec::new());
        loop {
            definitions.clear();
            repetitions.clear();
            values.clear();
            let (records, found, levels) = reader.read_records(
                BATCH,
                Some(&mut definitions),
                Some(&mut repetitions),
                &mut values,
            )?;
            if records == 0 && levels == 0 {
                return Ok(());
            }
            if self.list {
                self.rows_of_lists(&definitions, &repetitions, &values, &push)?;
            } else if found == levels {
                all(&mut self.filling, &values)?;
            } else {
                let mut values = values.iter();
                for &definition in &definitions {
                    match (definition == self.most).then(|| values.next()).flatten() {
                        Some(value) => push(&mut self.filling, value)?,
                        None => self.filling.missing()?,
                    }
                }
            }
        }
    }

    fn rows_of_lists<T>(
        &mut self,
        definitions: &[i16],
        repetitions: &[i16],
        values: &[T],
        push: &impl Fn(&mut Filling<'a>, &T) -> Result<(), TableProblem>,
    ) -> Result<(), Failure> {
        let mut values = values.iter();
        let mut place = 0;
        for (index, (&definition, &repetition)) in definitions.iter().zip(repetitions).enumerate() {
            if repetition == 0 {
                if index > 0 && place != self.lists.len() {
                    return Err(self.nested("lists of different lengths"));
                }
                place = 0;
            }
            let known = self.lists.len();
            if place == known {
                // Only the first row makes places.
                let first = self.lists.iter().all(|list| list_rows(list) <= 1);
                let started = self.lists.first().is_none_or(|list| list_rows(list) == 1);
                if !first || !started || !matches!(self.filling.sink, Sink::Feature(_)) {
                    return Err(self.nested("lists of different lengths"));
                }
                let wanted = self.filling.wanted;
                let name = self.filling.name;
                self.lists.push(Filling::new(
                    Role::Feature(0),
                    name,
                    self.path,
                    wanted,
                    self.filling.room(),
                ));
            }
            let to = &mut self.lists[place];
            match (definition == self.most).then(|| values.next()).flatten() {
                Some(value) => push(to, value)?,
                None => to.missing()?,
            }
            place += 1;
        }
        if place != self.lists.len() {
            return Err(self.nested("lists of different lengths"));
        }
        Ok(())
    }

    fn nested(&self, found: &str) -> Failure {
        let column = self.filling.name.to_owned();
        Failure::Column(ColumnProblem {
            message: format!(
                "column {column:?}: expected one value a row, or lists of one length, found {found}"
            ),
            column,
            remedy: ColumnRemedy::Ignore,
        })
    }

    fn sinks(self) -> Vec<Sink> {
        if !self.list {
            return vec![self.filling.sink];
        }
        let numbered = self.lists.into_iter().enumerate().map(|(place, list)| {
            let mut sink = list.sink;
            if let Sink::Feature(column) = &mut sink {
                column.name = format!("{}[{place}]", column.name);
            }
            sink
        });
        numbered.collect()
    }
}

fn list_rows(list: &Filling<'_>) -> usize {
    match &list.sink {
        Sink::Feature(column) => column.len(),
        _ => 0,
    }
}
