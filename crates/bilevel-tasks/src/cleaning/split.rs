//! Which rows are training, trusted and test rows.

use bilevel::Key;

use crate::Error;
use crate::corruption::Corruption;
use crate::data::Dataset;
use crate::data::groups::Groups;
use crate::shuffle::shuffled;
use crate::stream::{CORRUPTION, SPLIT};

/// How many rows of a source go where.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Split {
    /// Training rows, whose labels are to be checked.
    pub train: usize,
    /// Trusted rows, whose labels are right.
    pub trusted: usize,
    /// Test rows.
    pub test: usize,
}

/// Which row of its source each row is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RowNumbers {
    /// Of the training rows.
    pub train: Vec<usize>,
    /// Of the trusted rows.
    pub trusted: Vec<usize>,
    /// Of the test rows.
    pub test: Vec<usize>,
    /// Of the rows without a label.
    pub unlabelled: Vec<usize>,
}

/// The rows of a cleaning task.
#[derive(Clone, Debug)]
pub struct CleaningData {
    train: Dataset,
    numbers: RowNumbers,
    true_labels: Option<Vec<u32>>,
    trusted: Dataset,
    test: Option<Dataset>,
    unlabelled: Option<Dataset>,
    annotators: Option<Groups>,
    groups: Option<Groups>,
}

impl CleaningData {
    /// Rows that are already split. `true_labels` are the true labels of the training rows, if
    /// they are known.
    ///
    /// # Errors
    /// If there are no training rows, or the parts differ in columns or classes.
    pub fn new(
        train: Dataset,
        true_labels: Option<Vec<u32>>,
        trusted: Dataset,
        test: Option<Dataset>,
    ) -> Result<Self, Error> {
        for other in std::iter::once(&trusted).chain(&test) {
            train.expect_alike(other)?;
        }
        if train.rows() == 0 {
            return Err(Error::NoRows);
        }
        if let Some(labels) = &true_labels {
            crate::data::check_length("true labels", train.rows(), labels.len())?;
        }
        Ok(Self {
            numbers: RowNumbers {
                train: (0..train.rows()).collect(),
                trusted: (0..trusted.rows()).collect(),
                test: (0..test.as_ref().map_or(0, Dataset::rows)).collect(),
                unlabelled: Vec::new(),
            },
            train,
            true_labels,
            trusted,
            test,
            unlabelled: None,
            annotators: None,
            groups: None,
        })
    }

    /// Draws disjoint training, trusted and test rows from `source`. With a `corruption`, the
    /// labels of the training rows are corrupted, and the true labels are known.
    ///
    /// # Errors
    /// If there are too few rows, or the corruption is invalid.
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
        let order = shuffled(source.rows(), key.stream(SPLIT));
        let (train_rows, rest) = order.split_at(split.train);
        let (trusted_rows, rest) = rest.split_at(split.trusted);
        let test_rows = &rest[..split.test];
        let test = (split.test > 0)
            .then(|| source.select(test_rows))
            .transpose()?;
        let trusted = source.select(trusted_rows)?;
        let mut data = Self::assemble(source, train_rows, trusted, test, corruption, key)?;
        data.numbers.trusted = trusted_rows.to_vec();
        data.numbers.test = test_rows.to_vec();
        Ok(data)
    }

    /// Draws `count` training rows, or all in random order, from the rows `candidates` of
    /// `source`, and corrupts their labels if there is a `corruption`. Trusted and test rows are
    /// given.
    ///
    /// # Errors
    /// If there are too few rows, the parts differ in columns or classes, or the corruption is
    /// invalid.
    pub fn draw_train(
        source: &Dataset,
        candidates: &[usize],
        count: Option<usize>,
        (trusted, test): (Dataset, Option<Dataset>),
        corruption: Option<&Corruption>,
        key: Key,
    ) -> Result<Self, Error> {
        let wanted = count.unwrap_or(candidates.len());
        let order = shuffled(candidates.len(), key.stream(SPLIT));
        let drawn = order.get(..wanted).ok_or(Error::TooFewRows {
            wanted,
            found: candidates.len(),
        })?;
        let rows: Vec<usize> = drawn.iter().map(|&index| candidates[index]).collect();
        Self::assemble(source, &rows, trusted, test, corruption, key)
    }

    fn assemble(
        source: &Dataset,
        train_rows: &[usize],
        trusted: Dataset,
        test: Option<Dataset>,
        corruption: Option<&Corruption>,
        key: Key,
    ) -> Result<Self, Error> {
        let train = source.select(train_rows)?;
        let (train, true_labels) = match corruption {
            None => (train, None),
            Some(corruption) => {
                let truth = train.labels().to_vec();
                let key = key.stream(CORRUPTION);
                let corrupted = corruption.apply(&truth, train.classes(), key)?;
                (train.with_labels(corrupted.labels)?, Some(truth))
            }
        };
        let mut data = Self::new(train, true_labels, trusted, test)?;
        data.numbers.train = train_rows.to_vec();
        Ok(data)
    }

    /// The same rows with other row numbers: number n of a part becomes the n-th number of the
    /// same part of `numbers`. Use it for a source from which rows were left out, to restore the
    /// original row numbers.
    ///
    /// # Errors
    /// A row number beyond the list.
    pub fn renumbered(mut self, numbers: &RowNumbers) -> Result<Self, Error> {
        for (own, new) in [
            (&mut self.numbers.train, &numbers.train),
            (&mut self.numbers.trusted, &numbers.trusted),
            (&mut self.numbers.test, &numbers.test),
        ] {
            for row in own.iter_mut() {
                *row = *new.get(*row).ok_or(Error::Row {
                    row: *row,
                    rows: new.len(),
                })?;
            }
        }
        Ok(self)
    }

    /// The same with other test rows.
    ///
    /// # Errors
    /// If they differ in columns or classes.
    pub fn with_test(self, test: Dataset) -> Result<Self, Error> {
        let numbers = self.numbers;
        let mut data = Self::new(self.train, self.true_labels, self.trusted, Some(test))?;
        data.numbers.train = numbers.train;
        data.numbers.trusted = numbers.trusted;
        Ok(data)
    }

    /// The same with rows that have no label: they are not trained on, and get a suggestion. `rows` are their numbers in
    /// the source of the training rows.
    ///
    /// # Errors
    /// If they differ in columns, or the numbers in length.
    pub fn with_unlabelled(mut self, data: Dataset, rows: Vec<usize>) -> Result<Self, Error> {
        self.train.expect_alike(&data)?;
        crate::data::check_length("row numbers", data.rows(), rows.len())?;
        self.unlabelled = Some(data);
        self.numbers.unlabelled = rows;
        Ok(self)
    }

    /// The same with who gave the label of each training row.
    ///
    /// # Errors
    /// If there is not one for each.
    pub fn with_annotators(mut self, annotators: Groups) -> Result<Self, Error> {
        let rows = annotators.of_rows().len();
        crate::data::check_length("annotators", self.train.rows(), rows)?;
        self.annotators = Some(annotators);
        Ok(self)
    }

    /// The same with the group of each training row, then of each trusted row: rows of a group stay together where rows
    /// are split into those that a model is trained on and those that it judges.
    ///
    /// # Errors
    /// If there is not one for each.
    pub fn with_groups(mut self, groups: Groups) -> Result<Self, Error> {
        let rows = self.train.rows() + self.trusted.rows();
        crate::data::check_length("groups", rows, groups.of_rows().len())?;
        self.groups = Some(groups);
        Ok(self)
    }

    /// Who gave the label of each training row, if that is known.
    #[must_use]
    pub fn annotators(&self) -> Option<&Groups> {
        self.annotators.as_ref()
    }

    /// The group of each training row, then of each trusted row, if rows belong together.
    #[must_use]
    pub fn groups(&self) -> Option<&[u32]> {
        self.groups.as_ref().map(Groups::of_rows)
    }

    /// The group of each training row, if rows belong together.
    #[must_use]
    pub fn train_groups(&self) -> Option<&[u32]> {
        self.groups().map(|groups| &groups[..self.train.rows()])
    }

    /// The group of each trusted row, if rows belong together.
    #[must_use]
    pub fn trusted_groups(&self) -> Option<&[u32]> {
        self.groups().map(|groups| &groups[self.train.rows()..])
    }

    /// The training rows, with the labels that were given.
    #[must_use]
    pub fn train(&self) -> &Dataset {
        &self.train
    }

    /// Which row of the source each training row is.
    #[must_use]
    pub fn train_rows(&self) -> &[usize] {
        &self.numbers.train
    }

    /// Which row of its source each training, trusted and test row is.
    #[must_use]
    pub fn row_numbers(&self) -> &RowNumbers {
        &self.numbers
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

    /// The rows without a label, if there are any; their labels mean nothing.
    #[must_use]
    pub fn unlabelled(&self) -> Option<&Dataset> {
        self.unlabelled.as_ref()
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
