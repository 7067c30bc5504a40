//! IDX, the file format of MNIST and its family.
//!
//! Two zero bytes, a byte for the type of the elements, a byte for the number of
//! dimensions, the dimensions as big-endian 32-bit numbers, then the elements, big-endian,
//! the last dimension moving fastest (Y. LeCun, C. Cortes, C. Burges, *The MNIST database of
//! handwritten digits*). A file may be gzipped; this is detected from its contents, not its name.

mod element;
mod problem;
mod tests;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::{Dataset, ImageShape, numbered_classes, source};
use crate::Error;
pub use element::{ElementType, MAXIMUM_CLASSES};
pub use problem::IdxProblem;

/// Numbers of an extended label of QMNIST: the class, then where the digit comes from (Yadav and Bottou 2019, arXiv
/// 1905.10498).
const EXTENDED: usize = 8;
/// The largest pixel of an image.
const FULL: f32 = 255.0;

/// The elements of an IDX file.
#[derive(Clone, PartialEq, Debug)]
pub enum IdxValues {
    /// Unsigned bytes.
    U8(Vec<u8>),
    /// Signed bytes.
    I8(Vec<i8>),
    /// 16-bit integers.
    I16(Vec<i16>),
    /// 32-bit integers.
    I32(Vec<i32>),
    /// 32-bit floating-point numbers.
    F32(Vec<f32>),
    /// 64-bit floating-point numbers.
    F64(Vec<f64>),
}

impl IdxValues {
    fn from_bytes(element: ElementType, bytes: Vec<u8>) -> Self {
        fn map<const N: usize, T>(bytes: &[u8], convert: fn([u8; N]) -> T) -> Vec<T> {
            bytes.as_chunks().0.iter().map(|&x| convert(x)).collect()
        }
        match element {
            ElementType::U8 => Self::U8(bytes),
            ElementType::I8 => Self::I8(map(&bytes, i8::from_be_bytes)),
            ElementType::I16 => Self::I16(map(&bytes, i16::from_be_bytes)),
            ElementType::I32 => Self::I32(map(&bytes, i32::from_be_bytes)),
            ElementType::F32 => Self::F32(map(&bytes, f32::from_be_bytes)),
            ElementType::F64 => Self::F64(map(&bytes, f64::from_be_bytes)),
        }
    }

    /// The type of the elements.
    #[must_use]
    pub fn element(&self) -> ElementType {
        match self {
            Self::U8(_) => ElementType::U8,
            Self::I8(_) => ElementType::I8,
            Self::I16(_) => ElementType::I16,
            Self::I32(_) => ElementType::I32,
            Self::F32(_) => ElementType::F32,
            Self::F64(_) => ElementType::F64,
        }
    }
}

/// The array in an IDX file, of any of the six element types.
#[derive(Clone, PartialEq, Debug)]
pub struct IdxArray {
    declared_rows: usize,
    dimensions: Vec<usize>,
    values: IdxValues,
}

impl IdxArray {
    /// Reads the file, or its first `limit` rows (its first dimension); all rows if it has
    /// fewer. Data after the rows read are not checked.
    ///
    /// Memory: a small multiple of the actual size of the file, whatever its
    /// header declares; a gzip stream is unpacked only up to the declared size.
    ///
    /// # Errors
    /// A file that cannot be read, or contents that are not exactly one IDX array.
    pub fn read(path: &Path, limit: Option<usize>) -> Result<Self, Error> {
        let unreadable = |source| Error::Read {
            path: path.to_owned(),
            source,
        };
        let file = File::open(path).map_err(unreadable)?;
        Self::parse(file, limit).map_err(|failure| match failure {
            Failure::Read(source) => unreadable(source),
            Failure::Problem(problem) => wrong(path, problem),
        })
    }

    /// Reads the bytes of a file, as [`IdxArray::read`] reads a file.
    ///
    /// # Errors
    /// Contents that are not exactly one IDX array.
    pub fn from_bytes(bytes: &[u8], limit: Option<usize>) -> Result<Self, IdxProblem> {
        Self::parse(bytes, limit).map_err(|failure| match failure {
            // In-memory input can fail only while unpacking.
            Failure::Read(source) => IdxProblem::Gzip { read: 0, source },
            Failure::Problem(problem) => problem,
        })
    }

    fn parse(file: impl Read, limit: Option<usize>) -> Result<Self, Failure> {
        parse_plain(source::unpacked(file)?, limit)
    }

    /// The dimensions read, rows first.
    #[must_use]
    pub fn dimensions(&self) -> &[usize] {
        &self.dimensions
    }

    /// The rows that the file declares; fewer may have been read.
    #[must_use]
    pub fn declared_rows(&self) -> usize {
        self.declared_rows
    }

    /// The elements, the last dimension moving fastest.
    #[must_use]
    pub fn values(&self) -> &IdxValues {
        &self.values
    }

    fn kind(&self, expected: &'static str) -> IdxProblem {
        let mut dimensions = self.dimensions.clone();
        dimensions[0] = self.declared_rows;
        IdxProblem::Kind {
            expected,
            dimensions,
            element: self.values.element(),
        }
    }
}

/// Images as rows of features, and their shape if the file declares it.
#[derive(Clone, PartialEq, Debug)]
pub struct IdxImages {
    /// Rows × columns pixels from 0 to 1, row by row.
    pub features: Vec<f32>,
    /// Number of rows that were read.
    pub rows: usize,
    /// Number of rows that the file declares.
    pub declared_rows: usize,
    /// Number of pixels of an image.
    pub columns: usize,
    /// Height and width, if the file has three dimensions.
    pub shape: Option<ImageShape>,
}

/// Reads the images of an IDX file of unsigned bytes with two or more dimensions, or its
/// first `limit` images. Pixels are scaled from 0 … 255 to 0 … 1.
///
/// # Errors
/// Those of [`IdxArray::read`]; another element type, one dimension, images without pixels.
pub fn read_images(path: &Path, limit: Option<usize>) -> Result<IdxImages, Error> {
    let array = IdxArray::read(path, limit)?;
    let (IdxValues::U8(pixels), [rows, image @ ..]) = (&array.values, &array.dimensions[..]) else {
        return Err(wrong(path, array.kind("images of unsigned bytes")));
    };
    if image.is_empty() || image.contains(&0) {
        let expected = "images: two or more dimensions, none but the first zero";
        return Err(wrong(path, array.kind(expected)));
    }
    Ok(IdxImages {
        features: pixels.iter().map(|&x| f32::from(x) / FULL).collect(),
        rows: *rows,
        declared_rows: array.declared_rows,
        columns: image.iter().product(),
        shape: match *image {
            [height, width] => Some(ImageShape { height, width }),
            _ => None,
        },
    })
}

/// Reads the labels of an IDX file of integers with one dimension, or its first `limit`. Of the extended labels of
/// QMNIST, n × 8 numbers of 32 bits, the first column is the class.
///
/// # Errors
/// Those of [`IdxArray::read`]; elements that are not integers, several dimensions, a label
/// that is negative or not below [`MAXIMUM_CLASSES`].
pub fn read_labels(path: &Path, limit: Option<usize>) -> Result<Vec<u32>, Error> {
    fn convert<T: Copy + Into<i64>>(labels: &[T]) -> Result<Vec<u32>, IdxProblem> {
        let convert = |(row, &label): (usize, &T)| {
            let label = label.into();
            u32::try_from(label)
                .ok()
                .filter(|&label| (label as usize) < MAXIMUM_CLASSES)
                .ok_or(IdxProblem::Label { row, label })
        };
        labels.iter().enumerate().map(convert).collect()
    }
    let mut array = IdxArray::read(path, limit)?;
    if let (&[rows, EXTENDED], IdxValues::I32(labels)) = (&array.dimensions[..], &array.values) {
        array.values = IdxValues::I32(labels.iter().step_by(EXTENDED).copied().collect());
        array.dimensions = vec![rows];
    }
    match &array.values {
        _ if array.dimensions.len() != 1 => Err(array.kind("labels: one dimension")),
        IdxValues::U8(labels) => convert(labels),
        IdxValues::I8(labels) => convert(labels),
        IdxValues::I16(labels) => convert(labels),
        IdxValues::I32(labels) => convert(labels),
        IdxValues::F32(_) | IdxValues::F64(_) => Err(array.kind("labels: integers")),
    }
    .map_err(|problem| wrong(path, problem))
}

/// Reads a file of images and the file of their labels, or the first `limit` rows of both.
///
/// The classes are "0", "1", … up to the largest label of the whole file, even if fewer
/// rows are read. For training and test rows with the same classes see
/// [`Dataset::with_class_names`].
///
/// # Errors
/// Those of [`read_images`] and [`read_labels`]; different numbers of labels and images.
///
/// ```no_run
/// use std::path::Path;
/// use bilevel_tasks::data::idx::read_idx;
/// let images = Path::new("train-images-idx3-ubyte.gz");
/// let labels = Path::new("train-labels-idx1-ubyte.gz");
/// let data = read_idx(images, labels, Some(5000))?;
/// assert_eq!((data.rows(), data.classes()), (5000, 10));
/// # Ok::<(), bilevel_tasks::Error>(())
/// ```
pub fn read_idx(images: &Path, labels: &Path, limit: Option<usize>) -> Result<Dataset, Error> {
    let pixels = read_images(images, limit)?;
    let mut classes = read_labels(labels, None)?;
    if pixels.declared_rows != classes.len() {
        return Err(Error::RowCounts {
            images: images.to_owned(),
            image_rows: pixels.declared_rows,
            labels: labels.to_owned(),
            label_rows: classes.len(),
        });
    }
    let names = numbered_classes(classes.iter().max().map_or(0, |&label| label as usize + 1));
    classes.truncate(pixels.rows);
    let data = Dataset::new(pixels.features, pixels.columns, classes, names)?;
    match pixels.shape {
        Some(shape) => data.with_image_shape(shape),
        None => Ok(data),
    }
}

enum Failure {
    Read(io::Error),
    Problem(IdxProblem),
}

impl From<IdxProblem> for Failure {
    fn from(problem: IdxProblem) -> Self {
        Self::Problem(problem)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.downcast::<source::Damaged>() {
            Ok(source::Damaged { read, source }) => {
                Self::Problem(IdxProblem::Gzip { read, source })
            }
            Err(error) => Self::Read(error),
        }
    }
}

fn wrong(path: &Path, problem: IdxProblem) -> Error {
    Error::Idx {
        path: path.to_owned(),
        problem,
    }
}

/// Reads an uncompressed array.
fn parse_plain(mut file: impl Read, limit: Option<usize>) -> Result<IdxArray, Failure> {
    let mut more = |bytes: usize| -> Result<Vec<u8>, Failure> {
        let mut buffer = Vec::new();
        // The buffer grows with the data read, not with the declared size.
        file.by_ref().take(bytes as u64).read_to_end(&mut buffer)?;
        Ok(buffer)
    };

    let magic = more(4)?;
    let &[zero, nought, element, rank] = magic.as_slice() else {
        return Err(match *magic.as_slice() {
            [] => IdxProblem::Empty,
            [a, b, ..] if [a, b] != [0, 0] => IdxProblem::Magic { found: [a, b] },
            _ => IdxProblem::ShortHeader {
                expected: 4,
                found: magic.len(),
            },
        }
        .into());
    };
    if [zero, nought] != [0, 0] {
        let found = [zero, nought];
        return Err(IdxProblem::Magic { found }.into());
    }
    let element =
        ElementType::from_byte(element).ok_or(IdxProblem::UnknownElement { found: element })?;
    if rank == 0 {
        return Err(IdxProblem::NoDimensions.into());
    }
    let expected = 4 * usize::from(rank);
    let header = more(expected)?;
    if header.len() < expected {
        return Err(IdxProblem::ShortHeader {
            expected: 4 + expected,
            found: 4 + header.len(),
        }
        .into());
    }
    let (chunks, _) = header.as_chunks();
    let mut dimensions: Vec<usize> = chunks
        .iter()
        .map(|&bytes| u32::from_be_bytes(bytes) as usize)
        .collect();

    let size = |dimensions: &[usize]| {
        dimensions
            .iter()
            // A zero must not hide an overflow of the other dimensions: a row has a size too.
            .try_fold(element.bytes(), |size, &next| size.checked_mul(next.max(1)))
            // One more byte is requested below, and no allocation can be larger.
            .filter(|&size| size < isize::MAX.unsigned_abs())
            .map(|size| if dimensions.contains(&0) { 0 } else { size })
            .ok_or_else(|| IdxProblem::Overflow {
                dimensions: dimensions.to_vec(),
            })
    };
    size(&dimensions)?;
    let declared_rows = dimensions[0];
    dimensions[0] = limit.map_or(declared_rows, |limit| limit.min(declared_rows));
    let whole = dimensions[0] == declared_rows;
    let expected = size(&dimensions)?;
    // Reading one byte past the end shows whether the file continues, and makes the gzip decoder
    // verify its checksum.
    let bytes = more(if whole { expected + 1 } else { expected })?;
    if bytes.len() < expected {
        return Err(IdxProblem::TooFewBytes {
            dimensions,
            element,
            expected,
            found: bytes.len(),
        }
        .into());
    }
    if bytes.len() > expected {
        return Err(IdxProblem::TooManyBytes {
            dimensions,
            element,
            expected,
        }
        .into());
    }
    Ok(IdxArray {
        declared_rows,
        dimensions,
        values: IdxValues::from_bytes(element, bytes),
    })
}
