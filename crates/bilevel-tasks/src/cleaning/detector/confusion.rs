//! Which class is confused with which, and by whom.

use std::sync::Arc;

/// The probability of each given label for each true class: for all rows, or for each annotator.
#[derive(Clone)]
pub(in crate::cleaning) struct Confusion {
    classes: usize,
    /// Matrices, one after the other: true × given, each row with the sum 1.
    matrices: Vec<f64>,
    /// The matrix of each row to check and then of each trusted row; None: the first one.
    of_row: Option<Arc<[u32]>>,
}

impl Confusion {
    /// The same for all rows, from counts.
    pub(super) fn of_all(counts: Vec<f64>, classes: usize) -> Self {
        Self::of_rows(counts, classes, None)
    }

    /// From the counts of each matrix.
    pub(super) fn of_rows(
        mut counts: Vec<f64>,
        classes: usize,
        of_row: Option<Arc<[u32]>>,
    ) -> Self {
        for row in counts.chunks_exact_mut(classes) {
            let sum: f64 = row.iter().sum();
            row.iter_mut().for_each(|count| *count /= sum);
        }
        Self {
            classes,
            matrices: counts,
            of_row,
        }
    }

    /// The probability that this row of this true class has this label.
    pub(super) fn of(&self, row: usize, class: usize, given: u32) -> f64 {
        let matrix = self.of_row.as_ref().map_or(0, |of| of[row] as usize);
        self.matrices[(matrix * self.classes + class) * self.classes + given as usize]
    }

    /// The probability that this row has this label, from those of its classes.
    pub(super) fn of_label(&self, row: usize, probabilities: &[f32], given: u32) -> f64 {
        let classes = probabilities.iter().enumerate();
        classes
            .map(|(class, &p)| f64::from(p) * self.of(row, class, given))
            .sum()
    }

    /// Whether it is known who gave each label.
    pub(super) fn by_annotator(&self) -> bool {
        self.of_row.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_the_matrix_of_their_annotator() {
        let counts = vec![3.0, 1.0, 0.0, 2.0, 1.0, 1.0, 1.0, 3.0];
        let all = Confusion::of_all(counts[..4].to_vec(), 2);
        assert_eq!((all.of(0, 0, 1), all.of(5, 1, 1)), (0.25, 1.0));
        let of = Confusion::of_rows(counts, 2, Some(vec![1, 0].into()));
        assert_eq!(
            (of.of(0, 0, 1), of.of(1, 0, 1), of.of(0, 1, 0)),
            (0.5, 0.25, 0.25)
        );
        let labels = [0, 1].map(|row| of.of_label(row, &[0.5, 0.5], 0));
        assert_eq!(labels, [0.375, 0.375]);
        assert_eq!(of.of_label(1, &[1.0, 0.0], 0), 0.75);
        assert!(of.by_annotator() && !all.by_annotator());
    }
}
