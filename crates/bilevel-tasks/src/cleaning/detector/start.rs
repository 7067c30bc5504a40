//! The model from which self-training starts.

use super::held::Mistakes;
use super::trials::{Stage, Trials};
use crate::Error;
use crate::cleaning::together::Together;
use crate::stream::BASELINE;

/// Folds of the trusted rows.
const FOLDS: usize = 3;

/// Separates the draw of the folds from other draws of its stream.
const DRAWN: u64 = 600;

/// How much the model of the given labels counts, and that of the trusted rows.
const PAIRS: [(f64, f64); 7] = [
    (1.0, 1.0),
    (1.0, 0.5),
    (1.0, 0.25),
    (1.0, 0.0),
    (0.5, 1.0),
    (0.25, 1.0),
    (0.0, 1.0),
];

/// Models may be too sure or not sure enough: their logarithms are scaled.
const SCALES: [f64; 5] = [0.125, 0.25, 0.5, 1.0, 2.0];

/// What is known of each row before self-training: the product of a model of the given labels and of one of the trusted
/// rows, as both know something: few trusted rows make a poor model, many wrong labels another one. How much each counts
/// is what fits trusted rows best that neither saw, where these are few.
pub(super) fn start(trials: &Trials<'_>) -> Result<Vec<f32>, Error> {
    let mut probabilities = trials.cross_validated()?.to_vec();
    if trials.trusted().next().is_none() {
        return Ok(probabilities);
    }
    let (given, trusted) = if trials.few_trusted() {
        best(trials)?
    } else {
        PAIRS[0]
    };
    let of_trusted = trials.trusted_only()?;
    let both = probabilities.iter_mut().zip(of_trusted.iter());
    if (given, trusted) == PAIRS[0] {
        both.for_each(|(p, trusted)| *p *= trusted);
    } else {
        both.for_each(|(p, &of_trusted)| {
            let power = |p: f32, power: f64| f64::from(p).powf(power);
            *p = (power(*p, given) * power(of_trusted, trusted)) as f32;
        });
    }
    Ok(probabilities)
}

/// The pair with which trusted rows that neither model saw are most probable.
fn best(trials: &Trials<'_>) -> Result<(f64, f64), Error> {
    let classes = trials.classes();
    let trusted: Vec<(usize, u32)> = trials.trusted().collect();
    if trusted.len() < FOLDS {
        return Ok(PAIRS[0]);
    }
    let targets = trials.targets(|_| true);
    let training = trials.training_at(Stage::Start, &targets, Mistakes::AtRandom)?;
    // The logarithms of both models' probabilities, and the class.
    let mut held_out: Vec<(Vec<f64>, Vec<f64>, usize)> = Vec::new();
    let groups = trials.groups_of(trusted.iter().map(|&(row, _)| row));
    let key = trials.trainer().key.stream(BASELINE).fold_in(DRAWN);
    for part in Together(groups.as_deref()).parts(trusted.len(), FOLDS, key) {
        let held: Vec<(usize, u32)> = part.into_iter().map(|place| trusted[place]).collect();
        let rows: Vec<usize> = held.iter().map(|&(row, _)| row).collect();
        let without = trials.without(&rows);
        let of_given = without.fit(without.targets(|_| true), training)?;
        let of_given = without.of_trusted_rows(&of_given)?;
        let of_trusted = without.trusted_only()?;
        for (row, label) in held {
            let start = (trials.rows() + row) * classes;
            let logarithms = |p: &[f32]| p.iter().map(|&p| f64::from(p).max(1e-30).ln()).collect();
            held_out.push((
                logarithms(&of_given[row * classes..(row + 1) * classes]),
                logarithms(&of_trusted[start..start + classes]),
                label as usize,
            ));
        }
    }
    let surprise = |(given, trusted): (f64, f64), scale: f64| -> f64 {
        let of_row = |(of_given, of_trusted, label): &(Vec<f64>, Vec<f64>, usize)| {
            let pairs = of_given.iter().zip(of_trusted);
            let logits: Vec<f64> = pairs
                .map(|(g, t)| scale * (given * g + trusted * t))
                .collect();
            let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = logits.iter().map(|logit| (logit - largest).exp()).sum();
            sum.ln() + largest - logits[*label]
        };
        held_out.iter().map(of_row).sum()
    };
    let least = |pair| {
        let surprises = SCALES.into_iter().map(|scale| surprise(pair, scale));
        surprises.fold(f64::INFINITY, f64::min)
    };
    let mut best = (least(PAIRS[0]), PAIRS[0]);
    for pair in PAIRS {
        let surprise = least(pair);
        if surprise < best.0 {
            best = (surprise, pair);
        }
    }
    Ok(best.1)
}

#[cfg(test)]
mod tests {
    use super::super::trials::drawn::{drawn, of, trainer};
    use super::*;
    use crate::cleaning::CleaningData;
    use crate::corruption::CorruptionKind;
    use crate::data::groups::Groups;
    use crate::model::predictions;

    fn data(trusted: usize, rate: f64) -> CleaningData {
        drawn(600, trusted, CorruptionKind::Pairwise, rate)
    }

    fn trials(data: &CleaningData) -> Trials<'_> {
        of(data, trainer())
    }

    /// Good labels count where few rows are trusted; trusted rows where nearly all labels are wrong.
    #[test]
    fn the_better_model_counts_more() {
        let few = data(20, 0.1);
        let (given, trusted) = best(&trials(&few)).unwrap();
        assert!(given > trusted, "{given} {trusted}");
        let wrong = data(120, 0.9);
        let (given, trusted) = best(&trials(&wrong)).unwrap();
        assert!(given < trusted, "{given} {trusted}");
    }

    /// A model of the trusted rows knows copies of them; whether it knows other rows is what counts.
    #[test]
    fn copies_in_a_group_say_nothing() {
        let of = data(12, 0.1);
        let copies: Vec<usize> = (0..120).map(|row| row % 12).collect();
        let copied = of.trusted().select(&copies).unwrap();
        let plain = CleaningData::new(of.train().clone(), None, copied, None).unwrap();
        let names: Vec<String> = (0..600).chain(copies).map(|row| row.to_string()).collect();
        let (given, trusted) = best(&trials(&plain)).unwrap();
        assert!(given <= trusted, "{given} {trusted}");
        let groups = Groups::new(names.iter().map(String::as_str));
        let grouped = plain.with_groups(groups).unwrap();
        let (given, trusted) = best(&trials(&grouped)).unwrap();
        assert!(given > trusted, "{given} {trusted}");
    }

    /// Rows that a trial holds out are there all the same.
    #[test]
    fn few_are_counted_with_those_that_are_held_out() {
        let held: Vec<usize> = (0..50).collect();
        for (rows, few) in [(149, true), (150, false)] {
            let data = data(rows, 0.1);
            assert_eq!(trials(&data).without(&held).few_trusted(), few);
        }
    }

    /// It begins with fewer wrong classes than the product does.
    #[test]
    fn a_poor_model_does_no_harm() {
        let data = data(20, 0.1);
        let trials = trials(&data);
        let errors = |probabilities: &[f32]| {
            let predicted = predictions(probabilities, 10);
            let pairs = predicted.iter().zip(data.true_labels().unwrap());
            pairs
                .filter(|(predicted, truth)| predicted != truth)
                .count()
        };
        let of_given = trials.cross_validated().unwrap();
        let of_trusted = trials.trusted_only().unwrap();
        let product: Vec<f32> = of_given
            .iter()
            .zip(of_trusted.iter())
            .map(|(a, b)| a * b)
            .collect();
        let (begins, product) = (errors(&start(&trials).unwrap()), errors(&product));
        assert!(begins < product, "{begins} {product}");
    }
}
