//! The embedded handwritten digits.

use super::{Dataset, ImageShape, numbered_classes};

/// For each row: 64 pixels from 0 to 16, then the digit.
const BYTES: &[u8] = include_bytes!("../../data/digits.bin");
const SIDE: usize = 8;
const COLUMNS: usize = SIDE * SIDE;
const CLASSES: usize = 10;
/// The largest pixel.
const FULL: f32 = 16.0;

/// The embedded handwritten digits: 1 797 real images of 8×8 pixels, ten classes.
///
/// Pixels are scaled from 0 … 16 to 0 … 1. The rows are the same as in scikit-learn's
/// `load_digits`, in the same order: the test part of *Optical Recognition of Handwritten
/// Digits* (E. Alpaydin, C. Kaynak, UCI, 1998, doi:10.24432/C50P49). Neighbouring rows are by
/// the same writer: shuffle before splitting.
///
/// ```
/// let digits = bilevel_tasks::data::digits::digits();
/// assert_eq!((digits.rows(), digits.columns(), digits.classes()), (1797, 64, 10));
/// ```
#[must_use]
pub fn digits() -> Dataset {
    let (rows, _) = BYTES.as_chunks::<{ COLUMNS + 1 }>();
    let mut features = Vec::with_capacity(rows.len() * COLUMNS);
    let mut labels = Vec::with_capacity(rows.len());
    for row in rows {
        features.extend(row[..COLUMNS].iter().map(|&pixel| f32::from(pixel) / FULL));
        labels.push(u32::from(row[COLUMNS]));
    }
    // Not built with `Dataset::new`: the file is embedded and tested, so callers have no error
    // to handle.
    Dataset {
        features: super::FeatureValues::Dense(features.into()),
        columns: COLUMNS,
        labels,
        class_names: numbered_classes(CLASSES),
        image_shape: Some(ImageShape::grey(SIDE, SIDE)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_are_those_of_scikit_learn() {
        let digits = digits();
        let mut counts = [0; CLASSES];
        for &label in digits.labels() {
            counts[label as usize] += 1;
        }
        assert_eq!(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
        assert_eq!(digits.labels()[..10], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        let first: Vec<f32> = digits.row(0).iter().map(|pixel| pixel * FULL).collect();
        assert_eq!(first[..8], [0., 0., 5., 13., 9., 1., 0., 0.]);
        // Sum of all pixels, as computed from the original table.
        let sum: f64 = digits.features().iter().map(|&x| f64::from(x)).sum();
        assert_eq!(sum * f64::from(FULL), 561_718.0);
    }

    #[test]
    fn the_file_makes_a_valid_data_set() {
        let digits = digits();
        assert_eq!(BYTES.len(), 1797 * (COLUMNS + 1));
        assert!(digits.features().iter().all(|x| (0.0..=1.0).contains(x)));
        let checked = Dataset::new(
            digits.features().to_vec(),
            digits.columns(),
            digits.labels().to_vec(),
            digits.class_names().to_vec(),
        );
        let shape = digits.image_shape().unwrap();
        assert_eq!(checked.unwrap().with_image_shape(shape).unwrap(), digits);
    }
}
