//! The elements that MATLAB files consist of.

use std::io::{self, Read};

use crate::data::malformed::Malformed;
use crate::data::npy::Failure;
use crate::data::shape::shape_text;

pub(super) const HEADER: usize = 128;
pub(super) const COMPRESSED: u32 = 15;
pub(super) const MATRIX: u32 = 14;
/// Arrays of numbers have classes from double to unsigned integers of 64 bits.
const NUMBERS: std::ops::RangeInclusive<u8> = 6..=15;
/// A longer name or list of dimensions is a mistake.
const MOST_HEADER: u32 = 1 << 16;

/// Whether numbers are stored with the highest byte first, from the header of a file.
pub(super) fn is_big(header: &[u8]) -> Result<bool, Malformed> {
    match header.get(126..HEADER) {
        Some(b"IM") => Ok(false),
        Some(b"MI") => Ok(true),
        _ => {
            let found = format!("{} bytes in all", header.len());
            let expected = "a header of 128 bytes that ends in IM or MI";
            Err(Malformed::new(expected, found))
        }
    }
}

/// The type and size of an element.
pub(super) struct Tag {
    pub(super) kind: u32,
    pub(super) size: u32,
    /// The bytes of a small element.
    pub(super) inside: Option<[u8; 4]>,
}

impl Tag {
    /// None at the end.
    pub(super) fn read(reader: &mut dyn Read, big: bool) -> Result<Option<Self>, Failure> {
        let Some(first) = four(reader)? else {
            return Ok(None);
        };
        let Some(second) = four(reader)? else {
            return Err(
                Malformed::new("an element of 8 bytes or more", "the end of the file").into(),
            );
        };
        let number = |bytes| {
            if big {
                u32::from_be_bytes(bytes)
            } else {
                u32::from_le_bytes(bytes)
            }
        };
        let kind = number(first);
        if kind >> 16 == 0 {
            return Ok(Some(Self {
                kind,
                size: number(second),
                inside: None,
            }));
        }
        let size = kind >> 16;
        if size > 4 {
            let found = format!("one of {size} bytes");
            return Err(Malformed::new("a small element of at most 4 bytes", found).into());
        }
        Ok(Some(Self {
            kind: kind & 0xffff,
            size,
            inside: Some(second),
        }))
    }

    /// The bytes of the element, at most so many.
    pub(super) fn bytes(&self, reader: &mut dyn Read, most: u32) -> Result<Vec<u8>, Failure> {
        if let Some(inside) = self.inside {
            return Ok(inside[..self.size as usize].to_vec());
        }
        if self.size > most {
            let expected = format!("an element of at most {most} bytes");
            return Err(Malformed::new(expected, self.size.to_string()).into());
        }
        let mut bytes = Vec::new();
        (&mut *reader)
            .take(u64::from(self.size))
            .read_to_end(&mut bytes)?;
        skip_padding(reader, self.size)?;
        if bytes.len() < self.size as usize {
            let expected = format!("an element of {} bytes", self.size);
            return Err(Malformed::new(expected, bytes.len().to_string()).into());
        }
        Ok(bytes)
    }
}

/// Four bytes; None at the end.
fn four(reader: &mut dyn Read) -> Result<Option<[u8; 4]>, Failure> {
    let mut bytes = Vec::new();
    (&mut *reader).take(4).read_to_end(&mut bytes)?;
    match bytes[..] {
        [] => Ok(None),
        [a, b, c, d] => Ok(Some([a, b, c, d])),
        _ => Err(Malformed::new("4 more bytes", bytes.len().to_string()).into()),
    }
}

/// Elements begin at multiples of eight bytes.
pub(super) fn skip_padding(reader: &mut dyn Read, size: u32) -> io::Result<()> {
    let padding = u64::from(size).next_multiple_of(8) - u64::from(size);
    io::copy(&mut (&mut *reader).take(padding), &mut io::sink()).map(|_| ())
}

/// What an array begins with.
pub(super) struct Head {
    /// Class and attributes, as they are stored.
    pub(super) flags: Vec<u8>,
    pub(super) class: u8,
    pub(super) complex: bool,
    pub(super) name: Vec<u8>,
    pub(super) shape: Vec<usize>,
}

impl Head {
    pub(super) fn read(reader: &mut dyn Read, big: bool) -> Result<Self, Failure> {
        let mut next = |what: &str| -> Result<Vec<u8>, Failure> {
            let tag = Tag::read(reader, big)?;
            let tag = tag.ok_or_else(|| Malformed::new(what, "the end of the array"))?;
            tag.bytes(reader, MOST_HEADER)
        };
        let flags = next("the flags of an array")?;
        let dimensions = next("the dimensions of an array")?;
        let name = next("the name of an array")?;
        let Some(&[a, b, c, d]) = flags.first_chunk() else {
            return Err(Malformed::new("8 bytes of flags", flags.len().to_string()).into());
        };
        let (class, complex) = if big {
            (d, c & 8 != 0)
        } else {
            (a, b & 8 != 0)
        };
        let (chunks, _) = dimensions.as_chunks();
        let number = |&bytes: &[u8; 4]| {
            if big {
                u32::from_be_bytes(bytes)
            } else {
                u32::from_le_bytes(bytes)
            }
        };
        Ok(Self {
            shape: chunks.iter().map(|bytes| number(bytes) as usize).collect(),
            flags,
            class,
            complex,
            name,
        })
    }

    /// Whether these are numbers, all of them stored.
    pub(super) fn is_numbers(&self) -> bool {
        NUMBERS.contains(&self.class)
    }

    pub(super) fn name(&self) -> String {
        String::from_utf8_lossy(&self.name).into_owned()
    }

    /// The number of elements.
    pub(super) fn count(&self) -> Result<usize, Failure> {
        let lengths = self.shape.iter();
        let count = lengths
            .copied()
            .try_fold(1_usize, usize::checked_mul)
            .filter(|count| count.checked_mul(8).is_some());
        count.ok_or_else(|| self.wrong("dimensions that fit into memory", shape_text(&self.shape)))
    }

    pub(super) fn wrong(&self, expected: &str, found: String) -> Failure {
        let place = format!("array {:?}", self.name());
        Failure::from(Malformed::new(expected, found)).in_place(&place)
    }
}

/// The shape with rows first: pictures are often stored with rows last, as many as another array has.
pub(super) fn rows_first<'a>(
    shape: &[usize],
    all: impl Iterator<Item = &'a [usize]>,
) -> Vec<usize> {
    let [first, .., last] = *shape else {
        return shape.to_vec();
    };
    let (mut is_first, mut is_last) = (false, false);
    for other in all {
        if let [length, 1] | [1, length] = *other
            && length > 1
        {
            is_first |= length == first;
            is_last |= length == last;
        }
    }
    if shape.len() >= 3 && !is_first && is_last {
        let mut moved = shape.to_vec();
        moved.rotate_right(1);
        moved
    } else {
        shape.to_vec()
    }
}

/// Errors of the decoder are damage of the file.
pub(super) fn unpacking(failure: Failure) -> Failure {
    match failure {
        Failure::Read(error) if error.kind() != io::ErrorKind::OutOfMemory => {
            let found = format!("it cut short or damaged: {error}");
            Malformed::new("a whole packed element", found).into()
        }
        other => other,
    }
}
