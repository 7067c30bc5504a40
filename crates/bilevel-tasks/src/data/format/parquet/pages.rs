//! The headers of pages, read before the pages are unpacked: a page declares how many bytes it unpacks to, and the
//! reader of pages reserves what is declared.

use std::io::{self, Read, Take};

use ::parquet::basic::Compression;
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::ColumnChunkMetaData;
use ::parquet::file::reader::ChunkReader;

use crate::data::room::Room;

/// Structures within structures; a header has three.
const DEEPEST: usize = 8;

/// Whether every page of a column can unpack to what it declares, and fits into memory.
///
/// # Errors
/// If a page cannot, or if a header cannot be read.
pub(super) fn check(
    chunks: &impl ChunkReader,
    column: &ColumnChunkMetaData,
    room: &Room,
) -> Result<(), ParquetError> {
    let packing = column.compression();
    if packing == Compression::UNCOMPRESSED {
        return Ok(());
    }
    let (mut at, mut left) = column.byte_range();
    while left > 0 {
        let mut header = chunks.get_read(at)?.take(left);
        let page = Page::read(&mut header)?;
        let length = (left - header.limit()).saturating_add(page.packed);
        if length > left {
            return Err(wrong(format!(
                "a page of {length} bytes in the last {left} of a column"
            )));
        }
        if page.unpacked > most(packing, page.packed) {
            return Err(wrong(format!(
                "a page whose {} bytes cannot unpack to {} with {packing}",
                page.packed, page.unpacked
            )));
        }
        let asked = room.ask(page.unpacked);
        asked.map_err(|full| ParquetError::External(Box::new(full)))?;
        at += length;
        left -= length;
    }
    Ok(())
}

/// Bytes that so many unpack to at most.
fn most(packing: Compression, packed: u64) -> u64 {
    /// Of an empty page, too.
    const ANY: u64 = 64;
    let factor = match packing {
        Compression::UNCOMPRESSED => 1,
        // 64 bytes of a copy take 3.
        Compression::SNAPPY => 22,
        // A byte of a length adds 255.
        Compression::LZ4 | Compression::LZ4_RAW => 256,
        // 258 bytes of a copy take 2 bits.
        Compression::GZIP(_) => 1032,
        // A block of 128 KiB of one byte takes 4.
        Compression::ZSTD(_) => 1 << 15,
        // Not read; whoever unpacks says so.
        Compression::BROTLI(_) | Compression::LZO => return u64::MAX,
    };
    packed.saturating_mul(factor).saturating_add(ANY)
}

fn wrong(found: String) -> ParquetError {
    ParquetError::General(found)
}

/// What the header of a page says of its bytes.
struct Page {
    unpacked: u64,
    packed: u64,
}

impl Page {
    /// Reads a header to its end. It is a structure of the compact protocol of Thrift: of its fields, the second is the
    /// number of bytes of the page when unpacked, the third that of those in the file.
    fn read<R: Read>(from: &mut Take<R>) -> Result<Self, ParquetError> {
        let (mut unpacked, mut packed) = (None, None);
        let mut id = 0_i64;
        while let Some((step, kind)) = field(from)? {
            id = match step {
                0 => zigzag(number(from)?),
                step => id + i64::from(step),
            };
            match (id, kind) {
                (2, Kind::Number) => unpacked = Some(zigzag(number(from)?)),
                (3, Kind::Number) => packed = Some(zigzag(number(from)?)),
                (_, kind) => skip(from, kind, 0)?,
            }
        }
        let bytes = |found: Option<i64>| found.and_then(|bytes| u64::try_from(bytes).ok());
        match (bytes(unpacked), bytes(packed)) {
            (Some(unpacked), Some(packed)) => Ok(Self { unpacked, packed }),
            _ => Err(wrong("a page that does not declare its bytes".to_owned())),
        }
    }
}

/// What a value takes.
#[derive(Clone, Copy)]
enum Kind {
    /// The value of a boolean field is its type.
    Boolean,
    Bytes(u8),
    /// Seven bits a byte.
    Number,
    Text,
    List,
    Map,
    Structure,
}

impl Kind {
    fn of(code: u8) -> Result<Self, ParquetError> {
        Ok(match code {
            1 | 2 => Self::Boolean,
            3 => Self::Bytes(1),
            4..=6 => Self::Number,
            7 => Self::Bytes(8),
            8 => Self::Text,
            9 | 10 => Self::List,
            11 => Self::Map,
            12 => Self::Structure,
            code => return Err(wrong(format!("a field of unknown type {code}"))),
        })
    }

    /// In a list or a map.
    fn of_element(code: u8) -> Result<Self, ParquetError> {
        Ok(match Self::of(code)? {
            Self::Boolean => Self::Bytes(1),
            other => other,
        })
    }
}

/// The next field: how many numbers it is after the last one, 0 if its own number follows, and its type. `None` at the
/// end of a structure.
fn field(from: &mut impl Read) -> Result<Option<(u8, Kind)>, ParquetError> {
    match byte(from)? {
        0 => Ok(None),
        header => Ok(Some((header >> 4, Kind::of(header & 15)?))),
    }
}

fn skip<R: Read>(from: &mut Take<R>, kind: Kind, depth: usize) -> Result<(), ParquetError> {
    if depth > DEEPEST {
        return Err(wrong("structures within structures".to_owned()));
    }
    match kind {
        Kind::Boolean => Ok(()),
        Kind::Bytes(count) => pass(from, count.into()),
        Kind::Number => number(from).map(drop),
        Kind::Text => {
            let count = number(from)?;
            pass(from, count)
        }
        Kind::List => {
            let header = byte(from)?;
            let kind = Kind::of_element(header & 15)?;
            let count = match header >> 4 {
                15 => number(from)?,
                count => count.into(),
            };
            // An element takes a byte at least, so that the end of the bytes ends this.
            (0..count).try_for_each(|_| skip(from, kind, depth + 1))
        }
        Kind::Map => {
            let count = number(from)?;
            if count == 0 {
                return Ok(());
            }
            let kinds = byte(from)?;
            let (key, value) = (Kind::of_element(kinds >> 4)?, Kind::of_element(kinds & 15)?);
            (0..count).try_for_each(|_| {
                skip(from, key, depth + 1)?;
                skip(from, value, depth + 1)
            })
        }
        Kind::Structure => {
            while let Some((step, kind)) = field(from)? {
                if step == 0 {
                    number(from)?;
                }
                skip(from, kind, depth + 1)?;
            }
            Ok(())
        }
    }
}

fn byte(from: &mut impl Read) -> Result<u8, ParquetError> {
    let mut one = [0];
    from.read_exact(&mut one)?;
    Ok(one[0])
}

fn number(from: &mut impl Read) -> Result<u64, ParquetError> {
    let mut number = 0;
    for place in (0..64).step_by(7) {
        let byte = byte(from)?;
        number |= u64::from(byte & 0x7f) << place;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(wrong("a number without end".to_owned()))
}

/// Numbers with a sign, which is the last bit.
fn zigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

fn pass<R: Read>(from: &mut Take<R>, count: u64) -> Result<(), ParquetError> {
    let passed = io::copy(&mut from.by_ref().take(count), &mut io::sink())?;
    if passed < count {
        return Err(wrong(format!(
            "a header that ends {} bytes before its end",
            count - passed
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_end_where_they_end() {
        let header = [
            &[0x15, 0x02][..],               // 1: a number
            &[0x15, 0xac, 0x02],             // 2: 150
            &[0x01, 0x40],                   // 32, a boolean
            &[0x18, 3, b'a', b'b', b'c'],    // 33, a text
            &[0x19, 0x21, 1, 2],             // 34, a list of two booleans
            &[0x19, 0xf5, 1, 0x80, 0x01],    // 35, a long list of one number
            &[0x1b, 1, 0x83, 1, b'x', 7],    // 36, a map of a text to a byte
            &[0x1b, 0],                      // 37, an empty one
            &[0x17, 0, 0, 0, 0, 0, 0, 0, 0], // 38, a number of 8 bytes
            &[0x1c, 0x11, 0x1c, 0, 0],       // 39, a structure of a boolean and a structure
            &[0x05, 0x06, 0x0e],             // 3, with its own number: 7
            &[0],
        ]
        .concat();
        let bytes = [&header[..], b"rest"].concat();
        let mut from = bytes.as_slice().take(bytes.len() as u64);
        let page = Page::read(&mut from).unwrap();
        assert_eq!((page.unpacked, page.packed), (150, 7));
        assert_eq!(from.limit(), 4);
        for end in 0..header.len() {
            let mut from = header.as_slice().take(end as u64);
            assert!(Page::read(&mut from).is_err(), "{end}");
        }
        let nested = [0x1c; 100];
        assert!(Page::read(&mut nested.as_slice().take(100)).is_err());
        let negative = [0x25, 0x01, 0x15, 0x02, 0];
        assert!(Page::read(&mut negative.as_slice().take(5)).is_err());
        let endless = [[0x15].as_slice(), &[0xff; 11]].concat();
        assert!(Page::read(&mut endless.as_slice().take(12)).is_err());
    }
}
