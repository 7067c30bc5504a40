//! Checkpoints: the state from which a run continues, in a file that is either intact or rejected.
//!
//! | bytes | holds |
//! |---|---|
//! | 0 … 7 | `bilevel` and a zero |
//! | 8 … 11 | version of the format, little-endian |
//! | 12 … 27 | version of the program that wrote it, as text padded with zeros |
//! | 28 … 35 | length of the payload |
//! | 36 … 43 | XXH3 checksum of bytes 8 … 35 and the payload |
//! | 44 … | the payload, in postcard's format |
//!
//! The checksum is verified before the payload is parsed, and lengths in the payload are
//! not trusted: no file costs more memory than a few times its size.

mod job;
mod problem;

pub use job::{JobCheckpoint, Origin, Results};
pub use problem::{CheckpointProblem, VERSION};

use std::fs::{self, File};
use std::hash::Hasher;
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use twox_hash::XxHash3_64;

use crate::Error;

const MAGIC: &[u8; 8] = b"bilevel\0";
/// Where the payload starts.
const START: usize = 44;
const PROGRAM: std::ops::Range<usize> = 12..28;
const LENGTH: usize = 28;
const CHECKSUM: usize = 36;

/// Encodes a checkpoint.
///
/// # Errors
/// If `payload` cannot be serialised.
pub fn encode(payload: &impl Serialize) -> Result<Vec<u8>, CheckpointProblem> {
    let payload = postcard::to_stdvec(payload).map_err(|error| problem(&error))?;
    let mut bytes = Vec::with_capacity(START + payload.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    let mut program = env!("CARGO_PKG_VERSION").as_bytes().to_vec();
    program.resize(PROGRAM.len(), 0);
    bytes.extend_from_slice(&program);
    bytes.extend_from_slice(&(payload.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&checksum(&bytes[MAGIC.len()..], &payload).to_le_bytes());
    bytes.extend_from_slice(&payload);
    Ok(bytes)
}

/// Decodes a checkpoint.
///
/// # Errors
/// Bytes that are not a checkpoint, or a checkpoint that is damaged or of another version or kind.
pub fn decode<P: DeserializeOwned>(bytes: &[u8]) -> Result<P, CheckpointProblem> {
    if bytes.get(..MAGIC.len()) != Some(MAGIC) {
        return Err(CheckpointProblem::Magic);
    }
    let short = CheckpointProblem::Size {
        expected: START as u64,
        found: bytes.len() as u64,
    };
    // The version first: the header may differ in a later one.
    let found = u32::from_le_bytes(array(bytes, 8).ok_or_else(|| short.clone())?);
    if found != VERSION {
        let by = match bytes.get(PROGRAM) {
            // Earlier versions do not record it.
            Some(program) if found > 2 => {
                let program = String::from_utf8_lossy(program);
                format!("bilevel {}", program.trim_end_matches('\0'))
            }
            _ => "an earlier program".to_owned(),
        };
        return Err(CheckpointProblem::Version { found, by });
    }
    let length = u64::from_le_bytes(array(bytes, LENGTH).ok_or_else(|| short.clone())?);
    let expected = u64::from_le_bytes(array(bytes, CHECKSUM).ok_or(short)?);
    let (head, payload) = bytes.split_at(START);
    if payload.len() as u64 != length {
        return Err(CheckpointProblem::Size {
            expected: length.saturating_add(START as u64),
            found: bytes.len() as u64,
        });
    }
    let found = checksum(&head[MAGIC.len()..CHECKSUM], payload);
    if found != expected {
        return Err(CheckpointProblem::Checksum { expected, found });
    }
    let (value, rest) = postcard::take_from_bytes(payload).map_err(|error| problem(&error))?;
    if rest.is_empty() {
        Ok(value)
    } else {
        Err(CheckpointProblem::Payload {
            found: format!("{} bytes too many", rest.len()),
        })
    }
}

/// Replaces the checkpoint at `path` atomically: the file there is always complete.
///
/// # Errors
/// If it cannot be written; an earlier checkpoint is then kept.
pub fn write(path: &Path, payload: &impl Serialize) -> Result<(), Error> {
    let bytes = encode(payload).map_err(|problem| Error::Checkpoint {
        path: path.to_owned(),
        problem,
    })?;
    write_whole(path, &bytes)
}

/// Reads a checkpoint.
///
/// # Errors
/// If it cannot be read, or if [`decode`] rejects it.
pub fn read<P: DeserializeOwned>(path: &Path) -> Result<P, Error> {
    let bytes = fs::read(path).map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })?;
    decode(&bytes).map_err(|problem| Error::Checkpoint {
        path: path.to_owned(),
        problem,
    })
}

/// Writes a file so that a reader, a kill, a full disk or a power failure sees the old
/// contents or the new ones, never a part: writes a sibling file, then renames it.
///
/// # Errors
/// If it cannot be written; the old file is then kept.
pub fn write_whole(path: &Path, contents: &[u8]) -> Result<(), Error> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".new");
    let new = path.with_file_name(name);
    let written = write_through(&new, contents)
        .and_then(|()| fs::rename(&new, path))
        .and_then(|()| sync_folder(path.parent().unwrap_or(Path::new(""))));
    written.map_err(|source| {
        // If the partial file cannot be removed, nothing more can be done.
        let _ = fs::remove_file(&new);
        Error::Write {
            path: path.to_owned(),
            source,
        }
    })
}

fn write_through(path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(contents)?;
    file.sync_all()
}

/// Makes files created or renamed in a folder survive a power failure, where the system
/// supports it.
///
/// # Errors
/// If the folder cannot be opened or the disk fails.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        let empty = folder.as_os_str().is_empty();
        let folder = if empty { Path::new(".") } else { folder };
        File::open(folder)?.sync_all()
    } else {
        Ok(())
    }
}

/// The instruction set that numerical code selects at run time: results are reproducible to the
/// bit only on the same set.
#[must_use]
pub fn instruction_set() -> String {
    let mut text = std::env::consts::ARCH.to_owned();
    for (there, name) in detected() {
        if there {
            text += "+";
            text += name;
        }
    }
    text
}

#[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
fn detected() -> [(bool, &'static str); 5] {
    use std::arch::is_x86_feature_detected as has;
    [
        (has!("avx"), "avx"),
        (has!("avx2"), "avx2"),
        (has!("fma"), "fma"),
        (has!("avx512f"), "avx512f"),
        (has!("avx512bw"), "avx512bw"),
    ]
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "x86")))]
fn detected() -> [(bool, &'static str); 0] {
    []
}

/// XXH3 hash of some bytes, to compare texts or data sets.
#[must_use]
pub fn fingerprint(bytes: &[u8]) -> u64 {
    checksum(bytes, &[])
}

/// The fingerprint of a sequence of numbers and texts.
#[derive(Default)]
pub(crate) struct Fingerprint(XxHash3_64);

impl Fingerprint {
    /// A list, preceded by its length, so that different lists of lists never hash alike.
    pub(crate) fn list(&mut self, values: impl ExactSizeIterator<Item = [u8; 8]>) {
        self.0.write(&(values.len() as u64).to_le_bytes());
        for value in values {
            self.0.write(&value);
        }
    }

    /// A text.
    pub(crate) fn text(&mut self, text: &str) {
        self.0.write(&(text.len() as u64).to_le_bytes());
        self.0.write(text.as_bytes());
    }

    pub(crate) fn finish(&self) -> u64 {
        self.0.finish()
    }
}

fn checksum(head: &[u8], payload: &[u8]) -> u64 {
    let mut hasher = XxHash3_64::default();
    hasher.write(head);
    hasher.write(payload);
    hasher.finish()
}

fn array<const N: usize>(bytes: &[u8], start: usize) -> Option<[u8; N]> {
    bytes.get(start..start + N)?.try_into().ok()
}

fn problem(error: &postcard::Error) -> CheckpointProblem {
    CheckpointProblem::Payload {
        found: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Payload = (Vec<f32>, String, Option<u64>);

    fn payload() -> Payload {
        (vec![1.5, -0.0, f32::MAX], "é".to_owned(), Some(7))
    }

    #[test]
    fn what_was_written_is_read() {
        let bytes = encode(&payload()).unwrap();
        let read: Payload = decode(&bytes).unwrap();
        assert_eq!(read, payload());
        // The file format, on which other programs may rely.
        assert_eq!(bytes[..12], *b"bilevel\0\x05\0\0\0");
        assert!(bytes[12..28].starts_with(env!("CARGO_PKG_VERSION").as_bytes()));
        assert_eq!(bytes[28..36], ((bytes.len() - START) as u64).to_le_bytes());
        assert_eq!(bytes[44..49], [3, 0, 0, 0xc0, 0x3f]);
    }

    #[test]
    fn every_changed_or_missing_byte_is_seen() {
        let bytes = encode(&payload()).unwrap();
        for index in 0..bytes.len() {
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[index] ^= 1 << bit;
                assert!(decode::<Payload>(&damaged).is_err(), "{index} {bit}");
            }
            assert!(decode::<Payload>(&bytes[..index]).is_err(), "{index}");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        let expected = bytes.len() as u64;
        let found = expected + 1;
        let error = CheckpointProblem::Size { expected, found };
        assert_eq!(decode::<Payload>(&longer), Err(error));
    }

    #[test]
    fn other_versions_and_payloads_are_named() {
        let mut bytes = encode(&payload()).unwrap();
        bytes[8] = 6;
        bytes[12..17].copy_from_slice(b"9.8.7");
        let message = decode::<Payload>(&bytes).unwrap_err().to_string();
        assert!(
            message.ends_with(
                "found version 6, which bilevel 9.8.7 wrote: continue with that program"
            ),
            "{message}"
        );
        for old in [0, 1, 2] {
            bytes[8] = old;
            let message = decode::<Payload>(&bytes).unwrap_err().to_string();
            let part = format!(
                "found version {old}, which an earlier program wrote: continue with the program that began the run, or start a new run"
            );
            assert!(message.ends_with(&part), "{message}");
        }
        let more = encode(&(payload(), 3_u8)).unwrap();
        let message = decode::<Payload>(&more).unwrap_err().to_string();
        assert!(message.ends_with("(1 bytes too many)"), "{message}");
    }

    /// A list whose declared length exceeds all memory, with a valid checksum.
    #[test]
    fn lengths_are_not_believed() {
        for claim in [u64::MAX, 1 << 40] {
            let bytes = encode(&(claim, 1.0_f32)).unwrap();
            let error = decode::<(Vec<f32>, String)>(&bytes).unwrap_err();
            assert!(
                matches!(error, CheckpointProblem::Payload { .. }),
                "{error}"
            );
        }
    }

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for contents in ["first", "2nd"] {
            write_whole(&path, contents.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), contents);
        }
        // A checkpoint that cannot be written because a folder has its name.
        fs::create_dir(folder.path().join("folder")).unwrap();
        let error = write_whole(&folder.path().join("folder"), b"").unwrap_err();
        assert!(error.to_string().contains("folder: cannot be written"));
        let mut left: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        left.sort();
        assert_eq!(left, ["file", "folder"]);
    }

    #[test]
    fn fingerprints_tell_lists_apart() {
        let print = |lists: &[&[u64]]| {
            let mut print = Fingerprint::default();
            for list in lists {
                print.list(list.iter().map(|value| value.to_le_bytes()));
            }
            print.finish()
        };
        assert_eq!(print(&[&[1, 2], &[3]]), print(&[&[1, 2], &[3]]));
        assert_ne!(print(&[&[1, 2], &[3]]), print(&[&[1], &[2, 3]]));
        assert_ne!(print(&[&[]]), print(&[]));
        assert!(instruction_set().starts_with(std::env::consts::ARCH));
    }
}
