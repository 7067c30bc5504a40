//! The header of an NPY file.

use std::io::Read;

use super::failure::Failure;
use crate::data::malformed::Malformed;

pub(super) const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// Length of magic, version and the shorter form of the header's length.
const SHORT_START: usize = 10;
/// The same with the longer form.
const LONG_START: usize = 12;

pub(super) struct Header {
    pub(super) element: String,
    pub(super) fortran_order: bool,
    pub(super) shape: Vec<usize>,
}

impl Header {
    /// Reads the header; the elements come next.
    pub(super) fn read(reader: &mut dyn Read) -> Result<Self, Failure> {
        let mut start = Vec::new();
        let mut read_to = |start: &mut Vec<u8>, end: usize| -> Result<(), Failure> {
            let more = (end - start.len()) as u64;
            (&mut *reader).take(more).read_to_end(start)?;
            if start.len() < end {
                let expected = format!("a header that ends at byte {end}");
                let found = format!("{} bytes in all", start.len());
                return Err(Malformed::new(expected, found).into());
            }
            Ok(())
        };
        read_to(&mut start, SHORT_START)?;
        if !start.starts_with(MAGIC) {
            let expected = "an NPY array, which starts with the bytes 93 \"NUMPY\"";
            return Err(Malformed::new(expected, "other bytes").into());
        }
        let end = match start[MAGIC.len()..] {
            [1, 0, a, b] => SHORT_START + usize::from(u16::from_le_bytes([a, b])),
            [2 | 3, 0, a, b] => {
                read_to(&mut start, LONG_START)?;
                let length = u32::from_le_bytes([a, b, start[10], start[11]]);
                LONG_START.saturating_add(length as usize)
            }
            [major, minor, ..] => {
                let found = format!("{major}.{minor}");
                return Err(Malformed::new("NPY version 1.0, 2.0 or 3.0", found).into());
            }
            [] | [_] => SHORT_START,
        };
        let begin = start.len();
        read_to(&mut start, end)?;
        // Before version 3 a byte is a character (Latin-1), which other programs do not keep to.
        let text = match std::str::from_utf8(&start[begin..]) {
            Ok(text) => text.to_owned(),
            Err(_) if start[MAGIC.len()] < 3 => start[begin..]
                .iter()
                .map(|&byte| char::from(byte))
                .collect(),
            Err(_) => String::from_utf8_lossy(&start[begin..]).into_owned(),
        };
        Self::parse(&text).map_err(Failure::from)
    }

    /// Reads the dictionary, whose three keys may be in any order.
    fn parse(text: &str) -> Result<Self, Malformed> {
        let text = text.trim();
        Self::from_text(text).ok_or_else(|| {
            let found: String = text.chars().take(120).collect();
            Malformed::new(
                "a header with 'descr', 'fortran_order' and 'shape'",
                format!("{found:?}"),
            )
        })
    }

    /// How many elements there are, if it is a number at all.
    pub(super) fn count(&self) -> Option<usize> {
        let shape = self.shape.iter();
        shape.copied().try_fold(1, usize::checked_mul)
    }

    fn from_text(text: &str) -> Option<Self> {
        let mut rest = text.strip_prefix('{')?.strip_suffix('}')?.trim();
        let (mut element, mut fortran_order, mut shape) = (None, None, None);
        while !rest.is_empty() {
            let (key, after) = rest.split_once(':')?;
            rest = after.trim_start();
            // A value ends at the next comma outside its brackets.
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
                // A record type is kept verbatim, to be named in the error.
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
        // Python 2 wrote its long integers with an L.
        .map(|length| length.trim().trim_end_matches('L').parse().ok())
        .collect()
}
