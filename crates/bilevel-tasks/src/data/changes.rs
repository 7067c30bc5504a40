//! What is to be changed in a data file.

/// What becomes of a row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Edit {
    /// It stays as it is.
    Keep,
    /// It is left out.
    Drop,
    /// It gets this label.
    Label(String),
}

/// What becomes of the rows of a file.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rewrite {
    /// By row of the file; rows behind the last one stay.
    pub edits: Vec<Edit>,
    /// Columns that are added: their names, and a text for each row of the file.
    pub columns: Vec<(String, Vec<String>)>,
}

impl Rewrite {
    pub(crate) fn edit(&self, row: usize) -> &Edit {
        self.edits.get(row).unwrap_or(&Edit::Keep)
    }

    /// The texts that are added to a row.
    pub(crate) fn added(&self, row: usize) -> impl Iterator<Item = &str> {
        let columns = self.columns.iter();
        columns.map(move |(_, texts)| texts.get(row).map_or("", String::as_str))
    }
}

/// What is changed in a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Changes {
    /// Rows are left out, or labels replaced.
    Rows,
    /// Columns are added.
    Columns,
}
