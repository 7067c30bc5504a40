//! Arrays as their bytes.

use super::header::{Header, MAGIC};
use super::{ALIGNMENT, Element, Failure};
use crate::data::malformed::Malformed;

/// An array as its bytes, row by row.
pub(crate) struct Raw<'a> {
    /// The type of an element, as the header has it.
    pub(crate) kind: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) elements: &'a [u8],
}

/// The bytes of an array's rows.
pub(crate) fn raw(bytes: &[u8]) -> Result<Raw<'_>, Failure> {
    let mut rest = bytes;
    let header = Header::read(&mut rest)?;
    if header.fortran_order && header.shape.len() > 1 {
        let expected = "rows that follow each other (C order)";
        let wrong = Malformed::new(expected, "columns that do (Fortran order)");
        return Err(wrong
            .remedy("in NumPy, numpy.ascontiguousarray changes the order")
            .into());
    }
    // All else that may be wrong.
    super::parse(&mut &bytes[..])?;
    Ok(Raw {
        kind: header.element,
        shape: header.shape,
        elements: rest,
    })
}

impl Raw<'_> {
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

/// Everything before the elements of an array in C order.
pub(crate) fn header(kind: &str, shape: &[usize]) -> Vec<u8> {
    let axes: String = shape.iter().map(|axis| format!("{axis}, ")).collect();
    let axes = axes.trim_end();
    // A tuple of one has a comma.
    let axes = match shape.len() {
        1 => axes,
        _ => axes.trim_end_matches(','),
    };
    let mut text = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({axes}), }}");
    let end = MAGIC.len() + 4 + text.len() + 1;
    let padding = end.next_multiple_of(ALIGNMENT) - end;
    text.extend(std::iter::repeat_n(' ', padding));
    text.push('\n');
    let mut bytes = MAGIC.to_vec();
    bytes.extend([1, 0]);
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text.into_bytes());
    bytes
}
