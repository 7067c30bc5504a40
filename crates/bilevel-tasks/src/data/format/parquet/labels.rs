//! Values of a column of labels, in its own type.

use std::any::Any;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use ::parquet::basic::{ConvertedType, LogicalType, Type as Physical};
use ::parquet::data_type::{ByteArray, DataType};
use ::parquet::errors::ParquetError;
use ::parquet::schema::types::ColumnDescriptor;

use super::chunks::{Columns, damaged};
use super::columns::{BATCH, Failure, Meaning, fill};
use crate::Error;
use crate::data::format::typed::{Filling, Sink};
use crate::data::header::Role;
use crate::data::labels::Labels;
use crate::data::malformed::Malformed;
use crate::data::problem::TableProblem;
use crate::data::roles::TableColumns;

/// Runs an expression with the type of the values of a column.
macro_rules! by_type {
    ($physical:expr, $type:ident => $run:expr) => {{
        use ::parquet::basic::Type;
        use ::parquet::data_type as types;
        match $physical {
            Type::BOOLEAN => {
                type $type = types::BoolType;
                $run
            }
            Type::INT32 => {
                type $type = types::Int32Type;
                $run
            }
            Type::INT64 => {
                type $type = types::Int64Type;
                $run
            }
            Type::INT96 => {
                type $type = types::Int96Type;
                $run
            }
            Type::FLOAT => {
                type $type = types::FloatType;
                $run
            }
            Type::DOUBLE => {
                type $type = types::DoubleType;
                $run
            }
            Type::BYTE_ARRAY => {
                type $type = types::ByteArrayType;
                $run
            }
            Type::FIXED_LEN_BYTE_ARRAY => {
                type $type = types::FixedLenByteArrayType;
                $run
            }
        }
    }};
}
pub(super) use by_type;

/// The value of each label of a column whose values have type `T`.
pub(super) struct Values<T: DataType>(HashMap<String, T::T>);

/// The column of labels of a file.
pub(super) struct LabelColumn<'a> {
    pub(super) columns: &'a Columns,
    pub(super) column: usize,
    pub(super) leaf: &'a ColumnDescriptor,
    pub(super) name: &'a str,
    pub(super) path: &'a Path,
    pub(super) wanted: &'a TableColumns,
}

impl LabelColumn<'_> {
    /// The [`Values`] of these labels. One is copied from a row that has it, so that it has the same form, whatever the
    /// type is.
    pub(super) fn values(&self, new: &BTreeSet<&str>) -> Result<Box<dyn Any>, Error> {
        let labels = self.labels()?;
        let mut rows: HashMap<usize, &str> = HashMap::new();
        let mut absent = new.clone();
        for row in 0..labels.rows() {
            if absent.remove(labels.text(row)) {
                rows.extend(new.get(labels.text(row)).map(|&label| (row, label)));
            }
        }
        by_type!(self.leaf.physical_type(), T => {
            let mut values = Values::<T>(HashMap::new());
            let found = self.found::<T>(&rows, &mut values);
            found.map_err(|error| damaged(&error).at(self.path))?;
            for label in absent {
                let made = self.made(label);
                let made = made.and_then(|made| made.downcast::<<T as DataType>::T>().ok());
                let made = made.ok_or_else(|| self.unfit(label))?;
                values.0.insert(label.to_owned(), *made);
            }
            Ok(Box::new(values))
        })
    }

    /// The labels as they are read.
    fn labels(&self) -> Result<Labels, Error> {
        let filling = Filling::new(
            Role::Label,
            self.name,
            self.path,
            self.wanted,
            &Arc::default(),
        );
        let filled = fill(self.columns, self.column, self.leaf, filling, self.path);
        let sinks = filled.map_err(|failure| match failure {
            Failure::Parquet(error) => damaged(&error).at(self.path),
            Failure::Problem(problem) => problem.at(self.path),
            Failure::Column(column) => TableProblem::Columns {
                columns: vec![column],
            }
            .at(self.path),
        })?;
        let labels = sinks.into_iter().find_map(|sink| match sink {
            Sink::Labels(labels) => Some(labels),
            _ => None,
        });
        Ok(labels.unwrap_or_else(|| Labels::new(self.path, None)))
    }

    /// Adds the values of these rows.
    fn found<T: DataType>(
        &self,
        rows: &HashMap<usize, &str>,
        to: &mut Values<T>,
    ) -> Result<(), ParquetError> {
        let most = self.leaf.max_def_level();
        let mut row = 0;
        let (mut definitions, mut repetitions, mut values) = (Vec::new(), Vec::new(), Vec::new());
        for group in 0..self.columns.metadata().num_row_groups() {
            let reader = self.columns.of_group(group, self.column)?;
            let Some(mut reader) = T::get_column_reader(reader) else {
                continue;
            };
            loop {
                definitions.clear();
                repetitions.clear();
                values.clear();
                let (records, _, levels) = reader.read_records(
                    BATCH,
                    Some(&mut definitions),
                    Some(&mut repetitions),
                    &mut values,
                )?;
                if records == 0 && levels == 0 {
                    break;
                }
                let mut values = values.iter();
                for at in 0..levels {
                    let there = definitions.get(at).is_none_or(|&level| level == most);
                    let value = there.then(|| values.next()).flatten();
                    if let (Some(label), Some(value)) = (rows.get(&row), value) {
                        to.0.insert((*label).to_owned(), value.clone());
                    }
                    row += 1;
                }
            }
        }
        Ok(())
    }

    /// The value of a label that no row has, if the column can hold it.
    fn made(&self, label: &str) -> Option<Box<dyn Any>> {
        let meaning = Meaning::of(self.leaf);
        let plain = meaning == Meaning::Plain;
        let bits = bits(self.leaf);
        let unsigned = || {
            let value: u64 = label.parse().ok()?;
            (bits == 64 || value >> bits == 0).then_some(value)
        };
        let signed = || {
            let value: i64 = label.parse().ok()?;
            let free = 64 - bits;
            ((value << free) >> free == value).then_some(value)
        };
        Some(match self.leaf.physical_type() {
            Physical::BOOLEAN => match label {
                "true" | "1" => Box::new(true),
                "false" | "0" => Box::new(false),
                _ => return None,
            },
            Physical::INT32 if meaning == Meaning::Unsigned => Box::new(unsigned()? as i32),
            Physical::INT64 if meaning == Meaning::Unsigned => Box::new(unsigned()? as i64),
            Physical::INT32 if plain => Box::new(signed()? as i32),
            Physical::INT64 if plain => Box::new(signed()?),
            Physical::FLOAT => Box::new(label.parse::<f32>().ok()?),
            Physical::DOUBLE => Box::new(label.parse::<f64>().ok()?),
            Physical::BYTE_ARRAY if plain => Box::new(ByteArray::from(label)),
            _ => return None,
        })
    }

    fn unfit(&self, label: &str) -> Error {
        let kind = self.leaf.physical_type();
        let expected = format!("a label that a column of type {kind} can hold");
        let problem = Malformed::new(expected, format!("{label:?}"));
        problem
            .in_place(format!("column {:?}", self.name))
            .at(self.path)
    }
}

impl<T: DataType> Values<T> {
    pub(super) fn of(&self, label: &str) -> Option<&T::T> {
        self.0.get(label)
    }
}

/// Bits of the integers of a column.
fn bits(leaf: &ColumnDescriptor) -> u32 {
    if let Some(LogicalType::Integer(integer)) = leaf.logical_type_ref() {
        return u32::try_from(integer.bit_width).unwrap_or(64).clamp(8, 64);
    }
    match (leaf.converted_type(), leaf.physical_type()) {
        (ConvertedType::INT_8 | ConvertedType::UINT_8, _) => 8,
        (ConvertedType::INT_16 | ConvertedType::UINT_16, _) => 16,
        (_, Physical::INT32) => 32,
        _ => 64,
    }
}
