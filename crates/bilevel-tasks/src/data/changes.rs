//! What is to be changed in a data file.

use std::collections::BTreeSet;

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
    /// Columns that are added.
    pub columns: Vec<AddedColumn>,
}

/// A column that is added to a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AddedColumn {
    /// Its name; where a column has it already, underscores follow.
    pub name: String,
    /// What its cells are, for formats whose columns have types.
    pub kind: AddedKind,
    /// A text for each row of the file; nothing where there is no value.
    pub texts: Vec<String>,
}

/// What the cells of an added column are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AddedKind {
    /// Numbers.
    Number,
    /// `true` or `false`.
    Boolean,
    /// Labels, as the labels of the file.
    Label,
}

impl AddedColumn {
    /// The text of a row, if it has a value.
    pub(crate) fn text(&self, row: usize) -> Option<&str> {
        let text = self.texts.get(row).map(String::as_str);
        text.filter(|text| !text.is_empty())
    }

    /// The number of a row, if it has one.
    pub(crate) fn number(&self, row: usize) -> Option<f64> {
        self.text(row)?.parse().ok()
    }

    /// What a row says, if it says something.
    pub(crate) fn boolean(&self, row: usize) -> Option<bool> {
        self.text(row)?.parse().ok()
    }

    /// Its name in a file that has columns of these names.
    pub(crate) fn free_name<'a>(&self, taken: &(impl Iterator<Item = &'a str> + Clone)) -> String {
        let mut free = self.name.clone();
        while taken.clone().any(|known| known == free) {
            free.push('_');
        }
        free
    }
}

impl Rewrite {
    pub(crate) fn edit(&self, row: usize) -> &Edit {
        self.edits.get(row).unwrap_or(&Edit::Keep)
    }

    /// The texts that are added to a row.
    pub(crate) fn added(&self, row: usize) -> impl Iterator<Item = &str> {
        let columns = self.columns.iter();
        columns.map(move |column| column.text(row).unwrap_or_default())
    }

    /// The rows of so many that are not left out.
    pub(crate) fn kept(&self, rows: usize) -> impl Iterator<Item = usize> {
        (0..rows).filter(|&row| *self.edit(row) != Edit::Drop)
    }

    /// Whether rows are left out.
    pub(crate) fn drops(&self) -> bool {
        self.edits.contains(&Edit::Drop)
    }

    /// The labels that rows get, each once.
    pub(crate) fn new_labels(&self) -> BTreeSet<&str> {
        let labels = self.edits.iter().filter_map(|edit| match edit {
            Edit::Label(label) => Some(label.as_str()),
            Edit::Keep | Edit::Drop => None,
        });
        labels.collect()
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
