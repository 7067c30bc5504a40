//! MATLAB files of version 5 (also written as version 6 and 7): arrays of numbers by name. *MAT-File Format*, The
//! MathWorks.

use std::io::{self, Read};
use std::sync::Arc;

use flate2::read::ZlibDecoder;

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
    rewrite: None,
    columns: false,
};

const HEADER: usize = 128;
const COMPRESSED: u32 = 15;
const MATRIX: u32 = 14;
/// Arrays of bytes.
const CLASS_UINT8: u8 = 9;
/// Arrays of numbers have classes from double to unsigned integers of 64 bits.
const NUMBERS: std::ops::RangeInclusive<u8> = 6..=15;
/// A longer name or list of dimensions is a mistake.
const MOST_HEADER: u32 = 1 << 16;

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
        .map(|array| (array.name.clone(), rows_first(&array.shape, &found)))
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

/// The shape with rows first: pictures are often stored with rows last, as many as another array has.
fn rows_first(shape: &[usize], all: &[Found]) -> Vec<usize> {
    let [first, .., last] = *shape else {
        return shape.to_vec();
    };
    let is_length = |rows: usize| {
        all.iter().any(|array| match array.shape[..] {
            [length, 1] | [1, length] => length == rows && length > 1,
            _ => false,
        })
    };
    if shape.len() >= 3 && !is_length(first) && is_length(last) {
        let mut moved = shape.to_vec();
        moved.rotate_right(1);
        moved
    } else {
        shape.to_vec()
    }
}

/// All arrays of numbers, and how many others there are.
fn arrays(reader: &mut dyn Read, room: &Arc<Room>) -> Result<(Vec<Found>, usize), Failure> {
    let mut header = Vec::new();
    (&mut *reader)
        .take(HEADER as u64)
        .read_to_end(&mut header)?;
    let big = match header.get(126..128) {
        Some(b"IM") => false,
        Some(b"MI") => true,
        _ => {
            let found = format!("{} bytes in all", header.len());
            return Err(
                Malformed::new("a header of 128 bytes that ends in IM or MI", found).into(),
            );
        }
    };
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

/// Errors of the decoder are damage of the file.
fn unpacking(failure: Failure) -> Failure {
    match failure {
        Failure::Read(error) if error.kind() != io::ErrorKind::OutOfMemory => {
            let found = format!("it cut short or damaged: {error}");
            Malformed::new("a whole packed element", found).into()
        }
        other => other,
    }
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

/// The type and size of an element.
struct Tag {
    kind: u32,
    size: u32,
    /// The bytes of a small element.
    inside: Option<[u8; 4]>,
}

impl Tag {
    /// None at the end.
    fn read(reader: &mut dyn Read, big: bool) -> Result<Option<Self>, Failure> {
        let Some(first) = four(reader)? else {
            return Ok(None);
        };
        let Some(second) = four(reader)? else {
            return Err(
                Malformed::new("an element of 8 bytes or more", "the end of the file").into(),
            );
        };
        let number = |bytes| {
            if big {
                u32::from_be_bytes(bytes)
            } else {
                u32::from_le_bytes(bytes)
            }
        };
        let kind = number(first);
        if kind >> 16 == 0 {
            return Ok(Some(Self {
                kind,
                size: number(second),
                inside: None,
            }));
        }
        let size = kind >> 16;
        if size > 4 {
            let found = format!("one of {size} bytes");
            return Err(Malformed::new("a small element of at most 4 bytes", found).into());
        }
        Ok(Some(Self {
            kind: kind & 0xffff,
            size,
            inside: Some(second),
        }))
    }

    /// The bytes of the element, at most so many.
    fn bytes(&self, reader: &mut dyn Read, most: u32) -> Result<Vec<u8>, Failure> {
        if let Some(inside) = self.inside {
            return Ok(inside[..self.size as usize].to_vec());
        }
        if self.size > most {
            let expected = format!("an element of at most {most} bytes");
            return Err(Malformed::new(expected, self.size.to_string()).into());
        }
        let mut bytes = Vec::new();
        (&mut *reader)
            .take(u64::from(self.size))
            .read_to_end(&mut bytes)?;
        skip_padding(reader, self.size)?;
        if bytes.len() < self.size as usize {
            let expected = format!("an element of {} bytes", self.size);
            return Err(Malformed::new(expected, bytes.len().to_string()).into());
        }
        Ok(bytes)
    }
}

/// Four bytes; None at the end.
fn four(reader: &mut dyn Read) -> Result<Option<[u8; 4]>, Failure> {
    let mut bytes = Vec::new();
    (&mut *reader).take(4).read_to_end(&mut bytes)?;
    match bytes[..] {
        [] => Ok(None),
        [a, b, c, d] => Ok(Some([a, b, c, d])),
        _ => Err(Malformed::new("4 more bytes", bytes.len().to_string()).into()),
    }
}

/// Elements begin at multiples of eight bytes.
fn skip_padding(reader: &mut dyn Read, size: u32) -> io::Result<()> {
    let padding = u64::from(size).next_multiple_of(8) - u64::from(size);
    io::copy(&mut (&mut *reader).take(padding), &mut io::sink()).map(|_| ())
}

/// An array, if it holds real numbers.
fn matrix(reader: &mut dyn Read, big: bool) -> Result<Option<Found>, Failure> {
    let mut next = |what: &str| -> Result<Vec<u8>, Failure> {
        let tag = Tag::read(reader, big)?;
        let tag = tag.ok_or_else(|| Malformed::new(what, "the end of the array"))?;
        tag.bytes(reader, MOST_HEADER)
    };
    let flags = next("the flags of an array")?;
    let dimensions = next("the dimensions of an array")?;
    let name = next("the name of an array")?;
    let Some(&[a, b, c, d]) = flags.first_chunk() else {
        return Err(Malformed::new("8 bytes of flags", flags.len().to_string()).into());
    };
    let (class, complex) = if big {
        (d, c & 8 != 0)
    } else {
        (a, b & 8 != 0)
    };
    if !NUMBERS.contains(&class) {
        return Ok(None);
    }
    let name = String::from_utf8_lossy(&name).into_owned();
    let (chunks, _) = dimensions.as_chunks();
    let shape: Vec<usize> = chunks
        .iter()
        .map(|&bytes| if big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) } as usize)
        .collect();
    let wrong = |expected: &str, found: String| {
        Failure::from(Malformed::new(expected, found)).in_place(&format!("array {name:?}"))
    };
    if complex {
        return Err(wrong("real numbers", "complex ones".to_owned()));
    }
    let count = shape
        .iter()
        .try_fold(1_usize, |count, &next| count.checked_mul(next));
    let Some(count) = count.filter(|count| count.checked_mul(8).is_some()) else {
        return Err(wrong("dimensions that fit into memory", shape_text(&shape)));
    };
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
        2 if class == CLASS_UINT8 => Values::U8(numbers!(u8, u8)),
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
            &format!("{count} numbers ({} declared)", shape_text(&shape)),
            values.len().to_string(),
        ));
    }
    Ok(Some(Found {
        name,
        shape,
        values,
    }))
}
