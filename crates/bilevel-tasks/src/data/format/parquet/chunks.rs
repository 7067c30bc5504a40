//! Parquet files, opened.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use ::parquet::column::reader::ColumnReader;
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::ParquetMetaData;
use ::parquet::file::reader::{ChunkReader, FileReader, Length, SerializedFileReader};
use bytes::Bytes;

use super::pages::check;
use crate::Error;
use crate::data::guarded::guarded;
use crate::data::malformed::Malformed;
use crate::data::room::{NoRoom, Room};
use crate::data::source::{RandomAccess, Source};

/// Bytes that several threads read at the same time.
#[derive(Clone)]
pub(super) enum Chunks {
    File(Arc<File>),
    Memory(Bytes),
}

impl Length for Chunks {
    fn len(&self) -> u64 {
        match self {
            Self::File(file) => file.metadata().map_or(0, |metadata| metadata.len()),
            Self::Memory(bytes) => bytes.len() as u64,
        }
    }
}

impl ChunkReader for Chunks {
    type T = Box<dyn Read>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        match self {
            Self::File(file) => Ok(Box::new(io::BufReader::new(From {
                file: file.clone(),
                at: start,
            }))),
            Self::Memory(bytes) => Ok(Box::new(bytes.get_read(start)?)),
        }
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        match self {
            Self::File(file) => {
                // A damaged file may declare any length.
                let there = self.len().saturating_sub(start).min(length as u64);
                let mut bytes = Vec::with_capacity(usize::try_from(there).unwrap_or_default());
                let from = From {
                    file: file.clone(),
                    at: start,
                };
                from.take(length as u64).read_to_end(&mut bytes)?;
                if bytes.len() < length {
                    let message = format!("{length} bytes from {start} on, found {}", bytes.len());
                    return Err(ParquetError::EOF(message));
                }
                Ok(bytes.into())
            }
            Self::Memory(bytes) => {
                let end = start.saturating_add(length as u64);
                if end > bytes.len() as u64 {
                    let message = format!("{length} bytes from {start} on, found {}", bytes.len());
                    return Err(ParquetError::EOF(message));
                }
                bytes.get_bytes(start, length)
            }
        }
    }
}

/// A file from a place on: threads that share the file do not move each other's place.
struct From {
    file: Arc<File>,
    at: u64,
}

impl Read for From {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        #[cfg(unix)]
        let read = std::os::unix::fs::FileExt::read_at(&*self.file, buffer, self.at)?;
        #[cfg(windows)]
        let read = std::os::windows::fs::FileExt::seek_read(&*self.file, buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// A file whose metadata were read.
pub(super) struct Columns {
    pub(super) chunks: Chunks,
    reader: SerializedFileReader<Chunks>,
    room: Arc<Room>,
}

impl Columns {
    pub(super) fn metadata(&self) -> &ParquetMetaData {
        self.reader.metadata()
    }

    /// The values of a column in a group of rows.
    ///
    /// # Errors
    /// If its pages cannot be what they declare, or do not fit into memory.
    pub(super) fn of_group(
        &self,
        group: usize,
        column: usize,
    ) -> Result<ColumnReader, ParquetError> {
        let group = self.reader.get_row_group(group)?;
        check(&self.chunks, group.metadata().column(column), &self.room)?;
        group.get_column_reader(column)
    }
}

pub(super) fn open(source: Source, path: &Path) -> Result<Columns, Error> {
    let room = source.room();
    let access = source.into_random_access();
    let chunks = match access.map_err(|error| Error::reading(path, error))? {
        RandomAccess::File(file) => Chunks::File(Arc::new(file)),
        RandomAccess::Memory(bytes) => Chunks::Memory(bytes.into()),
    };
    let reader = guarded(|| SerializedFileReader::new(chunks.clone()));
    let reader = reader.unwrap_or_else(|| Err(lost()));
    let reader = reader.map_err(|error| damaged(&error).at(path))?;
    Ok(Columns {
        chunks,
        reader,
        room,
    })
}

/// What a panic of the library is.
pub(super) fn lost() -> ParquetError {
    ParquetError::General("offsets that lead nowhere".to_owned())
}

pub(super) fn damaged(error: &ParquetError) -> Malformed {
    match error {
        ParquetError::NYI(what) => {
            Malformed::new("a Parquet file without rare features", what.clone())
                .remedy("write it with the compression snappy, gzip, zstd or none")
        }
        error if error.to_string().contains("Disabled feature") => Malformed::new(
            "a Parquet file whose compression is read",
            error.to_string(),
        )
        .remedy("write it with the compression snappy, gzip, zstd, lz4 or none"),
        ParquetError::External(inner) if let Some(full) = inner.downcast_ref::<NoRoom>() => {
            Malformed::from(*full)
        }
        error => Malformed::new(
            "a whole Parquet file",
            format!("it cut short or damaged: {error}"),
        ),
    }
}
