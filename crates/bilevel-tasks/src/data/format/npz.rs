//! NPZ, several NumPy arrays in a ZIP archive.

use std::io::{Cursor, Read, Seek};
use std::path::Path;
use std::sync::Arc;

use zip::ZipArchive;
use zip::result::ZipError;

use super::arrays::{Choice, NamedArray, table};
use super::file::{Format, Opened};
use crate::Error;
use crate::data::array::Array;
use crate::data::malformed::Malformed;
use crate::data::npy::{self, Failure};
use crate::data::roles::TableColumns;
use crate::data::room::{Counted, Room};
use crate::data::source::RandomAccess;
use crate::data::table::Table;

pub(super) const FORMAT: Format = Format {
    name: "an NPZ file of NumPy arrays",
    is: |start| {
        start.has(b"PK\x03\x04") && {
            let name = start
                .bytes
                .get(26..28)
                .map_or(0, |n| u16::from_le_bytes([n[0], n[1]]));
            let end = 30 + usize::from(name);
            start
                .bytes
                .get(30..end)
                .is_some_and(|name| name.ends_with(b".npy"))
        }
    },
    read,
    rewrite: None,
    columns: false,
};

fn read(opened: Opened<'_>) -> Result<Table, Error> {
    let (path, wanted) = (opened.path, opened.wanted);
    let room = opened.source.room();
    let access = opened.source.into_random_access();
    let access = access.map_err(|error| Error::reading(path, error))?;
    match access {
        RandomAccess::File(file) => {
            Arrays::open(std::io::BufReader::new(file), path, room)?.table(wanted)
        }
        RandomAccess::Memory(bytes) => Arrays::open(Cursor::new(bytes), path, room)?.table(wanted),
    }
}

/// The arrays of a file by name, read one at a time.
struct Arrays<'a, R> {
    path: &'a Path,
    room: Arc<Room>,
    archive: ZipArchive<R>,
    named: Vec<(String, Vec<usize>)>,
}

impl<'a, R: Read + Seek> Arrays<'a, R> {
    fn open(reader: R, path: &'a Path, room: Arc<Room>) -> Result<Self, Error> {
        let archive = ZipArchive::new(reader).map_err(|e| damaged(&e).at(path))?;
        let mut arrays = Self {
            path,
            room,
            archive,
            named: Vec::new(),
        };
        for index in 0..arrays.archive.len() {
            let shape = arrays.entry(index, npy::shape);
            let (name, shape) = shape.map_err(|failure| failure.at(path))?;
            arrays.named.push((name, shape));
        }
        Ok(arrays)
    }

    /// The name of an entry, and what `parse` makes of it.
    fn entry<T>(
        &mut self,
        index: usize,
        parse: impl FnOnce(&mut dyn Read) -> Result<T, Failure>,
    ) -> Result<(String, T), Failure> {
        let file = self.archive.by_index(index).map_err(Failure::from)?;
        let name = file.name().map_err(Failure::from)?.into_owned();
        let name = name.strip_suffix(".npy").unwrap_or(&name).to_owned();
        let parsed = parse(&mut Counted::new(file, &self.room)).map_err(|failure| match failure {
            // A wrong checksum, or a stream that is cut short.
            Failure::Read(error)
                if matches!(
                    error.kind(),
                    std::io::ErrorKind::InvalidData
                        | std::io::ErrorKind::InvalidInput
                        | std::io::ErrorKind::UnexpectedEof
                        | std::io::ErrorKind::Other
                ) =>
            {
                Failure::from(ZipError::Io(error))
            }
            other => other,
        });
        let place = format!("array {name:?}");
        Ok((name, parsed.map_err(|failure| failure.in_place(&place))?))
    }

    fn array(&mut self, index: usize) -> Result<Array, Error> {
        let path = self.path;
        let array = self.entry(index, npy::parse);
        array
            .map(|(_, array)| array)
            .map_err(|failure| failure.at(path))
    }

    fn table(mut self, wanted: &TableColumns) -> Result<Table, Error> {
        let path = self.path;
        let choice = Choice::of(&self.named, wanted).map_err(|problem| problem.at(path))?;
        let mut read = |index: Option<usize>| -> Result<Option<NamedArray>, Error> {
            let Some(index) = index else {
                return Ok(None);
            };
            let name = self.named[index].0.clone();
            let array = self.array(index)?;
            Ok(Some(NamedArray { name, array }))
        };
        let arrays = (read(choice.features)?, read(choice.labels)?);
        let names = self.named.into_iter().map(|(name, _)| name).collect();
        table("an NPZ file", arrays, names, path, wanted)
    }
}

fn damaged(error: &ZipError) -> Malformed {
    Malformed::new(
        "a whole ZIP archive",
        format!("it cut short or damaged: {error}"),
    )
}

impl From<ZipError> for Failure {
    fn from(error: ZipError) -> Self {
        Self::from(damaged(&error))
    }
}
