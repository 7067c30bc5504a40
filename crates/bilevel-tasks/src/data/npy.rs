//! NPY, NumPy's file format for one array.
//!
//! The bytes 93 "NUMPY", a version, the length of the header, the header as the text of a
//! Python dictionary, then the elements (numpy.lib.format, versions 1.0 to 3.0). Read here:
//! little-endian numbers of the types in [`NpyValues`], in either order of dimensions.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use super::shape_text;
use crate::Error;

const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// Length of magic, version and the longer form of the header's length.
const LONG_START: usize = 12;
/// The elements of a file begin at a multiple of this.
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

/// What is wrong with the contents of an NPY file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NpyProblem {
    /// The file does not start like an NPY file.
    #[error("expected an NPY file, which starts with the bytes 93 \"NUMPY\", found another start")]
    Magic,
    /// A version that is not known.
    #[error("expected NPY version 1.0, 2.0 or 3.0, found {major}.{minor}")]
    Version {
        /// Before the point.
        major: u8,
        /// Behind it.
        minor: u8,
    },
    /// The file ends inside the header.
    #[error("expected a header that ends at byte {expected}, found {found} bytes in all")]
    ShortHeader {
        /// Where the header says that it ends.
        expected: usize,
        /// Length of the file.
        found: usize,
    },
    /// The header is not the dictionary that it should be.
    #[error("expected a header with 'descr', 'fortran_order' and 'shape', found {found:?}")]
    Header {
        /// The text of the header, or its beginning.
        found: String,
    },
    /// Elements of a type that is not read.
    #[error("expected elements of type <f4, <f8, <i4, <i8 or |u1 (little-endian), found {found}")]
    Element {
        /// The type that the header declares.
        found: String,
    },
    /// The elements do not fill the declared shape.
    #[error(
        "expected the bytes of {} elements of type {element} behind the header, found {found} bytes",
        shape_text(shape)
    )]
    Size {
        /// The declared shape.
        shape: Vec<usize>,
        /// The declared type.
        element: String,
        /// Bytes behind the header.
        found: usize,
    },
    /// An array of another shape than was needed.
    #[error("expected an array of shape {expected}, found {}", shape_text(found))]
    Shape {
        /// What was needed.
        expected: String,
        /// The shape of the array.
        found: Vec<usize>,
    },
    /// An array of integers was needed.
    #[error("expected integers, found floating-point numbers")]
    NotIntegers,
    /// An integer that is no class.
    #[error(
        "element {index}: expected a class, a number from 0 to {}, found {found}",
        u32::MAX
    )]
    Label {
        /// Position of the number.
        index: usize,
        /// The number.
        found: i64,
    },
}

/// The array that an NPY file holds.
#[derive(Clone, PartialEq, Debug)]
pub struct NpyArray {
    /// The dimensions; none for a single number.
    pub shape: Vec<usize>,
    /// The elements, the last dimension moving fastest, whatever the order in the file.
    pub values: NpyValues,
}

impl NpyArray {
    /// Reads the file. Memory: a small multiple of the bytes that are really in the file,
    /// whatever its header declares.
    ///
    /// # Errors
    /// A file that cannot be read, contents that are not one array of a type that is read
    /// here.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let bytes = fs::read(path).map_err(|source| unreadable(path, source))?;
        Self::from_bytes(&bytes).map_err(|problem| wrong(path, problem))
    }

    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// Contents that are not one array of a type that is read here.
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

    /// The same, without a copy where they are in double precision already.
    #[must_use]
    pub fn into_f64(self) -> Vec<f64> {
        match self.values {
            NpyValues::F64(values) => values,
            _ => self.to_f64(),
        }
    }
}

/// Reads the rows and columns of a matrix, as single-precision numbers row by row.
///
/// # Errors
/// Those of [`NpyArray::read`], and another number of dimensions.
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

/// Reads the rows and columns of a matrix, as double-precision numbers row by row.
///
/// # Errors
/// Those of [`NpyArray::read`], and another number of dimensions.
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
/// Those of [`NpyArray::read`], and another shape.
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
/// Those of [`NpyArray::read`], another shape, elements that are no integers of at least 0.
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
    /// From the first dimension moving fastest to the last.
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

/// The header's text, and the bytes behind it.
fn split_header(bytes: &[u8]) -> Result<(&[u8], &[u8]), NpyProblem> {
    let Some(rest) = bytes.strip_prefix(MAGIC) else {
        return Err(NpyProblem::Magic);
    };
    let short = |expected| NpyProblem::ShortHeader {
        expected,
        found: bytes.len(),
    };
    let (start, length) = match *rest {
        [1, 0, a, b, ..] => (10, usize::from(u16::from_le_bytes([a, b]))),
        [2 | 3, 0, a, b, c, d, ..] => {
            let length = u32::from_le_bytes([a, b, c, d]);
            (
                LONG_START,
                usize::try_from(length).map_err(|_| short(usize::MAX))?,
            )
        }
        [1..=3, 0, ..] | [] | [_] => return Err(short(LONG_START)),
        [major, minor, ..] => return Err(NpyProblem::Version { major, minor }),
    };
    let end = start.saturating_add(length);
    match (bytes.get(start..end), bytes.get(end..)) {
        (Some(header), Some(data)) => Ok((header, data)),
        _ => Err(short(end)),
    }
}

struct Header {
    element: String,
    fortran_order: bool,
    shape: Vec<usize>,
}

impl Header {
    /// Reads the dictionary, whose three keys may stand in any order.
    fn parse(header: &[u8]) -> Result<Self, NpyProblem> {
        let text = String::from_utf8_lossy(header);
        let text = text.trim();
        Self::from_text(text).ok_or_else(|| NpyProblem::Header {
            found: text.chars().take(120).collect(),
        })
    }

    fn from_text(text: &str) -> Option<Self> {
        let mut rest = text.strip_prefix('{')?.strip_suffix('}')?.trim();
        let (mut element, mut fortran_order, mut shape) = (None, None, None);
        while !rest.is_empty() {
            let (key, after) = rest.split_once(':')?;
            rest = after.trim_start();
            // A value ends at the comma behind it, outside its brackets.
            let mut depth = 0_usize;
            let end = rest
                .find(|symbol| {
                    match symbol {
                        '(' | '[' => depth += 1,
                        ')' | ']' => depth = depth.saturating_sub(1),
                        _ => {}
                    }
                    symbol == ',' && depth == 0
                })
                .unwrap_or(rest.len());
            let value = rest[..end].trim();
            match unquoted(key.trim())? {
                // A record type is kept as it is written, to be named in the error.
                "descr" => element = Some(unquoted(value).unwrap_or(value).to_owned()),
                "fortran_order" => {
                    fortran_order = Some(match value {
                        "True" => true,
                        "False" => false,
                        _ => return None,
                    });
                }
                "shape" => shape = Some(dimensions(value)?),
                _ => return None,
            }
            rest = rest[end..].trim_start_matches(',').trim_start();
        }
        Some(Self {
            element: element?,
            fortran_order: fortran_order?,
            shape: shape?,
        })
    }
}

fn unquoted(text: &str) -> Option<&str> {
    ['\'', '"'].iter().find_map(|&quote| {
        text.strip_prefix(quote)?
            .strip_suffix(quote)
            .filter(|inside| !inside.contains(quote))
    })
}

/// "(5000, 784)", "(3,)" or "()".
fn dimensions(text: &str) -> Option<Vec<usize>> {
    let inside = text.strip_prefix('(')?.strip_suffix(')')?.trim();
    let inside = inside.strip_suffix(',').unwrap_or(inside);
    if inside.trim().is_empty() {
        return Some(Vec::new());
    }
    inside
        .split(',')
        .map(|length| length.trim().parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As numpy.save writes it.
    fn file(header: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend([1, 0]);
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes
    }

    fn header(element: &str, fortran: &str, shape: &str) -> String {
        format!("{{'descr': {element}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n")
    }

    fn problem(bytes: &[u8]) -> String {
        NpyArray::from_bytes(bytes).unwrap_err().to_string()
    }

    #[test]
    fn every_type_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        for values in [
            NpyValues::F32(vec![1.5, -2.0, f32::MAX]),
            NpyValues::F64(vec![1.5, -2.0, f64::MIN_POSITIVE]),
            NpyValues::I32(vec![1, -2, i32::MAX]),
            NpyValues::I64(vec![1, -2, i64::MIN]),
            NpyValues::U8(vec![0, 1, 255]),
        ] {
            write_vector(&path, values.clone()).unwrap();
            let array = NpyArray::read(&path).unwrap();
            assert_eq!((array.shape.as_slice(), &array.values), (&[3][..], &values));
            let length = fs::metadata(&path).unwrap().len() as usize;
            let width = array.to_f64().len();
            assert_eq!(width, 3);
            assert!(length > ALIGNMENT);
        }
    }

    #[test]
    fn both_orders_give_the_same_array() {
        // [[1, 2, 3], [4, 5, 6]]
        let c = file(&header("'|u1'", "False", "(2, 3)"), &[1, 2, 3, 4, 5, 6]);
        let fortran = file(&header("'|u1'", "True", "(2, 3)"), &[1, 4, 2, 5, 3, 6]);
        assert_eq!(
            NpyArray::from_bytes(&c).unwrap(),
            NpyArray::from_bytes(&fortran).unwrap()
        );
        // a[i, j, k] = 4i + 2j + k
        let cube = file(
            &header("'|u1'", "True", "(2, 2, 2)"),
            &[0, 4, 2, 6, 1, 5, 3, 7],
        );
        assert_eq!(
            NpyArray::from_bytes(&cube).unwrap().values,
            NpyValues::U8((0..8).collect())
        );
        let number = file(&header("'<i4'", "False", "()"), &7_i32.to_le_bytes());
        let number = NpyArray::from_bytes(&number).unwrap();
        assert_eq!(
            (number.shape, number.values),
            (vec![], NpyValues::I32(vec![7]))
        );
    }

    #[test]
    fn longer_headers_of_later_versions_are_read() {
        let text = header("'|u1'", "False", "(1,)");
        let mut bytes = MAGIC.to_vec();
        bytes.extend([2, 0]);
        bytes.extend((text.len() as u32).to_le_bytes());
        bytes.extend(text.as_bytes());
        bytes.push(9);
        assert_eq!(
            NpyArray::from_bytes(&bytes).unwrap().values,
            NpyValues::U8(vec![9])
        );
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert!(problem(b"").contains("found another start"));
        assert!(problem(b"PK\x03\x04 an npz").contains("found another start"));
        assert_eq!(
            problem(b"\x93NUMPY\x09\x01\x00\x00\x00\x00"),
            "expected NPY version 1.0, 2.0 or 3.0, found 9.1"
        );
        // A header of 4 GB in a file of 12 bytes.
        assert!(problem(b"\x93NUMPY\x02\x00\xff\xff\xff\xff").ends_with("found 12 bytes in all"));
        assert!(problem(b"\x93NUMPY").ends_with("found 6 bytes in all"));
        let whole = file(&header("'<f4'", "False", "(2,)"), &[0; 8]);
        assert!(problem(&whole[..20]).contains("header that ends at byte"));
        assert_eq!(
            problem(&whole[..whole.len() - 1]),
            "expected the bytes of 2 elements of type <f4 behind the header, found 7 bytes"
        );
        for element in ["'>f4'", "'|O'", "'<c8'", "[('a', '<f4'), ('b', '<i4')]"] {
            let found = problem(&file(&header(element, "False", "(2,)"), &[0; 8]));
            let found = found.rsplit("found ").next().unwrap();
            assert_eq!(found, element.trim_matches('\''));
        }
        // More elements than any machine holds, and a product that overflows.
        for shape in ["(99999999999,)", "(4294967296, 4294967296, 4294967296)"] {
            let text = problem(&file(&header("'<f8'", "False", shape), &[0; 8]));
            assert!(text.ends_with("found 8 bytes"), "{text}");
        }
        for text in [
            "{}",
            "{'descr': '<f4'}",
            "[1]",
            "{'descr': '<f4', 'fortran_order': 1, 'shape': (1,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': 3}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'more': 1}",
        ] {
            assert!(
                problem(&file(text, &[])).contains("expected a header"),
                "{text}"
            );
        }
    }

    #[test]
    fn shapes_and_labels_are_checked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        let message = |values| {
            write_vector(&path, values).unwrap();
            read_labels(&path).unwrap_err().to_string()
        };
        assert!(message(NpyValues::F32(vec![1.0])).ends_with("found floating-point numbers"));
        assert!(message(NpyValues::I64(vec![0, -1])).contains("element 1"));
        write_vector(&path, NpyValues::I64(vec![3, 0])).unwrap();
        assert_eq!(read_labels(&path).unwrap(), [3, 0]);
        let error = read_vector(&path, 3).unwrap_err().to_string();
        assert!(
            error.ends_with("expected an array of shape (3), found 2"),
            "{error}"
        );
        assert!(read_matrix(&path).is_err());
        assert!(read_matrix(&folder.path().join("none.npy")).is_err());
    }

    proptest! {
        /// Whatever the bytes, an answer comes.
        #[test]
        fn nothing_panics(header in "\\PC{0,60}", data in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = NpyArray::from_bytes(&file(&header, &data));
            let _ = NpyArray::from_bytes(&data);
        }
    }
}
