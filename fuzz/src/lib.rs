//! What every reader promises, whatever the bytes: an answer without a panic, and no more
//! memory than the bytes justify.
#![forbid(unsafe_code)]

mod checkpoint;

use std::path::Path;

use bilevel_tasks::data::labels::classes;
use bilevel_tasks::data::pictures::{PictureOptions, PictureSet};
use bilevel_tasks::data::preparation::{Missing, Policy, Preparation};
use bilevel_tasks::data::table::{LabelsWanted, Table, TableColumns};
use bilevel_tasks::network::{Network, Weights};
use peak_alloc::PeakAlloc;

pub use checkpoint::checkpoint;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Memory that any input may cost: buffers, and the text of an error.
const ANY: usize = 128 * 1024;
/// A byte of a gzip stream unpacks to so many at most.
const UNPACKED: usize = 1032;
const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const ZIP: [u8; 2] = *b"PK";

/// The memory that `read` needed at its peak.
///
/// # Panics
/// If that is more than `factor` times the bytes, beside what any input may cost.
fn bounded(bytes: &[u8], factor: usize, read: impl FnOnce(&[u8])) -> usize {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    read(bytes);
    let used = MEMORY.peak_usage().saturating_sub(before);
    let packed = if bytes.starts_with(&GZIP) || bytes.starts_with(&ZSTD) || bytes.starts_with(&ZIP)
    {
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

/// The reader of files of any format, and what makes features and classes of them; the memory that they needed. Each
/// target starts from files of its own format.
pub fn file(bytes: &[u8]) -> usize {
    bounded(bytes, 512, |bytes| {
        for labels in [LabelsWanted::Yes, LabelsWanted::IfThere, LabelsWanted::Only] {
            let columns = TableColumns {
                label: (labels == LabelsWanted::Yes).then(|| "y".to_owned()),
                labels,
                ..TableColumns::default()
            };
            for missing in [
                Missing::Error,
                Missing::Mean,
                Missing::Drop,
                Missing::Indicator,
            ] {
                let Ok(table) = Table::from_bytes(bytes.to_vec(), Path::new("fuzz"), &columns)
                else {
                    break;
                };
                let policy = Policy {
                    missing,
                    ..Policy::default()
                };
                if let Ok((_, prepared)) = Preparation::fit(table, &policy) {
                    let labels: Vec<_> = prepared.labels().into_iter().collect();
                    if !labels.is_empty() {
                        let _ = classes(&labels, missing == Missing::Mean);
                    }
                }
            }
        }
    })
}

/// A byte holds up to 8 * 1032 pixels, and the decoder, the pixels and the features have each in several forms.
const OF_PIXELS: usize = 64 * 8 * 1032;

/// The reader of archives of pictures; the memory that it needed. An archive is a ZIP, or a TAR with or without gzip.
///
/// # Panics
/// If the archive cannot be written to a folder for temporary files.
#[expect(clippy::expect_used, reason = "a full disk ends the fuzzer")]
pub fn archive(bytes: &[u8]) -> usize {
    let name = match bytes {
        [b'P', b'K', ..] => "zip",
        [0x1f, 0x8b, ..] => "tar.gz",
        _ => "tar",
    };
    let file = std::env::temp_dir().join(format!("bilevel-fuzz-{}.{name}", std::process::id()));
    std::fs::write(&file, bytes).expect("a file");
    let used = bounded(bytes, OF_PIXELS, |_| {
        for size in [None, Some((4, 3))] {
            let options = PictureOptions { size, cache: None };
            let _ = PictureSet::read(std::slice::from_ref(&file), &options);
        }
    });
    std::fs::remove_file(&file).expect("the file");
    used
}

/// The reader of weights of networks; the memory that it needed.
pub fn weights(bytes: &[u8]) -> usize {
    /// A half precision number takes two bytes in the file and eight in memory; the head of the file is text.
    const FACTOR: usize = 64;
    bounded(bytes, FACTOR, |bytes| {
        let Ok(weights) = Weights::parse(bytes) else {
            return;
        };
        for network in [
            Network::LeNet,
            Network::Conv4 {
                filters: 1,
                pooled: false,
            },
        ] {
            if let Ok((parameters, _)) = network.parameters([28, 28, 1])
                && let Ok(numbers) = weights.of::<f32>(&parameters)
            {
                let again = Weights::bytes(&parameters, &numbers, weights.about.clone());
                assert!(again.is_ok());
            }
        }
    })
}

/// The reader of folders of pictures, of one picture with these bytes; the memory that it needed.
///
/// # Panics
/// If the picture cannot be written to a folder for temporary files.
#[expect(clippy::expect_used, reason = "a full disk ends the fuzzer")]
pub fn picture(bytes: &[u8]) -> usize {
    let folder = std::env::temp_dir().join(format!("bilevel-fuzz-{}", std::process::id()));
    let name = if bytes.starts_with(b"\xff\xd8") {
        "0.jpg"
    } else {
        "0.png"
    };
    let class = folder.join("class");
    std::fs::create_dir_all(&class).expect("a folder");
    let file = class.join(name);
    std::fs::write(&file, bytes).expect("a file");
    let used = bounded(bytes, OF_PIXELS, |_| {
        for image_size in [None, Some((4, 3))] {
            let wanted = TableColumns {
                image_size,
                ..TableColumns::default()
            };
            let _ = Table::read(&folder, &wanted);
        }
    });
    std::fs::remove_file(&file).expect("the file");
    used
}
