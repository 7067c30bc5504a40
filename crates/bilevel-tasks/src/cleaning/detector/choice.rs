//! Which detector does best on the user's own rows, and how well.

use std::ops::Range;

use bilevel::Key;
use rand::RngExt;
use serde::Serialize;

use super::detected::Detected;
use super::probes::{Probe, Share, auc, dropped, f1, probes};
use super::trials::{MANY_TRUSTED, Trials};
use super::unsure::contradicted_where_unsure;
use crate::Error;
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
    /// Ranks the rows: one detector, or the mean of the log-odds of two, whose names are joined by a plus.
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

/// The mean of the log-odds of the two detectors of [`BLENDED`] ranks the rows: with few trusted rows, either may be far
/// behind the other, and the mean is close to the better one.
pub(super) const BLEND: &str = "noise-matrix + loss";
pub(super) const BLENDED: [&str; 2] = ["noise-matrix", "loss"];

/// Fewer trusted rows say nothing.
const LEAST_TRUSTED: usize = 12;

/// The quantile of the normal distribution for intervals of 90 %.
const QUANTILE: f64 = 1.645;

/// By how much the rates of dropped labels among the rows to check may differ from those of trusted rows besides chance:
/// the detector had fewer trusted rows when it judged these, which matters more where they are few, and real mistakes are
/// not drawn from a matrix.
const OTHERWISE: f64 = 0.03;
const OTHERWISE_FEW: f64 = 0.1;

/// The candidates, the first of which is taken unless another is better: what ranks best on most data.
const CANDIDATES: [&str; 7] = [
    "noise-matrix",
    "glc",
    "self-training",
    "loss",
    "agreement",
    "confident-learning",
    NEIGHBOURS,
];

/// Many trusted rows are needed to show that another kind of model is better.
const NEIGHBOURS: &str = "nearest-neighbours";

/// Those that do not explain labels by a matrix of noise, the first of which is taken unless another is better.
const WITHOUT_MATRIX: [&str; 3] = ["self-training", "loss", "agreement"];

/// They are taken only if their F1 on the trusted rows is not lower than that of the first candidate by more.
const WORSE: f64 = 0.06;

/// Who ranks and who keeps where little is known: few rows are dropped.
const UNSURE: [&str; 2] = ["loss", "confident-learning"];

/// With many trusted rows they are taken only if that costs no more F1 on these: where models are poor, it does.
const CAREFUL: f64 = 0.05;

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
    let trusted: Vec<(usize, u32)> = trials.trusted().collect();
    let few = trials.few_trusted();
    let candidates: Vec<&'static str> = CANDIDATES
        .into_iter()
        .filter(|&name| known(name).is_some() && !(few && name == NEIGHBOURS))
        .collect();
    let first = candidates.first().copied().unwrap_or("agreement");
    let unexplained = is_unexplained(trials, found);
    if trusted.is_empty() && unexplained {
        return Ok(Choice {
            ranked_by: UNSURE[0],
            kept_by: UNSURE[1],
            ..Choice::only(first)
        });
    }
    if trusted.len() < LEAST_TRUSTED || !tries {
        return Ok(Choice::only(first));
    }
    let detected = known(first).map(|(_, detected)| *detected);
    let probes = probes(trials, &trusted, &candidates, detected, key)?;
    let of = |name: &str| candidates.iter().position(|other| *other == name);
    // Labels that no matrix explains, or that are right where models are poor.
    let of_first = of(first).map_or(0.0, |place| f1(&probes[place]));
    let no_worse =
        |name: &&'static str| of(name).is_some_and(|place| f1(&probes[place]) + WORSE >= of_first);
    let without: Vec<&'static str> = WITHOUT_MATRIX.into_iter().filter(no_worse).collect();
    let unsure = is_wrong_where_unsure(&probes, &of, found, trials);
    let allowed: Vec<&'static str> = if !unexplained {
        candidates.clone()
    } else if unsure && !without.is_empty() {
        without
    } else if few || of(UNSURE[1]).is_some_and(|place| f1(&probes[place]) + CAREFUL >= of_first) {
        UNSURE.to_vec()
    } else {
        candidates.clone()
    };
    let by_two = allowed == UNSURE;
    let allowed: Vec<usize> = allowed.into_iter().filter_map(of).collect();
    let figures = |of: &[Probe]| (auc(of), f1(of));
    let best = |figure: &dyn Fn(&[Probe]) -> f64| candidates[best(&probes, &allowed, key, figure)];
    let (ranked_by, kept_by) = if by_two {
        (UNSURE[0], UNSURE[1])
    } else {
        (best(&|of| figures(of).0), best(&|of| figures(of).1))
    };
    let blends = few && !by_two && ranked_by == BLENDED[0] && known(BLENDED[1]).is_some();
    let ranked_by = if blends { BLEND } else { ranked_by };
    let judged = known(kept_by).zip(of(kept_by));
    let expected = judged.map(|((_, detected), place)| {
        let expected = expected(
            &probes[place],
            dropped_rows(detected, trials),
            trials.rows(),
        );
        if unexplained {
            let contradicted = known("agreement").map_or(0, |(_, d)| dropped_rows(d, trials));
            expected.of_unexplained(contradicted)
        } else {
            expected
        }
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

/// How many rows to check a detector drops.
fn dropped_rows(detected: &Detected, trials: &Trials<'_>) -> usize {
    let (_, kept) = detected.judged(trials.given(), trials.classes());
    kept.iter().filter(|kept| !**kept).count()
}

/// Whether no matrix of noise explains the labels: either models are poor, or labels are wrong at the boundary of classes.
fn is_unexplained(trials: &Trials<'_>, found: &[(&'static str, &Detected)]) -> bool {
    let known = |name: &str| found.iter().any(|(other, _)| *other == name);
    let probabilities = trials.known_cross_validated();
    let probabilities = probabilities.filter(|_| {
        ["noise-matrix", UNSURE[0], UNSURE[1]]
            .into_iter()
            .all(known)
    });
    probabilities.is_some_and(|p| contradicted_where_unsure(p, trials.given(), trials.classes()))
}

/// Whether the rows to check are contradicted clearly more often than trusted rows that models did not see: by a model of the
/// trusted rows, or by models of the given labels as far as confident learning drops what they contradict.
fn is_wrong_where_unsure(
    probes: &[Vec<Probe>],
    of: &dyn Fn(&str) -> Option<usize>,
    found: &[(&'static str, &Detected)],
    trials: &Trials<'_>,
) -> bool {
    /// Standard errors. Models of all given labels are a little better on trusted rows than on others.
    const CLEARLY: [(&str, f64); 2] = [("agreement", 2.0), (UNSURE[1], 3.5)];
    CLEARLY.into_iter().any(|(name, clearly)| {
        let detected = found.iter().find(|(other, _)| *other == name);
        let (Some(place), Some((_, detected))) = (of(name), detected) else {
            return false;
        };
        let probes = &probes[place];
        let (rows, trusted) = (trials.rows().max(1) as f64, probes.len().max(1) as f64);
        let errs = probes.iter().filter(|probe| !probe.own.1).count() as f64 / trusted;
        let contradicts = dropped_rows(detected, trials) as f64 / rows;
        let variance = errs * (1.0 - errs) / trusted + contradicts * (1.0 - contradicts) / rows;
        contradicts - errs > clearly * variance.sqrt()
    })
}

/// Of the `allowed` candidates the first, or the best one that is better by more than the standard error of the difference,
/// or twice that with few trusted rows, from repeated draws of these rows.
fn best(
    probes: &[Vec<Probe>],
    allowed: &[usize],
    key: Key,
    figure: &dyn Fn(&[Probe]) -> f64,
) -> usize {
    const DRAWS: u64 = 100;
    let Some((&first, others)) = allowed.split_first() else {
        return 0;
    };
    let mut best = (first, 0.0);
    let first = &probes[first];
    for &place in others {
        let other = &probes[place];
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
        let clearly = if first.len() < MANY_TRUSTED { 2.0 } else { 1.0 };
        if better > clearly * error && better > best.1 {
            best = (place, better);
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
    // Wrong labels may depend on the row as was found, or not at all: the truth is somewhere between.
    let mean = probes.iter().map(|probe| probe.wrong).sum::<f64>() / probes.len().max(1) as f64;
    let even: Vec<Probe> = probes
        .iter()
        .map(|probe| Probe {
            wrong: mean,
            ..probe.clone()
        })
        .collect();
    let (even_right, even_wrong) = dropped(&even);
    let otherwise = if probes.len() < MANY_TRUSTED {
        OTHERWISE_FEW
    } else {
        OTHERWISE
    };
    let rates = |dropped: Share, even: Share| {
        let (share, even) = (share(dropped), share(even));
        let share = Interval {
            low: share.low.min(even.low),
            high: share.high.max(even.high),
            ..share
        };
        Interval {
            low: (share.low - otherwise).max(0.0),
            high: (share.high + otherwise).min(1.0),
            ..share
        }
    };
    let (right, wrong) = (rates(right, even_right), rates(wrong, even_wrong));
    let flagged = suspects as f64 / rows.max(1) as f64;
    // flagged = rate · wrong + (1 − rate) · right. If wrong labels are dropped no more often than right ones, that says
    // nothing of the rate.
    let rate = |right: f64, wrong: f64, unknown: f64| {
        if wrong > right {
            ((flagged - right) / (wrong - right)).clamp(0.0, 1.0)
        } else {
            unknown
        }
    };
    let precision = |rate: f64, right: f64| {
        if flagged > 0.0 {
            (1.0 - (1.0 - rate) * right / flagged).clamp(0.0, 1.0)
        } else {
            0.0
        }
    };
    let likely = rate(right.estimate, wrong.estimate, mean);
    let few = rate(right.high, wrong.high, 0.0);
    let many = rate(right.low, wrong.low, 1.0);
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

impl Expected {
    /// Where no matrix explains the labels, wrong ones may be where models are unsure: unlike those that were tried on
    /// trusted rows, they may all be among the dropped rows, or none of them, and as many as a model of the trusted rows
    /// contradicts.
    fn of_unexplained(mut self, contradicted: usize) -> Self {
        self.wrong.high = self.wrong.high.max(contradicted as f64);
        self.precision.high = 1.0;
        self.recall.low = 0.0;
        self
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
        let key = Key::from_seed(0);
        let same = [twice(&good), twice(&good)];
        assert_eq!(best(&same, &[0, 1], key, &auc), 0);
        let better = [twice(&chance), twice(&good)];
        assert_eq!(best(&better, &[0, 1], key, &auc), 1);
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

    /// A detector that drops right labels as often as wrong ones does not tell how many are wrong.
    #[test]
    fn what_drops_anything_tells_nothing() {
        let probes: Vec<Probe> = (0..200)
            .map(|row| {
                let p = if row % 2 == 0 { 0.1 } else { 0.9 };
                probe(p, p)
            })
            .collect();
        let found = expected(&probes, 680, 1000);
        assert_eq!((found.wrong.low, found.wrong.high), (0.0, 1000.0));
        assert_eq!(found.wrong.estimate, 500.0);
        assert!(found.precision.low < 0.3 && found.precision.high == 1.0);
    }

    /// Wrong labels that no trusted row shows are within what is expected, not excluded.
    #[test]
    fn what_cannot_be_told_is_not_excluded() {
        let probes: Vec<Probe> = (0..200)
            .map(|row| probe(if row % 5 == 0 { 0.1 } else { 0.9 }, 0.1))
            .collect();
        let known = expected(&probes, 60, 1000);
        assert_eq!((known.wrong.high, known.precision.high), (0.0, 0.0));
        assert!(known.recall.low > 0.9);
        let unknown = known.of_unexplained(150);
        assert_eq!((unknown.wrong.high, unknown.precision.high), (150.0, 1.0));
        assert_eq!(unknown.recall.low, 0.0);
        assert_eq!(unknown.wrong.estimate, known.wrong.estimate);
    }
}
