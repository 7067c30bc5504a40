//! Arrays of numbers or texts, as NumPy, MATLAB and the MNIST family store them.

use std::fmt;
use std::io::{self, Read};

use super::image_shape::ImageShape;
use super::labels::Labels;
use super::malformed::Malformed;
use super::room::Room;
use super::shape::shape_text;
use super::table::{Matrix, Numbers};

/// The largest byte.
const FULL: f32 = 255.0;
/// Numbers of an extended label of QMNIST: the class, then where the digit comes from (Yadav and Bottou 2019, arXiv
/// 1905.10498).
const EXTENDED: usize = 8;

/// An array.
#[derive(Clone, PartialEq, Debug)]
pub struct Array {
    /// The dimensions; none for a single number.
    pub shape: Vec<usize>,
    /// The elements in C order (the last dimension varies fastest), whatever the order in the file.
    pub values: Values,
}

/// The elements of an array: as the file has them, or in the smallest of these types that has all values of theirs.
#[derive(Clone, PartialEq, Debug)]
pub enum Values {
    /// Single precision; also half precision.
    F32(Vec<f32>),
    /// Double precision.
    F64(Vec<f64>),
    /// Integers of 32 bits; also of 8 and 16 bits, except unsigned bytes.
    I32(Vec<i32>),
    /// Integers of 64 bits, and unsigned ones that fit.
    I64(Vec<i64>),
    /// Unsigned bytes.
    U8(Vec<u8>),
    /// Booleans.
    Bool(Vec<bool>),
    /// Texts.
    Text(Vec<String>),
}

impl Values {
    /// Number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::F64(values) => values.len(),
            Self::I32(values) => values.len(),
            Self::I64(values) => values.len(),
            Self::U8(values) => values.len(),
            Self::Bool(values) => values.len(),
            Self::Text(values) => values.len(),
        }
    }

    /// Whether there are no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn name(&self) -> &'static str {
        match self {
            Self::F32(_) | Self::F64(_) => "floating-point numbers",
            Self::I32(_) | Self::I64(_) => "integers",
            Self::U8(_) => "unsigned bytes",
            Self::Bool(_) => "booleans",
            Self::Text(_) => "texts",
        }
    }

    /// The elements in another order: `order(i)` is the present place of element i.
    fn reordered(self, order: impl Fn(usize) -> usize) -> Self {
        fn pick<T: Clone>(values: &[T], order: impl Fn(usize) -> usize) -> Vec<T> {
            (0..values.len())
                .map(|i| values[order(i)].clone())
                .collect()
        }
        match self {
            Self::F32(values) => Self::F32(pick(&values, order)),
            Self::F64(values) => Self::F64(pick(&values, order)),
            Self::I32(values) => Self::I32(pick(&values, order)),
            Self::I64(values) => Self::I64(pick(&values, order)),
            Self::U8(values) => Self::U8(pick(&values, order)),
            Self::Bool(values) => Self::Bool(pick(&values, order)),
            Self::Text(values) => Self::Text(pick(&values, order)),
        }
    }
}

impl fmt::Display for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.shape[..] {
            [] => write!(f, "a single number"),
            _ => write!(f, "{} {}", shape_text(&self.shape), self.values.name()),
        }
    }
}

impl Array {
    /// The elements as numbers in double precision; None for texts.
    #[must_use]
    pub fn to_f64(&self) -> Option<Vec<f64>> {
        Some(match &self.values {
            Values::F32(values) => values.iter().map(|&value| f64::from(value)).collect(),
            Values::F64(values) => values.clone(),
            Values::I32(values) => values.iter().map(|&value| f64::from(value)).collect(),
            Values::I64(values) => values.iter().map(|&value| value as f64).collect(),
            Values::U8(values) => values.iter().map(|&value| f64::from(value)).collect(),
            Values::Bool(values) => values.iter().map(|&value| f64::from(value)).collect(),
            Values::Text(_) => return None,
        })
    }

    /// The elements as numbers in single precision; None for texts.
    pub(crate) fn into_f32(self) -> Option<Vec<f32>> {
        match self.values {
            Values::F32(values) => Some(values),
            _ => self
                .to_f64()
                .map(|all| all.iter().map(|&x| x as f32).collect()),
        }
    }

    /// Converts elements in Fortran order (the first dimension varies fastest) to C order.
    pub(crate) fn from_fortran_order(shape: Vec<usize>, values: Values) -> Self {
        let mut strides = Vec::with_capacity(shape.len());
        let mut stride = 1;
        for &length in &shape {
            strides.push(stride);
            stride *= length;
        }
        let lengths = shape.clone();
        let values = values.reordered(|mut index| {
            let mut place = 0;
            for (&length, &stride) in lengths.iter().zip(&strides).rev() {
                place += (index % length) * stride;
                index /= length;
            }
            place
        });
        Self { shape, values }
    }

    /// The same for an array whose last axis counts the rows, which becomes the first.
    pub(crate) fn from_fortran_rows(mut shape: Vec<usize>, values: Values) -> Self {
        let Some(rows) = shape.pop() else {
            return Self { shape, values };
        };
        // The place of each number of a row, the same for all rows: they follow each other.
        let each: usize = shape.iter().product();
        let places: Vec<i64> = (0..each as i64).collect();
        let places = Self::from_fortran_order(shape.clone(), Values::I64(places));
        let Values::I64(places) = places.values else {
            return Self { shape, values };
        };
        shape.insert(0, rows);
        let values = values.reordered(|i| (i / each) * each + places[i % each] as usize);
        Self { shape, values }
    }

    /// Rows of features: the first dimension counts rows. Bytes of three or four dimensions are pictures (rows,
    /// height, width, and perhaps channels before or after them), whose pixels are scaled from 0 … 255 to 0 … 1; so
    /// are all bytes if `pixels` says so.
    pub(crate) fn into_matrix(self, pixels: bool) -> Result<Matrix, Malformed> {
        let found = self.to_string();
        let [rows, ref rest @ ..] = self.shape[..] else {
            return Err(Malformed::new("rows of features", found));
        };
        if rest.is_empty() {
            return Err(Malformed::new(
                "rows of features: two or more dimensions",
                found,
            ));
        }
        let width: usize = rest.iter().product();
        let bytes = matches!(self.values, Values::U8(_));
        let pixels = bytes && (pixels || rest.len() >= 2);
        let (image, channels_first) = if pixels {
            match *rest {
                [height, width] => (Some(ImageShape::grey(height, width)), false),
                [height, width, channels @ (1 | 3)] => (
                    Some(ImageShape {
                        height,
                        width,
                        channels,
                    }),
                    false,
                ),
                [channels @ (1 | 3), height, width] => (
                    Some(ImageShape {
                        height,
                        width,
                        channels,
                    }),
                    true,
                ),
                _ => (None, false),
            }
        } else {
            (None, false)
        };
        let size = match self.values {
            Values::U8(_) | Values::Bool(_) => 4,
            Values::I32(_) | Values::I64(_) => 8,
            Values::F32(_) | Values::F64(_) | Values::Text(_) => 0,
        };
        Room::default().ask(size * (rows * width) as u64)?;
        let values = match (self.values, image) {
            (Values::U8(bytes), Some(shape)) if channels_first && shape.channels > 1 => {
                let area = shape.height * shape.width;
                let place = |i: usize| {
                    let (row, pixel) = (i / width, i % width);
                    row * width + (pixel % shape.channels) * area + pixel / shape.channels
                };
                Numbers::F32(
                    (0..rows * width)
                        .map(|i| f32::from(bytes[place(i)]) / FULL)
                        .collect(),
                )
            }
            (Values::U8(bytes), _) if pixels => {
                Numbers::F32(bytes.iter().map(|&byte| f32::from(byte) / FULL).collect())
            }
            (Values::F32(values), _) => Numbers::F32(values),
            (Values::F64(values), _) => Numbers::F64(values),
            (Values::U8(values), _) => {
                Numbers::F32(values.iter().map(|&value| f32::from(value)).collect())
            }
            (Values::Bool(values), _) => {
                Numbers::F32(values.iter().map(|&value| f32::from(value)).collect())
            }
            (Values::I32(values), _) => {
                Numbers::F64(values.iter().map(|&value| f64::from(value)).collect())
            }
            (Values::I64(values), _) => {
                Numbers::F64(values.iter().map(|&value| value as f64).collect())
            }
            (Values::Text(_), _) => {
                return Err(Malformed::new("rows of numbers", found));
            }
        };
        Ok(Matrix {
            values,
            width,
            numbers: None,
            image,
            pixels,
        })
    }

    /// One label a row: one dimension, or a second one of length 1. Of the extended labels of QMNIST, n × 8 integers,
    /// the first column is the class.
    /// That is only so with `extended`.
    pub(crate) fn into_labels(
        self,
        mut labels: Labels,
        extended: bool,
    ) -> Result<Labels, Malformed> {
        let step = match self.shape[..] {
            [_] | [_, 1] | [1, _] => 1,
            [_, EXTENDED] if extended && matches!(self.values, Values::I32(_)) => EXTENDED,
            _ => {
                return Err(Malformed::new("labels: one number or text a row", self.to_string())
                    .remedy("labels that are one column for each class: numpy.argmax(labels, 1) makes numbers of them"));
            }
        };
        match self.values {
            Values::F32(values) => {
                let values = values.iter().step_by(step);
                values.for_each(|&label| labels.push_number(shortest(label)));
            }
            Values::F64(values) => {
                values
                    .iter()
                    .step_by(step)
                    .for_each(|&label| labels.push_number(label));
            }
            Values::I32(values) => {
                labels.extend_integers(values.iter().step_by(step).map(|&x| i64::from(x)));
            }
            Values::I64(values) => labels.extend_integers(values.into_iter().step_by(step)),
            Values::U8(values) => {
                labels.extend_integers(values.iter().step_by(step).map(|&x| i64::from(x)));
            }
            Values::Bool(values) => {
                values.iter().for_each(|&label| labels.push_boolean(label));
            }
            Values::Text(values) => values.iter().for_each(|label| labels.push(label.trim())),
        }
        Ok(labels)
    }
}

/// The number in double precision that is written as this one is.
fn shortest(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}

/// Reads `count` elements of N bytes each; fewer if the bytes end before, and then what is left.
///
/// Memory grows with the bytes that there are, not with `count`.
pub(crate) fn elements<const N: usize, T>(
    reader: &mut dyn Read,
    count: usize,
    convert: impl Fn([u8; N]) -> T,
) -> io::Result<Vec<T>> {
    const PIECE: usize = 1 << 16;
    let mut values = Vec::new();
    let mut piece = Vec::new();
    while values.len() < count {
        let left = count - values.len();
        let wanted = left.min(PIECE) * N;
        piece.clear();
        (&mut *reader).take(wanted as u64).read_to_end(&mut piece)?;
        let (whole, _) = piece.as_chunks();
        // Twice the room, but not beyond what is declared.
        if values.capacity() - values.len() < whole.len() {
            values.reserve_exact(whole.len().max(values.len()).min(left));
        }
        values.extend(whole.iter().map(|&bytes| convert(bytes)));
        if piece.len() < wanted {
            break;
        }
    }
    Ok(values)
}
