//! Arrays as their bytes.

use super::header::{Header, MAGIC};
use super::{ALIGNMENT, Element, Failure};
use crate::data::malformed::Malformed;
use crate::data::shape::shape_text;

/// An array as its bytes.
pub(crate) struct Raw<'a> {
    /// The type of an element, as the header has it.
    pub(crate) kind: String,
    pub(crate) shape: Vec<usize>,
    /// Whether the first dimension varies fastest.
    pub(crate) fortran_order: bool,
    pub(crate) elements: &'a [u8],
}

/// An array as its bytes, if all elements take as many; they may be of a type that is not read.
pub(crate) fn raw(bytes: &[u8]) -> Result<Raw<'_>, Failure> {
    let mut rest = bytes;
    let header = Header::read(&mut rest)?;
    let kind = &header.element;
    // Python objects, also in a record.
    if kind.contains("|O") {
        let found = format!("elements of type {kind}, which are stored as a pickle");
        return Err(Malformed::new("elements of a fixed size", found)
            .remedy("in NumPy, array.astype(str) or astype(float) converts them")
            .into());
    }
    let size = Element::parse(kind).map(|element| element.size);
    let fits = match (header.count(), size) {
        (Some(0), _) => rest.is_empty(),
        (Some(count), Some(size)) => count.checked_mul(size) == Some(rest.len()),
        (Some(count), None) => !rest.is_empty() && rest.len().is_multiple_of(count),
        (None, _) => false,
    };
    if !fits {
        let shape = shape_text(&header.shape);
        let expected = format!("the bytes of {shape} elements of type {kind} after the header");
        return Err(Malformed::new(expected, format!("{} bytes", rest.len())).into());
    }
    Ok(Raw {
        kind: header.element,
        shape: header.shape,
        fortran_order: header.fortran_order,
        elements: rest,
    })
}

impl Raw<'_> {
    /// The array with other elements, of the same type and in the same order.
    pub(crate) fn with(&self, shape: &[usize], elements: &[u8]) -> Vec<u8> {
        let mut bytes = written_header(&self.kind, self.fortran_order, shape);
        bytes.extend_from_slice(elements);
        bytes
    }

    /// The bytes of an element that is this label, if it can be one.
    pub(crate) fn element(&self, label: &str) -> Option<Vec<u8>> {
        let element = Element::parse(&self.kind)?;
        macro_rules! number {
            ($type:ty) => {{
                let value: $type = label.parse().ok()?;
                if element.big {
                    value.to_be_bytes().to_vec()
                } else {
                    value.to_le_bytes().to_vec()
                }
            }};
        }
        let padded = |mut bytes: Vec<u8>| {
            let fits = bytes.len() <= element.size;
            bytes.resize(element.size, 0);
            fits.then_some(bytes)
        };
        Some(match (element.kind, element.size) {
            (b'b', _) => match label.to_ascii_lowercase().as_str() {
                "true" | "1" => vec![1],
                "false" | "0" => vec![0],
                _ => return None,
            },
            (b'u', 1) => number!(u8),
            (b'i', 1) => number!(i8),
            (b'u', 2) => number!(u16),
            (b'i', 2) => number!(i16),
            (b'u', 4) => number!(u32),
            (b'i', 4) => number!(i32),
            (b'u', 8) => number!(u64),
            (b'i', 8) => number!(i64),
            (b'f', 2) => {
                let bits = half(label.parse().ok()?)?;
                if element.big {
                    bits.to_be_bytes().to_vec()
                } else {
                    bits.to_le_bytes().to_vec()
                }
            }
            (b'f', 4) => number!(f32),
            (b'f', 8) => number!(f64),
            (b'S', _) => padded(label.as_bytes().to_vec())?,
            (b'U', _) => {
                let order = |c: char| {
                    let code = u32::from(c);
                    if element.big {
                        code.to_be_bytes()
                    } else {
                        code.to_le_bytes()
                    }
                };
                padded(label.chars().flat_map(order).collect())?
            }
            _ => return None,
        })
    }
}

/// A number in half precision, if it is one exactly.
fn half(value: f32) -> Option<u16> {
    (0..=u16::MAX).find(|&bits| super::half_to_f32(bits) == value)
}

/// The vector of these texts.
pub(crate) fn texts(texts: &[&str]) -> Vec<u8> {
    let lengths = texts.iter().map(|text| text.chars().count());
    let raw = Raw {
        kind: format!("<U{}", lengths.max().unwrap_or_default().max(1)),
        shape: vec![texts.len()],
        fortran_order: false,
        elements: &[],
    };
    let elements = texts.iter().filter_map(|text| raw.element(text));
    raw.with(&raw.shape, &elements.flatten().collect::<Vec<u8>>())
}

/// Everything before the elements of an array in C order.
pub(crate) fn header(kind: &str, shape: &[usize]) -> Vec<u8> {
    written_header(kind, false, shape)
}

fn written_header(kind: &str, fortran_order: bool, shape: &[usize]) -> Vec<u8> {
    let axes: String = shape.iter().map(|axis| format!("{axis}, ")).collect();
    let axes = axes.trim_end();
    // A tuple of one has a comma.
    let axes = match shape.len() {
        1 => axes,
        _ => axes.trim_end_matches(','),
    };
    // A record is a list, which has quotes inside.
    let kind = if kind.starts_with('[') {
        kind.to_owned()
    } else {
        format!("'{kind}'")
    };
    let order = if fortran_order { "True" } else { "False" };
    let mut text = format!("{{'descr': {kind}, 'fortran_order': {order}, 'shape': ({axes}), }}");
    // Version 2 has a longer header, version 3 one in UTF-8.
    let long = text.len() + 2 * ALIGNMENT > usize::from(u16::MAX) || !text.is_ascii();
    let start = MAGIC.len() + 2 + if long { 4 } else { 2 };
    let end = start + text.len() + 1;
    let padding = end.next_multiple_of(ALIGNMENT) - end;
    text.extend(std::iter::repeat_n(' ', padding));
    text.push('\n');
    let mut bytes = MAGIC.to_vec();
    if long {
        bytes.extend([if text.is_ascii() { 2 } else { 3 }, 0]);
        bytes.extend((text.len() as u32).to_le_bytes());
    } else {
        bytes.extend([1, 0]);
        bytes.extend((text.len() as u16).to_le_bytes());
    }
    bytes.extend(text.into_bytes());
    bytes
}
