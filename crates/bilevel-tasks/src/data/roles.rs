//! The roles of the columns of a table, and how its text is read.

use serde::{Deserialize, Serialize};

/// Which columns are read, in which role, and how.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct TableColumns {
    /// The column of labels, or the array of labels in a file of several arrays; None if the file has only one column,
    /// or its labels have a place of their own.
    pub label: Option<String>,
    /// Whether labels are expected in the file.
    pub labels: LabelsWanted,
    /// The column of row names. None selects the first column that is called `id` or
    /// `ID` or, if it is the first, has no name; if there is one.
    pub id: Option<String>,
    /// The column that tells which rows are trusted.
    pub trusted: Option<String>,
    /// Columns that put rows into groups, by their texts: no features.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Columns that are left out.
    pub ignore: Vec<String>,
    /// Columns of features that are kept, whatever they look like.
    pub keep: Vec<String>,
    /// Columns of categories, whatever their cells look like.
    pub category: Vec<String>,
    /// The columns of features.
    pub features: FeatureColumns,
    /// Texts that stand for no value, in addition to the usual ones.
    pub missing: Vec<String>,
    /// Height and width to which pictures are resized.
    pub image_size: Option<(u32, u32)>,
    /// How text is separated into columns.
    pub text: TextForm,
}

/// Whether labels are expected in a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum LabelsWanted {
    /// The file has rows with labels.
    #[default]
    Yes,
    /// If it has any: another file may have them.
    IfThere,
    /// None: they are in another file.
    No,
    /// The file has nothing else that is of interest.
    Only,
}

/// The columns of features.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
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

/// How text is separated into columns. What is None is found from the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct TextForm {
    /// The character between two cells; a blank stands for any number of blanks.
    pub separator: Option<u8>,
    /// The mark before the fraction of a number: a point or a comma.
    pub decimal: Option<u8>,
    /// Whether the first line has the names of the columns.
    pub header: Option<bool>,
}
