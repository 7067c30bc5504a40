//! Labelled rows and their sources.
//!
//! | source | function |
//! |---|---|
//! | the embedded handwritten digits | [`digits()`](digits::digits) |
//! | a file of any known format | [`Table`](table::Table), made features by a [`Preparation`](preparation::Preparation) |
//! | single NumPy arrays | [`npy::read`] |

pub mod array;
mod cell;
mod cells;
mod changes;
mod column;
pub mod digits;
pub mod duplicates;
mod format;
pub(crate) mod groups;
#[cfg(feature = "columnar")]
mod guarded;
mod header;
mod image_shape;
pub mod labels;
mod laws;
pub(crate) mod malformed;
pub mod npy;
pub(crate) mod own_cells;
pub(crate) mod picture;
pub mod pictures;
pub mod preparation;
pub(crate) mod problem;
pub mod rewrite;
mod roles;
pub(crate) mod room;
mod shape;
pub(crate) mod source;
mod sparse;
pub mod table;

use std::borrow::Cow;
use std::sync::Arc;

pub use image_shape::ImageShape;
pub use malformed::Malformed;
pub use problem::{ColumnProblem, ColumnRemedy, Known, Place, TableProblem};
pub use source::STANDARD_INPUT;
pub use sparse::{FeatureValues, Sparse};

use crate::Error;

/// Rows of features, each with a class.
///
/// The features are rows × columns numbers, row by row, all finite; every label is a class
/// index below [`classes`](Dataset::classes). Both are checked when the data set is made,
/// so code that takes a `Dataset` need not check again.
///
/// ```
/// use bilevel_tasks::data::Dataset;
/// let names = vec!["cat".to_owned(), "dog".to_owned()];
/// let pets = Dataset::new(vec![1., 2., 3., 4.], 2, vec![0, 1], names)?;
/// assert_eq!((pets.rows(), pets.columns(), pets.classes()), (2, 2, 2));
/// assert_eq!(*pets.select(&[1])?.features(), [3., 4.]);
/// # Ok::<(), bilevel_tasks::Error>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Dataset {
    features: FeatureValues,
    columns: usize,
    labels: Vec<u32>,
    class_names: Vec<String>,
    image_shape: Option<ImageShape>,
}

impl Dataset {
    /// A data set of `labels.len()` rows and `class_names.len()` classes.
    ///
    /// `features` holds the rows one after the other, `columns` numbers each.
    ///
    /// # Errors
    /// No columns, another number of features than rows × columns, a feature that is not
    /// finite, a label that names no class.
    pub fn new(
        features: Vec<f32>,
        columns: usize,
        labels: Vec<u32>,
        class_names: Vec<String>,
    ) -> Result<Self, Error> {
        Self::of_dense(features.into(), columns, labels, class_names)
    }

    fn of_dense(
        features: Arc<[f32]>,
        columns: usize,
        labels: Vec<u32>,
        class_names: Vec<String>,
    ) -> Result<Self, Error> {
        if columns == 0 {
            return Err(Error::NoColumns);
        }
        if labels.len().checked_mul(columns) != Some(features.len()) {
            return Err(Error::FeatureCount {
                rows: labels.len(),
                columns,
                found: features.len(),
            });
        }
        if let Some((index, &value)) = features.iter().enumerate().find(|(_, v)| !v.is_finite()) {
            return Err(Error::NonFinite {
                row: index / columns,
                column: index % columns,
                value,
            });
        }
        check_labels(&labels, class_names.len())?;
        Ok(Self {
            features: FeatureValues::Dense(features),
            columns,
            labels,
            class_names,
            image_shape: None,
        })
    }

    /// A data set of features as they were prepared.
    pub(crate) fn of_values(
        features: FeatureValues,
        columns: usize,
        labels: Vec<u32>,
        class_names: Vec<String>,
    ) -> Result<Self, Error> {
        match features {
            FeatureValues::Dense(features) => {
                Self::of_dense(features, columns, labels, class_names)
            }
            FeatureValues::Sparse(sparse) => {
                check_length("labels", sparse.starts.len() - 1, labels.len())?;
                check_labels(&labels, class_names.len())?;
                Ok(Self {
                    features: FeatureValues::Sparse(sparse),
                    columns,
                    labels,
                    class_names,
                    image_shape: None,
                })
            }
        }
    }

    /// The same rows, marked as images so that they can be drawn.
    ///
    /// # Errors
    /// An image whose number of pixels differs from the number of columns.
    pub fn with_image_shape(self, shape: ImageShape) -> Result<Self, Error> {
        if shape.pixels() != self.columns {
            return Err(Error::ImageShape {
                height: shape.height,
                width: shape.width,
                columns: self.columns,
            });
        }
        Ok(Self {
            image_shape: Some(shape),
            ..self
        })
    }

    /// The same rows with other labels, such as corrupted ones.
    ///
    /// # Errors
    /// Another number of labels than rows, a label that names no class.
    pub fn with_labels(self, labels: Vec<u32>) -> Result<Self, Error> {
        check_length("labels", self.rows(), labels.len())?;
        check_labels(&labels, self.classes())?;
        Ok(Self { labels, ..self })
    }

    /// The same rows with other names and another number of classes, so that training and
    /// test rows from separate files have the same classes.
    ///
    /// # Errors
    /// A label that names none of these classes.
    pub fn with_class_names(self, class_names: Vec<String>) -> Result<Self, Error> {
        check_labels(&self.labels, class_names.len())?;
        Ok(Self {
            class_names,
            ..self
        })
    }

    /// The selected rows, in the given order; a row may be repeated.
    ///
    /// # Errors
    /// A row that does not exist.
    pub fn select(&self, rows: &[usize]) -> Result<Self, Error> {
        self.select_with(rows, self, &[])
    }

    /// The selected rows, followed by selected rows of `other`; with one copy of their features.
    ///
    /// # Errors
    /// A row that does not exist, another number of columns or classes.
    pub fn select_with(
        &self,
        rows: &[usize],
        other: &Self,
        other_rows: &[usize],
    ) -> Result<Self, Error> {
        self.expect_alike(other)?;
        let mut labels = Vec::with_capacity(rows.len() + other_rows.len());
        for (data, rows) in [(self, rows), (other, other_rows)] {
            for &row in rows {
                let missing = Error::Row {
                    row,
                    rows: data.rows(),
                };
                labels.push(*data.labels.get(row).ok_or(missing)?);
            }
        }
        let features = match &self.features {
            FeatureValues::Sparse(mine) => {
                let mut selected = mine.select(rows);
                selected.append(&match &other.features {
                    FeatureValues::Sparse(theirs) => theirs.select(other_rows),
                    FeatureValues::Dense(theirs) => {
                        Sparse::of_dense(theirs, self.columns, other_rows)
                    }
                });
                FeatureValues::Sparse(selected)
            }
            FeatureValues::Dense(_) => {
                let zeros = std::iter::repeat_n(0.0, labels.len() * self.columns);
                let mut features: Arc<[f32]> = zeros.collect();
                // Nobody else has it yet, so that nothing is copied here.
                let all = rows.iter().map(|&row| (self, row));
                let all = all.chain(other_rows.iter().map(|&row| (other, row)));
                let to = Arc::make_mut(&mut features).chunks_exact_mut(self.columns);
                for (to, (data, row)) in to.zip(all) {
                    data.write_row(row, to);
                }
                FeatureValues::Dense(features)
            }
        };
        Ok(Self {
            features,
            labels,
            columns: self.columns,
            class_names: self.class_names.clone(),
            image_shape: self.image_shape,
        })
    }

    /// Writes the features of a row that there is over zeros.
    fn write_row(&self, row: usize, to: &mut [f32]) {
        match &self.features {
            FeatureValues::Dense(values) => {
                let start = row * self.columns;
                to.copy_from_slice(&values[start..start + self.columns]);
            }
            FeatureValues::Sparse(sparse) => sparse.write_row(row, to),
        }
    }

    /// Fails if all rows have the same class: there is nothing to classify.
    ///
    /// # Errors
    /// Only one class.
    pub fn expect_two_classes(&self) -> Result<(), Error> {
        match self.labels.first() {
            Some(&class) if self.labels.iter().all(|&label| label == class) => {
                Err(Error::OneClass {
                    class: self.class_names[class as usize].clone(),
                    rows: self.rows(),
                })
            }
            _ => Ok(()),
        }
    }

    /// Fails unless `other` has the same numbers of columns and classes.
    pub(crate) fn expect_alike(&self, other: &Self) -> Result<(), Error> {
        if (self.columns, self.classes()) == (other.columns, other.classes()) {
            Ok(())
        } else {
            Err(Error::Parts {
                columns: self.columns,
                classes: self.classes(),
                found_columns: other.columns,
                found_classes: other.classes(),
            })
        }
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.labels.len()
    }

    /// Number of features of a row.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.class_names.len()
    }

    /// All features, rows × columns, row by row: a copy, if they are stored without zeros.
    #[must_use]
    pub fn features(&self) -> Cow<'_, [f32]> {
        match &self.features {
            FeatureValues::Dense(values) => Cow::Borrowed(values),
            FeatureValues::Sparse(sparse) => Cow::Owned(sparse.with_zeros(self.columns)),
        }
    }

    /// The same, not copied if they are stored with zeros.
    pub(crate) fn shared_features(&self) -> Arc<[f32]> {
        match &self.features {
            FeatureValues::Dense(values) => Arc::clone(values),
            FeatureValues::Sparse(_) => self.features().into(),
        }
    }

    /// The features as they are stored.
    #[must_use]
    pub fn values(&self) -> &FeatureValues {
        &self.features
    }

    /// How many numbers of a row are stored, on average: all of them, or those that are not zero.
    pub(crate) fn row_numbers(&self) -> usize {
        match &self.features {
            FeatureValues::Dense(_) => self.columns,
            FeatureValues::Sparse(sparse) => sparse.values.len() / self.rows().max(1),
        }
    }

    /// The numbers of a dense row with which a product takes as long as with one of these rows: places cost, too.
    pub(crate) fn row_work(&self) -> usize {
        const STORED: usize = 8;
        match &self.features {
            FeatureValues::Dense(_) => self.columns,
            FeatureValues::Sparse(_) => self.columns.min(STORED * self.row_numbers()),
        }
    }

    /// The features of one row; empty beyond the last row.
    #[must_use]
    pub fn row(&self, row: usize) -> Cow<'_, [f32]> {
        if row >= self.rows() {
            return Cow::Borrowed(&[]);
        }
        match &self.features {
            FeatureValues::Dense(values) => {
                let start = row * self.columns;
                Cow::Borrowed(&values[start..start + self.columns])
            }
            FeatureValues::Sparse(sparse) => {
                let mut dense = vec![0.0; self.columns];
                sparse.write_row(row, &mut dense);
                Cow::Owned(dense)
            }
        }
    }

    /// The class index of each row.
    #[must_use]
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// The name of each class.
    #[must_use]
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// Height and width, where rows are images.
    #[must_use]
    pub fn image_shape(&self) -> Option<ImageShape> {
        self.image_shape
    }
}

/// The names "0", "1", … for `classes` classes without names.
#[must_use]
pub fn numbered_classes(classes: usize) -> Vec<String> {
    (0..classes).map(|class| class.to_string()).collect()
}

/// Fails unless every label is below `classes`.
pub(crate) fn check_labels(labels: &[u32], classes: usize) -> Result<(), Error> {
    match labels.iter().position(|&label| label as usize >= classes) {
        Some(row) => Err(Error::Label {
            row,
            label: labels[row],
            classes,
        }),
        None => Ok(()),
    }
}

/// Fails unless a list has one entry per row.
pub(crate) fn check_length(what: &'static str, expected: usize, found: usize) -> Result<(), Error> {
    if expected == found {
        Ok(())
    } else {
        Err(Error::Length {
            what,
            expected,
            found,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three_rows() -> Dataset {
        let features = vec![0., 1., 2., 3., 4., 5.];
        Dataset::new(features, 2, vec![2, 0, 1], numbered_classes(3)).unwrap()
    }

    fn message<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn rows_are_selected_in_the_order_named() {
        let shape = ImageShape::grey(1, 2);
        let data = three_rows().with_image_shape(shape).unwrap();
        let selected = data.select(&[2, 0, 2]).unwrap();
        assert_eq!(*selected.features(), [4., 5., 0., 1., 4., 5.]);
        assert_eq!(selected.labels(), [1, 2, 1]);
        assert_eq!(*selected.row(1), [0., 1.]);
        assert_eq!(*selected.row(3), [0.; 0]);
        assert_eq!(selected.classes(), 3);
        assert_eq!(selected.image_shape(), Some(shape));
        assert_eq!(data.select(&[]).unwrap().rows(), 0);
        assert_eq!(
            message(data.select(&[0, 3])),
            "expected a row below 3, found 3"
        );
    }

    #[test]
    fn labels_and_class_names_are_replaced() {
        let data = three_rows().with_labels(vec![1, 1, 0]).unwrap();
        assert_eq!(data.labels(), [1, 1, 0]);
        let data = data.with_class_names(numbered_classes(2)).unwrap();
        assert_eq!(data.classes(), 2);
        assert_eq!(
            message(three_rows().with_labels(vec![0, 0])),
            "expected 3 labels, one for each row, found 2"
        );
        assert_eq!(
            message(three_rows().with_labels(vec![0, 0, 3])),
            "row 2: expected a class index below 3, found 3"
        );
        assert_eq!(
            message(three_rows().with_class_names(numbered_classes(2))),
            "row 0: expected a class index below 2, found 2"
        );
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let names = || numbered_classes(2);
        assert_eq!(
            message(Dataset::new(vec![], 0, vec![0], names())),
            "expected at least one column of features, found none"
        );
        assert_eq!(
            message(Dataset::new(vec![0.; 5], 2, vec![0, 1], names())),
            "expected 2 rows × 2 columns of features, as many rows as labels; found 5 numbers"
        );
        // Rows × columns overflows.
        let many = Dataset::new(vec![], usize::MAX, vec![0, 1], names());
        assert!(message(many).ends_with("found 0 numbers"));
        assert_eq!(
            message(Dataset::new(
                vec![0., 1., 2., 3., 4., f32::NAN],
                3,
                vec![0, 1],
                names()
            )),
            "row 1, column 2: expected a finite number, found NaN"
        );
        assert_eq!(
            message(Dataset::new(vec![0.; 4], 2, vec![0, 2], names())),
            "row 1: expected a class index below 2, found 2"
        );
        let shape = ImageShape::grey(2, 2);
        assert_eq!(
            message(three_rows().with_image_shape(shape)),
            "expected images of 2 pixels in all, found 2×2"
        );
    }
}
