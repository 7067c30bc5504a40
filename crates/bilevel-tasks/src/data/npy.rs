//! NPY, NumPy's file format for one array.
//!
//! The bytes 93 "NUMPY", a version, the length of the header, the header as the text of a
//! Python dictionary, then the elements (numpy.lib.format, versions 1.0 to 3.0). Supported: booleans, integers and
//! floating-point numbers of 32 or 64 bits, in either byte order, in C or Fortran order. A file may be gzipped.

mod header;
mod problem;
mod tests;

use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;

use self::header::{Header, LONG_START, MAGIC, split_header};
use super::source;
use crate::Error;
pub use problem::NpyProblem;

/// In a written file, the elements begin at a multiple of this.
const ALIGNMENT: usize = 64;

/// The elements of an NPY file: as they are, or in the smallest of these types that has all values of theirs.
#[derive(Clone, PartialEq, Debug)]
pub enum NpyValues {
    /// `<f4`.
    F32(Vec<f32>),
    /// `<f8`.
    F64(Vec<f64>),
    /// `<i4`; also `i1`, `i2` and `u2`.
    I32(Vec<i32>),
    /// `<i8`; also `u4`, and `u8` if all numbers fit.
    I64(Vec<i64>),
    /// `|u1`; also booleans, as 0 and 1.
    U8(Vec<u8>),
}

/// The array that an NPY file holds.
#[derive(Clone, PartialEq, Debug)]
pub struct NpyArray {
    /// The dimensions; none for a single number.
    pub shape: Vec<usize>,
    /// The elements in C order (the last dimension varies fastest), whatever the order in the file.
    pub values: NpyValues,
}

impl NpyArray {
    /// Reads a file. Memory: a small multiple of the size that the header declares, and of the data that there are.
    ///
    /// # Errors
    /// If the file cannot be read or is not one array of a supported type.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let read = || Self::from_reader(source::open(path)?);
        read().map_err(|failure| match failure {
            Failure::Read(source) => unreadable(path, source),
            Failure::Problem(problem) => wrong(path, problem),
        })
    }

    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// If the bytes are not one array of a supported type.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NpyProblem> {
        Self::parse(bytes, 0)
    }

    fn from_reader(mut file: impl Read) -> Result<Self, Failure> {
        let mut bytes = Vec::new();
        let mut read_to = |end: usize, bytes: &mut Vec<u8>| {
            let more = end.saturating_sub(bytes.len()) as u64;
            file.by_ref().take(more).read_to_end(bytes)
        };
        read_to(LONG_START, &mut bytes)?;
        if let Err(NpyProblem::ShortHeader { expected, .. }) = split_header(&bytes) {
            read_to(expected, &mut bytes)?;
        }
        let (header, data) = split_header(&bytes)?;
        let start = bytes.len() - data.len();
        let header = Header::parse(header)?;
        let size = header.count().zip(element_size(&header.element));
        let size = size.and_then(|(count, size)| count.checked_mul(size));
        let end = size.and_then(|size| size.checked_add(start));
        read_to(end.unwrap_or(usize::MAX), &mut bytes)?;
        // What the header does not declare is counted, not kept.
        let beyond = io::copy(&mut file, &mut io::sink())?;
        Ok(Self::parse(
            &bytes,
            usize::try_from(beyond).unwrap_or(usize::MAX),
        )?)
    }

    /// `beyond` bytes follow.
    fn parse(bytes: &[u8], beyond: usize) -> Result<Self, NpyProblem> {
        let (header, data) = split_header(bytes)?;
        let header = Header::parse(header)?;
        if element_size(&header.element).is_none() {
            return Err(NpyProblem::Element {
                found: header.element,
            });
        }
        let values = match header.count() {
            Some(count) if beyond == 0 => decode(&header.element, data, count)?,
            _ => None,
        };
        let values = values.ok_or_else(|| NpyProblem::Size {
            shape: header.shape.clone(),
            element: header.element.clone(),
            found: data.len().saturating_add(beyond),
        })?;
        Ok(Self {
            values: if header.fortran_order {
                values.reordered(&header.shape)
            } else {
                values
            },
            shape: header.shape,
        })
    }

    /// The elements as numbers in double precision.
    #[must_use]
    pub fn to_f64(&self) -> Vec<f64> {
        match &self.values {
            NpyValues::F32(values) => values.iter().map(|&value| f64::from(value)).collect(),
            NpyValues::F64(values) => values.clone(),
            NpyValues::I32(values) => values.iter().map(|&value| f64::from(value)).collect(),
            NpyValues::I64(values) => values.iter().map(|&value| value as f64).collect(),
            NpyValues::U8(values) => values.iter().map(|&value| f64::from(value)).collect(),
        }
    }

    /// The same, without a copy if the elements are already in double precision.
    #[must_use]
    pub fn into_f64(self) -> Vec<f64> {
        match self.values {
            NpyValues::F64(values) => values,
            _ => self.to_f64(),
        }
    }
}

/// Reads a matrix: the numbers of rows and columns, and the elements in single precision, row
/// by row.
///
/// # Errors
/// As [`NpyArray::read`], and if the array does not have two dimensions.
pub fn read_matrix(path: &Path) -> Result<(usize, usize, Vec<f32>), Error> {
    let array = NpyArray::read(path)?;
    let [rows, columns] = array.shape[..] else {
        return Err(wrong(path, shape("(rows, columns)", array.shape)));
    };
    let values = match array.values {
        NpyValues::F32(values) => values,
        _ => array.into_f64().iter().map(|&value| value as f32).collect(),
    };
    Ok((rows, columns, values))
}

/// As [`read_matrix`], in double precision.
///
/// # Errors
/// As [`read_matrix`].
pub fn read_matrix_f64(path: &Path) -> Result<(usize, usize, Vec<f64>), Error> {
    let array = NpyArray::read(path)?;
    match array.shape[..] {
        [rows, columns] => Ok((rows, columns, array.into_f64())),
        _ => Err(wrong(path, shape("(rows, columns)", array.shape))),
    }
}

/// Reads a vector of `len` numbers, in double precision.
///
/// # Errors
/// As [`NpyArray::read`], and if the array has another shape.
pub fn read_vector(path: &Path, len: usize) -> Result<Vec<f64>, Error> {
    let array = NpyArray::read(path)?;
    if array.shape == [len] {
        Ok(array.to_f64())
    } else {
        Err(wrong(path, shape(&format!("({len})"), array.shape)))
    }
}

/// Reads a vector of classes: integers of any width, booleans, or floating-point numbers that are whole.
///
/// # Errors
/// As [`NpyArray::read`], and if the array is not a vector or an element is not a whole number from
/// 0 to [`u32::MAX`].
pub fn read_labels(path: &Path) -> Result<Vec<u32>, Error> {
    fn convert<T: Copy + Into<i64>>(labels: &[T]) -> Result<Vec<u32>, NpyProblem> {
        let label = |(index, &label): (usize, &T)| {
            let found = label.into();
            u32::try_from(found).map_err(|_| NpyProblem::Label { index, found })
        };
        labels.iter().enumerate().map(label).collect()
    }
    /// Beyond it, not all integers are numbers of double precision.
    const MOST: f64 = 9_007_199_254_740_992.0;
    fn whole(labels: &[f64]) -> Result<Vec<u32>, NpyProblem> {
        let integer = |(index, &found): (usize, &f64)| {
            if found.fract() == 0.0 && found.abs() <= MOST {
                Ok(found as i64)
            } else {
                Err(NpyProblem::NotInteger { index, found })
            }
        };
        let labels: Result<Vec<i64>, _> = labels.iter().enumerate().map(integer).collect();
        convert(&labels?)
    }
    let array = NpyArray::read(path)?;
    if array.shape.len() != 1 {
        return Err(wrong(path, shape("(rows)", array.shape)));
    }
    match &array.values {
        NpyValues::I32(labels) => convert(labels),
        NpyValues::I64(labels) => convert(labels),
        NpyValues::U8(labels) => convert(labels),
        NpyValues::F32(_) | NpyValues::F64(_) => whole(&array.to_f64()),
    }
    .map_err(|problem| wrong(path, problem))
}

/// Writes a vector: the counterpart of [`NpyArray::read`].
///
/// # Errors
/// A file that cannot be written.
///
/// ```
/// use bilevel_tasks::data::npy::{self, NpyArray, NpyValues};
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("gradient.npy");
/// npy::write_vector(&path, NpyValues::F64(vec![1.0, 2.5]))?;
/// assert_eq!(NpyArray::read(&path)?.shape, [2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_vector(path: &Path, values: NpyValues) -> Result<(), Error> {
    let (element, length, data): (_, _, Vec<u8>) = match values {
        NpyValues::F32(v) => ("<f4", v.len(), bytes(&v, f32::to_le_bytes)),
        NpyValues::F64(v) => ("<f8", v.len(), bytes(&v, f64::to_le_bytes)),
        NpyValues::I32(v) => ("<i4", v.len(), bytes(&v, i32::to_le_bytes)),
        NpyValues::I64(v) => ("<i8", v.len(), bytes(&v, i64::to_le_bytes)),
        NpyValues::U8(v) => ("|u1", v.len(), v),
    };
    let mut header =
        format!("{{'descr': '{element}', 'fortran_order': False, 'shape': ({length},), }}");
    let end = MAGIC.len() + 4 + header.len() + 1;
    header.extend(std::iter::repeat_n(
        ' ',
        end.next_multiple_of(ALIGNMENT) - end,
    ));
    header.push('\n');
    let write = || -> io::Result<()> {
        let mut file = io::BufWriter::new(fs::File::create(path)?);
        file.write_all(MAGIC)?;
        file.write_all(&[1, 0])?;
        file.write_all(&(header.len() as u16).to_le_bytes())?;
        file.write_all(header.as_bytes())?;
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

/// The bytes of an element of a type that is read.
fn element_size(element: &str) -> Option<usize> {
    let (order, kind) = element.split_at_checked(1)?;
    let size = match kind {
        "b1" | "i1" | "u1" => 1,
        "i2" | "u2" => 2,
        "i4" | "u4" | "f4" => 4,
        "i8" | "u8" | "f8" => 8,
        _ => return None,
    };
    // Only single bytes have no order.
    (matches!(order, "<" | ">") || order == "|" && size == 1).then_some(size)
}

/// The elements of such a type; None if there are not `count` of them.
fn decode(element: &str, data: &[u8], count: usize) -> Result<Option<NpyValues>, NpyProblem> {
    macro_rules! numbers {
        ($type:ty, $to:ty) => {{
            let read = if element.starts_with('>') {
                <$type>::from_be_bytes
            } else {
                <$type>::from_le_bytes
            };
            elements(data, count, |bytes| <$to>::from(read(bytes)))
        }};
    }
    Ok(match &element[1..] {
        "b1" => elements(data, count, |[byte]: [u8; 1]| u8::from(byte != 0)).map(NpyValues::U8),
        "u1" => numbers!(u8, u8).map(NpyValues::U8),
        "i1" => numbers!(i8, i32).map(NpyValues::I32),
        "i2" => numbers!(i16, i32).map(NpyValues::I32),
        "u2" => numbers!(u16, i32).map(NpyValues::I32),
        "i4" => numbers!(i32, i32).map(NpyValues::I32),
        "u4" => numbers!(u32, i64).map(NpyValues::I64),
        "i8" => numbers!(i64, i64).map(NpyValues::I64),
        "u8" => match numbers!(u64, u64) {
            Some(numbers) => Some(NpyValues::I64(signed(&numbers)?)),
            None => None,
        },
        "f4" => numbers!(f32, f32).map(NpyValues::F32),
        _ => numbers!(f64, f64).map(NpyValues::F64),
    })
}

fn signed(numbers: &[u64]) -> Result<Vec<i64>, NpyProblem> {
    let signed =
        |(index, &found)| i64::try_from(found).map_err(|_| NpyProblem::Large { index, found });
    numbers.iter().enumerate().map(signed).collect()
}

fn elements<const N: usize, T>(
    data: &[u8],
    count: usize,
    convert: impl Fn([u8; N]) -> T,
) -> Option<Vec<T>> {
    let (whole, rest) = data.as_chunks();
    (whole.len() == count && rest.is_empty())
        .then(|| whole.iter().map(|&value| convert(value)).collect())
}

enum Failure {
    Read(io::Error),
    Problem(NpyProblem),
}

impl From<NpyProblem> for Failure {
    fn from(problem: NpyProblem) -> Self {
        Self::Problem(problem)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.downcast::<source::Damaged>() {
            Ok(source::Damaged { read, source }) => {
                Self::Problem(NpyProblem::Gzip { read, source })
            }
            Err(error) => Self::Read(error),
        }
    }
}

fn unreadable(path: &Path, source: io::Error) -> Error {
    Error::Read {
        path: path.to_owned(),
        source,
    }
}

fn wrong(path: &Path, problem: NpyProblem) -> Error {
    Error::Npy {
        path: path.to_owned(),
        problem,
    }
}

fn shape(expected: &str, found: Vec<usize>) -> NpyProblem {
    NpyProblem::Shape {
        expected: expected.to_owned(),
        found,
    }
}

impl NpyValues {
    /// Converts from Fortran order to C order.
    fn reordered(self, shape: &[usize]) -> Self {
        fn reorder<T: Copy>(values: &[T], shape: &[usize]) -> Vec<T> {
            let mut strides = Vec::with_capacity(shape.len());
            let mut stride = 1;
            for &length in shape {
                strides.push(stride);
                stride *= length;
            }
            let mut index = vec![0; shape.len()];
            let mut out = Vec::with_capacity(values.len());
            for _ in values {
                let place: usize = index.iter().zip(&strides).map(|(i, s)| i * s).sum();
                out.push(values[place]);
                for (position, &length) in index.iter_mut().zip(shape).rev() {
                    *position += 1;
                    if *position < length {
                        break;
                    }
                    *position = 0;
                }
            }
            out
        }
        match self {
            Self::F32(values) => Self::F32(reorder(&values, shape)),
            Self::F64(values) => Self::F64(reorder(&values, shape)),
            Self::I32(values) => Self::I32(reorder(&values, shape)),
            Self::I64(values) => Self::I64(reorder(&values, shape)),
            Self::U8(values) => Self::U8(reorder(&values, shape)),
        }
    }
}
