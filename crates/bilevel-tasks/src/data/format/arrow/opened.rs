//! Arrow files and streams, opened.

use std::io::{BufReader, Cursor};
use std::path::Path;

use arrow_schema::ArrowError;

use super::messages::{self, Contents};
use crate::Error;
use crate::data::guarded::guarded;
use crate::data::malformed::Malformed;
use crate::data::room::NoRoom;
use crate::data::source::{RandomAccess, Source};

/// What a file or stream has.
pub(super) fn contents(source: Source, path: &Path) -> Result<Contents, Error> {
    let room = source.room();
    let is_file = source.start().starts_with(&messages::FILE);
    let contents = if is_file {
        let access = source.into_random_access();
        let access = access.map_err(|error| Error::reading(path, error))?;
        guarded(|| match access {
            RandomAccess::File(file) => messages::of_file(BufReader::new(file), &room),
            RandomAccess::Memory(bytes) => messages::of_file(Cursor::new(bytes), &room),
        })
    } else {
        guarded(|| messages::of_stream(BufReader::new(source.into_reader()), &room))
    };
    let contents = contents.ok_or_else(|| lost(path))?;
    contents.map_err(|error| match error {
        ArrowError::IoError(_, error) if NoRoom::is_in(&error) => Error::reading(path, error),
        error => damaged(&error, path),
    })
}

/// A file with offsets that lead nowhere.
pub(super) fn lost(path: &Path) -> Error {
    let error = ArrowError::IpcError("offsets that lead nowhere".to_owned());
    damaged(&error, path)
}

fn damaged(error: &ArrowError, path: &Path) -> Error {
    let found = format!("it cut short or damaged: {error}");
    Malformed::new("a whole Arrow file", found).at(path)
}
