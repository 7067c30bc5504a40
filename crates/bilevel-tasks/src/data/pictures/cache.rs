//! Decoded pictures in one file, so that they are decoded once.

use std::fs::File;
use std::hash::Hasher;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

use super::{PictureClass, PictureSet, Split};
use crate::checkpoint::Fingerprint;
use crate::data::image_shape::ImageShape;

const MAGIC: &[u8; 8] = b"bilevelP";
/// Files of another version are made anew.
const VERSION: u64 = 1;
/// The longest header that is plausible.
const LONGEST: u64 = 1 << 30;

#[derive(Serialize, Deserialize)]
struct Header {
    shape: ImageShape,
    classes: Vec<Class>,
    notes: Vec<String>,
    bytes: u64,
}

#[derive(Serialize, Deserialize)]
struct Class {
    name: String,
    split: Option<u8>,
    pictures: Vec<u32>,
}

/// What the sources are: paths, sizes and times of change of all files, and the size of pictures. None if they cannot be
/// listed.
pub(super) fn key(paths: &[PathBuf], size: Option<(u32, u32)>) -> Option<u64> {
    let mut print = Fingerprint::default();
    let (height, width) = size.unwrap_or_default();
    print.list(
        [VERSION, height.into(), width.into()]
            .map(u64::to_le_bytes)
            .into_iter(),
    );
    for path in paths {
        add(&mut print, &path.canonicalize().ok()?, 0)?;
    }
    Some(print.finish())
}

fn add(print: &mut Fingerprint, path: &Path, depth: usize) -> Option<()> {
    print.text(&path.to_string_lossy());
    let metadata = path.metadata().ok()?;
    if metadata.is_dir() {
        if depth > 32 {
            return None;
        }
        let entries: io::Result<Vec<PathBuf>> = path
            .read_dir()
            .ok()?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect();
        let mut entries = entries.ok()?;
        entries.sort();
        return entries
            .iter()
            .try_for_each(|entry| add(print, entry, depth + 1));
    }
    let changed = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    let numbers = [
        metadata.len(),
        changed.as_secs(),
        u64::from(changed.subsec_nanos()),
    ];
    print.list(numbers.map(u64::to_le_bytes).into_iter());
    Some(())
}

fn file(folder: &Path, key: u64) -> PathBuf {
    folder.join(format!("pictures-{key:016x}"))
}

/// The stored set, if it is there and whole.
pub(super) fn read(folder: &Path, key: u64) -> Option<(PictureSet, Vec<String>)> {
    let mut reader = BufReader::new(File::open(file(folder, key)).ok()?);
    let number = |reader: &mut BufReader<File>| {
        let mut bytes = [0; 8];
        reader.read_exact(&mut bytes).ok()?;
        Some(bytes)
    };
    if &number(&mut reader)? != MAGIC {
        return None;
    }
    let (length, expected) = (
        u64::from_le_bytes(number(&mut reader)?),
        u64::from_le_bytes(number(&mut reader)?),
    );
    let mut header = Vec::new();
    (&mut reader)
        .take(length.min(LONGEST))
        .read_to_end(&mut header)
        .ok()?;
    let found: Header = postcard::from_bytes(&header).ok()?;
    let left = reader.get_ref().metadata().ok()?.len();
    if left != 24 + length + found.bytes {
        return None;
    }
    let mut bytes = Vec::with_capacity(usize::try_from(found.bytes).ok()?);
    reader.read_to_end(&mut bytes).ok()?;
    if checksum(&header, &bytes) != expected {
        return None;
    }
    let pictures = bytes.len() / found.shape.pixels().max(1);
    let inside = |class: &Class| class.pictures.iter().all(|&p| (p as usize) < pictures);
    if !found.classes.iter().all(inside) {
        return None;
    }
    let classes = found.classes.into_iter().map(|class| PictureClass {
        name: class.name,
        split: class.split.and_then(|number| {
            let splits = [Split::Train, Split::Validation, Split::Test];
            splits.get(usize::from(number)).copied()
        }),
        pictures: class.pictures,
    });
    let set = PictureSet {
        shape: found.shape,
        classes: classes.collect(),
        bytes,
    };
    Some((set, found.notes))
}

fn checksum(header: &[u8], bytes: &[u8]) -> u64 {
    let mut hasher = XxHash3_64::default();
    hasher.write(header);
    hasher.write(bytes);
    hasher.finish()
}

/// Stores a set, whole or not at all.
pub(super) fn write(folder: &Path, key: u64, set: &PictureSet, notes: &[String]) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let header = Header {
        shape: set.shape,
        classes: set
            .classes
            .iter()
            .map(|class| Class {
                name: class.name.clone(),
                split: class.split.map(|split| split as u8),
                pictures: class.pictures.clone(),
            })
            .collect(),
        notes: notes.to_vec(),
        bytes: set.bytes.len() as u64,
    };
    let header = postcard::to_stdvec(&header).map_err(io::Error::other)?;
    let path = file(folder, key);
    let new = path.with_extension(format!("new-{}", std::process::id()));
    let written = (|| {
        let mut to = BufWriter::new(File::create(&new)?);
        to.write_all(MAGIC)?;
        to.write_all(&(header.len() as u64).to_le_bytes())?;
        to.write_all(&checksum(&header, &set.bytes).to_le_bytes())?;
        to.write_all(&header)?;
        to.write_all(&set.bytes)?;
        to.into_inner()
            .map_err(io::IntoInnerError::into_error)?
            .sync_all()?;
        std::fs::rename(&new, &path)
    })();
    if written.is_err() {
        // If the partial file cannot be removed, nothing more can be done.
        let _ = std::fs::remove_file(&new);
    }
    written
}
