//! Which rows are training, trusted and test rows.

use bilevel::{Key, Stream};
use rand::seq::SliceRandom;

use crate::Error;
use crate::corruption::Corruption;
use crate::data::Dataset;

/// How many rows of a source go where.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Split {
    /// Training rows, whose labels are doubted.
    pub train: usize,
    /// Trusted rows, whose labels are right.
    pub trusted: usize,
    /// Test rows.
    pub test: usize,
}

/// The rows of a cleaning task.
#[derive(Clone, Debug)]
pub struct CleaningData {
    train: Dataset,
    train_rows: Vec<usize>,
    true_labels: Option<Vec<u32>>,
    trusted: Dataset,
    test: Option<Dataset>,
}

impl CleaningData {
    /// Rows that are split already. `true_labels` are those of the training rows, where
    /// they are known.
    ///
    /// # Errors
    /// If there are no training or trusted rows, or the parts disagree about columns or
    /// classes.
    pub fn new(
        train: Dataset,
        true_labels: Option<Vec<u32>>,
        trusted: Dataset,
        test: Option<Dataset>,
    ) -> Result<Self, Error> {
        for other in std::iter::once(&trusted).chain(&test) {
            train.expect_alike(other)?;
        }
        if train.rows() == 0 || trusted.rows() == 0 {
            return Err(Error::NoRows);
        }
        if let Some(labels) = &true_labels {
            crate::data::check_length("true labels", train.rows(), labels.len())?;
        }
        Ok(Self {
            train_rows: (0..train.rows()).collect(),
            train,
            true_labels,
            trusted,
            test,
        })
    }

    /// Draws disjoint training, trusted and test rows from `source`, and corrupts the
    /// labels of the training rows if asked to: then the truth is known.
    ///
    /// # Errors
    /// If there are too few rows, or the corruption makes no sense.
    pub fn draw(
        source: &Dataset,
        split: Split,
        corruption: Option<&Corruption>,
        key: Key,
    ) -> Result<Self, Error> {
        let wanted = split
            .train
            .saturating_add(split.trusted)
            .saturating_add(split.test);
        if wanted > source.rows() {
            return Err(Error::TooFewRows {
                wanted,
                found: source.rows(),
            });
        }
        let order = shuffled(source.rows(), key.stream(Stream::Split));
        let (train_rows, rest) = order.split_at(split.train);
        let (trusted_rows, rest) = rest.split_at(split.trusted);
        let train = source.select(train_rows)?;
        let test = (split.test > 0)
            .then(|| source.select(&rest[..split.test]))
            .transpose()?;
        let (train, true_labels) = match corruption {
            None => (train, None),
            Some(corruption) => {
                let truth = train.labels().to_vec();
                let key = key.stream(Stream::Corruption);
                let corrupted = corruption.apply(&truth, train.classes(), key)?;
                (train.with_labels(corrupted.labels)?, Some(truth))
            }
        };
        let data = Self::new(train, true_labels, source.select(trusted_rows)?, test)?;
        Ok(Self {
            train_rows: train_rows.to_vec(),
            ..data
        })
    }

    /// The same with other test rows.
    ///
    /// # Errors
    /// If they disagree about columns or classes.
    pub fn with_test(self, test: Dataset) -> Result<Self, Error> {
        let rows = self.train_rows;
        let data = Self::new(self.train, self.true_labels, self.trusted, Some(test))?;
        Ok(Self {
            train_rows: rows,
            ..data
        })
    }

    /// The training rows, with the labels that were given.
    #[must_use]
    pub fn train(&self) -> &Dataset {
        &self.train
    }

    /// Which row of the source each training row is.
    #[must_use]
    pub fn train_rows(&self) -> &[usize] {
        &self.train_rows
    }

    /// The trusted rows.
    #[must_use]
    pub fn trusted(&self) -> &Dataset {
        &self.trusted
    }

    /// The test rows, if there are any.
    #[must_use]
    pub fn test(&self) -> Option<&Dataset> {
        self.test.as_ref()
    }

    /// The true labels of the training rows, where they are known.
    #[must_use]
    pub fn true_labels(&self) -> Option<&[u32]> {
        self.true_labels.as_deref()
    }

    /// Whether the given label of each training row is wrong, where that is known.
    #[must_use]
    pub fn wrong(&self) -> Option<Vec<bool>> {
        let truth = self.true_labels.as_ref()?;
        Some(
            truth
                .iter()
                .zip(self.train.labels())
                .map(|(truth, given)| truth != given)
                .collect(),
        )
    }
}

/// 0..len in an order drawn from `key`.
pub(super) fn shuffled(len: usize, key: Key) -> Vec<usize> {
    let mut order: Vec<usize> = (0..len).collect();
    order.shuffle(&mut key.rng());
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corruption::CorruptionKind;
    use crate::data::digits::digits;

    const SPLIT: Split = Split {
        train: 1000,
        trusted: 297,
        test: 500,
    };

    #[test]
    fn parts_are_disjoint_and_labels_follow_their_rows() {
        let source = digits();
        let corruption = Corruption {
            kind: CorruptionKind::Other,
            rate: 0.5,
        };
        let data =
            CleaningData::draw(&source, SPLIT, Some(&corruption), Key::from_seed(0)).unwrap();
        let mut rows = data.train_rows().to_vec();
        rows.sort_unstable();
        rows.dedup();
        assert_eq!(rows.len(), 1000);
        for (position, &row) in data.train_rows().iter().enumerate() {
            assert_eq!(data.train().row(position), source.row(row));
            assert_eq!(data.true_labels().unwrap()[position], source.labels()[row]);
        }
        assert_eq!(
            data.wrong().unwrap().iter().filter(|wrong| **wrong).count(),
            500
        );
        assert_eq!(data.trusted().rows(), 297);
        assert_eq!(data.test().unwrap().rows(), 500);
    }

    #[test]
    fn more_rows_than_there_are_is_an_error() {
        let split = Split {
            train: 1500,
            ..SPLIT
        };
        let error = CleaningData::draw(&digits(), split, None, Key::from_seed(0)).unwrap_err();
        assert_eq!(error.to_string(), "2297 rows are needed, found 1797");
    }
}
