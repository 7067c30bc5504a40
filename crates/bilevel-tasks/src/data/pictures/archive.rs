//! The files of a tree: a folder, or an archive of one.

use std::fs::{self, File};
use std::io::{BufReader, Read, Seek};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use zip::ZipArchive;

use crate::Error;
use crate::data::malformed::Malformed;
use crate::data::picture::is_picture;

/// The longest picture file or list that is plausible.
const LONGEST: u64 = 64 << 20;
/// Folders in folders; more are a circle of links.
const DEEPEST: usize = 32;

/// A kind of tree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Folder,
    Zip,
    Tar,
    TarGz,
    /// No tree of pictures.
    Other,
}

/// What takes a file of a tree: its path from the root, and its contents.
pub(super) type Take<'t> = dyn FnMut(String, Vec<u8>) -> Result<(), Error> + 't;

/// What a path is.
pub(super) fn kind(path: &Path) -> Result<Kind, Error> {
    if path.is_dir() {
        return Ok(Kind::Folder);
    }
    let unreadable = |source| Error::Read {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(unreadable)?;
    let mut start = Vec::new();
    (&file)
        .take(512)
        .read_to_end(&mut start)
        .map_err(unreadable)?;
    if start.starts_with(b"PK\x03\x04") {
        // NPZ files are such archives too.
        let archive = ZipArchive::new(BufReader::new(file));
        let pictures = archive.is_ok_and(|archive| names(&archive).iter().any(|n| is_picture(n)));
        return Ok(if pictures { Kind::Zip } else { Kind::Other });
    }
    let is_tar = |start: &[u8]| start.get(257..262) == Some(b"ustar");
    if is_tar(&start) {
        return Ok(Kind::Tar);
    }
    if start.starts_with(&[0x1f, 0x8b]) {
        let file = File::open(path).map_err(unreadable)?;
        let mut inside = Vec::new();
        // A damaged file is no tree; its reader says what is wrong.
        let _ = MultiGzDecoder::new(file).take(512).read_to_end(&mut inside);
        if is_tar(&inside) {
            return Ok(Kind::TarGz);
        }
    }
    Ok(Kind::Other)
}

/// Whether a file is passed over without a word.
fn is_hidden(name: &str) -> bool {
    name.split('/')
        .any(|part| part.starts_with('.') && part != "." || part == "__MACOSX")
}

fn is_list(name: &str) -> bool {
    Path::new(name)
        .extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("csv"))
}

/// Hands each picture and each list to `take`, and returns the number of other files. Those of a folder are sorted.
pub(super) fn each(path: &Path, kind: Kind, take: &mut Take<'_>) -> Result<usize, Error> {
    let open = || {
        File::open(path).map_err(|source| Error::Read {
            path: path.to_owned(),
            source,
        })
    };
    match kind {
        Kind::Folder => of_folder(path, "", 0, take),
        Kind::Zip => of_zip(path, open()?, take),
        Kind::Tar => of_tar(path, BufReader::new(open()?), take),
        Kind::TarGz => of_tar(path, MultiGzDecoder::new(BufReader::new(open()?)), take),
        Kind::Other => Ok(0),
    }
}

fn of_folder(
    folder: &Path,
    inside: &str,
    depth: usize,
    take: &mut Take<'_>,
) -> Result<usize, Error> {
    let unreadable = |source| Error::Read {
        path: folder.to_owned(),
        source,
    };
    if depth > DEEPEST {
        return Err(Malformed::new(
            format!("at most {DEEPEST} folders in each other"),
            "more: perhaps a link leads back to a folder above it",
        )
        .at(folder));
    }
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        entries.push((
            entry.file_name().to_string_lossy().into_owned(),
            entry.path(),
        ));
    }
    entries.sort();
    let mut others = 0;
    for (name, path) in entries {
        if is_hidden(&name) {
            continue;
        }
        let name = match inside {
            "" => name,
            inside => format!("{inside}/{name}"),
        };
        if path.is_dir() {
            others += of_folder(&path, &name, depth + 1, take)?;
        } else if is_picture(&name) || is_list(&name) {
            let bytes = fs::read(&path).map_err(|source| Error::Read { path, source })?;
            take(name, bytes)?;
        } else {
            others += 1;
        }
    }
    Ok(others)
}

/// The bytes of an entry of an archive, not more than is plausible.
fn bytes_of(path: &Path, name: &str, reader: impl Read) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let wrong = |found: String| {
        Malformed::new("a file that can be unpacked", found)
            .in_place(name)
            .at(path)
    };
    let read = reader.take(LONGEST + 1).read_to_end(&mut bytes);
    read.map_err(|error| wrong(error.to_string()))?;
    if bytes.len() as u64 > LONGEST {
        return Err(wrong(format!("one of more than {} MB", LONGEST >> 20)));
    }
    Ok(bytes)
}

/// The names of all entries; one that is no text is empty.
fn names<R: Read + Seek>(archive: &ZipArchive<R>) -> Vec<String> {
    let name = |index| match archive.name_for_index(index) {
        Some(Ok(name)) => name.into_owned(),
        _ => String::new(),
    };
    (0..archive.len()).map(name).collect()
}

fn of_zip(path: &Path, file: File, take: &mut Take<'_>) -> Result<usize, Error> {
    let damaged = |error: zip::result::ZipError, name: Option<&str>| {
        let problem = Malformed::new("a whole ZIP archive", error.to_string());
        match name {
            Some(name) => problem.in_place(name).at(path),
            None => problem.at(path),
        }
    };
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|e| damaged(e, None))?;
    let mut names: Vec<(String, usize)> = names(&archive).into_iter().zip(0..).collect();
    names.sort();
    let mut others = 0;
    for (name, index) in names {
        if is_hidden(&name) || name.ends_with('/') {
            continue;
        }
        if is_picture(&name) || is_list(&name) {
            let entry = archive.by_index(index);
            let entry = entry.map_err(|error| damaged(error, Some(&name)))?;
            let bytes = bytes_of(path, &name, entry)?;
            take(name, bytes)?;
        } else {
            others += 1;
        }
    }
    Ok(others)
}

fn of_tar(path: &Path, reader: impl Read, take: &mut Take<'_>) -> Result<usize, Error> {
    let damaged =
        |error: std::io::Error| Malformed::new("a whole TAR archive", error.to_string()).at(path);
    let mut archive = tar::Archive::new(reader);
    let mut others = 0;
    for entry in archive.entries().map_err(damaged)? {
        let entry = entry.map_err(damaged)?;
        let name = entry
            .path()
            .map_err(damaged)?
            .to_string_lossy()
            .into_owned();
        let name = name.trim_start_matches("./").to_owned();
        if is_hidden(&name) || !entry.header().entry_type().is_file() {
            continue;
        }
        if is_picture(&name) || is_list(&name) {
            let bytes = bytes_of(path, &name, entry)?;
            take(name, bytes)?;
        } else {
            others += 1;
        }
    }
    Ok(others)
}
