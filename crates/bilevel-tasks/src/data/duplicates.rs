//! Rows with the same features.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};

use super::{Dataset, FeatureValues};

/// Features compared as numbers: 0 equals −0.
enum Features<'a> {
    Dense(&'a [f32]),
    /// The columns and numbers that are not zero.
    Sparse(&'a [u32], &'a [f32]),
}

impl<'a> Features<'a> {
    fn of(data: &'a Dataset, row: usize) -> Self {
        match data.values() {
            FeatureValues::Dense(values) => {
                let start = row * data.columns();
                Self::Dense(&values[start..start + data.columns()])
            }
            FeatureValues::Sparse(sparse) => {
                let (columns, values) = sparse.row(row);
                Self::Sparse(columns, values)
            }
        }
    }

    /// The columns and numbers that are not zero.
    fn numbers(&self) -> impl Iterator<Item = (u32, f32)> {
        let (columns, values) = match self {
            Self::Dense(values) => (None, *values),
            Self::Sparse(columns, values) => (Some(*columns), *values),
        };
        let numbers = values.iter().enumerate().map(move |(place, &value)| {
            (
                columns.map_or(place as u32, |columns| columns[place]),
                value,
            )
        });
        numbers.filter(|(_, value)| *value != 0.0)
    }
}

impl Hash for Features<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for (column, value) in self.numbers() {
            (column, value.to_bits()).hash(state);
        }
    }
}

impl PartialEq for Features<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Dense(mine), Self::Dense(theirs)) => mine == theirs,
            _ => self.numbers().eq(other.numbers()),
        }
    }
}

/// The features of a [`Dataset`] are finite, so each equals itself.
impl Eq for Features<'_> {}

/// Groups of two or more rows with the same features. Rows are sorted within a group; groups
/// are sorted by their first row.
///
/// ```
/// use bilevel_tasks::data::{Dataset, duplicates::same_features, numbered_classes};
/// let data = Dataset::new(vec![1., 2., 1., 3., 2.], 1, vec![0, 1, 1, 0, 1], numbered_classes(2))?;
/// assert_eq!(same_features(&data), [[0, 2], [1, 4]]);
/// # Ok::<(), bilevel_tasks::Error>(())
/// ```
#[must_use]
pub fn same_features(data: &Dataset) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = by_features(data)
        .into_values()
        .filter(|rows| rows.len() > 1)
        .collect();
    groups.sort_unstable();
    groups
}

/// Pairs (row of `data`, row of `others`) with the same features: each row of `others` with
/// the first such row of `data`.
#[must_use]
pub fn shared_rows(data: &Dataset, others: &Dataset) -> Vec<(usize, usize)> {
    let known = by_features(data);
    (0..others.rows())
        .filter_map(|row| Some((known.get(&Features::of(others, row))?[0], row)))
        .collect()
}

/// For each row of `data` whose features a row of `others` has, both: the first of `others`, which should be the smaller
/// set.
#[must_use]
pub fn all_shared_rows(data: &Dataset, others: &Dataset) -> Vec<(usize, usize)> {
    let known = by_features(others);
    if known.is_empty() {
        return Vec::new();
    }
    (0..data.rows())
        .filter_map(|row| Some((row, known.get(&Features::of(data, row))?[0])))
        .collect()
}

fn by_features(data: &Dataset) -> HashMap<Features<'_>, Vec<usize>> {
    let mut rows: HashMap<Features<'_>, Vec<usize>> = HashMap::with_capacity(data.rows());
    for row in 0..data.rows() {
        rows.entry(Features::of(data, row)).or_default().push(row);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::numbered_classes;

    #[test]
    fn rows_are_compared_as_numbers() {
        let rows = |features: Vec<f32>| {
            let labels = vec![0; features.len() / 2];
            Dataset::new(features, 2, labels, numbered_classes(1)).unwrap()
        };
        let data = rows(vec![0., 1., 1., 0., -0., 1., 0., 1.]);
        assert_eq!(same_features(&data), [[0, 2, 3]]);
        let others = rows(vec![5., 5., 0., 1., 1., -0.]);
        assert_eq!(shared_rows(&data, &others), [(0, 1), (1, 2)]);
    }
}
