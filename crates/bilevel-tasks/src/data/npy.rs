//! NPY, NumPy's file format for one array.
//!
//! The bytes 93 "NUMPY", a version, the length of the header, the header as the text of a
//! Python dictionary, then the elements (numpy.lib.format, versions 1.0 to 3.0). Supported:
//! little-endian numbers of the types in [`NpyValues`], in C or Fortran order.

mod header;
mod problem;
mod tests;

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use self::header::{Header, MAGIC, split_header};
use crate::Error;
pub use problem::NpyProblem;

/// In a written file, the elements begin at a multiple of this.
const ALIGNMENT: usize = 64;

/// The elements of an NPY file.
#[derive(Clone, PartialEq, Debug)]
pub enum NpyValues {
    /// `<f4`.
    F32(Vec<f32>),
    /// `<f8`.
    F64(Vec<f64>),
    /// `<i4`.
    I32(Vec<i32>),
    /// `<i8`.
    I64(Vec<i64>),
    /// `|u1`.
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
    /// Reads a file. Memory: a small multiple of the actual size of the file, whatever its
    /// header declares.
    ///
    /// # Errors
    /// If the file cannot be read or is not one array of a supported type.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let bytes = fs::read(path).map_err(|source| unreadable(path, source))?;
        Self::from_bytes(&bytes).map_err(|problem| wrong(path, problem))
    }

    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// If the bytes are not one array of a supported type.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NpyProblem> {
        let (header, data) = split_header(bytes)?;
        let header = Header::parse(header)?;
        let size = || NpyProblem::Size {
            shape: header.shape.clone(),
            element: header.element.clone(),
            found: data.len(),
        };
        let count = header
            .shape
            .iter()
            .try_fold(1_usize, |count, &length| count.checked_mul(length))
            .ok_or_else(size)?;
        let values = match header.element.as_str() {
            "<f4" => elements(data, count, f32::from_le_bytes).map(NpyValues::F32),
            "<f8" => elements(data, count, f64::from_le_bytes).map(NpyValues::F64),
            "<i4" => elements(data, count, i32::from_le_bytes).map(NpyValues::I32),
            "<i8" => elements(data, count, i64::from_le_bytes).map(NpyValues::I64),
            "|u1" | "<u1" => elements(data, count, u8::from_le_bytes).map(NpyValues::U8),
            _ => {
                return Err(NpyProblem::Element {
                    found: header.element,
                });
            }
        }
        .ok_or_else(size)?;
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

/// Reads a vector of classes.
///
/// # Errors
/// As [`NpyArray::read`], and if the array is not a vector or an element is not an integer from
/// 0 to [`u32::MAX`].
pub fn read_labels(path: &Path) -> Result<Vec<u32>, Error> {
    fn convert<T: Copy + Into<i64>>(labels: &[T]) -> Result<Vec<u32>, NpyProblem> {
        let label = |(index, &label): (usize, &T)| {
            let found = label.into();
            u32::try_from(found).map_err(|_| NpyProblem::Label { index, found })
        };
        labels.iter().enumerate().map(label).collect()
    }
    let array = NpyArray::read(path)?;
    if array.shape.len() != 1 {
        return Err(wrong(path, shape("(rows)", array.shape)));
    }
    match &array.values {
        NpyValues::I32(labels) => convert(labels),
        NpyValues::I64(labels) => convert(labels),
        NpyValues::U8(labels) => convert(labels),
        NpyValues::F32(_) | NpyValues::F64(_) => Err(NpyProblem::NotIntegers),
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

fn elements<const N: usize, T>(
    data: &[u8],
    count: usize,
    convert: impl Fn([u8; N]) -> T,
) -> Option<Vec<T>> {
    let (whole, rest) = data.as_chunks();
    (whole.len() == count && rest.is_empty())
        .then(|| whole.iter().map(|&value| convert(value)).collect())
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
