//! The folder of a run.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::anyhow;
use bilevel_tasks::checkpoint;

use crate::failure::Failure;

/// The folder of a run.
pub(crate) struct Folder {
    path: PathBuf,
    shown: PathBuf,
}

impl Folder {
    /// Fails early, before any work, if the requested folder exists.
    pub(crate) fn expect_new(out: Option<&Path>) -> Result<(), Failure> {
        match out {
            // A dangling link exists, too.
            Some(path) if path.symlink_metadata().is_ok() => Err(taken(path)),
            _ => Ok(()),
        }
    }

    /// Creates the requested folder, or one under `bilevel-out` whose name ends in date and time.
    /// It appears with everything that `fill` puts into it, or not at all.
    pub(crate) fn create<R>(
        out: Option<&Path>,
        verb: &str,
        fill: impl FnOnce(&Self) -> Result<R, Failure>,
    ) -> Result<(Self, R), Failure> {
        let path = out.map_or_else(
            || {
                let name = format!("{verb}-{}", date_and_time(SystemTime::now()));
                Path::new("bilevel-out").join(name)
            },
            Path::to_owned,
        );
        let new = make_beside(&path).map_err(|error| cannot(&path, error))?;
        let made = fill(&Self::at(new.clone(), path.clone()))
            // Nothing was started yet.
            .map_err(|failure| Failure::new(failure.error, 2))
            .and_then(|filled| Ok((appear(&new, path, out.is_some())?, filled)));
        if made.is_err() {
            // The requested folder does not exist; if this part of it stays, nothing can be done.
            let _ = fs::remove_dir_all(&new);
        }
        made.map(|(path, filled)| (Self::at(path.clone(), path), filled))
    }

    /// An existing folder; messages call it `shown`.
    pub(crate) fn at(path: PathBuf, shown: PathBuf) -> Self {
        Self { path, shown }
    }

    /// The path as the user knows it.
    pub(crate) fn shown(&self) -> &Path {
        &self.shown
    }

    /// The path of a file in the folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file as a whole or not at all.
    pub(crate) fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> Result<(), Failure> {
        checkpoint::write_whole(&self.file(name), contents.as_ref()).map_err(Failure::run)
    }
}

/// Creates a folder next to `path` under another name, and the parents.
fn make_beside(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let parent = path.parent();
    if let Some(parent) = parent {
        // If a parent is a file, the error "already exists" would seem to mean the folder.
        fs::create_dir_all(parent)
            .map_err(|error| io::Error::new(io::ErrorKind::NotADirectory, error))?;
    }
    remove_abandoned(
        parent
            .filter(|parent| !parent.as_os_str().is_empty())
            .unwrap_or(Path::new(".")),
    );
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(format!("{NEW}{}", std::process::id()));
    let new = path.with_file_name(hidden);
    fs::create_dir(&new)?;
    Ok(new)
}

/// Separates the name of a folder that has not appeared yet from the id of its process.
const NEW: &str = ".new-";
/// All files that such a folder can contain.
const FIRST: [&str; 9] = [
    "config.toml",
    "scaling.csv",
    "history.jsonl",
    "checkpoint",
    "result.json",
    ".config.toml.new",
    ".scaling.csv.new",
    ".checkpoint.new",
    ".result.json.new",
];

/// Removes folders left by processes that were killed before the folders appeared. A folder stays
/// if it contains anything else, or if it is unknown whether its process still runs.
fn remove_abandoned(parent: &Path) {
    let own = std::process::id();
    let running = |process: u32| {
        process != own
            && (!Path::new("/proc/self").exists()
                || Path::new(&format!("/proc/{process}")).exists())
    };
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| {
            let (_, process) = name.strip_prefix('.')?.rsplit_once(NEW)?;
            process.parse().ok()
        });
        let Some(process) = process else { continue };
        let ours = |folder: fs::ReadDir| {
            folder
                .flatten()
                .all(|file| FIRST.iter().any(|first| file.file_name() == *first))
        };
        if !running(process) && fs::read_dir(entry.path()).is_ok_and(ours) {
            // A folder that cannot be removed does no harm.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Gives the folder `new` its name; appends a number if the name is taken and was not requested.
fn appear(new: &Path, mut path: PathBuf, asked_for: bool) -> Result<PathBuf, Failure> {
    let first = path.clone();
    let mut number = 2;
    checkpoint::sync_folder(new).map_err(|error| cannot(&path, error))?;
    loop {
        // A rename would silently take the place of an empty folder.
        let moved = if path.symlink_metadata().is_ok() {
            Err(io::ErrorKind::AlreadyExists.into())
        } else {
            fs::rename(new, &path)
        };
        match moved {
            Ok(()) => break,
            Err(error) if path.symlink_metadata().is_err() => return Err(cannot(&path, error)),
            Err(_) if asked_for || number > 1000 => return Err(taken(&path)),
            Err(_) => {
                path.clone_from(&first);
                path.as_mut_os_string().push(format!("-{number}"));
                number += 1;
            }
        }
    }
    let parent = path.parent().unwrap_or(Path::new(""));
    checkpoint::sync_folder(parent).map_err(|error| cannot(&path, error))?;
    Ok(path)
}

fn taken(path: &Path) -> Failure {
    Failure::usage(anyhow!(
        "--out {}: expected a folder that does not exist yet, found one that does; choose another name",
        path.display()
    ))
}

fn cannot(path: &Path, error: io::Error) -> Failure {
    Failure::usage(
        anyhow!(error).context(format!("the folder {} cannot be created", path.display())),
    )
}

/// UTC, as in 2024-02-29-235959.
fn date_and_time(time: SystemTime) -> String {
    const DAY: u64 = 86_400;
    let seconds = time
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let (year, month, day) = date(seconds / DAY);
    let second = seconds % DAY;
    format!(
        "{year:04}-{month:02}-{day:02}-{:02}{:02}{:02}",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

/// Year, month and day of a day counted from 1970-01-01 (Howard Hinnant, *chrono-compatible
/// low-level date algorithms*): years begin in March, so that the leap day is the last.
fn date(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day_of_month = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (
        era * 400 + year + u64::from(month <= 2),
        month,
        day_of_month,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn dates() {
        for (seconds, text) in [
            (0, "1970-01-01-000000"),
            (951_782_399, "2000-02-28-235959"),
            (951_782_400, "2000-02-29-000000"),
            (1_709_251_199, "2024-02-29-235959"),
            (1_767_225_599, "2025-12-31-235959"),
            (4_107_542_400, "2100-03-01-000000"),
        ] {
            let time = UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(date_and_time(time), text);
        }
    }
}
