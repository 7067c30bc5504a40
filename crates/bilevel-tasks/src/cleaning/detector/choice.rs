//! Which detector does best on the user's own rows, and how well.

use std::ops::Range;

use bilevel::Key;
use rand::RngExt;
use serde::Serialize;

use super::detected::Detected;
use super::list::DETECTORS;
use super::noise::Noise;
use super::trials::Trials;
use crate::Error;
use crate::cleaning::split::shuffled;
use crate::stream::BASELINE;

/// An estimate with an interval: of 90 % by chance alone, and wider, as the model of mistakes is not exact.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Interval {
    /// The estimate.
    pub estimate: f64,
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// What is to be expected of the suspects, from trusted rows that the detector did not see, with their own labels and
/// with labels that were replaced in the way that the matrix of noise describes.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Expected {
    /// How many labels of the rows to check are wrong.
    pub wrong: Interval,
    /// The share of the dropped rows whose labels are wrong.
    pub precision: Interval,
    /// The share of the wrong labels that are dropped.
    pub recall: Interval,
}

/// The detectors that were chosen.
#[derive(Clone, PartialEq, Debug)]
pub struct Choice {
    /// Ranks the rows.
    pub ranked_by: &'static str,
    /// Says which rows are kept.
    pub kept_by: &'static str,
    /// For each candidate its AUC and F1 on the trusted rows.
    pub candidates: Vec<(&'static str, f64, f64)>,
    /// What is to be expected, if there are enough trusted rows to say it.
    pub expected: Option<Expected>,
}

impl Choice {
    /// Without a choice.
    pub(super) fn only(name: &'static str) -> Self {
        Self {
            ranked_by: name,
            kept_by: name,
            candidates: Vec::new(),
            expected: None,
        }
    }

    /// One name, or who ranks and who keeps.
    pub(in crate::cleaning) fn name(&self) -> String {
        if self.ranked_by == self.kept_by {
            self.kept_by.to_owned()
        } else {
            format!("{} ranks, {} keeps", self.ranked_by, self.kept_by)
        }
    }
}

/// Fewer trusted rows say nothing.
const LEAST_TRUSTED: usize = 12;

/// Folds of the trusted rows.
const FOLDS: usize = 3;

/// The quantile of the normal distribution for intervals of 90 %.
const QUANTILE: f64 = 1.645;

/// By how much the rates of dropped labels among the rows to check may differ from those of trusted rows besides chance:
/// the detector had fewer trusted rows when it judged these, and real mistakes are not drawn from a matrix.
const OTHERWISE: f64 = 0.03;

/// The candidates, the first of which is taken unless another is better: what ranks best on most data.
const CANDIDATES: [&str; 5] = ["noise-matrix", "glc", "self-training", "loss", "agreement"];

/// A trusted row: what a detector that did not see it says of its own label and of each other one.
#[derive(Clone)]
struct Probe {
    /// The probability that a label like its own is wrong.
    wrong: f64,
    /// The probability that its own label is right, and whether it is kept.
    own: (f64, bool),
    /// The same of other labels, each with its share of the wrong labels of this class.
    others: Vec<(f64, bool, f64)>,
}

/// Chooses who ranks and who keeps among the detectors in `found`: the first candidate, unless another one does
/// significantly better on the trusted rows, if it is to be tried on them.
///
/// # Errors
/// If training diverges.
pub(in crate::cleaning) fn choose(
    trials: &Trials<'_>,
    found: &[(&'static str, &Detected)],
    tries: bool,
    key: Key,
) -> Result<Choice, Error> {
    let known = |name: &str| found.iter().find(|(other, _)| *other == name);
    let candidates: Vec<&'static str> = CANDIDATES
        .into_iter()
        .filter(|name| known(name).is_some())
        .collect();
    let first = candidates.first().copied().unwrap_or("agreement");
    let trusted: Vec<(usize, u32)> = trials.trusted().collect();
    if trusted.len() < LEAST_TRUSTED || !tries {
        return Ok(Choice::only(first));
    }
    let detected = known(first).map(|(_, detected)| *detected);
    let probes = probes(trials, &trusted, &candidates, detected, key)?;
    let figures = |of: &[Probe]| (auc(of), f1(of));
    let ranked_by = best(&probes, &candidates, key, &|of| figures(of).0);
    let kept_by = best(&probes, &candidates, key, &|of| figures(of).1);
    let of = |name| candidates.iter().position(|other| *other == name);
    let judged = known(kept_by).zip(of(kept_by));
    let expected = judged.map(|((_, detected), place)| {
        let (_, kept) = detected.judged(trials.given(), trials.classes());
        let dropped = kept.iter().filter(|kept| !**kept).count();
        expected(&probes[place], dropped, kept.len())
    });
    Ok(Choice {
        ranked_by,
        kept_by,
        candidates: candidates
            .iter()
            .zip(&probes)
            .map(|(&name, probes)| {
                let (auc, f1) = figures(probes);
                (name, auc, f1)
            })
            .collect(),
        expected,
    })
}

/// For each candidate the trusted rows, each judged by a detector that did not see it; wrong labels are made in the way
/// that `first` and a model of the trusted rows find among the rows to check.
fn probes(
    trials: &Trials<'_>,
    trusted: &[(usize, u32)],
    candidates: &[&'static str],
    first: Option<&Detected>,
    key: Key,
) -> Result<Vec<Vec<Probe>>, Error> {
    let classes = trials.classes();
    let order = shuffled(trusted.len(), key.stream(BASELINE).fold_in(100));
    let mut folds = Vec::new();
    let mut held_out = Vec::new();
    for fold in 0..FOLDS {
        let places = order.iter().skip(fold).step_by(FOLDS);
        let held: Vec<(usize, u32)> = places.map(|&place| trusted[place]).collect();
        let rows: Vec<usize> = held.iter().map(|&(row, _)| row).collect();
        let trials = trials.without(&rows);
        let probabilities = trials.trusted_only()?;
        let of = |&(row, label): &(usize, u32)| {
            let start = (trials.rows() + row) * classes;
            (probabilities[start..start + classes].to_vec(), label)
        };
        held_out.extend(held.iter().map(of));
        folds.push((trials, held));
    }
    let noise = Noise::of(trials, first, &held_out)?;
    let mut made = held_out
        .iter()
        .map(|(probabilities, label)| noise.of_row(probabilities, *label));
    let mut probes = vec![Vec::new(); candidates.len()];
    for (trials, held) in &folds {
        let made: Vec<(f64, Vec<f64>)> = made.by_ref().take(held.len()).collect();
        for (name, probes) in candidates.iter().zip(&mut probes) {
            let Some(detector) = DETECTORS.iter().find(|d| d.name() == *name) else {
                continue;
            };
            let detected = detector.detect(trials)?;
            for (&(row, label), (wrong, shares)) in held.iter().zip(&made) {
                let row = trials.rows() + row;
                let judge = |label: u32| {
                    let right = detected.posterior(row, label, classes)[label as usize];
                    (right, detected.keeps(row, label, classes))
                };
                let others = (0..classes as u32).zip(shares);
                probes.push(Probe {
                    wrong: *wrong,
                    own: judge(label),
                    others: others
                        .filter(|&(other, &share)| other != label && share > 0.0)
                        .map(|(other, &share)| {
                            let (right, kept) = judge(other);
                            (right, kept, share)
                        })
                        .collect(),
                });
            }
        }
    }
    Ok(probes)
}

/// How often a wrong label ranks before a right one.
fn auc(probes: &[Probe]) -> f64 {
    let mut right: Vec<(f64, f64)> = probes
        .iter()
        .map(|probe| (probe.own.0, 1.0 - probe.wrong))
        .collect();
    right.sort_by(|a, b| a.0.total_cmp(&b.0));
    // The weight of all before each.
    let mut before = vec![0.0];
    for (_, weight) in &right {
        before.push(before[before.len() - 1] + weight);
    }
    let all = before[right.len()];
    let (mut sum, mut weight) = (0.0, 0.0);
    for probe in probes {
        for &(score, _, share) in &probe.others {
            let below = before[right.partition_point(|own| own.0 < score)];
            let until = before[right.partition_point(|own| own.0 <= score)];
            let above = all - until + 0.5 * (until - below);
            sum += probe.wrong * share * above / all.max(f64::MIN_POSITIVE);
            weight += probe.wrong * share;
        }
    }
    if weight > 0.0 { sum / weight } else { 0.5 }
}

/// A share of cases that do not weigh the same.
#[derive(Clone, Copy, Default)]
struct Share {
    hits: f64,
    weight: f64,
    squares: f64,
}

impl Share {
    fn add(&mut self, weight: f64, hit: bool) {
        self.hits += if hit { weight } else { 0.0 };
        self.weight += weight;
        self.squares += weight * weight;
    }

    fn estimate(self) -> f64 {
        if self.weight > 0.0 {
            self.hits / self.weight
        } else {
            0.0
        }
    }

    /// So many cases of equal weight say as much.
    fn cases(self) -> f64 {
        self.weight * self.weight / self.squares.max(f64::MIN_POSITIVE)
    }
}

/// The shares of the right and of the wrong labels that are dropped.
fn dropped(probes: &[Probe]) -> (Share, Share) {
    let (mut right, mut wrong) = (Share::default(), Share::default());
    for probe in probes {
        right.add(1.0 - probe.wrong, !probe.own.1);
        // One case for each row.
        let shares: f64 = probe.others.iter().map(|(.., share)| share).sum();
        let hits = probe.others.iter().filter(|(_, kept, _)| !kept);
        let hits: f64 = hits.map(|(.., share)| share).sum();
        if shares > 0.0 {
            wrong.hits += probe.wrong * hits / shares;
            wrong.weight += probe.wrong;
            wrong.squares += probe.wrong * probe.wrong;
        }
    }
    (right, wrong)
}

/// F1 of the kept rows.
fn f1(probes: &[Probe]) -> f64 {
    let (right, wrong) = dropped(probes);
    let kept_right = right.weight - right.hits;
    2.0 * kept_right / (2.0 * kept_right + (wrong.weight - wrong.hits) + right.hits)
}

/// The first candidate, or the best one that is better by more than the standard error of the difference, from
/// repeated draws of the trusted rows.
fn best(
    probes: &[Vec<Probe>],
    candidates: &[&'static str],
    key: Key,
    figure: &dyn Fn(&[Probe]) -> f64,
) -> &'static str {
    const DRAWS: u64 = 100;
    let (Some(first), Some(&name)) = (probes.first(), candidates.first()) else {
        return "agreement";
    };
    let mut best = (name, 0.0);
    for (other, &name) in probes.iter().zip(candidates).skip(1) {
        let better = figure(other) - figure(first);
        let draw = |number: u64| {
            let mut rng = key.stream(BASELINE).fold_in(200 + number).rng();
            let rows: Vec<usize> = (0..first.len())
                .map(|_| rng.random_range(0..first.len()))
                .collect();
            let of = |probes: &[Probe]| -> Vec<Probe> {
                rows.iter().map(|&row| probes[row].clone()).collect()
            };
            figure(&of(other)) - figure(&of(first))
        };
        let draws: Vec<f64> = (0..DRAWS).map(draw).collect();
        let mean = draws.iter().sum::<f64>() / DRAWS as f64;
        let squares: f64 = draws.iter().map(|draw| (draw - mean).powi(2)).sum();
        let error = (squares / DRAWS as f64).sqrt();
        if better > error && better > best.1 {
            best = (name, better);
        }
    }
    best.0
}

/// Of a share of so many cases: Wilson, 1927.
fn share(share: Share) -> Interval {
    let (estimate, rows, z) = (share.estimate(), share.cases().max(1.0), QUANTILE);
    let middle = (estimate + z * z / (2.0 * rows)) / (1.0 + z * z / rows);
    let half = z / (1.0 + z * z / rows)
        * (estimate * (1.0 - estimate) / rows + z * z / (4.0 * rows * rows)).sqrt();
    Interval {
        estimate,
        low: (middle - half).max(0.0),
        high: (middle + half).min(1.0),
    }
}

/// What `suspects` of `rows` dropped rows mean, by how often right and wrong labels of the probes are dropped.
fn expected(probes: &[Probe], suspects: usize, rows: usize) -> Expected {
    let (right, wrong) = dropped(probes);
    let rates = |dropped: Share| {
        let share = share(dropped);
        Interval {
            low: (share.low - OTHERWISE).max(0.0),
            high: (share.high + OTHERWISE).min(1.0),
            ..share
        }
    };
    let (right, wrong) = (rates(right), rates(wrong));
    let flagged = suspects as f64 / rows.max(1) as f64;
    // flagged = rate · wrong + (1 − rate) · right.
    let rate = |right: f64, wrong: f64| {
        if wrong > right {
            ((flagged - right) / (wrong - right)).clamp(0.0, 1.0)
        } else {
            0.0
        }
    };
    let precision = |rate: f64, right: f64| {
        if flagged > 0.0 {
            (1.0 - (1.0 - rate) * right / flagged).clamp(0.0, 1.0)
        } else {
            0.0
        }
    };
    let likely = rate(right.estimate, wrong.estimate);
    let (few, many) = (rate(right.high, wrong.high), rate(right.low, wrong.low));
    let count = |rate: f64| (rate * rows as f64).round();
    Expected {
        wrong: ordered(count(likely), count(few)..count(many)),
        precision: ordered(
            precision(likely, right.estimate),
            precision(few, right.high)..precision(many, right.low),
        ),
        recall: wrong,
    }
}

fn ordered(estimate: f64, range: Range<f64>) -> Interval {
    Interval {
        estimate,
        low: range.start.min(estimate),
        high: range.end.max(estimate),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(own: f64, other: f64) -> Probe {
        Probe {
            wrong: 0.5,
            own: (own, own >= 0.5),
            others: vec![(other, other >= 0.5, 1.0)],
        }
    }

    #[test]
    fn figures_of_probes() {
        let good = vec![probe(0.9, 0.1), probe(0.8, 0.2)];
        assert_eq!((auc(&good), f1(&good)), (1.0, 1.0));
        let chance = vec![probe(0.9, 0.9), probe(0.2, 0.2)];
        assert_eq!(auc(&chance), 0.5);
        // Half of the right and half of the wrong labels are dropped: kept are .4 right and .1 wrong ones of .8 and .2.
        let expected_f1 = 2.0 * 0.4 / (2.0 * 0.4 + 0.1 + 0.4);
        let mut of_chance = chance.clone();
        of_chance.iter_mut().for_each(|probe| probe.wrong = 0.2);
        assert!((f1(&of_chance) - expected_f1).abs() < 1e-12);
        // The first, unless another is clearly better.
        let twice = |of: &[Probe]| of.iter().cycle().take(40).cloned().collect::<Vec<_>>();
        let names = ["one", "two"];
        let key = Key::from_seed(0);
        let same = [twice(&good), twice(&good)];
        assert_eq!(best(&same, &names, key, &auc), "one");
        let better = [twice(&chance), twice(&good)];
        assert_eq!(best(&better, &names, key, &auc), "two");
    }

    /// 1 000 rows of which 300 are wrong; a detector drops 90 % of these and 10 % of the others.
    #[test]
    fn what_is_expected_holds_the_truth() {
        let probes: Vec<Probe> = (0..200)
            .map(|row| {
                let own = if row % 10 == 0 { 0.1 } else { 0.9 };
                let other = if row % 10 == 3 { 0.9 } else { 0.1 };
                probe(own, other)
            })
            .collect();
        let expected = expected(&probes, 270 + 70, 1000);
        assert_eq!(expected.wrong.estimate, 300.0);
        assert!((expected.precision.estimate - 270.0 / 340.0).abs() < 1e-9);
        assert!((expected.recall.estimate - 0.9).abs() < 1e-9);
        for interval in [expected.wrong, expected.precision, expected.recall] {
            assert!(interval.low < interval.estimate && interval.estimate < interval.high);
        }
        let nothing = super::expected(&probes, 0, 1000);
        assert_eq!(nothing.wrong.estimate, 0.0);
    }
}
