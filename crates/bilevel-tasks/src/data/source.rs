//! The bytes of a data file, unpacked.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;

use flate2::bufread::GzDecoder;

const GZIP: &[u8] = &[0x1f, 0x8b];

/// A file that is packed more often than this is refused.
const MOST_LAYERS: usize = 3;

/// Opens a file. Gzip is detected from the contents, not the name, and unpacked, also if the file is packed twice.
///
/// Damage of a gzip stream is an error that holds [`Damaged`].
pub(super) fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    unpacked(File::open(path)?)
}

/// The same for the bytes of a file.
pub(super) fn unpacked<'a>(file: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut file: Box<dyn Read + 'a> = Box::new(file);
    for _ in 0..=MOST_LAYERS {
        let mut start = Vec::new();
        file.by_ref()
            .take(GZIP.len() as u64)
            .read_to_end(&mut start)?;
        let packed = start == GZIP;
        let whole = Cursor::new(start).chain(file);
        if !packed {
            return Ok(Box::new(whole));
        }
        file = Box::new(Gunzip::new(BufReader::new(whole)));
    }
    Err(Damaged::error(
        0,
        io::Error::other(format!("it is packed more than {MOST_LAYERS} times")),
    ))
}

/// A gzip stream that is cut short or damaged.
#[derive(Debug, thiserror::Error)]
#[error("{source}")]
pub(super) struct Damaged {
    /// Bytes unpacked before the damage.
    pub(super) read: usize,
    /// The decoder's error.
    pub(super) source: io::Error,
}

impl Damaged {
    fn error(read: usize, source: io::Error) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, Self { read, source })
    }
}

/// The members of a gzip stream, one after the other. Zero bytes after a member are padding, as gzip itself has it.
struct Gunzip<R> {
    /// The current member; none after the last one.
    member: Option<GzDecoder<R>>,
    read: usize,
}

impl<R: BufRead> Gunzip<R> {
    fn new(packed: R) -> Self {
        Self {
            member: Some(GzDecoder::new(packed)),
            read: 0,
        }
    }

    fn next(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let length = member.read(buffer)?;
            if length > 0 || buffer.is_empty() {
                return Ok(length);
            }
            let Some(member) = self.member.take() else {
                break;
            };
            let mut packed = member.into_inner();
            if skip_zeros(&mut packed)? {
                self.member = Some(GzDecoder::new(packed));
            }
        }
        Ok(0)
    }
}

/// Whether there is something else after the zeros.
fn skip_zeros(packed: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let bytes = packed.fill_buf()?;
        let (length, zeros) = (bytes.len(), bytes.iter().take_while(|&&b| b == 0).count());
        packed.consume(zeros);
        if zeros < length || length == 0 {
            return Ok(length > 0);
        }
    }
}

impl<R: BufRead> Read for Gunzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.next(buffer) {
            Ok(length) => {
                self.read += length;
                Ok(length)
            }
            // The kinds that the decoder makes; any other comes from the file itself, and damage of an outer
            // stream has been named.
            Err(source) => match (source.kind(), source.downcast::<Damaged>()) {
                (_, Ok(outer)) => Err(Damaged::error(outer.read, outer.source)),
                (
                    io::ErrorKind::UnexpectedEof
                    | io::ErrorKind::InvalidInput
                    | io::ErrorKind::InvalidData,
                    Err(source),
                ) => Err(Damaged::error(self.read, source)),
                (_, Err(source)) => Err(source),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn read(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        unpacked(bytes)?.read_to_end(&mut all)?;
        Ok(all)
    }

    #[test]
    fn plain_packed_and_padded_files_have_the_same_bytes() {
        let text: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
        for text in [&text[..], b"a", b"", b"\x1f", b"\0\0\x08\x01"] {
            let once = gzip(text);
            let padded = [&once[..], &[0; 70_000]].concat();
            let (first, second) = text.split_at(text.len() / 2);
            let members = [gzip(first), vec![0; 5], gzip(second)].concat();
            for packed in [text, &once, &gzip(&once), &padded, &members, &gzip(&padded)] {
                assert_eq!(read(packed).unwrap(), text);
            }
        }
    }

    #[test]
    fn damage_is_named_with_its_place() {
        let damaged = |bytes: &[u8]| {
            let error = read(bytes).unwrap_err();
            error.downcast::<Damaged>().unwrap().read
        };
        let text: Vec<u8> = (0..50_000_u32).map(|i| (i * i / 128) as u8).collect();
        let whole = gzip(&text);
        assert_eq!(damaged(&whole[..whole.len() - 1]), text.len());
        assert_eq!(damaged(&[&whole[..], b"\0\0more"].concat()), text.len());
        assert!(damaged(&gzip(&whole[..whole.len() / 2])) < text.len());
        // The damage of the outer stream, in bytes of the outer stream.
        let twice = gzip(&whole);
        assert_eq!(damaged(&twice[..twice.len() - 9]), whole.len());
        let often = (0..5).fold(text, |bytes, _| gzip(&bytes));
        let message = read(&often).unwrap_err().to_string();
        assert!(message.contains("packed more than 3 times"), "{message}");
    }
}
