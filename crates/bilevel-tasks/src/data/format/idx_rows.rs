//! IDX, the file format of MNIST and its family.
//!
//! Two zero bytes, a byte for the type of the elements, a byte for the number of
//! dimensions, the dimensions as big-endian 32-bit numbers, then the elements, big-endian,
//! the last dimension moving fastest (Y. LeCun, C. Cortes, C. Burges, *The MNIST database of
//! handwritten digits*).

use std::io::Read;

use super::file::{Format, Opened};
use super::npy_rows::{OpenedAs, of_array};
use super::row_bytes::RowBytes;
use crate::Error;
use crate::data::array::{Array, Values, elements};
use crate::data::changes::Rewrite;
use crate::data::malformed::Malformed;
use crate::data::npy::Failure;
use crate::data::shape::shape_text;
use crate::data::table::Table;

pub(super) const FORMAT: Format = Format {
    name: "an IDX file (the MNIST family)",
    is: |start| matches!(start.bytes, [0, 0, 7..=15, ..]),
    read,
    rewrite: Some(rewrite),
    columns: false,
};

fn read(opened: Opened<'_>) -> Result<Table, Error> {
    let (path, wanted) = (opened.path, opened.wanted);
    let array = parse(&mut opened.source.into_reader()).map_err(|failure| failure.at(path))?;
    of_array(array, "an IDX file", true, &OpenedAs { path, wanted })
}

/// The array with changes: the first dimension counts the rows.
fn rewrite(opened: Opened<'_>, changes: &Rewrite) -> Result<Vec<u8>, Error> {
    let path = opened.path;
    let bytes = opened.source.into_bytes();
    let bytes = bytes.map_err(|error| Error::reading(path, error))?;
    // What is damaged is told as in reading.
    let shape = parse(&mut &bytes[..]).map_err(|f| f.at(path))?.shape;
    let start = 4 + 4 * shape.len();
    let kind = bytes[2];
    let element = |label: &str| match kind {
        0x08 => label.parse().ok().map(|label: u8| vec![label]),
        0x09 => label
            .parse()
            .ok()
            .map(|label: i8| label.to_be_bytes().to_vec()),
        0x0b => label
            .parse()
            .ok()
            .map(|label: i16| label.to_be_bytes().to_vec()),
        0x0c => label
            .parse()
            .ok()
            .map(|label: i32| label.to_be_bytes().to_vec()),
        0x0d => label
            .parse()
            .ok()
            .map(|label: f32| label.to_be_bytes().to_vec()),
        _ => label
            .parse()
            .ok()
            .map(|label: f64| label.to_be_bytes().to_vec()),
    };
    let rows = RowBytes {
        path,
        rows: shape[0],
        blocks: 1,
        bytes: &bytes[start..],
        element: Some(&element),
    };
    let (rows, left) = rows.changed(changes)?;
    let mut out = bytes[..start].to_vec();
    // No more than there were, which 32 bits could count.
    out[4..8].copy_from_slice(&(left as u32).to_be_bytes());
    out.extend(rows);
    Ok(out)
}

fn parse(reader: &mut impl Read) -> Result<Array, Failure> {
    let mut header = Vec::new();
    let mut read_to = |header: &mut Vec<u8>, end: usize| -> Result<(), Failure> {
        let more = (end - header.len()) as u64;
        reader.by_ref().take(more).read_to_end(header)?;
        if header.len() < end {
            let expected = format!("a header of {end} bytes");
            let found = format!("{} bytes in all", header.len());
            return Err(Malformed::new(expected, found).into());
        }
        Ok(())
    };
    read_to(&mut header, 4)?;
    let (element, rank) = (header[2], usize::from(header[3]));
    let (name, size) = match element {
        0x08 => ("unsigned bytes", 1),
        0x09 => ("signed bytes", 1),
        0x0b => ("16-bit integers", 2),
        0x0c => ("32-bit integers", 4),
        0x0d => ("32-bit floating-point numbers", 4),
        0x0e => ("64-bit floating-point numbers", 8),
        other => {
            let expected = "an element type of 08, 09, 0b, 0c, 0d or 0e (hexadecimal)";
            return Err(Malformed::new(expected, format!("{other:02x}")).into());
        }
    };
    if rank == 0 {
        return Err(Malformed::new("at least one dimension", "none").into());
    }
    read_to(&mut header, 4 + 4 * rank)?;
    let (chunks, _) = header[4..].as_chunks();
    let shape: Vec<usize> = chunks
        .iter()
        .map(|&bytes| u32::from_be_bytes(bytes) as usize)
        .collect();
    // A zero must not hide an overflow of the other dimensions: a row has a size too.
    let bytes = shape
        .iter()
        .try_fold(size, |bytes: usize, &next| bytes.checked_mul(next.max(1)))
        .filter(|&bytes| bytes < isize::MAX.unsigned_abs());
    if bytes.is_none() {
        let expected = "dimensions that fit into memory";
        return Err(Malformed::new(expected, shape_text(&shape)).into());
    }
    let count = shape.iter().product();
    let values = match element {
        0x08 => Values::U8(elements(reader, count, |[byte]: [u8; 1]| byte)?),
        0x09 => Values::I32(elements(reader, count, |b| {
            i32::from(i8::from_be_bytes(b))
        })?),
        0x0b => Values::I32(elements(reader, count, |b| {
            i32::from(i16::from_be_bytes(b))
        })?),
        0x0c => Values::I32(elements(reader, count, i32::from_be_bytes)?),
        0x0d => Values::F32(elements(reader, count, f32::from_be_bytes)?),
        _ => Values::F64(elements(reader, count, f64::from_be_bytes)?),
    };
    // Reading one byte past the end shows whether the file continues, and makes a decoder verify its checksum.
    let mut beyond = Vec::new();
    reader.by_ref().take(1).read_to_end(&mut beyond)?;
    let found = match (values.len() == count, beyond.is_empty()) {
        (true, true) => return Ok(Array { shape, values }),
        (true, false) => "more".to_owned(),
        (false, _) => (values.len() * size).to_string(),
    };
    let expected = format!(
        "{} bytes of data ({} {name} declared)",
        count * size,
        shape_text(&shape)
    );
    Err(Malformed::new(expected, found).into())
}
