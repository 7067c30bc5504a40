//! The reader of checkpoints: the file as it is, and its payload under a right checksum, which
//! chance would never find.

use bilevel_tasks::checkpoint::{VERSION, fingerprint};
use bilevel_tasks::cleaning::CleaningCheckpoint;

/// The reader of checkpoints; the memory that it needed.
pub fn checkpoint(bytes: &[u8]) -> usize {
    /// The dearest byte is one of a part of a method's memory: 4 bytes name an empty one, and
    /// the first part of a map takes a node with room for 11, of 24 bytes for the name and 72
    /// for the three maps of the part each.
    const FACTOR: usize = 11 * (24 + 72) / 4 + 8;
    crate::bounded(bytes, FACTOR, |bytes| {
        let _ = CleaningCheckpoint::decode(bytes);
        let whole = sealed(bytes);
        if let Ok(read) = CleaningCheckpoint::decode(&whole) {
            // Lengths may have been spelled longer than they are written.
            let again = bilevel_tasks::checkpoint::encode(&read);
            assert!(again.is_ok_and(|again| again.len() <= whole.len()));
        }
    })
}

/// A checkpoint with this payload.
fn sealed(payload: &[u8]) -> Vec<u8> {
    let mut checked = VERSION.to_le_bytes().to_vec();
    // The version of the program, which nothing depends on.
    checked.extend([0; 16]);
    checked.extend((payload.len() as u64).to_le_bytes());
    let head = checked.clone();
    checked.extend(payload);
    let checksum = fingerprint(&checked).to_le_bytes();
    [b"bilevel\0", head.as_slice(), &checksum, payload].concat()
}
