//! How labels seem to be wrong: how often, in which rows, and which label they get.

use super::detected::Detected;
use super::noise_matrix::{EVERYWHERE, LIKE_ALL};
use super::tally::{Tally, without_diagonal};
use super::trials::Trials;
use crate::Error;

/// How labels seem to be wrong. Rows are put into groups by how sure a model of the trusted rows is of them: mistakes
/// that people make are often where it is not.
pub(super) struct Noise {
    /// True × given, without the diagonal; each row has the sum 1. One such matrix, or one of each annotator.
    others: Vec<f64>,
    /// By how much the odds that a label is wrong are larger than on average, for each annotator; empty if they are not
    /// known.
    odds: Vec<f64>,
    classes: usize,
    /// Where the groups end: the margin between the two most probable classes.
    ends: Vec<f64>,
    groups: Vec<Group>,
}

/// Rows of which a model of the trusted rows is about equally sure.
#[derive(Clone, Copy)]
struct Group {
    /// The share of wrong labels.
    wrong: f64,
    /// The share of these that are the second class of the model, beyond what the classes say.
    second: f64,
}

/// Trusted rows in a group, at least.
const GROUP: usize = 15;
const MOST_GROUPS: usize = 5;
/// The share of second classes counts as none like so many trusted rows.
const BEFORE: f64 = 10.0;
/// The share of wrong labels in a group is about so far from that of all, by a detector.
const OTHERWISE: f64 = 0.15;
/// Each share follows from the other.
const ROUNDS: usize = 5;

/// The most probable class, the second one, and how much more probable the first is.
fn margin(probabilities: &[f32]) -> (usize, usize, f64) {
    let (mut first, mut second) = (0, 0);
    let mut best = (f32::NEG_INFINITY, f32::NEG_INFINITY);
    for (class, &p) in probabilities.iter().enumerate() {
        if p > best.0 {
            (second, best.1) = (first, best.0);
            (first, best.0) = (class, p);
        } else if p > best.1 {
            (second, best.1) = (class, p);
        }
    }
    (first, second, f64::from(best.0 - best.1))
}

/// What a group is counted from.
#[derive(Clone, Copy, Default)]
struct Counts {
    rows: f64,
    /// Rows whose label is not the model's first class, and those of them with its second class.
    other: f64,
    second: f64,
}

impl Counts {
    fn add(&mut self, probabilities: &[f32], label: u32) {
        let (first, second, _) = margin(probabilities);
        self.rows += 1.0;
        if label as usize != first {
            self.other += 1.0;
            self.second += f64::from(label as usize == second);
        }
    }

    fn share(&self, part: f64) -> f64 {
        // No share is 0 or 1 for certain.
        (part + 0.5) / (self.rows + 1.0)
    }
}

impl Noise {
    /// From what a detector says of the rows to check, and from how often a model of the trusted rows contradicts their
    /// labels, and contradicts the labels of trusted rows that it did not see: `held` has its probabilities for each of
    /// these, and the label.
    pub(super) fn of(
        trials: &Trials<'_>,
        detected: Option<&Detected>,
        held: &[(Vec<f32>, u32)],
    ) -> Result<Self, Error> {
        let classes = trials.classes();
        let (rate, rates, others) = Self::by_annotators(trials, detected);
        let mut margins: Vec<f64> = held.iter().map(|(p, _)| margin(p).2).collect();
        margins.sort_by(f64::total_cmp);
        let groups = (held.len() / GROUP).clamp(1, MOST_GROUPS);
        let mut noise = Self {
            ends: (1..groups)
                .map(|group| margins[group * held.len() / groups])
                .collect(),
            others,
            odds: Vec::new(),
            classes,
            groups: Vec::new(),
        };
        let mut of_trusted = vec![Counts::default(); groups];
        for (probabilities, label) in held {
            of_trusted[noise.group(probabilities)].add(probabilities, *label);
        }
        let mut of_rows = vec![Counts::default(); groups];
        let probabilities = trials.trusted_only()?;
        let rows = probabilities.chunks_exact(classes).zip(trials.given());
        for (probabilities, &given) in rows {
            of_rows[noise.group(probabilities)].add(probabilities, given);
        }
        noise.groups = of_rows
            .iter()
            .zip(&of_trusted)
            .map(|(rows, trusted)| Group::of(rows, trusted, rate, classes))
            .collect();
        if let Some(annotators) = trials.annotators() {
            // By the same comparison with the trusted rows.
            let mut of_each = vec![Counts::default(); annotators.count];
            let mut of_all = Counts::default();
            let rows = probabilities.chunks_exact(classes).zip(trials.given());
            for ((probabilities, &given), &annotator) in rows.zip(annotators.of_row.iter()) {
                of_each[annotator as usize].add(probabilities, given);
                of_all.add(probabilities, given);
            }
            let mut trusted = Counts::default();
            held.iter()
                .for_each(|(probabilities, label)| trusted.add(probabilities, *label));
            let odds = |rows: &Counts, rate: f64| {
                let wrong = Group::of(rows, &trusted, rate, classes).wrong;
                wrong / (1.0 - wrong)
            };
            let all = odds(&of_all, rate);
            let each = of_each.iter().zip(rates);
            noise.odds = each.map(|(rows, rate)| odds(rows, rate) / all).collect();
        }
        Ok(noise)
    }

    /// The share of wrong labels, by what a detector says; the same for each annotator, and which labels these are.
    fn by_annotators(
        trials: &Trials<'_>,
        detected: Option<&Detected>,
    ) -> (f64, Vec<f64>, Vec<f64>) {
        /// No share is 0 or 1 for certain.
        const LEAST: f64 = 0.005;
        const MOST: f64 = 0.95;
        let classes = trials.classes();
        let Some(detected) = detected else {
            let mut even = vec![1.0; classes * classes];
            without_diagonal(&mut even, classes);
            return (LEAST, Vec::new(), even);
        };
        let mut tally = Tally::of(trials, detected, EVERYWHERE);
        without_diagonal(&mut tally.of_all, classes);
        let rate = (tally.wrong / trials.rows().max(1) as f64).clamp(LEAST, MOST);
        if trials.annotators().is_none() {
            return (rate, Vec::new(), tally.of_all);
        }
        for matrix in tally.of_each.chunks_exact_mut(tally.of_all.len()) {
            let shares = matrix.iter_mut().zip(&tally.of_all);
            shares.for_each(|(count, share)| *count += LIKE_ALL * share);
            without_diagonal(matrix, classes);
        }
        let rates = tally.wrong_of_each.into_iter().map(|(wrong, rows)| {
            let own = (wrong + LIKE_ALL * rate) / (rows + LIKE_ALL);
            own.clamp(LEAST, MOST)
        });
        (rate, rates.collect(), tally.of_each)
    }

    fn group(&self, probabilities: &[f32]) -> usize {
        let (.., margin) = margin(probabilities);
        self.ends.partition_point(|&end| end <= margin)
    }

    /// The probability that a row's label is wrong, and for each class the share of the wrong labels that are it, by the
    /// row's true label, who gave the label if that is known, and what a model of the trusted rows says of it.
    pub(super) fn of_row(
        &self,
        annotator: Option<u32>,
        probabilities: &[f32],
        truth: u32,
    ) -> (f64, Vec<f64>) {
        let group = self.groups[self.group(probabilities)];
        let (first, second, _) = margin(probabilities);
        // The class with which it is confused.
        let near = if first == truth as usize {
            second
        } else {
            first
        };
        let matrix = annotator.unwrap_or(0) as usize;
        let start = (matrix * self.classes + truth as usize) * self.classes;
        let shares = &self.others[start..start + self.classes];
        let mut shares: Vec<f64> = shares
            .iter()
            .map(|share| share * (1.0 - group.second))
            .collect();
        shares[near] += group.second;
        let more = annotator.and_then(|annotator| self.odds.get(annotator as usize));
        let wrong = more.map_or(group.wrong, |more| {
            let odds = group.wrong / (1.0 - group.wrong) * more;
            odds / (1.0 + odds)
        });
        (wrong, shares)
    }
}

impl Group {
    fn of(rows: &Counts, trusted: &Counts, rate: f64, classes: usize) -> Self {
        // The model contradicts a label that is wrong, or that is right where the model is not.
        let (contradicts, errs) = (rows.share(rows.other), trusted.share(trusted.other));
        let by_chance = 1.0 / (classes.max(2) - 1) as f64;
        let variance = |share: f64, rows: f64| share * (1.0 - share) / (rows + 1.0);
        let counted = variance(errs, trusted.rows) + variance(contradicts, rows.rows);
        let sure = trusted.rows / (trusted.rows + BEFORE);
        let mut group = Self {
            wrong: rate,
            second: 0.0,
        };
        // Where wrong labels are near, they are often what the model errs to, and it agrees.
        for _ in 0..ROUNDS {
            let near = group.second + (1.0 - group.second) * by_chance;
            let scale = (1.0 - errs - errs * near).max(0.1);
            let found = ((contradicts - errs) / scale).clamp(0.0, 1.0);
            // Where the model errs often, what is found says little.
            let weight = OTHERWISE.powi(2) / (OTHERWISE.powi(2) + counted / scale.powi(2));
            let wrong = found * weight + rate * (1.0 - weight);
            // Of the labels that are wrong where the model is right, those that are its second class; its own errors have
            // it too.
            let own = trusted.share(trusted.second) * (1.0 - wrong);
            let second = (rows.share(rows.second) - own) / (wrong * (1.0 - errs)).max(1e-3);
            let second = if classes > 2 {
                ((second - by_chance) / (1.0 - by_chance)).clamp(0.0, 1.0)
            } else {
                0.0
            };
            group = Self {
                wrong: wrong.clamp(0.002, 0.95),
                second: second * sure,
            };
        }
        group
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_most_probable_classes() {
        assert_eq!(margin(&[0.1, 0.5, 0.4]).0, 1);
        assert_eq!(margin(&[0.1, 0.5, 0.4]).1, 2);
        assert_eq!(margin(&[0.9, 0.1]).1, 1);
    }

    /// A model that errs in a tenth of the rows, of whose labels a fifth are wrong.
    #[test]
    fn wrong_labels_are_those_that_errors_do_not_explain() {
        let trusted = Counts {
            rows: 1000.0,
            other: 100.0,
            second: 20.0,
        };
        let other = 0.9 * 0.2 + 0.1 * (1.0 - 0.2 / 9.0);
        let rows = Counts {
            rows: 10_000.0,
            other: 10_000.0 * other,
            second: 10_000.0 * (other / 9.0),
        };
        let group = Group::of(&rows, &trusted, 0.2, 10);
        assert!((group.wrong - 0.2).abs() < 0.01, "{}", group.wrong);
        assert!(group.second < 0.1, "{}", group.second);
    }
}
