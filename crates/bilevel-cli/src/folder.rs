//! The folder of a run.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, anyhow};

use crate::failure::Failure;

/// A folder that this run made.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// Fails early, before any work, if the folder that was asked for exists.
    pub(crate) fn expect_new(out: Option<&Path>) -> Result<(), Failure> {
        match out {
            // A dangling link is there too.
            Some(path) if path.symlink_metadata().is_ok() => Err(taken(path)),
            _ => Ok(()),
        }
    }

    /// Makes the folder asked for, or one under `bilevel-out` that ends in date and time.
    pub(crate) fn create(out: Option<&Path>, verb: &str) -> Result<Self, Failure> {
        if let Some(path) = out {
            return match make(path) {
                Ok(()) => Ok(Self(path.to_owned())),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(taken(path)),
                Err(error) => Err(cannot(path, error)),
            };
        }
        let name = format!("{verb}-{}", date_and_time(SystemTime::now()));
        // Runs that begin in the same second are told apart by a number.
        let mut path = Path::new("bilevel-out").join(&name);
        let mut number = 2;
        loop {
            match make(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < 1000 => {
                    path.set_file_name(format!("{name}-{number}"));
                    number += 1;
                }
                Err(error) => return Err(cannot(&path, error)),
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a whole file.
    pub(crate) fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> Result<(), Failure> {
        let path = self.0.join(name);
        fs::write(&path, contents)
            .with_context(|| format!("{} cannot be written", path.display()))
            .map_err(Failure::run)
    }

    /// A file that grows line by line.
    pub(crate) fn lines(&self, name: &str) -> Result<Lines, Failure> {
        let path = self.0.join(name);
        let file = File::create(&path)
            .with_context(|| format!("{} cannot be written", path.display()))
            .map_err(Failure::run)?;
        let failed = None;
        Ok(Lines { path, file, failed })
    }
}

/// A file of lines, each of which is handed to the system at once: a crash loses none.
pub(crate) struct Lines {
    path: PathBuf,
    file: File,
    failed: Option<io::Error>,
}

impl Lines {
    /// Appends a line; the first failure is kept for [`Lines::finish`].
    pub(crate) fn append(&mut self, mut line: String) {
        line.push('\n');
        if self.failed.is_none() {
            self.failed = self.file.write_all(line.as_bytes()).err();
        }
    }

    pub(crate) fn finish(self) -> Result<(), Failure> {
        match self.failed {
            None => Ok(()),
            Some(error) => Err(Failure::run(
                anyhow!(error).context(format!("{} cannot be written", self.path.display())),
            )),
        }
    }
}

/// Makes the folder and its parents; fails if it is there.
fn make(path: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        // A file in the place of a parent "exists" too, which would be taken for the folder.
        fs::create_dir_all(parent)
            .map_err(|error| io::Error::new(io::ErrorKind::NotADirectory, error))?;
    }
    fs::create_dir(path)
}

fn taken(path: &Path) -> Failure {
    Failure::usage(anyhow!(
        "--out {}: expected a folder that does not exist yet, found one that does; choose another name",
        path.display()
    ))
}

fn cannot(path: &Path, error: io::Error) -> Failure {
    Failure::usage(anyhow!(error).context(format!("the folder {} cannot be made", path.display())))
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
