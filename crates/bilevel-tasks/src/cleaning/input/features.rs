//! How rows became features.

use serde::{Deserialize, Serialize};

use crate::data::preparation::Preparation;
use crate::data::table::TableColumns;

/// How rows become features: what was learned from the rows that a model was trained on.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(in crate::cleaning) struct Features {
    /// How other files are read.
    pub(in crate::cleaning) wanted: TableColumns,
    /// How their columns become features.
    pub(in crate::cleaning) preparation: Preparation,
}
