//! Some rows of a file as the file has them.

use csv::ByteRecord;

/// The cells of some rows, of the first columns, as the file has them.
#[derive(Debug, Default)]
pub(crate) struct OwnCells {
    /// The names of these columns.
    pub(crate) names: Vec<String>,
    /// Columns that are not among them.
    pub(crate) more: usize,
    /// The cells of each row, in UTF-8.
    pub(crate) rows: Vec<ByteRecord>,
}

impl OwnCells {
    /// So many rows without cells, of at most `most` of these columns.
    pub(crate) fn new(mut names: Vec<String>, most: usize, rows: usize) -> Self {
        let more = names.len().saturating_sub(most);
        names.truncate(most);
        Self {
            names,
            more,
            rows: vec![ByteRecord::new(); rows],
        }
    }

    /// The cells of a row; there may be more of them than columns.
    pub(crate) fn put<'a>(&mut self, row: usize, cells: impl Iterator<Item = &'a [u8]>) {
        let mut record = ByteRecord::new();
        for cell in cells.take(self.names.len()) {
            record.push_field(String::from_utf8_lossy(cell).as_bytes());
        }
        self.rows[row] = record;
    }
}
