//! What every reader promises, whatever the bytes: an answer without a panic, and no more
//! memory than the bytes justify.
#![forbid(unsafe_code)]

mod checkpoint;

use std::path::Path;

use bilevel_tasks::data::idx::IdxArray;
use bilevel_tasks::data::npy::NpyArray;
use bilevel_tasks::data::table::{Missing, Preparation, Table, TableColumns};
use peak_alloc::PeakAlloc;

pub use checkpoint::checkpoint;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Memory that any input may cost: buffers, and the text of an error.
const ANY: usize = 128 * 1024;
/// A byte of a gzip stream unpacks to so many at most.
const UNPACKED: usize = 1032;
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The memory that `read` needed at its peak.
///
/// # Panics
/// If that is more than `factor` times the bytes, beside what any input may cost.
fn bounded(bytes: &[u8], factor: usize, read: impl FnOnce(&[u8])) -> usize {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    read(bytes);
    let used = MEMORY.peak_usage().saturating_sub(before);
    let packed = if bytes.starts_with(&GZIP) {
        UNPACKED
    } else {
        1
    };
    let allowed = ANY + factor * packed * bytes.len();
    assert!(
        used <= allowed,
        "expected at most {allowed} bytes of memory for {} bytes, found {used}",
        bytes.len()
    );
    used
}

/// The reader of IDX files, whole and limited to some rows; the memory that it needed.
pub fn idx(bytes: &[u8]) -> usize {
    bounded(bytes, 8, |bytes| {
        let _ = IdxArray::from_bytes(bytes, None);
        let _ = IdxArray::from_bytes(bytes, Some(3));
    })
}

/// The reader of NPY files; the memory that it needed.
pub fn npy(bytes: &[u8]) -> usize {
    bounded(bytes, 16, |bytes| {
        let _ = NpyArray::from_bytes(bytes).map(NpyArray::into_f64);
    })
}

/// The reader of tables, and what makes a data set of them; the memory that they needed.
pub fn table(bytes: &[u8]) -> usize {
    bounded(bytes, 256, |bytes| {
        let columns = TableColumns {
            label: Some("y".to_owned()),
            ..TableColumns::default()
        };
        let path = Path::new("fuzz.csv");
        let Ok(table) = Table::from_bytes(bytes.to_vec(), path, &columns) else {
            return;
        };
        for missing in [Missing::Error, Missing::Mean, Missing::Drop] {
            if let Ok(preparation) = Preparation::fit(&table, missing) {
                let _ = preparation.apply(&table);
            }
        }
    })
}
