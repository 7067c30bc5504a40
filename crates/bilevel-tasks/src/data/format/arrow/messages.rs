//! The messages of Arrow files and streams, checked before they are decoded: what a damaged file declares must not cost
//! more memory than its bytes can hold.

use std::collections::HashMap;
use std::io::{Read, Seek, SeekFrom};

use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::reader::StreamDecoder;
use arrow_ipc::{BodyCompression, CompressionType, root_as_footer, root_as_message};
use arrow_schema::{ArrowError, Schema};

use crate::data::room::{NoRoom, Room};

/// What begins and ends a file.
pub(super) const FILE: [u8; 6] = *b"ARROW1";
/// What begins a message.
const MARK: [u8; 4] = [0xff; 4];
/// The end of a stream.
const END: [u8; 8] = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];
/// Bytes before the first message of a file.
const MAGIC: u64 = 8;
/// The most room before the first message.
const MOST_ROOM: u64 = 64;
/// The length of the footer, and the magic bytes again.
const TAIL: u64 = 10;
/// The most that a packed byte unpacks to: in Zstandard, a block of 128 KiB takes four bytes.
const UNPACKED: u64 = 1 << 15;
/// The most rows that a byte has: a boolean takes a bit.
const ROWS: u64 = 8;
/// For small messages, whose metadata counts.
const ANY: u64 = 1 << 16;

/// What a file or stream has.
pub(super) struct Contents {
    pub(super) schema: Schema,
    pub(super) batches: Vec<RecordBatch>,
    /// How buffers are packed.
    pub(super) packed: Option<CompressionType>,
    /// What the footer of a file says besides.
    pub(super) notes: HashMap<String, String>,
    /// Whether it is a file.
    pub(super) is_file: bool,
}

/// The contents of a file: a stream between magic bytes and a footer, which lists the batches.
pub(super) fn of_file(mut file: impl Read + Seek, room: &Room) -> Result<Contents, ArrowError> {
    let length = file.seek(SeekFrom::End(0))?;
    let lost = || wrong("a file that ends before its footer");
    let tail = length.checked_sub(TAIL).ok_or_else(lost)?;
    file.seek(SeekFrom::Start(tail))?;
    let (mut size, mut magic) = ([0; 4], [0; FILE.len()]);
    file.read_exact(&mut size)?;
    file.read_exact(&mut magic)?;
    if magic != FILE {
        return Err(lost());
    }
    let size = u64::from(u32::from_le_bytes(size));
    let messages = tail.checked_sub(size + MAGIC).ok_or_else(lost)?;
    file.seek(SeekFrom::Start(MAGIC + messages))?;
    let mut footer = Vec::new();
    file.by_ref().take(size).read_to_end(&mut footer)?;
    let footer = root_as_footer(&footer).map_err(invalid)?;
    let listed = footer.recordBatches().map_or(0, |batches| batches.len());
    // Some programs leave more room before the first message.
    let mut start = MAGIC;
    let mut first = [0; 8];
    while start < MAGIC + messages {
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut first)?;
        if first != [0; 8] || start > MOST_ROOM {
            break;
        }
        start += 8;
    }
    file.seek(SeekFrom::Start(start))?;
    let messages = messages + MAGIC - start;
    let notes = footer.custom_metadata().into_iter().flatten();
    let notes = notes.filter_map(|pair| Some((pair.key()?.to_owned(), pair.value()?.to_owned())));
    let contents = Contents {
        notes: notes.collect(),
        is_file: true,
        ..of_stream(file.take(messages), room)?
    };
    if listed == contents.batches.len() {
        Ok(contents)
    } else {
        Err(wrong("other batches than its footer lists"))
    }
}

/// The contents of a stream.
pub(super) fn of_stream(mut stream: impl Read, room: &Room) -> Result<Contents, ArrowError> {
    let mut decoder = StreamDecoder::new();
    let mut batches = Vec::new();
    let mut decode = |bytes: Vec<u8>| -> Result<(), ArrowError> {
        let mut buffer = Buffer::from(bytes);
        while !buffer.is_empty() {
            batches.extend(decoder.decode(&mut buffer)?);
        }
        Ok(())
    };
    let mut packed = None;
    while let Some(message) = Message::read(&mut stream)? {
        let (codec, unpacked) = message.check()?;
        packed = packed.or(codec);
        let expected = room.ask(unpacked).and_then(|()| room.count(unpacked));
        expected.map_err(full)?;
        decode(message.head)?;
        decode(message.body)?;
    }
    // A message without a body is decoded with what follows it.
    decode(END.to_vec())?;
    decoder.finish()?;
    let schema = decoder.schema().ok_or_else(|| wrong("no schema"))?;
    Ok(Contents {
        schema: schema.as_ref().clone(),
        batches,
        packed,
        notes: HashMap::new(),
        is_file: false,
    })
}

/// A message as it is stored.
struct Message {
    /// Mark, length and metadata.
    head: Vec<u8>,
    /// Where the metadata begins.
    start: usize,
    body: Vec<u8>,
}

impl Message {
    /// None at the end.
    fn read(stream: &mut impl Read) -> Result<Option<Self>, ArrowError> {
        let mut head = Vec::new();
        let mut size = MARK;
        while size == MARK {
            if head.len() > MARK.len() {
                return Err(wrong("two marks of a message"));
            }
            let before = head.len();
            stream.by_ref().take(4).read_to_end(&mut head)?;
            match head[before..] {
                [] if before == 0 => return Ok(None),
                [a, b, c, d] => size = [a, b, c, d],
                _ => return Err(wrong("the beginning of a message")),
            }
        }
        let size = u64::from(u32::from_le_bytes(size));
        if size == 0 {
            return Ok(None);
        }
        let start = head.len();
        let read = stream.by_ref().take(size).read_to_end(&mut head)?;
        if (read as u64) < size {
            return Err(wrong("a part of a message"));
        }
        let message = root_as_message(&head[start..]).map_err(invalid)?;
        let size = u64::try_from(message.bodyLength())
            .map_err(|_| wrong("a message of negative length"))?;
        let mut body = Vec::new();
        let read = stream.by_ref().take(size).read_to_end(&mut body)?;
        if (read as u64) < size {
            return Err(wrong("a part of a message"));
        }
        Ok(Some(Self { head, start, body }))
    }

    /// How buffers are packed, and the bytes of all of them, unpacked. Fails if rows or unpacked buffers are declared that the
    /// bytes cannot hold.
    fn check(&self) -> Result<(Option<CompressionType>, u64), ArrowError> {
        let message = root_as_message(&self.head[self.start..]).map_err(invalid)?;
        let batch = message.header_as_record_batch().or_else(|| {
            message
                .header_as_dictionary_batch()
                .and_then(|dictionary| dictionary.data())
        });
        let mut all = self.body.len() as u64;
        let Some(batch) = batch else {
            return Ok((None, all));
        };
        let packed: Option<BodyCompression<'_>> = batch.compression();
        let factor = if packed.is_some() { UNPACKED } else { 1 };
        let bytes = (self.head.len() + self.body.len()) as u64;
        let rows = u64::try_from(batch.length()).unwrap_or(u64::MAX);
        if rows > ANY + bytes * ROWS * factor {
            return Err(wrong("more rows than the bytes can hold"));
        }
        for buffer in batch
            .buffers()
            .into_iter()
            .flatten()
            // One without bytes begins where the next one does.
            .filter(|buffer| packed.is_some() && buffer.length() > 0)
        {
            let (start, length) = (buffer.offset() as usize, buffer.length().max(0) as u64);
            let prefix = start
                .checked_add(8)
                .and_then(|end| self.body.get(start..end));
            let Some(prefix) = prefix.and_then(|prefix| prefix.first_chunk()) else {
                continue;
            };
            // −1 says that a buffer is not packed.
            let unpacked = i64::from_le_bytes(*prefix).max(0) as u64;
            if unpacked > ANY + length.saturating_mul(UNPACKED) {
                return Err(wrong(
                    "a buffer that unpacks to more than its bytes can hold",
                ));
            }
            all = all.saturating_add(unpacked);
        }
        Ok((packed.map(|packed| packed.codec()), all))
    }
}

fn full(found: NoRoom) -> ArrowError {
    ArrowError::IoError(found.to_string(), found.into())
}

fn wrong(found: &str) -> ArrowError {
    ArrowError::IpcError(found.to_owned())
}

fn invalid(error: impl std::fmt::Display) -> ArrowError {
    ArrowError::ParseError(error.to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Float64Array};
    use arrow_ipc::CompressionType;
    use arrow_ipc::writer::{IpcWriteOptions, StreamWriter};

    use super::*;

    fn stream(rows: usize) -> Vec<u8> {
        let column: ArrayRef = Arc::new(Float64Array::from(vec![0.5; rows]));
        let batch = RecordBatch::try_from_iter([("a", column)]).unwrap();
        let options =
            IpcWriteOptions::default().try_with_compression(Some(CompressionType::LZ4_FRAME));
        let schema = batch.schema();
        let mut writer =
            StreamWriter::try_new_with_options(Vec::new(), &schema, options.unwrap()).unwrap();
        writer.write(&batch).unwrap();
        writer.into_inner().unwrap()
    }

    /// Other programs write no bytes for a column without missing values, where the bytes of the next buffer begin.
    #[test]
    fn a_buffer_without_bytes_declares_nothing() {
        let bytes = stream(30_000);
        let mut rest = &bytes[..];
        let mut messages: Vec<Message> =
            std::iter::from_fn(|| Message::read(&mut rest).unwrap()).collect();
        let batch = messages.last_mut().unwrap();
        let message = root_as_message(&batch.head[batch.start..]).unwrap();
        let buffers = message.header_as_record_batch().unwrap().buffers().unwrap();
        let pair = |offset: i64, length: i64| [offset.to_le_bytes(), length.to_le_bytes()].concat();
        let known = pair(buffers.get(0).offset(), buffers.get(0).length());
        let none = pair(buffers.get(1).offset(), 0);
        let at = batch.head.windows(16).position(|bytes| bytes == known);
        batch.head[at.unwrap()..][..16].copy_from_slice(&none);
        assert!(batch.check().unwrap().1 >= 240_000);
        let stream: Vec<u8> = messages
            .into_iter()
            .flat_map(|message| [message.head, message.body].concat())
            .collect();
        let batches = of_stream(&stream[..], &Room::default()).unwrap().batches;
        assert_eq!(batches[0].num_rows(), 30_000);
    }

    #[test]
    fn what_is_declared_must_be_possible() {
        let bytes = stream(1000);
        let room = Room::default();
        assert_eq!(
            of_stream(&bytes[..], &room).unwrap().batches[0].num_rows(),
            1000
        );
        let mut rest = &bytes[..];
        let messages = std::iter::from_fn(|| Message::read(&mut rest).unwrap());
        let mut batch = messages.last().unwrap();
        assert!(batch.check().unwrap().1 >= 8000);
        let packed = 1000_i64.wrapping_mul(8).to_le_bytes();
        let at = batch.body.windows(8).position(|bytes| bytes == packed);
        batch.body[at.unwrap()..][..8].copy_from_slice(&(1_i64 << 50).to_le_bytes());
        let told = batch.check().unwrap_err().to_string();
        assert!(told.contains("unpacks to more than its bytes"), "{told}");
    }

    #[test]
    fn a_cut_stream_is_refused() {
        let bytes = stream(1000);
        for end in (9..bytes.len() - 8).step_by(7) {
            // Between two messages a stream may end.
            let found = of_stream(&bytes[..end], &Room::default());
            let rows = found.map_or(0, |found| found.batches.len());
            assert_eq!(rows, 0, "{end}");
        }
    }
}
