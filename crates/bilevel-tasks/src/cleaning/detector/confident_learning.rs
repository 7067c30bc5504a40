//! Confident learning (arXiv 1911.00068), with the choices of cleanlab 2.9.

use super::detected::Detected;
use super::judging::{Detector, DetectorPage};
use super::trials::Trials;
use crate::Error;

/// Ranks by the out-of-fold probability of the given label; drops as many rows of each pair of given and true class as
/// there seem to be, those with the largest margin first.
pub(super) struct ConfidentLearning;

impl Detector for ConfidentLearning {
    fn page(&self) -> DetectorPage {
        DetectorPage {
            name: "confident-learning",
            summary: "drops as many rows of each pair of classes as seem to be confused",
            how: "Models are trained on parts of the rows and the trusted rows, each to judge the other rows. For each pair of classes, as\nmany rows are dropped as seem to be confused.",
            reference: "arXiv 1911.00068, with the choices of cleanlab 2.9",
            needs_trusted: false,
        }
    }

    fn detect(&self, trials: &Trials<'_>) -> Result<Detected, Error> {
        let probabilities = trials.cross_validated()?;
        let own = &probabilities[..trials.rows() * trials.classes()];
        let issues = issues(own, trials.given(), trials.classes());
        Ok(Detected {
            kept: Some(issues.into_iter().map(|issue| !issue).collect()),
            thresholds: Some(thresholds(own, trials.given(), trials.classes())),
            ..trials.detected(probabilities)
        })
    }
}

/// The mean probability of each class for the rows with its label.
fn thresholds(probabilities: &[f32], labels: &[u32], classes: usize) -> Vec<f64> {
    let mut sums = vec![(0.0, 0.0); classes];
    for (row, &label) in probabilities.chunks_exact(classes).zip(labels) {
        let (sum, rows) = &mut sums[label as usize];
        *sum += f64::from(row[label as usize]);
        *rows += 1.0;
    }
    let mean = |(sum, rows): (f64, f64)| if rows > 0.0 { sum / rows } else { 1.0 };
    sums.into_iter().map(mean).collect()
}

/// Probabilities closer than this are equal.
const CLOSE: f64 = 1e-6;

/// Which labels are wrong, by out-of-fold probabilities, rows × classes.
fn issues(probabilities: &[f32], labels: &[u32], classes: usize) -> Vec<bool> {
    let of = |row: usize, class: usize| f64::from(probabilities[row * classes + class]);
    let matrix = to_prune(joint(&of, labels, classes), classes);
    let mut issues = vec![false; labels.len()];
    for given in 0..classes {
        let rows: Vec<usize> = (0..labels.len())
            .filter(|&row| labels[row] as usize == given)
            .collect();
        if rows.len() <= 1 {
            continue;
        }
        for truth in (0..classes).filter(|&truth| truth != given) {
            let count = matrix[given * classes + truth].min(rows.len());
            if count == 0 {
                continue;
            }
            let mut order = rows.clone();
            let margin = |row: usize| of(row, truth) - of(row, given);
            order.sort_by(|&a, &b| margin(b).total_cmp(&margin(a)).then(a.cmp(&b)));
            order[..count].iter().for_each(|&row| issues[row] = true);
        }
    }
    for (row, issue) in issues.iter_mut().enumerate() {
        let own = of(row, labels[row] as usize) + CLOSE;
        // The most probable class is no issue.
        *issue &= (0..classes).any(|class| class != labels[row] as usize && of(row, class) > own);
    }
    issues
}

/// How many rows have each given and each true class: given × true. Counts the rows whose probability of a class
/// reaches the mean of the rows with that label, and scales the counts to the number of rows with each given label.
fn joint(of: &dyn Fn(usize, usize) -> f64, labels: &[u32], classes: usize) -> Vec<usize> {
    let mut counts = vec![0_usize; classes];
    let mut thresholds = vec![0.0; classes];
    for (row, &label) in labels.iter().enumerate() {
        counts[label as usize] += 1;
        thresholds[label as usize] += of(row, label as usize);
    }
    for (threshold, &count) in thresholds.iter_mut().zip(&counts) {
        *threshold = match count {
            0 => f64::INFINITY,
            count => (*threshold / count as f64).max(2.0 * CLOSE),
        };
    }
    let mut joint = vec![0_usize; classes * classes];
    for (row, &label) in labels.iter().enumerate() {
        let sure = (0..classes).filter(|&class| of(row, class) >= thresholds[class] - CLOSE);
        // Of several such classes the most probable one, whether it is one of them or not.
        let guess = match sure.clone().count() {
            0 => continue,
            1 => sure.clone().next(),
            _ => (0..classes).reduce(|best, class| {
                if of(row, class) > of(row, best) {
                    class
                } else {
                    best
                }
            }),
        };
        if let Some(guess) = guess {
            joint[label as usize * classes + guess] += 1;
        }
    }
    for class in 0..classes {
        let diagonal = &mut joint[class * classes + class];
        *diagonal = (*diagonal).max(1);
    }
    let mut scaled: Vec<f64> = joint.iter().map(|&count| count as f64).collect();
    for (row, &count) in scaled.chunks_exact_mut(classes).zip(&counts) {
        let sum: f64 = row.iter().sum();
        row.iter_mut().for_each(|cell| *cell *= count as f64 / sum);
    }
    scaled.chunks_exact(classes).flat_map(rounded).collect()
}

/// Whole numbers with the same sum.
fn rounded(row: &[f64]) -> Vec<usize> {
    let mut whole: Vec<i64> = row
        .iter()
        .map(|cell| cell.round_ties_even() as i64)
        .collect();
    let wanted = row.iter().sum::<f64>().round() as i64;
    let missing = wanted - whole.iter().sum::<i64>();
    let most = missing.unsigned_abs() as usize;
    if most > 0 {
        let mut order: Vec<usize> = (0..row.len()).collect();
        let short = |place: usize| row[place] - row[place].round_ties_even();
        // Those that rounding changed most in the wrong direction.
        let by_shortness = |&a: &usize, &b: &usize| {
            let order = short(b).total_cmp(&short(a)).then(b.cmp(&a));
            if missing < 0 { order.reverse() } else { order }
        };
        if most < order.len() {
            order.select_nth_unstable_by(most, by_shortness);
        }
        for &place in order.iter().take(most) {
            whole[place] += missing.signum();
        }
    }
    whole
        .into_iter()
        .map(|count| count.max(0) as usize)
        .collect()
}

/// How many rows of each pair to drop, given × true: at least one row of each given class stays.
fn to_prune(mut joint: Vec<usize>, classes: usize) -> Vec<usize> {
    for (given, row) in joint.chunks_exact_mut(classes).enumerate() {
        let raised = 1_usize.saturating_sub(row[given]) as f64;
        let others = row.iter().filter(|&&count| count > 0).count().max(2) - 1;
        for (truth, count) in row.iter_mut().enumerate() {
            *count = if truth == given {
                (*count).max(1)
            } else {
                (*count as f64 - raised / others as f64).max(0.0) as usize
            };
        }
    }
    joint
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows, classes, a frequency, and how many of ten labels are wrong.
    type Case = (usize, usize, f64, usize);

    /// What `cleanlab.filter.find_label_issues` of cleanlab 2.9 says of the same probabilities, with its defaults.
    const STORED: [(Case, &[usize]); 4] = [
        ((60, 3, 0.37, 2), &[0, 3, 10, 13, 20, 23, 40, 50, 53]),
        (
            (120, 4, 0.73, 3),
            &[
                0, 3, 13, 16, 20, 26, 33, 36, 40, 43, 46, 50, 53, 56, 60, 63, 66, 70, 73, 76, 80,
                83, 90, 93, 96, 100, 103, 106, 110, 113, 116,
            ],
        ),
        (
            (200, 5, 1.21, 5),
            &[
                0, 2, 3, 6, 9, 10, 12, 13, 16, 20, 22, 23, 26, 29, 30, 32, 33, 36, 39, 40, 42, 43,
                46, 49, 52, 53, 59, 60, 62, 63, 66, 70, 72, 73, 79, 82, 83, 86, 89, 90, 92, 96, 99,
                100, 103, 106, 110, 112, 113, 116, 119, 120, 122, 126, 129, 130, 132, 136, 140,
                143, 149, 150, 152, 153, 156, 162, 163, 169, 172, 176, 179, 182, 183, 186, 189,
                192, 196, 199,
            ],
        ),
        ((40, 2, 0.9, 3), &[0, 3, 6, 10, 13, 16, 20, 23, 33, 36]),
    ];

    fn made((rows, classes, frequency, wrong): Case) -> (Vec<f32>, Vec<u32>) {
        let mut labels = Vec::new();
        let mut probabilities = Vec::new();
        for row in 0..rows {
            let logit = |class: usize| {
                2.5 * (frequency * (row + 1) as f64 * (class + 1) as f64 + class as f64).sin()
            };
            let own: Vec<f64> = (0..classes).map(|class| logit(class).exp()).collect();
            let sum: f64 = own.iter().sum();
            let best = (0..classes).fold(
                0,
                |best, class| {
                    if own[class] > own[best] { class } else { best }
                },
            );
            labels.push(if row * 7 % 10 >= wrong {
                best as u32
            } else {
                ((best + 1 + row % (classes - 1)) % classes) as u32
            });
            probabilities.extend(own.iter().map(|p| (p / sum) as f32));
        }
        (probabilities, labels)
    }

    #[test]
    fn issues_are_those_of_cleanlab() {
        for (case, stored) in STORED {
            let (probabilities, labels) = made(case);
            let found = issues(&probabilities, &labels, case.1);
            let found: Vec<usize> = (0..labels.len()).filter(|&row| found[row]).collect();
            assert_eq!(found, stored, "{case:?}");
        }
    }

    #[test]
    fn rounding_keeps_the_sum() {
        assert_eq!(rounded(&[1.4, 1.4, 1.2]), [1, 2, 1]);
        assert_eq!(rounded(&[0.6, 0.6, 0.8]), [0, 1, 1]);
        assert_eq!(rounded(&[3.0, 0.0]), [3, 0]);
    }
}
