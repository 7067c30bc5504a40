//! What the columns of a table are read as.

/// Which columns are read, and as what.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TableColumns {
    /// The column of labels; None where a table has one column alone.
    pub label: Option<String>,
    /// The column of names of the rows. None for the first column that is called `id` or
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
    /// All that have no other purpose.
    #[default]
    Others,
    /// None: the features are in another file, and columns without purpose are passed over.
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
