//! How well wrong labels are found, and how well classes are predicted.
//!
//! A score or weight is *higher for a row that is more likely clean*. Every figure except the
//! AUC depends on which class is positive, so each function states it. The papers take
//! *clean* as positive and *kept* as predicted positive; keeping everything then has a
//! recall of 1 and, with half of the labels wrong, an F1 of 0.667. Read F1 together with the
//! AUC.
//!
//! A figure that is undefined is `None`, not 0 or NaN.

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::data::check_length;

/// Rows counted by truth and by the decision of a method.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counts {
    /// Clean rows that are kept.
    pub clean_kept: usize,
    /// Clean rows that are suspected.
    pub clean_suspect: usize,
    /// Wrong rows that are kept.
    pub wrong_kept: usize,
    /// Wrong rows that are suspected.
    pub wrong_suspect: usize,
}

impl Counts {
    /// Counts the rows; `kept` and `wrong` have one entry per row.
    ///
    /// # Errors
    /// Lists of different lengths.
    pub fn new(kept: &[bool], wrong: &[bool]) -> Result<Self, Error> {
        check_length("truths", kept.len(), wrong.len())?;
        let mut counts = Self::default();
        for (kept, wrong) in kept.iter().zip(wrong) {
            *match (kept, wrong) {
                (true, false) => &mut counts.clean_kept,
                (false, false) => &mut counts.clean_suspect,
                (true, true) => &mut counts.wrong_kept,
                (false, true) => &mut counts.wrong_suspect,
            } += 1;
        }
        Ok(counts)
    }

    /// Share of clean rows among the kept; `None` if nothing is kept.
    #[must_use]
    pub fn precision(&self) -> Option<f64> {
        ratio(self.clean_kept, self.clean_kept + self.wrong_kept)
    }

    /// Share of kept rows among the clean; `None` if no row is clean.
    #[must_use]
    pub fn recall(&self) -> Option<f64> {
        ratio(self.clean_kept, self.clean_kept + self.clean_suspect)
    }

    /// F1 with *clean and kept* as positive: 2·TP / (2·TP + FP + FN), the harmonic mean of
    /// precision and recall; 0 if clean rows exist and none is kept, `None` if no row is clean.
    #[must_use]
    pub fn f1(&self) -> Option<f64> {
        f1(self.clean_kept, self.wrong_kept, self.clean_suspect)
    }

    /// F1 with *wrong and suspected* as positive; `None` if no row is wrong.
    #[must_use]
    pub fn suspect_f1(&self) -> Option<f64> {
        f1(self.wrong_suspect, self.clean_suspect, self.wrong_kept)
    }
}

/// All metrics of one cleaning.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct CleaningMetrics {
    /// [`Counts::f1`]: positive is clean and kept.
    pub f1: Option<f64>,
    /// [`Counts::precision`]: share of clean rows among the kept.
    pub precision: Option<f64>,
    /// [`Counts::recall`]: share of kept rows among the clean.
    pub recall: Option<f64>,
    /// [`Counts::suspect_f1`]: positive is wrong and suspected.
    pub suspect_f1: Option<f64>,
    /// [`auc`]: the probability that a clean row has a higher weight than a wrong one.
    pub auc: Option<f64>,
    /// [`average_precision`]: positive is wrong, lowest weight first.
    pub average_precision: Option<f64>,
}

impl CleaningMetrics {
    /// The metrics of rows with these weights (higher is more likely clean), given which are
    /// kept and which are wrong.
    ///
    /// # Errors
    /// Lists of different lengths, a weight that is not a number.
    ///
    /// ```
    /// use bilevel_tasks::metrics::CleaningMetrics;
    /// let weights = [0.9, 0.8, 0.6, 0.1];
    /// let kept = weights.map(|weight| weight >= 0.5);
    /// let metrics = CleaningMetrics::new(&weights, &kept, &[false, false, true, true])?;
    /// assert_eq!(metrics.recall, Some(1.0));
    /// assert_eq!(metrics.f1, Some(0.8));
    /// assert_eq!(metrics.auc, Some(1.0));
    /// # Ok::<(), bilevel_tasks::Error>(())
    /// ```
    pub fn new(weights: &[f64], kept: &[bool], wrong: &[bool]) -> Result<Self, Error> {
        let counts = Counts::new(kept, wrong)?;
        Ok(Self {
            f1: counts.f1(),
            precision: counts.precision(),
            recall: counts.recall(),
            suspect_f1: counts.suspect_f1(),
            auc: auc(weights, wrong)?,
            average_precision: average_precision(weights, wrong)?,
        })
    }
}

/// Area under the ROC curve: the probability that a clean row drawn at random has a higher
/// score than a wrong one, ties counting one half. `None` unless there are rows of both.
///
/// The area is the same with *wrong* as positive class and lower scores first. Computed from
/// mid-ranks (the Mann–Whitney U statistic), in O(n log n).
///
/// # Errors
/// Lists of different lengths, a score that is not a number.
pub fn auc(scores: &[f64], wrong: &[bool]) -> Result<Option<f64>, Error> {
    let groups = tied_groups(scores, wrong)?;
    // Twice the number of pairs in the right order: an integer, so the sum is exact.
    let mut pairs: u128 = 0;
    let (mut clean, mut wrong) = (0, 0);
    for group in groups {
        pairs += group.clean as u128 * (2 * wrong + group.wrong) as u128;
        clean += group.clean;
        wrong += group.wrong;
    }
    let all = clean as u128 * wrong as u128;
    Ok((all > 0).then(|| pairs as f64 / (2.0 * all as f64)))
}

/// Average precision with *wrong* as the positive class, lowest score first:
/// Σ (Rₖ − Rₖ₋₁) Pₖ over the distinct scores, where Pₖ and Rₖ are precision and recall when
/// all rows up to the k-th lowest score are suspected. `None` if no row is wrong.
///
/// Rows with equal scores enter together and nothing is interpolated, as in scikit-learn's
/// `average_precision_score`. A random order gives about the share of wrong rows.
///
/// # Errors
/// Lists of different lengths, a score that is not a number.
pub fn average_precision(scores: &[f64], wrong: &[bool]) -> Result<Option<f64>, Error> {
    let groups = tied_groups(scores, wrong)?;
    let (mut suspect, mut found, mut sum) = (0, 0, 0.0);
    for group in groups {
        suspect += group.clean + group.wrong;
        found += group.wrong;
        sum += group.wrong as f64 * (found as f64 / suspect as f64);
    }
    Ok((found > 0).then(|| sum / found as f64))
}

/// Share of rows whose predicted class is their label; `None` if there are no rows.
///
/// # Errors
/// Lists of different lengths.
pub fn accuracy(predicted: &[u32], labels: &[u32]) -> Result<Option<f64>, Error> {
    check_length("predictions", labels.len(), predicted.len())?;
    let right = predicted.iter().zip(labels).filter(|(a, b)| a == b).count();
    Ok(ratio(right, labels.len()))
}

fn ratio(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn f1(true_positive: usize, false_positive: usize, false_negative: usize) -> Option<f64> {
    let positive = true_positive + false_negative;
    (positive > 0).then(|| {
        let twice = 2 * true_positive;
        twice as f64 / (twice + false_positive + false_negative) as f64
    })
}

/// Rows with equal score.
#[derive(Default)]
struct Group {
    clean: usize,
    wrong: usize,
}

/// Rows by distinct score, lowest first.
fn tied_groups(scores: &[f64], wrong: &[bool]) -> Result<Vec<Group>, Error> {
    check_length("scores", wrong.len(), scores.len())?;
    if let Some(row) = scores.iter().position(|score| score.is_nan()) {
        return Err(Error::Score { row });
    }
    let mut rows: Vec<(f64, bool)> = scores.iter().copied().zip(wrong.iter().copied()).collect();
    rows.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let group = |rows: &[(f64, bool)]| {
        let wrong = rows.iter().filter(|row| row.1).count();
        Group {
            clean: rows.len() - wrong,
            wrong,
        }
    };
    Ok(rows.chunk_by(|a, b| a.0 == b.0).map(group).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Few distinct scores, so that ties are common.
    fn rows() -> impl Strategy<Value = Vec<(f64, bool, bool)>> {
        let score = prop_oneof![(-3_i8..3).prop_map(f64::from), -1.0..1.0, Just(-0.0)];
        proptest::collection::vec((score, any::<bool>(), any::<bool>()), 0..40)
    }

    fn split(rows: &[(f64, bool, bool)]) -> (Vec<f64>, Vec<bool>, Vec<bool>) {
        (
            rows.iter().map(|row| row.0).collect(),
            rows.iter().map(|row| row.1).collect(),
            rows.iter().map(|row| row.2).collect(),
        )
    }

    fn auc_by_pairs(scores: &[f64], wrong: &[bool]) -> Option<f64> {
        let (mut sum, mut pairs) = (0.0, 0.0);
        for (a, &a_wrong) in scores.iter().zip(wrong) {
            for (b, &b_wrong) in scores.iter().zip(wrong) {
                if !a_wrong && b_wrong {
                    pairs += 1.0;
                    sum += if a > b {
                        1.0
                    } else if a == b {
                        0.5
                    } else {
                        0.0
                    };
                }
            }
        }
        (pairs > 0.0).then(|| sum / pairs)
    }

    /// The mean, over the wrong rows, of the precision when all rows with a score that is
    /// not higher are suspected.
    fn average_precision_by_rows(scores: &[f64], wrong: &[bool]) -> Option<f64> {
        let mut precisions = Vec::new();
        for (threshold, _) in scores.iter().zip(wrong).filter(|(_, wrong)| **wrong) {
            let suspect: Vec<bool> = scores
                .iter()
                .zip(wrong)
                .filter(|(score, _)| *score <= threshold)
                .map(|(_, wrong)| *wrong)
                .collect();
            let found = suspect.iter().filter(|wrong| **wrong).count();
            precisions.push(found as f64 / suspect.len() as f64);
        }
        let count = precisions.len() as f64;
        (count > 0.0).then(|| precisions.iter().sum::<f64>() / count)
    }

    fn close(a: Option<f64>, b: Option<f64>) -> bool {
        match (a, b) {
            (Some(a), Some(b)) => (a - b).abs() < 1e-12,
            (a, b) => a == b,
        }
    }

    proptest! {
        #[test]
        fn auc_counts_pairs(rows in rows()) {
            let (scores, _, wrong) = split(&rows);
            let found = auc(&scores, &wrong).unwrap();
            prop_assert!(close(found, auc_by_pairs(&scores, &wrong)));
            // The AUC is the same with the other class as positive and the order reversed.
            let negative: Vec<f64> = scores.iter().map(|score| -score).collect();
            let clean: Vec<bool> = wrong.iter().map(|wrong| !wrong).collect();
            prop_assert!(close(found, auc(&negative, &clean).unwrap()));
        }

        #[test]
        fn average_precision_follows_its_definition(rows in rows()) {
            let (scores, _, wrong) = split(&rows);
            let found = average_precision(&scores, &wrong).unwrap();
            prop_assert!(close(found, average_precision_by_rows(&scores, &wrong)));
        }

        #[test]
        fn f1_is_the_harmonic_mean(rows in rows()) {
            let (_, kept, wrong) = split(&rows);
            let counts = Counts::new(&kept, &wrong).unwrap();
            if let (Some(p), Some(r)) = (counts.precision(), counts.recall()) {
                let mean = if p + r > 0.0 { 2.0 * p * r / (p + r) } else { 0.0 };
                prop_assert!(close(counts.f1(), Some(mean)));
            }
            // With the classes swapped, both metrics swap too.
            let turned = Counts::new(
                &kept.iter().map(|kept| !kept).collect::<Vec<_>>(),
                &wrong.iter().map(|wrong| !wrong).collect::<Vec<_>>(),
            ).unwrap();
            prop_assert_eq!(counts.suspect_f1(), turned.f1());
        }
    }

    #[test]
    fn values_by_hand() {
        // Sorted by weight: wrong .1, clean .2, {wrong, clean} .5, clean .7
        let weights = [0.1, 0.2, 0.5, 0.5, 0.7];
        let wrong = [true, false, true, false, false];
        let kept = weights.map(|weight| weight >= 0.5);
        let metrics = CleaningMetrics::new(&weights, &kept, &wrong).unwrap();
        assert_eq!(metrics.precision, Some(2.0 / 3.0));
        assert_eq!(metrics.recall, Some(2.0 / 3.0));
        assert_eq!(metrics.f1, Some(4.0 / 6.0));
        assert_eq!(metrics.suspect_f1, Some(0.5));
        // Pairs clean > wrong: .2 beats one; .5 beats one and ties one; .7 beats two.
        assert_eq!(metrics.auc, Some(4.5 / 6.0));
        // One of one at .1, two of four at .5.
        assert_eq!(metrics.average_precision, Some(0.5 * 1.0 + 0.5 * 0.5));
    }

    #[test]
    fn keeping_everything_looks_good_with_half_of_the_labels_wrong() {
        let wrong = [true, false, true, false];
        let metrics = CleaningMetrics::new(&[0.5; 4], &[true; 4], &wrong).unwrap();
        assert_eq!(metrics.f1, Some(2.0 / 3.0));
        assert_eq!(metrics.suspect_f1, Some(0.0));
        assert_eq!(metrics.auc, Some(0.5));
        assert_eq!(metrics.average_precision, Some(0.5));
    }

    #[test]
    fn undefined_figures_are_none() {
        let clean = CleaningMetrics::new(&[1.0, 0.0], &[true, false], &[false; 2]).unwrap();
        assert_eq!(clean.recall, Some(0.5));
        assert_eq!(clean.suspect_f1, None);
        assert_eq!(clean.auc, None);
        assert_eq!(clean.average_precision, None);
        let wrong = CleaningMetrics::new(&[1.0, 0.0], &[false; 2], &[true; 2]).unwrap();
        assert_eq!(wrong.f1, None);
        assert_eq!(wrong.precision, None);
        assert_eq!(wrong.recall, None);
        assert_eq!(wrong.suspect_f1, Some(1.0));
        assert_eq!(wrong.auc, None);
        assert_eq!(wrong.average_precision, Some(1.0));
        let none_kept = Counts::new(&[false; 2], &[true, false]).unwrap();
        assert_eq!(none_kept.f1(), Some(0.0));
        assert_eq!(none_kept.precision(), None);
        assert_eq!(accuracy(&[], &[]).unwrap(), None);
    }

    #[test]
    fn accuracy_is_the_share_of_right_predictions() {
        assert_eq!(accuracy(&[1, 2, 3, 4], &[1, 2, 3, 5]).unwrap(), Some(0.75));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let message = |error: Error| error.to_string();
        assert_eq!(
            message(auc(&[0.0, f64::NAN], &[true, false]).unwrap_err()),
            "row 1: expected a score, found a value that is not a number"
        );
        assert_eq!(
            message(average_precision(&[0.0], &[true, false]).unwrap_err()),
            "expected 2 scores, one for each row, found 1"
        );
        assert_eq!(
            message(Counts::new(&[true], &[]).unwrap_err()),
            "expected 1 truths, one for each row, found 0"
        );
        assert_eq!(
            message(accuracy(&[1], &[1, 2]).unwrap_err()),
            "expected 2 predictions, one for each row, found 1"
        );
        let infinite = auc(&[f64::INFINITY, f64::NEG_INFINITY], &[false, true]);
        assert_eq!(infinite.unwrap(), Some(1.0));
    }
}
