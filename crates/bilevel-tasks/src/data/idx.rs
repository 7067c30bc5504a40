//! IDX, the file format of MNIST and its family.
//!
//! Two zero bytes, a byte for the type of the elements, a byte for the number of
//! dimensions, the dimensions as big-endian 32-bit numbers, then the elements, big-endian,
//! the last dimension moving fastest (Y. LeCun, C. Cortes, C. Burges, *The MNIST database of
//! handwritten digits*). A file may be gzipped, which its contents tell, not its name.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use super::{Dataset, ImageShape, numbered_classes, shape_text};
use crate::Error;

/// More classes than this are taken for a file that holds something else than labels.
pub const MAXIMUM_CLASSES: usize = 65_536;

const GZIP: [u8; 2] = [0x1f, 0x8b];
/// The largest pixel of an image.
const FULL: f32 = 255.0;

/// The type of the elements of an IDX file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ElementType {
    /// Unsigned bytes, type 0x08.
    U8,
    /// Signed bytes, type 0x09.
    I8,
    /// 16-bit integers, type 0x0b.
    I16,
    /// 32-bit integers, type 0x0c.
    I32,
    /// 32-bit floating-point numbers, type 0x0d.
    F32,
    /// 64-bit floating-point numbers, type 0x0e.
    F64,
}

impl ElementType {
    fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            0x08 => Self::U8,
            0x09 => Self::I8,
            0x0b => Self::I16,
            0x0c => Self::I32,
            0x0d => Self::F32,
            0x0e => Self::F64,
            _ => return None,
        })
    }

    fn bytes(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::I16 => 2,
            Self::I32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }
}

impl fmt::Display for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::U8 => "unsigned bytes",
            Self::I8 => "signed bytes",
            Self::I16 => "16-bit integers",
            Self::I32 => "32-bit integers",
            Self::F32 => "32-bit floating-point numbers",
            Self::F64 => "64-bit floating-point numbers",
        })
    }
}

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

/// What is wrong with the contents of an IDX file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdxProblem {
    /// No bytes at all.
    #[error("expected an IDX file, found no data")]
    Empty,
    /// The file does not start like an IDX file.
    #[error(
        "expected an IDX file, which starts with the bytes 00 00, found {:02x} {:02x}", found[0], found[1]
    )]
    Magic {
        /// The first two bytes.
        found: [u8; 2],
    },
    /// The byte that tells the type of the elements is none of the known.
    #[error(
        "expected an element type of 08, 09, 0b, 0c, 0d or 0e (hexadecimal), found {found:02x}"
    )]
    UnknownElement {
        /// The byte found.
        found: u8,
    },
    /// No dimensions are declared.
    #[error("expected at least one dimension, found none")]
    NoDimensions,
    /// The file ends inside the header.
    #[error("expected a header of {expected} bytes, found {found} bytes in all")]
    ShortHeader {
        /// Length of the header.
        expected: usize,
        /// Length of the file, unpacked.
        found: usize,
    },
    /// The declared dimensions are more than can be addressed.
    #[error(
        "expected dimensions that fit into memory, found {}",
        shape_text(dimensions)
    )]
    Overflow {
        /// The declared dimensions.
        dimensions: Vec<usize>,
    },
    /// The file ends before the last declared element.
    #[error(
        "expected {expected} bytes of data ({} {element} declared), found {found}",
        shape_text(dimensions)
    )]
    TooFewBytes {
        /// The dimensions read: the declared ones, or fewer rows where fewer were asked for.
        dimensions: Vec<usize>,
        /// The declared type of the elements.
        element: ElementType,
        /// Bytes that the dimensions ask for.
        expected: usize,
        /// Bytes behind the header.
        found: usize,
    },
    /// The file goes on behind the last declared element.
    #[error(
        "expected {expected} bytes of data ({} {element} declared), found more",
        shape_text(dimensions)
    )]
    TooManyBytes {
        /// The declared dimensions.
        dimensions: Vec<usize>,
        /// The declared type of the elements.
        element: ElementType,
        /// Bytes that the dimensions ask for.
        expected: usize,
    },
    /// The gzip stream is cut short or damaged.
    #[error(
        "expected a whole gzip file, found it cut short or damaged after {read} unpacked bytes: {source}"
    )]
    Gzip {
        /// Bytes unpacked before the damage.
        read: usize,
        /// What the decoder said.
        source: io::Error,
    },
    /// The array is not of the kind that was asked for.
    #[error("expected {expected}, found {} {element}", shape_text(dimensions))]
    Kind {
        /// What was asked for.
        expected: &'static str,
        /// The declared dimensions.
        dimensions: Vec<usize>,
        /// The declared type of the elements.
        element: ElementType,
    },
    /// A label that cannot be a class index.
    #[error("row {row}: expected a label from 0 to {}, found {label}", MAXIMUM_CLASSES - 1)]
    Label {
        /// Row of the label.
        row: usize,
        /// The label found.
        label: i64,
    },
}

/// The array that an IDX file holds, of any of the six element types.
#[derive(Clone, PartialEq, Debug)]
pub struct IdxArray {
    declared_rows: usize,
    dimensions: Vec<usize>,
    values: IdxValues,
}

impl IdxArray {
    /// Reads the file, or its first `limit` rows (its first dimension); all rows if it has
    /// fewer. What stands behind the rows that are read is not checked.
    ///
    /// Memory: a small multiple of the bytes that are really in the file, whatever its
    /// header declares; a gzip stream is unpacked up to the declared size and no further.
    ///
    /// # Errors
    /// A file that cannot be read, contents that are not one whole IDX array.
    pub fn read(path: &Path, limit: Option<usize>) -> Result<Self, Error> {
        let unreadable = |source| Error::Read {
            path: path.to_owned(),
            source,
        };
        let file = File::open(path).map_err(unreadable)?;
        Self::parse(BufReader::new(file), limit).map_err(|failure| match failure {
            Failure::Read(source) => unreadable(source),
            Failure::Problem(problem) => wrong(path, problem),
        })
    }

    /// Reads the bytes of a file, as [`IdxArray::read`] reads a file.
    ///
    /// # Errors
    /// Contents that are not one whole IDX array.
    pub fn from_bytes(bytes: &[u8], limit: Option<usize>) -> Result<Self, IdxProblem> {
        Self::parse(bytes, limit).map_err(|failure| match failure {
            // Of what is in memory, only unpacking can fail.
            Failure::Read(source) => IdxProblem::Gzip { read: 0, source },
            Failure::Problem(problem) => problem,
        })
    }

    fn parse(mut file: impl Read, limit: Option<usize>) -> Result<Self, Failure> {
        let mut start = Vec::new();
        read_up_to(&mut file, GZIP.len(), &mut start).map_err(Failure::Read)?;
        let gzipped = start == GZIP;
        let file = Cursor::new(start).chain(file);
        if gzipped {
            let mut read = 0;
            parse_plain(MultiGzDecoder::new(BufReader::new(file)), limit, &mut read).map_err(
                |failure| match failure {
                    // The kinds that the decoder makes; any other comes from the file itself.
                    Failure::Read(source)
                        if matches!(
                            source.kind(),
                            io::ErrorKind::UnexpectedEof
                                | io::ErrorKind::InvalidInput
                                | io::ErrorKind::InvalidData
                        ) =>
                    {
                        Failure::Problem(IdxProblem::Gzip { read, source })
                    }
                    other => other,
                },
            )
        } else {
            parse_plain(file, limit, &mut 0)
        }
    }

    /// The dimensions of what was read, rows first.
    #[must_use]
    pub fn dimensions(&self) -> &[usize] {
        &self.dimensions
    }

    /// The rows that the file declares, of which no more than asked for were read.
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

/// Images as rows of features, and the shape of an image where the file tells it.
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

/// Reads the labels of an IDX file of integers with one dimension, or its first `limit`.
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
    let array = IdxArray::read(path, limit)?;
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
/// The classes are "0", "1", … up to the largest label of the whole file, also when fewer
/// rows are read. For training and test rows with the same classes see
/// [`Dataset::with_class_names`].
///
/// # Errors
/// Those of [`read_images`] and [`read_labels`]; another number of labels than of images.
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

fn wrong(path: &Path, problem: IdxProblem) -> Error {
    Error::Idx {
        path: path.to_owned(),
        problem,
    }
}

/// Reads an array that is not packed; `read` counts the bytes, also when reading fails.
fn parse_plain(
    mut file: impl Read,
    limit: Option<usize>,
    read: &mut usize,
) -> Result<IdxArray, Failure> {
    let mut more = |bytes: usize| {
        let mut buffer = Vec::new();
        let result = read_up_to(&mut file, bytes, &mut buffer);
        *read += buffer.len();
        result.map(|()| buffer).map_err(Failure::Read)
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
            // A zero must not hide that the others overflow: a row has a size too.
            .try_fold(element.bytes(), |size, &next| size.checked_mul(next.max(1)))
            // One byte more is asked for below, and no allocation can be larger.
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
    // The byte behind the end shows whether the file goes on, and makes the gzip decoder
    // compare its checksum.
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

/// Appends at most `bytes` bytes. The buffer grows with what arrives, not with what is
/// hoped for.
fn read_up_to(file: &mut impl Read, bytes: usize, buffer: &mut Vec<u8>) -> io::Result<()> {
    file.take(bytes as u64).read_to_end(buffer).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use proptest::prelude::*;
    use std::io::Write;
    use std::path::PathBuf;
    use tempfile::TempDir;

    fn idx(element: u8, dimensions: &[u32], data: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, element, dimensions.len() as u8];
        bytes.extend(dimensions.iter().flat_map(|d| d.to_be_bytes()));
        bytes.extend(data);
        bytes
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn file(folder: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// The message of the error that reading these bytes gives, without the file's name.
    fn problem(bytes: &[u8], limit: Option<usize>) -> String {
        let folder = TempDir::new().unwrap();
        let path = file(&folder, "broken", bytes);
        let message = IdxArray::read(&path, limit).unwrap_err().to_string();
        let name = format!("{}: ", path.display());
        message.strip_prefix(&name).unwrap().to_owned()
    }

    fn read(bytes: &[u8], limit: Option<usize>) -> IdxArray {
        let folder = TempDir::new().unwrap();
        IdxArray::read(&file(&folder, "whole", bytes), limit).unwrap()
    }

    #[test]
    fn every_element_type_is_read() {
        let cases = [
            (0x08, vec![1, 255], IdxValues::U8(vec![1, 255])),
            (0x09, vec![1, 255], IdxValues::I8(vec![1, -1])),
            (0x0b, vec![1, 0, 255, 254], IdxValues::I16(vec![256, -2])),
            (
                0x0c,
                vec![0, 0, 1, 0, 255, 255, 255, 254],
                IdxValues::I32(vec![256, -2]),
            ),
            (
                0x0d,
                [1.5_f32, -2.0].map(f32::to_be_bytes).concat(),
                IdxValues::F32(vec![1.5, -2.0]),
            ),
            (
                0x0e,
                [1.5_f64, -2.0].map(f64::to_be_bytes).concat(),
                IdxValues::F64(vec![1.5, -2.0]),
            ),
        ];
        for (element, data, values) in cases {
            let bytes = idx(element, &[2, 1], &data);
            for bytes in [gzip(&bytes), bytes] {
                let array = read(&bytes, None);
                assert_eq!(array.values(), &values);
                assert_eq!(array.dimensions(), [2, 1]);
            }
        }
    }

    #[test]
    fn the_first_rows_are_read_alone() {
        let bytes = idx(8, &[3, 2], &[1, 2, 3, 4, 5, 6]);
        for bytes in [gzip(&bytes), bytes] {
            let array = read(&bytes, Some(2));
            assert_eq!(array.dimensions(), [2, 2]);
            assert_eq!(array.declared_rows(), 3);
            assert_eq!(array.values(), &IdxValues::U8(vec![1, 2, 3, 4]));
            assert_eq!(read(&bytes, Some(9)).dimensions(), [3, 2]);
            assert_eq!(read(&bytes, Some(0)).dimensions(), [0, 2]);
        }
        // What is not asked for may be missing, what is asked for may not.
        let cut = idx(8, &[3, 2], &[1, 2, 3]);
        assert_eq!(read(&cut, Some(1)).values(), &IdxValues::U8(vec![1, 2]));
        assert_eq!(
            problem(&cut, Some(2)),
            "expected 4 bytes of data (2×2 unsigned bytes declared), found 3"
        );
    }

    #[test]
    fn members_of_a_gzip_file_are_joined() {
        let bytes = idx(8, &[4], &[1, 2, 3, 4]);
        let joined = [gzip(&bytes[..9]), gzip(&bytes[9..])].concat();
        assert_eq!(
            read(&joined, None).values(),
            &IdxValues::U8(vec![1, 2, 3, 4])
        );
    }

    #[test]
    fn unreadable_files_are_named() {
        let folder = TempDir::new().unwrap();
        for path in [folder.path().join("missing"), folder.path().to_owned()] {
            let error = IdxArray::read(&path, None).unwrap_err();
            assert!(matches!(&error, Error::Read { path: found, .. } if *found == path));
            assert!(error.to_string().contains("cannot be read: "), "{error}");
        }
    }

    #[test]
    fn malformed_headers_are_explained() {
        let empty = "expected an IDX file, found no data";
        let cases: [(&[u8], &str); 9] = [
            (&[], empty),
            (
                &[0x50, 0x4b, 3, 4, 0],
                "expected an IDX file, which starts with the bytes 00 00, found 50 4b",
            ),
            (
                &[0x41, 0x42],
                "expected an IDX file, which starts with the bytes 00 00, found 41 42",
            ),
            (
                &[0, 1, 8, 1],
                "expected an IDX file, which starts with the bytes 00 00, found 00 01",
            ),
            (
                &[0, 0, 8],
                "expected a header of 4 bytes, found 3 bytes in all",
            ),
            (
                &[0, 0, 10, 1, 0, 0, 0, 0],
                "expected an element type of 08, 09, 0b, 0c, 0d or 0e (hexadecimal), found 0a",
            ),
            (&[0, 0, 8, 0], "expected at least one dimension, found none"),
            (
                &[0, 0, 8, 3, 0, 0, 0, 1, 0],
                "expected a header of 16 bytes, found 9 bytes in all",
            ),
            (&gzip(&[]), empty),
        ];
        for (bytes, expected) in cases {
            assert_eq!(problem(bytes, None), expected);
        }
    }

    #[test]
    fn another_number_of_bytes_than_declared_is_explained() {
        let short = idx(0x0c, &[2, 3], &[0; 23]);
        let long = idx(0x0c, &[2, 3], &[0; 25]);
        for (short, long) in [(gzip(&short), gzip(&long)), (short, long)] {
            assert_eq!(
                problem(&short, None),
                "expected 24 bytes of data (2×3 32-bit integers declared), found 23"
            );
            assert_eq!(
                problem(&long, None),
                "expected 24 bytes of data (2×3 32-bit integers declared), found more"
            );
        }
    }

    #[test]
    fn large_declarations_are_not_believed() {
        let most = u32::MAX;
        assert_eq!(
            problem(&idx(8, &[most, most, most], &[]), None),
            "expected dimensions that fit into memory, found 4294967295×4294967295×4294967295"
        );
        // Also when the rows that are asked for would fit, or there are none.
        for dimensions in [[most, 1 << 16, 1 << 16], [0, most, most]] {
            let message = problem(&idx(8, &dimensions, &[]), Some(1));
            assert!(message.contains("fit into memory"), "{message}");
        }
        // Nearly 2⁶³ bytes are declared: to allocate them first would fail.
        assert!(problem(&idx(8, &[most, 1 << 31], &[7; 9]), None).ends_with(", found 9"));
    }

    #[test]
    fn damaged_gzip_files_are_explained() {
        // Incompressible enough that the cut falls inside the data.
        let data: Vec<u8> = (0..5000_u32).map(|i| (i * i / 7) as u8).collect();
        let whole = gzip(&idx(8, &[5000], &data));
        for cut in [2, 9, whole.len() / 2, whole.len() - 1] {
            let message = problem(&whole[..cut], None);
            assert!(
                message.starts_with("expected a whole gzip file, found it cut short or damaged"),
                "{message}"
            );
        }
        let half = problem(&whole[..whole.len() / 2], None);
        assert!(!half.contains("after 0 unpacked"), "{half}");
        // A wrong checksum, seen only at the very end.
        let mut damaged = whole.clone();
        let checksum = whole.len() - 8;
        damaged[checksum] ^= 1;
        assert!(problem(&damaged, None).contains("cut short or damaged after 5008 unpacked"));
    }

    /// Counts the bytes that are taken from it.
    struct Counted<R>(R, std::rc::Rc<std::cell::Cell<usize>>);

    impl<R: Read> Read for Counted<R> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let read = self.0.read(buffer)?;
            self.1.set(self.1.get() + read);
            Ok(read)
        }
    }

    #[test]
    fn reading_stops_behind_the_declared_size() {
        let bytes = idx(8, &[10], &vec![0; 10_000_000]);
        let taken = std::rc::Rc::default();
        let result = parse_plain(
            Counted(&bytes[..], std::rc::Rc::clone(&taken)),
            None,
            &mut 0,
        );
        assert!(matches!(
            result,
            Err(Failure::Problem(IdxProblem::TooManyBytes { .. }))
        ));
        assert_eq!(taken.get(), 8 + 10 + 1);
        assert!(problem(&gzip(&bytes), None).ends_with("found more"));
    }

    #[test]
    fn images_and_labels_make_a_data_set() {
        let folder = TempDir::new().unwrap();
        let images = file(
            &folder,
            "a",
            &idx(8, &[3, 1, 2], &[0, 51, 255, 0, 102, 153]),
        );
        let labels = file(
            &folder,
            "b",
            &gzip(&idx(0x0c, &[3], &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 4])),
        );
        let data = read_idx(&images, &labels, None).unwrap();
        assert_eq!(data.features(), [0., 0.2, 1., 0., 0.4, 0.6]);
        assert_eq!(data.labels(), [1, 0, 4]);
        assert_eq!(data.classes(), 5);
        let shape = ImageShape {
            height: 1,
            width: 2,
        };
        assert_eq!(data.image_shape(), Some(shape));
        let first = read_idx(&images, &labels, Some(2)).unwrap();
        assert_eq!(first, data.select(&[0, 1]).unwrap());

        let two = file(&folder, "two", &idx(8, &[2], &[0, 1]));
        for limit in [None, Some(1), Some(2)] {
            let message = read_idx(&images, &two, limit).unwrap_err().to_string();
            let expected = format!(
                "{} holds 3 images and {} holds 2 labels: expected one label for each image",
                images.display(),
                two.display()
            );
            assert_eq!(message, expected);
        }
        let flat = file(&folder, "flat", &idx(8, &[3, 2], &[0; 6]));
        let data = read_idx(&flat, &labels, None).unwrap();
        assert_eq!((data.columns(), data.image_shape()), (2, None));
    }

    #[test]
    fn arrays_of_another_kind_are_refused() {
        let folder = TempDir::new().unwrap();
        let images = |bytes: &[u8]| {
            let path = file(&folder, "images", bytes);
            let message = read_images(&path, Some(1)).unwrap_err().to_string();
            message.rsplit(": expected ").next().unwrap().to_owned()
        };
        let labels = |bytes: &[u8]| {
            let path = file(&folder, "labels", bytes);
            let message = read_labels(&path, None).unwrap_err().to_string();
            message.rsplit(": expected ").next().unwrap().to_owned()
        };
        let several = "images: two or more dimensions, none but the first zero";
        assert_eq!(
            images(&idx(8, &[2], &[0; 2])),
            format!("{several}, found 2 unsigned bytes")
        );
        assert_eq!(
            images(&idx(8, &[2, 0], &[])),
            format!("{several}, found 2×0 unsigned bytes")
        );
        assert_eq!(
            images(&idx(9, &[2, 1], &[0; 2])),
            "images of unsigned bytes, found 2×1 signed bytes"
        );
        assert_eq!(
            labels(&idx(8, &[2, 1], &[0; 2])),
            "labels: one dimension, found 2×1 unsigned bytes"
        );
        assert_eq!(
            labels(&idx(0x0d, &[1], &[0; 4])),
            "labels: integers, found 1 32-bit floating-point numbers"
        );
        assert_eq!(
            labels(&idx(9, &[2], &[3, 0xff])),
            "a label from 0 to 65535, found -1"
        );
        assert_eq!(
            labels(&idx(0x0c, &[1], &[0, 1, 0, 0])),
            "a label from 0 to 65535, found 65536"
        );
    }

    proptest! {
        /// Whatever the bytes are, reading them gives an array or an error.
        #[test]
        fn no_contents_make_it_panic(
            tail in proptest::collection::vec(any::<u8>(), 0..64),
            start in prop_oneof![
                Just(vec![]),
                (8_u8..15, 0_u8..4).prop_map(|(element, rank)| vec![0, 0, element, rank, 0, 0]),
                Just(vec![0x1f, 0x8b, 8, 0]),
            ],
            limit in proptest::option::of(0_usize..5),
        ) {
            let bytes = [start, tail].concat();
            let _ = IdxArray::parse(&bytes[..], limit);
            let _ = IdxArray::parse(&gzip(&bytes)[..], limit);
        }
    }

    /// A file of the data folder beside the workspace, or `None` and a message.
    fn shared(name: &str) -> Option<PathBuf> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../../shared/data")
            .join(name);
        if path.exists() {
            return Some(path);
        }
        println!("skipped: {} is not there", path.display());
        None
    }

    #[test]
    fn the_real_mnist_is_read() {
        let (Some(images), Some(labels)) = (
            shared("mnist/t10k-images-idx3-ubyte.gz"),
            shared("mnist/t10k-labels-idx1-ubyte.gz"),
        ) else {
            return;
        };
        let data = read_idx(&images, &labels, None).unwrap();
        assert_eq!(
            (data.rows(), data.columns(), data.classes()),
            (10_000, 784, 10)
        );
        assert_eq!(data.labels()[..10], [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]);
        let shape = ImageShape {
            height: 28,
            width: 28,
        };
        assert_eq!(data.image_shape(), Some(shape));
        let mean = data.features().iter().map(|&x| f64::from(x)).sum::<f64>()
            / data.features().len() as f64;
        // The mean pixel of the MNIST test images, as often published: 0.1325.
        assert!((mean - 0.1325).abs() < 5e-5, "{mean}");
        let first = read_idx(&images, &labels, Some(20)).unwrap();
        assert_eq!(first, data.select(&(0..20).collect::<Vec<_>>()).unwrap());
    }

    #[test]
    fn the_real_qmnist_labels_are_read() {
        let (Some(qmnist), Some(mnist)) = (
            shared("qmnist/qmnist-test-labels-idx2-int.gz"),
            shared("mnist/t10k-labels-idx1-ubyte.gz"),
        ) else {
            return;
        };
        let array = IdxArray::read(&qmnist, None).unwrap();
        assert_eq!(array.dimensions(), [60_000, 8]);
        let IdxValues::I32(values) = array.values() else {
            panic!("expected 32-bit integers")
        };
        // The first 10 000 rows are the test rows of MNIST, the first column is the digit.
        let digits: Vec<u32> = values
            .chunks(8)
            .map(|row| row[0] as u32)
            .take(10_000)
            .collect();
        assert_eq!(digits, read_labels(&mnist, None).unwrap());
    }
}
