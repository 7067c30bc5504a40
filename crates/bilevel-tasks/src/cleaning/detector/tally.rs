//! What a detector says of the labels, counted by class and annotator.

use super::detected::Detected;
use super::trials::Trials;

/// How many labels there are for each true class, as a detector sees it.
pub(super) struct Tally {
    /// True × given.
    pub(super) of_all: Vec<f64>,
    /// The same for each annotator, if they are known.
    pub(super) of_each: Vec<f64>,
    /// For each annotator, wrong labels and labels.
    pub(super) wrong_of_each: Vec<(f64, f64)>,
    /// Wrong labels.
    pub(super) wrong: f64,
}

impl Tally {
    /// Counts beside `before` in each place of the matrix of all.
    pub(super) fn of(trials: &Trials<'_>, detected: &Detected, before: f64) -> Self {
        let classes = trials.classes();
        let size = classes * classes;
        let annotators = trials.annotators();
        let count = annotators.map_or(0, |annotators| annotators.count);
        let mut tally = Self {
            of_all: vec![before; size],
            of_each: vec![0.0; count * size],
            wrong_of_each: vec![(0.0, 0.0); count],
            wrong: 0.0,
        };
        for (row, &given) in trials.given().iter().enumerate() {
            let posterior = detected.posterior(row, given, classes);
            let wrong = 1.0 - posterior[given as usize];
            tally.wrong += wrong;
            let annotator = annotators.map(|annotators| annotators.of_row[row] as usize);
            if let Some(annotator) = annotator {
                tally.wrong_of_each[annotator].0 += wrong;
                tally.wrong_of_each[annotator].1 += 1.0;
            }
            for (class, p) in posterior.into_iter().enumerate() {
                let at = class * classes + given as usize;
                tally.of_all[at] += p;
                if let Some(annotator) = annotator {
                    tally.of_each[annotator * size + at] += p;
                }
            }
        }
        tally
    }
}

/// Which label a wrong one is: each row without its diagonal, with the sum 1.
pub(super) fn without_diagonal(matrix: &mut [f64], classes: usize) {
    for (class, row) in matrix.chunks_exact_mut(classes).enumerate() {
        row[class] = 0.0;
        let sum: f64 = row.iter().sum();
        if sum > 0.0 {
            row.iter_mut().for_each(|share| *share /= sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use bilevel::Key;

    use super::*;
    use crate::cleaning::CleaningData;
    use crate::data::groups::Groups;
    use crate::data::{Dataset, numbered_classes};
    use crate::model::Model;
    use crate::train::Trainer;

    #[test]
    fn labels_are_counted_as_they_seem() {
        let set = |labels: Vec<u32>| {
            let features = vec![1.0; labels.len()];
            Dataset::new(features, 1, labels, numbered_classes(2)).unwrap()
        };
        let groups = Groups::new(["a", "b", "b"]);
        let data = CleaningData::new(set(vec![0, 0, 1]), None, set(vec![0]), None).unwrap();
        let data = data.with_annotators(groups).unwrap();
        let trainer = Trainer {
            model: Model::Softmax,
            steps: 1,
            weight_decay: 0.0,
            key: Key::from_seed(0),
            deadline: crate::Deadline::default(),
        };
        let trials = Trials::new(&data, trainer, 3).unwrap();
        let detected = Detected {
            probabilities: vec![0.75, 0.25, 0.5, 0.5, 0.25, 0.75, 1.0, 0.0].into(),
            noise: None,
            kept: None,
            thresholds: None,
        };
        let mut tally = Tally::of(&trials, &detected, 2.0);
        assert_eq!(tally.of_all, [3.25, 2.25, 2.75, 2.75]);
        let of_a = [0.75, 0.0, 0.25, 0.0];
        let of_b = [0.5, 0.25, 0.5, 0.75];
        // Who gave the most labels comes first.
        assert_eq!(tally.of_each, [of_b, of_a].concat());
        assert_eq!(tally.wrong_of_each, [(0.75, 2.0), (0.25, 1.0)]);
        assert_eq!(tally.wrong, 1.0);
        without_diagonal(&mut tally.of_all, 2);
        assert_eq!(tally.of_all, [0.0, 1.0, 1.0, 0.0]);
        let mut three = [9.0, 1.0, 3.0, 0.0, 5.0, 0.0, 2.0, 2.0, 2.0];
        without_diagonal(&mut three, 3);
        assert_eq!(three, [0.0, 0.25, 0.75, 0.0, 0.0, 0.0, 0.5, 0.5, 0.0]);
    }
}
