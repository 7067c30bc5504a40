//! What a format is, and what its reader gets.

use std::path::Path;

use crate::Error;
use crate::data::changes::Rewrite;
use crate::data::roles::TableColumns;
use crate::data::source::Source;
use crate::data::table::Table;

/// A format that is read.
pub(crate) struct Format {
    /// What a file of this format is called, after "found".
    pub(crate) name: &'static str,
    pub(crate) is: fn(&Start<'_>) -> bool,
    pub(crate) read: fn(Opened<'_>) -> Result<Table, Error>,
    /// Makes the bytes of such a file with changes, if that is known.
    pub(crate) rewrite: Option<Rewriter>,
    /// Whether columns can be added to it.
    pub(crate) columns: bool,
}

/// Makes the bytes of a file with changes.
pub(crate) type Rewriter = fn(Opened<'_>, &Rewrite) -> Result<Vec<u8>, Error>;

/// The first bytes of a file.
pub(crate) struct Start<'a> {
    pub(crate) bytes: &'a [u8],
    /// Whether these are all.
    pub(crate) whole: bool,
}

impl Start<'_> {
    pub(crate) fn has(&self, magic: &[u8]) -> bool {
        self.bytes.starts_with(magic)
    }

    /// Whether these bytes are text: no zero byte, few control characters. Encodings do not matter.
    pub(crate) fn is_text(&self) -> bool {
        let control = |&&byte: &&u8| byte < 32 && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c);
        let controls = self.bytes.iter().filter(control).count();
        !self.bytes.contains(&0) && controls * 100 <= self.bytes.len()
    }
}

/// A file that was opened, and what is wanted of it.
pub(crate) struct Opened<'a> {
    pub(crate) path: &'a Path,
    pub(crate) source: Source,
    pub(crate) wanted: &'a TableColumns,
}
