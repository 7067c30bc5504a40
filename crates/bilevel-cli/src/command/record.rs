//! The files written in the course of a run: history and checkpoints.

use std::borrow::Cow;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use bilevel::RunState;
use bilevel::driver::Why;
use bilevel_tasks::Error;
use bilevel_tasks::checkpoint::{self, JobCheckpoint, Origin, Results};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::failure::Failure;
use crate::folder::Folder;

/// The name of the checkpoint in the folder of a run.
pub(crate) const CHECKPOINT: &str = "checkpoint";
/// The name of the specification in the folder of a run.
pub(crate) const CONFIG: &str = "config.toml";
const HISTORY: &str = "history.jsonl";

/// Checkpoints take at most about 1/`SHARE` of the time.
const SHARE: u32 = 20;

/// `history.jsonl`: each line is passed to the system immediately. While the file is open, no
/// other process may use the folder.
pub(super) struct History {
    path: PathBuf,
    file: File,
    /// Where the last whole line ends.
    bytes: u64,
}

impl History {
    /// Creates an empty history.
    pub(super) fn create(folder: &Folder) -> Result<Self, Failure> {
        let path = folder.file(HISTORY);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(|error| wrong(&path, "cannot be written", error))?;
        Self::lock(path, file, 0)
    }

    /// Opens an existing history and drops the lines after its first `bytes` bytes: they were
    /// written after the checkpoint, and will be written again.
    pub(super) fn reopen(folder: &Folder, bytes: u64) -> Result<Self, Failure> {
        let path = folder.file(HISTORY);
        let file = OpenOptions::new()
            .write(true)
            .open(&path)
            .map_err(|error| wrong(&path, "cannot be opened", error))?;
        let mut history = Self::lock(path, file, bytes)?;
        let (path, file) = (&history.path, &mut history.file);
        let found = file
            .metadata()
            .map_err(|error| wrong(path, "cannot be read", error))?
            .len();
        if found < bytes {
            return Err(Failure::usage(anyhow!(
                "{}: expected the {bytes} bytes that the checkpoint records, or more; found {found}: one of the two files is an older copy; put back both of the same time, or begin anew: bilevel run {}",
                path.display(),
                folder.shown().join(CONFIG).display()
            )));
        }
        file.set_len(bytes)
            .and_then(|()| file.seek(SeekFrom::Start(bytes)))
            .map_err(|error| wrong(path, "cannot be written", error))?;
        Ok(history)
    }

    fn lock(path: PathBuf, file: File, bytes: u64) -> Result<Self, Failure> {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => Err(Failure::usage(anyhow!(
                "{}: another process is working on this run; wait until it ends, or stop it",
                path.display()
            ))),
            // On a file system without locks, nothing keeps a second process out.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(Self { path, file, bytes }),
        }
    }

    pub(super) fn append(&mut self, mut line: String) -> Result<(), Error> {
        line.push('\n');
        self.file
            .write_all(line.as_bytes())
            .map_err(|source| self.cannot_write(source))?;
        self.bytes += line.len() as u64;
        Ok(())
    }

    /// Makes the lines so far survive a power failure.
    fn sync(&self) -> Result<(), Error> {
        self.file
            .sync_data()
            .map_err(|source| self.cannot_write(source))
    }

    fn cannot_write(&self, source: std::io::Error) -> Error {
        Error::Write {
            path: self.path.clone(),
            source,
        }
    }
}

/// The outer steps of a run so far.
pub(super) fn read_history<P: DeserializeOwned>(folder: &Folder) -> Result<Vec<P>, Failure> {
    let text = std::fs::read_to_string(folder.file(HISTORY))
        .context(HISTORY)
        .map_err(Failure::run)?;
    text.lines()
        .map(|line| {
            serde_json::from_str(line)
                .context(HISTORY)
                .map_err(Failure::run)
        })
        .collect()
}

fn wrong(path: &std::path::Path, what: &str, error: std::io::Error) -> Failure {
    Failure::usage(anyhow!(error).context(format!("{} {what}", path.display())))
}

/// Writes history and checkpoints of a run.
pub(super) struct Recorder<'a> {
    pub(super) folder: &'a Folder,
    pub(super) origin: &'a Origin,
    pub(super) history: History,
    /// The outer step at which the last checkpoint continues.
    pub(super) saved_step: usize,
    last: Instant,
    cost: Duration,
}

impl<'a> Recorder<'a> {
    /// For a folder with a checkpoint that continues at this outer step.
    pub(super) fn new(
        folder: &'a Folder,
        origin: &'a Origin,
        history: History,
        saved_step: usize,
    ) -> Self {
        Self {
            folder,
            origin,
            history,
            saved_step,
            last: Instant::now(),
            cost: Duration::ZERO,
        }
    }

    /// Replaces the checkpoint.
    pub(super) fn save<P: Clone + Serialize>(
        &mut self,
        run: &RunState<f32>,
        progress: &P,
        ended: Option<Why>,
        results: Option<&Results>,
    ) -> Result<(), Error> {
        let begin = Instant::now();
        // First the history lines that the checkpoint relies on.
        self.history.sync()?;
        checkpoint::write(
            &self.folder.file(CHECKPOINT),
            &JobCheckpoint {
                origin: Cow::Borrowed(self.origin),
                run: Cow::Borrowed(run),
                progress: Cow::Borrowed(progress),
                history_bytes: self.history.bytes,
                ended,
                results: results.map(Cow::Borrowed),
            },
        )?;
        self.saved_step = run.outer_step;
        self.cost = begin.elapsed();
        self.last = Instant::now();
        Ok(())
    }

    /// Replaces the checkpoint, unless the last one was written so recently that it would take much of the time.
    pub(super) fn save_in_passing<P: Clone + Serialize>(
        &mut self,
        run: &RunState<f32>,
        progress: &P,
    ) -> Result<(), Error> {
        if self.last.elapsed() >= self.cost * SHARE {
            self.save(run, progress, None, None)?;
        }
        Ok(())
    }
}

/// Whether the run is finished; a run that was interrupted or reached its time limit can be
/// continued.
pub(super) fn ends(why: Why) -> bool {
    !matches!(why, Why::TimeLimit | Why::Interrupted)
}

/// Writes files of the folder, and remembers them.
pub(super) struct Files<'f> {
    pub(super) folder: &'f Folder,
    pub(super) written: Vec<(String, u64)>,
}

impl Files<'_> {
    pub(super) fn write(&mut self, name: &str, contents: impl AsRef<[u8]>) -> Result<(), Failure> {
        let contents = contents.as_ref();
        self.folder.write(name, contents)?;
        self.written
            .push((name.to_owned(), checkpoint::fingerprint(contents)));
        Ok(())
    }
}
