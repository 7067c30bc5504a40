//! Features made of a table.

use super::missing::MissingFound;
use crate::data::image_shape::ImageShape;
use crate::data::labels::Labels;
use crate::data::sparse::FeatureValues;
use crate::data::table::ReadNote;

/// Features made of a table, and its labels as the file has them.
#[derive(Clone, PartialEq, Debug)]
pub struct Prepared {
    pub(crate) features: FeatureValues,
    /// Number of features of a row.
    pub(crate) columns: usize,
    pub(crate) image: Option<ImageShape>,
    /// For each row, the row of the table.
    pub(crate) rows: Vec<usize>,
    pub(crate) labels: Option<Labels>,
    /// What was missing.
    pub(crate) missing: MissingFound,
    pub(crate) notes: Vec<ReadNote>,
}

impl Prepared {
    /// The labels as the file has them.
    #[must_use]
    pub fn labels(&self) -> Option<&Labels> {
        self.labels.as_ref()
    }
}
