//! The memory that the contents of a file may take, counted while they are read.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::malformed::Malformed;
use crate::machine;

/// Bytes between two looks at the memory.
const EVERY: u64 = 64 << 20;

/// The free memory, and that of this process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    pub(crate) available: u64,
    pub(crate) resident: u64,
}

fn measured() -> Option<Memory> {
    Some(Memory {
        available: machine::available_memory()? as u64,
        resident: machine::resident_memory()? as u64,
    })
}

/// Whether the contents of a file fit into memory, looked at now and then while they are read: a small file may unpack
/// to more than any machine has.
///
/// What is read may take as much memory as it leaves free, since it is copied on its way to a model. Counted are the
/// bytes of the contents; measured is what they take, which may be several times as much or nothing.
#[derive(Debug)]
pub(crate) struct Room {
    memory: fn() -> Option<Memory>,
    every: u64,
    /// Memory of the process when reading began.
    before: u64,
    read: AtomicU64,
    /// The count at which the memory is looked at again.
    next: AtomicU64,
}

impl Default for Room {
    fn default() -> Self {
        Self::new(measured, EVERY)
    }
}

impl Room {
    /// With another way to measure, and another number of bytes between two looks.
    pub(crate) fn new(memory: fn() -> Option<Memory>, every: u64) -> Self {
        Self {
            memory,
            every,
            before: memory().map_or(0, |memory| memory.resident),
            read: AtomicU64::new(0),
            next: AtomicU64::new(every),
        }
    }

    /// Bytes that may be left uncounted by whoever reads small pieces.
    #[cfg(feature = "columnar")]
    pub(crate) fn piece(&self) -> usize {
        (self.every >> 10) as usize
    }

    /// Counts bytes that were read.
    ///
    /// # Errors
    /// If the contents take more memory than they leave free.
    pub(crate) fn count(&self, bytes: u64) -> Result<(), NoRoom> {
        let read = self.read.fetch_add(bytes, Relaxed) + bytes;
        if read < self.next.load(Relaxed) {
            return Ok(());
        }
        self.next.store(read + self.every, Relaxed);
        self.look(0)
    }

    /// Before so many bytes of memory are asked for at once.
    ///
    /// # Errors
    /// If they, with what was read, take more memory than they leave free.
    pub(crate) fn ask(&self, bytes: u64) -> Result<(), NoRoom> {
        // Small amounts are not worth a look.
        if bytes < self.every {
            return Ok(());
        }
        self.look(bytes)
    }

    fn look(&self, bytes: u64) -> Result<(), NoRoom> {
        let Some(memory) = (self.memory)() else {
            return Ok(());
        };
        let taken = memory.resident.saturating_sub(self.before);
        let left = memory.available.saturating_sub(bytes);
        let taken = taken.saturating_add(bytes);
        if taken > left {
            return Err(NoRoom {
                read: self.read.load(Relaxed),
                taken,
                left,
            });
        }
        Ok(())
    }
}

/// The contents of a file take more memory than they leave free.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{} taken and {} left{}", gigabytes(*taken), gigabytes(*left), so_far(*read))]
pub(crate) struct NoRoom {
    /// Bytes of the contents so far.
    read: u64,
    /// Bytes of memory that they take.
    taken: u64,
    /// Bytes of memory that are left.
    left: u64,
}

impl NoRoom {
    /// Whether a reader failed for it.
    #[cfg(feature = "columnar")]
    pub(crate) fn is_in(error: &io::Error) -> bool {
        let inside = error.get_ref();
        inside.is_some_and(<dyn std::error::Error + Send + Sync>::is::<Self>)
    }
}

fn gigabytes(bytes: u64) -> String {
    format!("{:.1} GB", bytes as f64 / 1e9)
}

fn so_far(read: u64) -> String {
    match read {
        0 => String::new(),
        read => format!(
            " after {} of the contents, unpacked if they are packed",
            gigabytes(read)
        ),
    }
}

impl From<NoRoom> for io::Error {
    fn from(found: NoRoom) -> Self {
        Self::new(io::ErrorKind::OutOfMemory, found)
    }
}

impl From<NoRoom> for Malformed {
    fn from(found: NoRoom) -> Self {
        Self::new(
            "contents that leave as much memory free as they take, since training needs it",
            found.to_string(),
        )
        .remedy("a file with fewer rows or columns, or a machine with more memory")
    }
}

/// Bytes that are counted while they are read.
pub(crate) struct Counted<R> {
    reader: R,
    room: Arc<Room>,
}

impl<R> Counted<R> {
    pub(crate) fn new(reader: R, room: &Arc<Room>) -> Self {
        let room = Arc::clone(room);
        Self { reader, room }
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.room.count(read as u64)?;
        Ok(read)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// On a machine that has no memory left after so many bytes.
    pub(crate) fn after(bytes: u64) -> Arc<Room> {
        let memory = || {
            Some(Memory {
                available: 0,
                resident: 1 << 20,
            })
        };
        Arc::new(Room {
            before: 0,
            ..Room::new(memory, bytes)
        })
    }

    #[test]
    fn memory_is_looked_at_now_and_then() {
        let room = after(1000);
        room.count(600).unwrap();
        room.ask(999).unwrap();
        let told = Malformed::from(room.count(600).unwrap_err()).to_string();
        let start = "expected contents that leave as much memory free as they take";
        assert!(told.starts_with(start), "{told}");
        room.count(600).unwrap();
        assert!(room.ask(1000).is_err());
        // A process that was that large before has room for more.
        let full = Room::new(room.memory, 1);
        full.count(10).unwrap();
        assert!(full.ask(10).is_err());
        Room::new(|| None, 1).count(10).unwrap();
    }
}
