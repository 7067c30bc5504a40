//! NPY, NumPy's file format for one array.
//!
//! The bytes 93 "NUMPY", a version, the length of the header, the header as the text of a
//! Python dictionary, then the elements (numpy.lib.format, versions 1.0 to 3.0). Supported: booleans, integers,
//! floating-point numbers of 16, 32 or 64 bits, and texts, in either byte order, in C or Fortran order. A file may be
//! gzipped.

mod failure;
mod header;
mod raw;
mod tests;

use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;

use self::header::{Header, MAGIC};
use super::array::elements;
pub use super::array::{Array, Values};
use super::malformed::Malformed;
use super::shape::shape_text;
use super::source::Source;
use crate::Error;
pub(crate) use failure::Failure;
pub(crate) use raw::{Raw, header, raw, texts};

/// In a written file, the elements begin at a multiple of this.
const ALIGNMENT: usize = 64;

/// Reads a file. Memory: a small multiple of the data that there are, whatever the header declares.
///
/// # Errors
/// If the file cannot be read or is not one array of a supported type.
pub fn read(path: &Path) -> Result<Array, Error> {
    let source = Source::open(path).map_err(|error| Error::reading(path, error))?;
    parse(&mut source.into_reader()).map_err(|failure| failure.at(path))
}

/// Whether bytes begin as an NPY file does.
pub(crate) fn is(start: &[u8]) -> bool {
    start.starts_with(MAGIC)
}

/// The shape of an array, from its header alone.
pub(crate) fn shape(reader: &mut dyn Read) -> Result<Vec<usize>, Failure> {
    Ok(Header::read(reader)?.shape)
}

/// Reads an array, and makes sure that nothing is behind it.
pub(crate) fn parse(reader: &mut dyn Read) -> Result<Array, Failure> {
    let header = Header::read(reader)?;
    let element = Element::parse(&header.element).ok_or_else(|| {
        Malformed::new(
            "booleans, integers, floating-point numbers of 16, 32 or 64 bits, or texts",
            format!("elements of type {}", header.element),
        )
        .remedy(if header.element.contains('O') {
            "these are Python objects, which are stored as a pickle: in NumPy, array.astype(str) or astype(float) converts them"
        } else {
            "in NumPy, array.astype converts them"
        })
    })?;
    let count = header
        .count()
        .filter(|&count| count.checked_mul(element.size).is_some());
    let mut counted = Counted { reader, bytes: 0 };
    let values = element.values(&mut counted, count.unwrap_or(usize::MAX))?;
    let expected = count.map(|count| (count * element.size) as u64);
    // What the header does not declare is counted, not kept.
    io::copy(&mut counted, &mut io::sink())?;
    let found = counted.bytes;
    if expected != Some(found) {
        return Err(Malformed::new(
            format!(
                "the bytes of {} elements of type {} after the header",
                shape_text(&header.shape),
                header.element
            ),
            format!("{found} bytes"),
        )
        .into());
    }
    Ok(if header.fortran_order {
        Array::from_fortran_order(header.shape, values)
    } else {
        Array {
            shape: header.shape,
            values,
        }
    })
}

/// Counts the bytes that are read.
struct Counted<'a> {
    reader: &'a mut dyn Read,
    bytes: u64,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.bytes += read as u64;
        Ok(read)
    }
}

/// The type of an element.
struct Element {
    big: bool,
    kind: u8,
    size: usize,
}

impl Element {
    fn parse(text: &str) -> Option<Self> {
        let (order, kind) = text.split_at_checked(1)?;
        let (kind, size) = kind.split_at_checked(1)?;
        let size: usize = size.parse().ok()?;
        let kind = kind.bytes().next()?;
        let (known, size) = match (kind, size) {
            (b'b' | b'i' | b'u', 1) => (true, size),
            (b'i' | b'u' | b'f', 2 | 4 | 8) => (true, size),
            (b'U', 1..=1_000_000) => (true, 4 * size),
            (b'S', 1..=1_000_000) => (true, size),
            _ => (false, size),
        };
        // Only single bytes have no order.
        let ordered = matches!(order, "<" | ">" | "=");
        let valid = ordered || (order == "|" && (size == 1 || kind == b'S'));
        (known && valid).then_some(Self {
            big: order == ">",
            kind,
            size,
        })
    }

    fn values(&self, reader: &mut dyn Read, count: usize) -> Result<Values, Failure> {
        macro_rules! numbers {
            ($type:ty, $to:ty) => {
                if self.big {
                    elements(reader, count, |bytes| {
                        <$to>::from(<$type>::from_be_bytes(bytes))
                    })?
                } else {
                    elements(reader, count, |bytes| {
                        <$to>::from(<$type>::from_le_bytes(bytes))
                    })?
                }
            };
        }
        Ok(match (self.kind, self.size) {
            (b'b', _) => Values::Bool(elements(reader, count, |[byte]: [u8; 1]| byte != 0)?),
            (b'u', 1) => Values::U8(numbers!(u8, u8)),
            (b'i', 1) => Values::I32(numbers!(i8, i32)),
            (b'i', 2) => Values::I32(numbers!(i16, i32)),
            (b'u', 2) => Values::I32(numbers!(u16, i32)),
            (b'i', 4) => Values::I32(numbers!(i32, i32)),
            (b'u', 4) => Values::I64(numbers!(u32, i64)),
            (b'i', _) => Values::I64(numbers!(i64, i64)),
            (b'u', _) => Values::I64(signed(&numbers!(u64, u64))?),
            (b'f', 2) => {
                let half = |bits: u16| half_to_f32(bits);
                Values::F32(if self.big {
                    elements(reader, count, |bytes| half(u16::from_be_bytes(bytes)))?
                } else {
                    elements(reader, count, |bytes| half(u16::from_le_bytes(bytes)))?
                })
            }
            (b'f', 4) => Values::F32(numbers!(f32, f32)),
            (b'f', _) => Values::F64(numbers!(f64, f64)),
            _ => Values::Text(self.texts(reader, count)?),
        })
    }

    fn texts(&self, reader: &mut dyn Read, count: usize) -> io::Result<Vec<String>> {
        let mut texts = Vec::new();
        let mut bytes = Vec::new();
        while texts.len() < count {
            bytes.clear();
            (&mut *reader)
                .take(self.size as u64)
                .read_to_end(&mut bytes)?;
            if bytes.len() < self.size {
                break;
            }
            let text: String = if self.kind == b'S' {
                String::from_utf8_lossy(&bytes).into_owned()
            } else {
                let (units, _) = bytes.as_chunks();
                let unit = |&unit: &[u8; 4]| {
                    let code = if self.big {
                        u32::from_be_bytes(unit)
                    } else {
                        u32::from_le_bytes(unit)
                    };
                    char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
                };
                units.iter().map(unit).collect()
            };
            texts.push(text.trim_end_matches('\0').to_owned());
        }
        Ok(texts)
    }
}

/// A number of half precision (IEEE 754 binary16).
pub(crate) fn half_to_f32(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = ((bits >> 10) & 0x1f, f32::from(bits & 0x3ff));
    match exponent {
        0 => sign * fraction * 2.0_f32.powi(-24),
        0x1f if fraction == 0.0 => sign * f32::INFINITY,
        0x1f => f32::NAN,
        _ => sign * (1.0 + fraction / 1024.0) * 2.0_f32.powi(i32::from(exponent) - 15),
    }
}

fn signed(numbers: &[u64]) -> Result<Vec<i64>, Malformed> {
    let signed = |(index, &found): (usize, &u64)| {
        i64::try_from(found).map_err(|_| {
            let expected = format!("an integer up to {}", i64::MAX);
            Malformed::new(expected, found.to_string()).in_place(format!("element {index}"))
        })
    };
    numbers.iter().enumerate().map(signed).collect()
}

/// Reads a matrix: the numbers of rows and columns, and the elements in single precision, row
/// by row.
///
/// # Errors
/// As [`read`], and if the array does not have two dimensions.
pub fn read_matrix(path: &Path) -> Result<(usize, usize, Vec<f32>), Error> {
    let array = read(path)?;
    let found = array.to_string();
    match (array.shape.clone().as_slice(), array.into_f32()) {
        (&[rows, columns], Some(values)) => Ok((rows, columns, values)),
        _ => Err(Malformed::new("an array of numbers of shape (rows, columns)", found).at(path)),
    }
}

/// Reads pictures: their number, rows, columns and channels, and the elements in single precision, in this order.
///
/// # Errors
/// As [`read`], and if the array does not have four dimensions.
pub fn read_pictures(path: &Path) -> Result<([usize; 4], Vec<f32>), Error> {
    let array = read(path)?;
    let found = array.to_string();
    match (<[usize; 4]>::try_from(&*array.shape), array.into_f32()) {
        (Ok(shape), Some(values)) => Ok((shape, values)),
        _ => {
            let expected = "an array of numbers of shape (pictures, rows, columns, channels)";
            Err(Malformed::new(expected, found).at(path))
        }
    }
}

/// Reads a vector of numbers in double precision.
///
/// # Errors
/// As [`read`], and if the array is no vector of numbers.
pub fn read_vector(path: &Path) -> Result<Vec<f64>, Error> {
    let array = read(path)?;
    match (array.shape.len(), array.to_f64()) {
        (1, Some(values)) => Ok(values),
        _ => {
            Err(Malformed::new("an array of numbers of one dimension", array.to_string()).at(path))
        }
    }
}

/// Reads a vector of classes: whole numbers from 0 on.
///
/// # Errors
/// As [`read_vector`], and if an element is not a whole number from 0 to [`u32::MAX`].
pub fn read_classes(path: &Path) -> Result<Vec<u32>, Error> {
    let class = |(index, value): (usize, f64)| {
        if value.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&value) {
            return Ok(value as u32);
        }
        let expected = format!("a class, a whole number from 0 to {}", u32::MAX);
        let problem = Malformed::new(expected, value.to_string());
        Err(problem.in_place(format!("element {index}")).at(path))
    };
    read_vector(path)?
        .into_iter()
        .enumerate()
        .map(class)
        .collect()
}

/// Writes a vector: the counterpart of [`read`]. Texts are not written.
///
/// # Errors
/// A file that cannot be written.
///
/// ```
/// use bilevel_tasks::data::npy::{self, Values};
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("gradient.npy");
/// npy::write_vector(&path, Values::F64(vec![1.0, 2.5]))?;
/// assert_eq!(npy::read(&path)?.shape, [2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_vector(path: &Path, values: Values) -> Result<(), Error> {
    let length = values.len();
    let (element, data): (_, Vec<u8>) = match values {
        Values::F32(v) => ("<f4", bytes(&v, f32::to_le_bytes)),
        Values::F64(v) => ("<f8", bytes(&v, f64::to_le_bytes)),
        Values::I32(v) => ("<i4", bytes(&v, i32::to_le_bytes)),
        Values::I64(v) => ("<i8", bytes(&v, i64::to_le_bytes)),
        Values::U8(v) => ("|u1", v),
        Values::Bool(v) => ("|b1", bytes(&v, |value| [u8::from(value)])),
        Values::Text(_) => {
            let source = io::Error::new(io::ErrorKind::InvalidInput, "texts are not written");
            let path = path.to_owned();
            return Err(Error::Write { path, source });
        }
    };
    let write = || -> io::Result<()> {
        let mut file = io::BufWriter::new(fs::File::create(path)?);
        file.write_all(&header(element, &[length]))?;
        file.write_all(&data)?;
        file.flush()
    };
    write().map_err(|source| Error::Write {
        path: path.to_owned(),
        source,
    })
}

fn bytes<const N: usize, T: Copy>(values: &[T], convert: impl Fn(T) -> [u8; N]) -> Vec<u8> {
    values.iter().flat_map(|&value| convert(value)).collect()
}
