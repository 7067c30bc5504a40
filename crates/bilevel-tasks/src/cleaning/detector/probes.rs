//! Trusted rows as probes of detectors: judged by ones that did not see them, with their own labels and with others.

use bilevel::Key;

use super::detected::Detected;
use super::list::DETECTORS;
use super::noise::Noise;
use super::trials::Trials;
use crate::Error;
use crate::cleaning::together::Together;
use crate::stream::BASELINE;

/// Folds of the trusted rows.
const FOLDS: usize = 3;

/// A trusted row: what a detector that did not see it says of its own label and of each other one.
#[derive(Clone)]
pub(super) struct Probe {
    /// The probability that a label like its own is wrong.
    pub(super) wrong: f64,
    /// The probability that its own label is right, and whether it is kept.
    pub(super) own: (f64, bool),
    /// The same of other labels, each with its share of the wrong labels of this class.
    pub(super) others: Vec<(f64, bool, f64)>,
}

/// For each candidate the trusted rows, each judged by a detector that did not see it; wrong labels are made in the way
/// that `first` and a model of the trusted rows find among the rows to check.
pub(super) fn probes(
    trials: &Trials<'_>,
    trusted: &[(usize, u32)],
    candidates: &[&'static str],
    first: Option<&Detected>,
    key: Key,
) -> Result<Vec<Vec<Probe>>, Error> {
    let classes = trials.classes();
    let groups = trials.groups_of(trusted.iter().map(|&(row, _)| row));
    let together = Together(groups.as_deref());
    let parts = together.parts(trusted.len(), FOLDS, key.stream(BASELINE).fold_in(100));
    let mut folds = Vec::new();
    let mut held_out = Vec::new();
    for part in parts {
        let held: Vec<(usize, u32)> = part.into_iter().map(|place| trusted[place]).collect();
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
    let rows = folds.iter().flat_map(|(_, held)| held);
    let mut made = held_out.iter().zip(rows).map(|(held, &(row, _))| {
        let (probabilities, label) = held;
        let annotators = trials.annotators();
        let annotator = annotators.map(|of| of.of_row[trials.rows() + row]);
        noise.of_row(annotator, probabilities, *label)
    });
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
                let judge = |label: u32| detected.judge(row, label, classes);
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
pub(super) fn auc(probes: &[Probe]) -> f64 {
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
pub(super) struct Share {
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

    pub(super) fn estimate(self) -> f64 {
        if self.weight > 0.0 {
            self.hits / self.weight
        } else {
            0.0
        }
    }

    /// So many cases of equal weight say as much.
    pub(super) fn cases(self) -> f64 {
        self.weight * self.weight / self.squares.max(f64::MIN_POSITIVE)
    }
}

/// The shares of the right and of the wrong labels that are dropped.
pub(super) fn dropped(probes: &[Probe]) -> (Share, Share) {
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
pub(super) fn f1(probes: &[Probe]) -> f64 {
    let (right, wrong) = dropped(probes);
    let kept_right = right.weight - right.hits;
    2.0 * kept_right / (2.0 * kept_right + (wrong.weight - wrong.hits) + right.hits)
}
