//! A column of labels in its own type.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::ArrowDictionaryKeyType;
use arrow_array::{
    Array, ArrayRef, BooleanArray, DictionaryArray, Float32Array, Float64Array, Int8Array,
    Int16Array, Int32Array, Int64Array, LargeStringArray, PrimitiveArray, StringArray,
    StringViewArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array, downcast_dictionary_array,
    new_null_array,
};
use arrow_buffer::ArrowNativeType;
use arrow_schema::{ArrowError, DataType};
use arrow_select::concat::concat;
use arrow_select::interleave::interleave;

use super::cells::cells;
use crate::Error;
use crate::data::format::typed::{Filling, Sink};
use crate::data::header::Role;
use crate::data::labels::Labels;
use crate::data::malformed::Malformed;
use crate::data::roles::TableColumns;

/// What a row gets.
#[derive(Clone, Copy)]
pub(super) enum Cell<'a> {
    /// The label that it has.
    Own,
    /// No label.
    None,
    Label(&'a str),
}

/// Where a label is taken from, or that the column cannot hold one.
pub(super) enum Failure {
    Arrow(ArrowError),
    Other(Error),
}

impl From<ArrowError> for Failure {
    fn from(error: ArrowError) -> Self {
        Self::Arrow(error)
    }
}

/// The labels of a file, by batch.
pub(super) struct LabelColumn<'a> {
    pub(super) arrays: Vec<&'a dyn Array>,
    pub(super) name: &'a str,
    pub(super) path: &'a Path,
    pub(super) wanted: &'a TableColumns,
}

impl LabelColumn<'_> {
    /// The column with other cells, by row of the file.
    pub(super) fn with<'c>(
        &self,
        cell: impl Fn(usize) -> Cell<'c>,
    ) -> Result<Vec<ArrayRef>, Failure> {
        let Some(first) = self.arrays.first() else {
            return Ok(Vec::new());
        };
        let rows: usize = self.arrays.iter().map(|array| array.len()).sum();
        let new: BTreeSet<&str> = (0..rows)
            .filter_map(|row| match cell(row) {
                Cell::Label(label) => Some(label),
                Cell::Own | Cell::None => None,
            })
            .collect();
        match first.data_type() {
            DataType::Dictionary(_, kind) => self.with_keys(&new, kind, cell),
            kind => self.with_values(&new, kind, cell),
        }
    }

    /// A label is copied from a row that has it, so that it has the same form, whatever the type is.
    fn with_values<'c>(
        &self,
        new: &BTreeSet<&str>,
        kind: &DataType,
        cell: impl Fn(usize) -> Cell<'c>,
    ) -> Result<Vec<ArrayRef>, Failure> {
        let mut sources = self.arrays.clone();
        let mut places: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for (batch, &array) in self.arrays.iter().enumerate() {
            let texts = self.texts(array)?;
            for row in 0..texts.rows() {
                if let Some(&label) = new.get(texts.text(row)) {
                    places.entry(label).or_insert((batch, row));
                }
            }
        }
        let nothing = new_null_array(kind, 1);
        sources.push(nothing.as_ref());
        let none = (sources.len() - 1, 0);
        let absent = new.iter().filter(|label| !places.contains_key(*label));
        let absent: Vec<&str> = absent.copied().collect();
        let made = absent.iter().map(|label| self.made(label, kind));
        let made = made.collect::<Result<Vec<ArrayRef>, Failure>>()?;
        for (label, array) in absent.iter().zip(&made) {
            places.insert(label, (sources.len(), 0));
            sources.push(array.as_ref());
        }
        let mut start = 0;
        let mut arrays = Vec::with_capacity(self.arrays.len());
        for (batch, array) in self.arrays.iter().enumerate() {
            let place = |row: usize| match cell(start + row) {
                Cell::Own => (batch, row),
                Cell::None => none,
                Cell::Label(label) => places.get(label).copied().unwrap_or(none),
            };
            let places: Vec<(usize, usize)> = (0..array.len()).map(place).collect();
            arrays.push(interleave(&sources, &places)?);
            start += array.len();
        }
        Ok(arrays)
    }

    /// Rows refer to a dictionary, which gets the labels that it does not have.
    fn with_keys<'c>(
        &self,
        new: &BTreeSet<&str>,
        kind: &DataType,
        cell: impl Fn(usize) -> Cell<'c>,
    ) -> Result<Vec<ArrayRef>, Failure> {
        let own = self.arrays.iter();
        let own: Vec<&ArrayRef> = own
            .map(|array| array.as_any_dictionary().values())
            .collect();
        // A file has one dictionary, which may become longer from batch to batch.
        let longest = own.iter().max_by_key(Array::len);
        let common = longest.filter(|longest| {
            let begins = |values: &&ArrayRef| *longest.slice(0, values.len()) == ***values;
            own.iter().all(begins)
        });
        let common = common.map(|values| self.extended(values, new, kind));
        let common = common.transpose()?;
        let mut start = 0;
        let mut arrays = Vec::with_capacity(own.len());
        for (array, &values) in self.arrays.iter().zip(&own) {
            let (values, places) = match &common {
                Some(common) => common.clone(),
                None => self.extended(values, new, kind)?,
            };
            let key = |row: usize| match cell(start + row) {
                Cell::Own => Key::Own,
                Cell::None => Key::None,
                Cell::Label(label) => places.get(label).map_or(Key::None, |&place| Key::At(place)),
            };
            arrays.push(self.keyed(*array, &values, key)?);
            start += array.len();
        }
        Ok(arrays)
    }

    /// A dictionary with these labels, and the places where it has them.
    fn extended<'l>(
        &self,
        values: &ArrayRef,
        new: &BTreeSet<&'l str>,
        kind: &DataType,
    ) -> Result<(ArrayRef, BTreeMap<&'l str, usize>), Failure> {
        let texts = self.texts(values.as_ref())?;
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        for place in 0..texts.rows() {
            if let Some(&label) = new.get(texts.text(place)) {
                places.entry(label).or_insert(place);
            }
        }
        let mut parts = vec![values.clone()];
        for &label in new {
            if !places.contains_key(label) {
                places.insert(label, values.len() + parts.len() - 1);
                parts.push(self.made(label, kind)?);
            }
        }
        let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
        let values = match parts[..] {
            [_] => values.clone(),
            _ => concat(&parts)?,
        };
        Ok((values, places))
    }

    fn keyed(
        &self,
        array: &dyn Array,
        values: &ArrayRef,
        key: impl Fn(usize) -> Key,
    ) -> Result<ArrayRef, Failure> {
        downcast_dictionary_array!(
            array => match keys(array, key) {
                Some(keys) => Ok(Arc::new(DictionaryArray::try_new(keys, values.clone())?)),
                None => {
                    let found = format!("more, in a column of type {}", array.data_type());
                    let expected = "as many different labels as the keys of the dictionary can count";
                    Err(self.wrong(Malformed::new(expected, found)))
                }
            },
            other => Err(self.wrong(Malformed::new("a dictionary", other.to_string())))
        )
    }

    /// The labels of an array, as they are read.
    fn texts(&self, array: &dyn Array) -> Result<Labels, Failure> {
        let mut filling = Filling::new(
            Role::Label,
            self.name,
            self.path,
            self.wanted,
            &Arc::default(),
        );
        let read = cells(array, &mut filling);
        read.map_err(|problem| Failure::Other(problem.at(self.path)))?;
        match filling.sink {
            Sink::Labels(labels) => Ok(labels),
            _ => Ok(Labels::new(self.path, None)),
        }
    }

    /// An array of this label, which no row has.
    fn made(&self, label: &str, kind: &DataType) -> Result<ArrayRef, Failure> {
        macro_rules! parsed {
            ($array:ty) => {
                label
                    .parse()
                    .ok()
                    .map(|value| -> ArrayRef { Arc::new(<$array>::from(vec![Some(value)])) })
            };
        }
        let made: Option<ArrayRef> = match kind {
            DataType::Utf8 => Some(Arc::new(StringArray::from(vec![label]))),
            DataType::LargeUtf8 => Some(Arc::new(LargeStringArray::from(vec![label]))),
            DataType::Utf8View => Some(Arc::new(StringViewArray::from(vec![label]))),
            DataType::Boolean => match label {
                "true" | "1" => Some(Arc::new(BooleanArray::from(vec![true]))),
                "false" | "0" => Some(Arc::new(BooleanArray::from(vec![false]))),
                _ => None,
            },
            DataType::Int8 => parsed!(Int8Array),
            DataType::Int16 => parsed!(Int16Array),
            DataType::Int32 => parsed!(Int32Array),
            DataType::Int64 => parsed!(Int64Array),
            DataType::UInt8 => parsed!(UInt8Array),
            DataType::UInt16 => parsed!(UInt16Array),
            DataType::UInt32 => parsed!(UInt32Array),
            DataType::UInt64 => parsed!(UInt64Array),
            DataType::Float32 => parsed!(Float32Array),
            DataType::Float64 => parsed!(Float64Array),
            _ => None,
        };
        made.ok_or_else(|| {
            let expected = format!("a label that a column of type {kind} can hold");
            self.wrong(Malformed::new(expected, format!("{label:?}")))
        })
    }

    fn wrong(&self, problem: Malformed) -> Failure {
        let problem = problem.in_place(format!("column {:?}", self.name));
        Failure::Other(problem.at(self.path))
    }
}

/// Which entry of a dictionary a row refers to.
enum Key {
    Own,
    None,
    At(usize),
}

/// The keys of a dictionary; none if an entry has a place that they cannot count.
fn keys<K: ArrowDictionaryKeyType>(
    array: &DictionaryArray<K>,
    key: impl Fn(usize) -> Key,
) -> Option<PrimitiveArray<K>> {
    let own = array.keys();
    let keys = (0..own.len()).map(|row| match key(row) {
        Key::Own => Some(own.is_valid(row).then(|| own.value(row))),
        Key::None => Some(None),
        Key::At(place) => K::Native::from_usize(place).map(Some),
    });
    let keys: Option<Vec<Option<K::Native>>> = keys.collect();
    keys.map(|keys| keys.into_iter().collect())
}
