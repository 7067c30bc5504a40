//! Standardisation of features.

use serde::{Deserialize, Serialize};

use crate::data::sparse::Sparse;

/// How a feature was standardised: (value − mean) / scale.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ColumnScale {
    /// The name of the feature.
    pub name: String,
    /// The mean of its values; 0 in a sparse matrix.
    pub mean: f64,
    /// Their standard deviation (of the population), or 1 where all are the same; in a sparse matrix their largest
    /// absolute value.
    pub scale: f64,
    /// Whether all values are equal, so that the feature carries no information.
    pub constant: bool,
    /// Whether they differ only by the rounding of their digits; they are then treated as equal.
    pub rounding: bool,
    /// What a missing value becomes: the mean of its column, scaled.
    pub missing: f64,
}

impl ColumnScale {
    /// The same with values as they are.
    pub(super) fn unscaled(self) -> Self {
        Self {
            missing: self.mean,
            mean: 0.0,
            scale: 1.0,
            ..self
        }
    }
}

/// What is done with the scale of features.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    /// They stay as they are (pixels from 0 to 1).
    None,
    /// (value − mean) / standard deviation; in a sparse matrix value / largest absolute value.
    Standard,
}

/// Deviations below this part of the mean are rounding errors of numbers in double precision.
const ROUNDING: f64 = 1e-13;

/// A feature, scaled.
pub(super) fn standardised(value: f64, scale: &ColumnScale) -> f32 {
    if value.is_nan() {
        scale.missing as f32
    } else {
        ((value - scale.mean) / scale.scale) as f32
    }
}

/// The sums over the values of a feature. Values are divided by the largest before they are summed, so that no sum
/// overflows.
#[derive(Clone, Copy, Default)]
struct Sums {
    count: usize,
    largest: f64,
    unit: f64,
    sum: f64,
    mean: f64,
    squares: f64,
}

impl Sums {
    fn see(&mut self, value: f64) {
        if !value.is_nan() {
            self.count += 1;
            self.largest = self.largest.max(value.abs());
        }
    }

    fn seen(&mut self) {
        self.unit = if self.largest > 0.0 {
            self.largest
        } else {
            1.0
        };
    }

    fn add(&mut self, value: f64) {
        if !value.is_nan() {
            self.sum += value / self.unit;
        }
    }

    fn added(&mut self) {
        self.mean = self.sum / self.count as f64;
    }

    fn square(&mut self, value: f64) {
        if !value.is_nan() {
            self.squares += (value / self.unit - self.mean).powi(2);
        }
    }

    /// None without a value.
    fn scale(&self, name: String) -> Option<ColumnScale> {
        if self.count == 0 {
            return None;
        }
        let deviation = self.unit * (self.squares / self.count as f64).sqrt();
        let mean = self.unit * self.mean;
        let rounding = deviation > 0.0 && deviation < ROUNDING * mean.abs();
        let constant = !deviation.is_normal() || rounding;
        Some(ColumnScale {
            name,
            mean,
            scale: if constant { 1.0 } else { deviation },
            constant,
            rounding,
            missing: 0.0,
        })
    }
}

/// The scale of a feature, from these rows; None if all are missing.
pub(super) fn of_column(
    name: String,
    rows: &[usize],
    value: impl Fn(usize) -> f64,
) -> Option<ColumnScale> {
    let mut sums = Sums::default();
    rows.iter().for_each(|&row| sums.see(value(row)));
    sums.seen();
    rows.iter().for_each(|&row| sums.add(value(row)));
    sums.added();
    rows.iter().for_each(|&row| sums.square(value(row)));
    sums.scale(name)
}

/// The scales of the columns of a matrix; they have no names yet.
pub(super) fn of_matrix<T: Copy + Into<f64>>(
    values: &[T],
    width: usize,
    rows: &[usize],
) -> Vec<ColumnScale> {
    let mut sums = vec![Sums::default(); width];
    let mut pass = |visit: fn(&mut Sums, f64), end: fn(&mut Sums)| {
        for &row in rows {
            let row = &values[row * width..(row + 1) * width];
            for (sums, &value) in sums.iter_mut().zip(row) {
                visit(sums, value.into());
            }
        }
        sums.iter_mut().for_each(end);
    };
    pass(Sums::see, Sums::seen);
    pass(Sums::add, Sums::added);
    pass(Sums::square, |_| {});
    let empty = || ColumnScale {
        name: String::new(),
        mean: 0.0,
        scale: 1.0,
        constant: true,
        rounding: false,
        missing: 0.0,
    };
    let scales = sums.iter().map(|sums| sums.scale(String::new()));
    scales.map(|scale| scale.unwrap_or_else(empty)).collect()
}

/// The same for a sparse matrix: the largest absolute value, so that zeros stay.
pub(super) fn of_sparse(sparse: &Sparse, width: usize, rows: &[usize]) -> Vec<ColumnScale> {
    let mut largest = vec![0.0_f64; width];
    for &row in rows {
        let (columns, values) = sparse.row(row);
        for (&column, &value) in columns.iter().zip(values) {
            let largest = &mut largest[column as usize];
            *largest = largest.max(f64::from(value).abs());
        }
    }
    let scale = |largest: f64| ColumnScale {
        name: String::new(),
        mean: 0.0,
        scale: if largest > 0.0 { largest } else { 1.0 },
        constant: largest == 0.0,
        rounding: false,
        missing: 0.0,
    };
    largest.into_iter().map(scale).collect()
}
