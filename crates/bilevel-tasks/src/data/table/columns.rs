//! The roles of the columns of a table.

/// Which columns are read, and in which role.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TableColumns {
    /// The column of labels; None if a table has only one column.
    pub label: Option<String>,
    /// The column of row names. None selects the first column that is called `id` or
    /// `ID` or, if it is the first, has no name; if there is one.
    pub id: Option<String>,
    /// The column that tells which rows are trusted.
    pub trusted: Option<String>,
    /// Columns that are left out.
    pub ignore: Vec<String>,
    /// The columns of features.
    pub features: FeatureColumns,
}

/// The columns of features.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum FeatureColumns {
    /// All columns without another role.
    #[default]
    Others,
    /// None: the features are in another file, and columns without a role are ignored.
    None,
    /// Those of an earlier table, whose name is given, in their order; the columns `id` and
    /// `trusted` may be absent.
    Same {
        /// The earlier table, for messages.
        table: String,
        /// The names of its features.
        columns: Vec<String>,
    },
}
