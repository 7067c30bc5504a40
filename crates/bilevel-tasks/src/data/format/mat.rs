//! MATLAB files of version 5 (also written as version 6 and 7): arrays of numbers by name. *MAT-File Format*, The
//! MathWorks.

mod element;
mod rewritten;
mod tests;

use std::io::{self, Read};
use std::sync::Arc;

use flate2::read::ZlibDecoder;

use self::element::{
    COMPRESSED, HEADER, Head, MATRIX, Tag, is_big, rows_first, skip_padding, unpacking,
};
use super::arrays::{Choice, NamedArray, table};
use super::file::{Format, Opened};
use crate::Error;
use crate::data::array::{Array, Values, elements};
use crate::data::malformed::Malformed;
use crate::data::npy::Failure;
use crate::data::room::{Counted, Room};
use crate::data::shape::shape_text;
use crate::data::table::{ReadNote, Table};

pub(super) const FORMAT: Format = Format {
    name: "a MATLAB file",
    is: |start| start.has(b"MATLAB 5.0 MAT-file"),
    read,
    rewrite: Some(rewritten::rewrite),
    columns: true,
};

/// Arrays of bytes.
const CLASS_UINT8: u8 = 9;
/// An array of a file: its elements in Fortran order.
struct Found {
    name: String,
    shape: Vec<usize>,
    values: Values,
}

fn read(opened: Opened<'_>) -> Result<Table, Error> {
    let (path, wanted) = (opened.path, opened.wanted);
    let room = opened.source.room();
    let mut reader = opened.source.into_reader();
    let (found, others) = arrays(&mut reader, &room).map_err(|failure| failure.at(path))?;
    let shapes: Vec<(String, Vec<usize>)> = found
        .iter()
        .map(|array| {
            (
                array.name.clone(),
                rows_first(&array.shape, found.iter().map(|array| &array.shape[..])),
            )
        })
        .collect();
    let choice = Choice::of(&shapes, wanted).map_err(|mut problem| {
        if others > 0 {
            problem.found.push_str(&format!(
                ", and {others} variables that are not full arrays of numbers (cells, structs, texts, sparse matrices), which are not read"
            ));
        }
        problem.at(path)
    })?;
    let mut found: Vec<Option<Found>> = found.into_iter().map(Some).collect();
    let mut take = |index: Option<usize>| -> Option<NamedArray> {
        let index = index?;
        let Found {
            name,
            shape,
            values,
        } = found[index].take()?;
        let moved = shapes[index].1 != shape;
        let array = if moved {
            Array::from_fortran_rows(shape, values)
        } else {
            Array::from_fortran_order(shape, values)
        };
        Some(NamedArray { name, array })
    };
    let labels = take(choice.labels);
    let features = take(choice.features);
    let names = shapes.into_iter().map(|(name, _)| name).collect();
    let mut table = table("a MATLAB file", (features, labels), names, path, wanted)?;
    if others > 0 {
        table.notes.push(ReadNote {
            kind: "other_arrays",
            column: None,
            count: others,
            message: format!(
                "variables that are not full arrays of numbers (cells, structs, texts, sparse matrices) are passed over: {others}"
            ),
        });
    }
    Ok(table)
}

/// All arrays of numbers, and how many others there are.
fn arrays(reader: &mut dyn Read, room: &Arc<Room>) -> Result<(Vec<Found>, usize), Failure> {
    let mut header = Vec::new();
    (&mut *reader)
        .take(HEADER as u64)
        .read_to_end(&mut header)?;
    let big = is_big(&header)?;
    let (mut all, mut others) = (Vec::new(), 0);
    while let Some(tag) = Tag::read(reader, big)? {
        let place = format!("element {}", all.len());
        let mut payload = (&mut *reader).take(u64::from(tag.size));
        let found = match tag.kind {
            COMPRESSED => {
                let mut inside = Counted::new(ZlibDecoder::new(&mut payload), room);
                let found = packed(&mut inside, big);
                found.map_err(|failure| unpacking(failure).in_place(&place))?
            }
            MATRIX => matrix(&mut payload, big).map_err(|failure| failure.in_place(&place))?,
            _ => None,
        };
        others += usize::from(found.is_none());
        all.extend(found);
        io::copy(&mut payload, &mut io::sink())?;
        if payload.limit() > 0 {
            let missing = payload.limit();
            return Err(Malformed::new(
                format!("an element of {} bytes", tag.size),
                format!("{missing} bytes less: the file is cut short"),
            )
            .in_place(place)
            .into());
        }
        if tag.kind != COMPRESSED {
            skip_padding(reader, tag.size)?;
        }
    }
    Ok((all, others))
}

fn packed(inside: &mut dyn Read, big: bool) -> Result<Option<Found>, Failure> {
    match Tag::read(inside, big)? {
        Some(Tag { kind: MATRIX, .. }) => {
            let found = matrix(inside, big)?;
            // The rest, so that the checksum is seen.
            io::copy(inside, &mut io::sink())?;
            Ok(found)
        }
        _ => Ok(None),
    }
}

/// An array, if it holds real numbers.
fn matrix(reader: &mut dyn Read, big: bool) -> Result<Option<Found>, Failure> {
    let head = Head::read(reader, big)?;
    if !head.is_numbers() {
        return Ok(None);
    }
    let wrong = |expected: &str, found: String| head.wrong(expected, found);
    if head.complex {
        return Err(wrong("real numbers", "complex ones".to_owned()));
    }
    let count = head.count()?;
    let Some(tag) = Tag::read(reader, big)? else {
        return Err(wrong("numbers", "the end of the array".to_owned()));
    };
    let inside = tag
        .inside
        .map(|inside| inside[..tag.size as usize].to_vec());
    let mut small = io::Cursor::new(inside.clone().unwrap_or_default());
    let mut large = (&mut *reader).take(u64::from(tag.size));
    let from: &mut dyn Read = if inside.is_some() {
        &mut small
    } else {
        &mut large
    };
    macro_rules! numbers {
        ($type:ty, $to:ty) => {
            if big {
                elements(from, count, |bytes| <$type>::from_be_bytes(bytes) as $to)?
            } else {
                elements(from, count, |bytes| <$type>::from_le_bytes(bytes) as $to)?
            }
        };
    }
    let values = match tag.kind {
        1 => Values::I32(numbers!(i8, i32)),
        2 if head.class == CLASS_UINT8 => Values::U8(numbers!(u8, u8)),
        2 => Values::I32(numbers!(u8, i32)),
        3 => Values::I32(numbers!(i16, i32)),
        4 => Values::I32(numbers!(u16, i32)),
        5 => Values::I32(numbers!(i32, i32)),
        6 => Values::I64(numbers!(u32, i64)),
        7 => Values::F32(numbers!(f32, f32)),
        9 => Values::F64(numbers!(f64, f64)),
        12 => Values::I64(numbers!(i64, i64)),
        // Beyond 2⁵³ as numbers in double precision.
        13 => Values::F64(numbers!(u64, f64)),
        other => return Err(wrong("numbers", format!("elements of type {other}"))),
    };
    if values.len() != count {
        return Err(wrong(
            &format!("{count} numbers ({} declared)", shape_text(&head.shape)),
            values.len().to_string(),
        ));
    }
    Ok(Some(Found {
        name: head.name(),
        shape: head.shape,
        values,
    }))
}
