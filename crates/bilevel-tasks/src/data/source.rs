//! The bytes of a data file: opened once, unpacked.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use flate2::bufread::GzDecoder;

use super::room::{Counted, Room};

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// A file that is packed more often than this is refused.
const MOST_LAYERS: usize = 3;
/// Bytes from which the kind of a file is found.
const START: u64 = 1 << 16;
/// The path of standard input.
pub const STANDARD_INPUT: &str = "-";

/// The contents of a file, not read yet except for the start. Gzip and zstd are detected from the contents, not the
/// name, and unpacked, also if the file is packed twice.
pub(crate) struct Source {
    start: Vec<u8>,
    rest: Box<dyn Read + Send>,
    /// The same file, if it can be read out of order: neither packed nor a pipe.
    file: Option<File>,
    /// Whether the start ends where the file is damaged.
    broken: bool,
    room: Arc<Room>,
}

impl Source {
    /// Opens a file; `-` is standard input.
    ///
    /// # Errors
    /// Those of the system. Damage of a packed stream is an error that holds [`Damaged`].
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        if path.as_os_str() == STANDARD_INPUT {
            return Self::of(io::stdin());
        }
        let file = File::open(path)?;
        let again = if file.metadata()?.is_file() {
            file.try_clone().ok()
        } else {
            None
        };
        let (rest, packed) = unpacked(Box::new(file))?;
        Self::new(rest, again.filter(|_| !packed))
    }

    /// The same for the bytes of a file.
    ///
    /// # Errors
    /// Those of [`Source::open`].
    pub(crate) fn of(bytes: impl Read + Send + 'static) -> io::Result<Self> {
        Self::new(unpacked(Box::new(bytes))?.0, None)
    }

    fn new(mut rest: Box<dyn Read + Send>, file: Option<File>) -> io::Result<Self> {
        let (mut start, mut broken) = (Vec::new(), false);
        // A damaged stream shows its start, so that its format is known; its reader meets the damage.
        let read = rest.by_ref().take(START).read_to_end(&mut start);
        match read {
            Err(error) if start.is_empty() => return Err(error),
            Err(error) => {
                rest = Box::new(Broken(Some(error)));
                broken = true;
            }
            Ok(_) => {}
        }
        Ok(Self {
            start,
            rest,
            file,
            broken,
            room: Arc::default(),
        })
    }

    /// Whether the contents fit into memory: what readers unpack is to be counted too.
    pub(crate) fn room(&self) -> Arc<Room> {
        Arc::clone(&self.room)
    }

    /// The same, counted there.
    #[cfg(test)]
    pub(crate) fn within(self, room: Arc<Room>) -> Self {
        Self { room, ..self }
    }

    /// The first bytes: all, if there are few.
    pub(crate) fn start(&self) -> &[u8] {
        &self.start
    }

    /// The damage that the start ends with.
    ///
    /// # Errors
    /// The damage, if there is any.
    pub(crate) fn expect_whole_start(&mut self) -> io::Result<()> {
        if self.broken {
            io::copy(&mut self.rest, &mut io::sink())?;
        }
        Ok(())
    }

    /// Whether the start is all there is.
    pub(crate) fn is_short(&self) -> bool {
        (self.start.len() as u64) < START
    }

    /// All bytes, in order. Those that do not fit into memory end in an error.
    pub(crate) fn into_reader(self) -> impl Read + Send + 'static {
        Counted::new(Cursor::new(self.start).chain(self.rest), &self.room)
    }

    /// All bytes, in memory.
    ///
    /// # Errors
    /// Those of the system, [`Damaged`], and too many bytes.
    pub(crate) fn into_bytes(self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.into_reader().read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// All bytes, in any order: the file itself, or else its contents in memory.
    ///
    /// # Errors
    /// Those of [`Source::into_bytes`].
    pub(crate) fn into_random_access(mut self) -> io::Result<RandomAccess> {
        match self.file.take() {
            Some(mut file) => {
                file.seek(SeekFrom::Start(0))?;
                Ok(RandomAccess::File(file))
            }
            None => Ok(RandomAccess::Memory(self.into_bytes()?)),
        }
    }
}

/// Bytes that can be read in any order.
pub(crate) enum RandomAccess {
    File(File),
    Memory(Vec<u8>),
}

/// Fails with this error, then ends.
struct Broken(Option<io::Error>);

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

/// The unpacked bytes of a file, and whether they were packed.
fn unpacked(mut file: Box<dyn Read + Send>) -> io::Result<(Box<dyn Read + Send>, bool)> {
    for layer in 0..=MOST_LAYERS {
        let mut start = Vec::new();
        file.by_ref()
            .take(ZSTD.len() as u64)
            .read_to_end(&mut start)?;
        let (gzip, zstd) = (start.starts_with(GZIP), start == ZSTD);
        let whole = Cursor::new(start).chain(file);
        file = if gzip {
            Box::new(Unpacking::new(Gunzip::new(BufReader::new(whole))))
        } else if zstd {
            let decoder = zstd::stream::read::Decoder::new(whole)?;
            Box::new(Unpacking::new(decoder))
        } else {
            return Ok((Box::new(whole), layer > 0));
        };
    }
    Err(Damaged::error(
        0,
        io::Error::other(format!("it is packed more than {MOST_LAYERS} times")),
    ))
}

/// A packed stream that is cut short or damaged.
#[derive(Debug, thiserror::Error)]
#[error("{source}")]
pub(crate) struct Damaged {
    /// Bytes unpacked before the damage.
    pub(crate) read: usize,
    /// The decoder's error.
    pub(crate) source: io::Error,
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
}

impl<R: BufRead> Gunzip<R> {
    fn new(packed: R) -> Self {
        Self {
            member: Some(GzDecoder::new(packed)),
        }
    }
}

impl<R: BufRead> Read for Gunzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
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

/// A decoder that names its damage.
struct Unpacking<R> {
    decoder: R,
    read: usize,
}

impl<R> Unpacking<R> {
    fn new(decoder: R) -> Self {
        Self { decoder, read: 0 }
    }
}

impl<R: Read> Read for Unpacking<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.decoder.read(buffer) {
            Ok(length) => {
                self.read += length;
                Ok(length)
            }
            // The kinds that the decoders make; any other comes from the file itself, and damage of an outer
            // stream has been named.
            Err(source) => match (source.kind(), source.downcast::<Damaged>()) {
                (_, Ok(outer)) => Err(Damaged::error(outer.read, outer.source)),
                (
                    io::ErrorKind::UnexpectedEof
                    | io::ErrorKind::InvalidInput
                    | io::ErrorKind::InvalidData
                    | io::ErrorKind::Other,
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
        Source::of(Cursor::new(bytes.to_vec()))?.into_bytes()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 3).unwrap()
    }

    #[test]
    fn plain_packed_and_padded_files_have_the_same_bytes() {
        let text: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
        for text in [&text[..], b"a", b"", b"\x1f", b"\0\0\x08\x01"] {
            let once = gzip(text);
            let padded = [&once[..], &[0; 70_000]].concat();
            let (first, second) = text.split_at(text.len() / 2);
            let members = [gzip(first), vec![0; 5], gzip(second)].concat();
            let frames = [zstd(first), zstd(second)].concat();
            for packed in [
                text,
                &once,
                &gzip(&once),
                &padded,
                &members,
                &gzip(&padded),
                &zstd(text),
                &gzip(&zstd(text)),
                &frames,
            ] {
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
        let whole = zstd(&text);
        assert!(damaged(&whole[..whole.len() - 1]) <= text.len());
        assert!(damaged(&whole[..whole.len() / 2]) < text.len());
        let often = (0..5).fold(text, |bytes, _| gzip(&bytes));
        let message = read(&often).unwrap_err().to_string();
        assert!(message.contains("packed more than 3 times"), "{message}");
    }
}
