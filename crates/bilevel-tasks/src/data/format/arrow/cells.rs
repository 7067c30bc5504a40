//! The cells of Arrow arrays.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Date64Type, Decimal128Type, Float16Type, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrowPrimitiveType};
use arrow_schema::{DataType, TimeUnit};

use crate::data::format::typed::Filling;
use crate::data::problem::TableProblem;

/// Longer lists are a mistake.
const LONGEST_LIST: usize = 1 << 20;

/// The length of lists of one length.
pub(super) fn length(kind: &DataType) -> Option<usize> {
    match kind {
        DataType::FixedSizeList(_, length) => usize::try_from(*length)
            .ok()
            .filter(|&length| length <= LONGEST_LIST),
        _ => None,
    }
}

/// Adds each place of lists to its column.
pub(super) fn lists(array: &dyn Array, to: &mut [Filling<'_>]) -> Result<bool, TableProblem> {
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
pub(super) fn cells(array: &dyn Array, to: &mut Filling<'_>) -> Result<bool, TableProblem> {
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
