//! The header of an NPY file.

use super::problem::NpyProblem;

pub(super) const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// Length of magic, version and the longer form of the header's length.
pub(super) const LONG_START: usize = 12;

/// The header's text, and the bytes after it.
pub(super) fn split_header(bytes: &[u8]) -> Result<(&[u8], &[u8]), NpyProblem> {
    let Some(rest) = bytes.strip_prefix(MAGIC) else {
        if bytes.starts_with(b"PK\x03\x04") {
            return Err(NpyProblem::Archive);
        }
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

pub(super) struct Header {
    pub(super) element: String,
    pub(super) fortran_order: bool,
    pub(super) shape: Vec<usize>,
}

impl Header {
    /// Reads the dictionary, whose three keys may be in any order.
    pub(super) fn parse(header: &[u8]) -> Result<Self, NpyProblem> {
        let text = String::from_utf8_lossy(header);
        let text = text.trim();
        Self::from_text(text).ok_or_else(|| NpyProblem::Header {
            found: text.chars().take(120).collect(),
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
