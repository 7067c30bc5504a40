//! Wrong labels introduced on purpose, to measure how well they are found.

mod kind;

pub use kind::CorruptionKind;

use std::str::FromStr;

use bilevel::Key;
use rand::RngExt;
use rand::seq::SliceRandom;

use crate::Error;
use crate::data::check_labels;

impl FromStr for CorruptionKind {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| Error::CorruptionKind {
                name: name.to_owned(),
            })
    }
}

/// A model of wrong labels.
///
/// | setting | default | range | purpose |
/// |---|---|---|---|
/// | `kind` | `other` | | what a corrupted label becomes |
/// | `rate` | 0 | 0 … 1 | share of rows chosen, exactly round(rate · rows) |
///
/// ```
/// use bilevel::Key;
/// use bilevel_tasks::stream::CORRUPTION;
/// use bilevel_tasks::corruption::{Corruption, CorruptionKind};
/// let corruption = Corruption { kind: CorruptionKind::Pairwise, rate: 0.5 };
/// let key = Key::from_seed(0).stream(CORRUPTION);
/// let corrupted = corruption.apply(&[0, 1, 2, 2], 3, key)?;
/// assert_eq!(corrupted.wrong.iter().filter(|&&wrong| wrong).count(), 2);
/// # Ok::<(), bilevel_tasks::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Default, Debug)]
pub struct Corruption {
    /// What a corrupted label becomes.
    pub kind: CorruptionKind,
    /// Share of rows chosen, from 0 to 1.
    pub rate: f64,
}

/// Labels after corruption, and which of them are wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Corrupted {
    /// The given label of each row.
    pub labels: Vec<u32>,
    /// Whether the given label of each row differs from its true one.
    pub wrong: Vec<bool>,
}

impl Corruption {
    /// Checks the settings.
    ///
    /// # Errors
    /// A rate that is not a number from 0 to 1.
    pub fn validate(&self) -> Result<(), Error> {
        if (0.0..=1.0).contains(&self.rate) {
            Ok(())
        } else {
            Err(Error::Rate { rate: self.rate })
        }
    }

    /// Corrupts the labels of exactly round(rate · rows) rows, drawn without replacement.
    ///
    /// The draws depend only on `key`, which is used unchanged: pass the
    /// [`CORRUPTION`](crate::stream::CORRUPTION) stream of the run's key.
    ///
    /// # Errors
    /// A rate that is not a number from 0 to 1, a label that is not below `classes`, and
    /// fewer than two classes unless the kind is [`Uniform`](CorruptionKind::Uniform).
    pub fn apply(&self, labels: &[u32], classes: usize, key: Key) -> Result<Corrupted, Error> {
        self.validate()?;
        check_labels(labels, classes)?;
        if classes < 2 && self.kind != CorruptionKind::Uniform {
            return Err(Error::TooFewClasses {
                kind: self.kind,
                classes,
            });
        }
        let mut rng = key.rng();
        let mut rows: Vec<usize> = (0..labels.len()).collect();
        let amount = (self.rate * labels.len() as f64).round() as usize;
        let (chosen, _) = rows.partial_shuffle(&mut rng, amount);

        let mut given = labels.to_vec();
        // 64 bits, so that the draws are the same on every machine.
        let classes = classes as u64;
        for &row in &*chosen {
            let ahead = match self.kind {
                CorruptionKind::Other => rng.random_range(1..classes),
                CorruptionKind::Uniform => rng.random_range(0..classes),
                CorruptionKind::Pairwise => 1,
            };
            given[row] = ((u64::from(labels[row]) + ahead) % classes) as u32;
        }
        let wrong = given.iter().zip(labels).map(|(a, b)| a != b).collect();
        Ok(Corrupted {
            labels: given,
            wrong,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kinds() -> impl Strategy<Value = CorruptionKind> {
        proptest::sample::select(CorruptionKind::ALL.to_vec())
    }

    fn count(flags: &[bool]) -> usize {
        flags.iter().filter(|&&flag| flag).count()
    }

    proptest! {
        #[test]
        fn laws(
            kind in kinds(),
            rate in 0.0..=1.0,
            classes in 2_usize..6,
            seed: u64,
            labels in proptest::collection::vec(0_u32..2, 0..200),
        ) {
            let corruption = Corruption { kind, rate };
            let key = Key::from_seed(seed);
            let corrupted = corruption.apply(&labels, classes, key).unwrap();
            prop_assert_eq!(&corrupted, &corruption.apply(&labels, classes, key).unwrap());

            let chosen = (rate * labels.len() as f64).round() as usize;
            if kind == CorruptionKind::Uniform {
                prop_assert!(count(&corrupted.wrong) <= chosen);
            } else {
                prop_assert_eq!(count(&corrupted.wrong), chosen);
            }
            for ((&given, &label), &wrong) in corrupted.labels.iter().zip(&labels).zip(&corrupted.wrong) {
                prop_assert!((given as usize) < classes);
                prop_assert_eq!(given != label, wrong);
                if kind == CorruptionKind::Pairwise && wrong {
                    prop_assert_eq!(given as usize, (label as usize + 1) % classes);
                }
            }
        }
    }

    /// 50 000 labels of class 3 of 5, half of them chosen: counts how often each class occurs.
    fn histogram(kind: CorruptionKind) -> [usize; 5] {
        let corruption = Corruption { kind, rate: 0.5 };
        let corrupted = corruption
            .apply(&[3; 50_000], 5, Key::from_seed(1))
            .unwrap();
        let mut counts = [0; 5];
        for label in corrupted.labels {
            counts[label as usize] += 1;
        }
        counts
    }

    fn near(found: usize, expected: usize) -> bool {
        // Five standard deviations of a count of about 6 000 in 25 000.
        found.abs_diff(expected) < 350
    }

    #[test]
    fn other_draws_among_the_other_classes_alike() {
        let [a, b, c, right, e] = histogram(CorruptionKind::Other);
        assert_eq!(right, 25_000);
        assert!(
            [a, b, c, e].iter().all(|&x| near(x, 6250)),
            "{a} {b} {c} {e}"
        );
    }

    #[test]
    fn uniform_draws_among_all_classes_alike() {
        let [a, b, c, right, e] = histogram(CorruptionKind::Uniform);
        assert!(near(right - 25_000, 5000), "{right}");
        assert!(
            [a, b, c, e].iter().all(|&x| near(x, 5000)),
            "{a} {b} {c} {e}"
        );
    }

    #[test]
    fn pairwise_goes_to_the_next_class() {
        assert_eq!(
            histogram(CorruptionKind::Pairwise),
            [0, 0, 0, 25_000, 25_000]
        );
        let corruption = Corruption {
            kind: CorruptionKind::Pairwise,
            rate: 1.0,
        };
        let corrupted = corruption.apply(&[0, 1, 2], 3, Key::from_seed(0)).unwrap();
        assert_eq!(corrupted.labels, [1, 2, 0]);
    }

    #[test]
    fn every_row_is_chosen_as_often() {
        let corruption = Corruption {
            kind: CorruptionKind::Other,
            rate: 0.3,
        };
        let mut counts = [0; 10];
        for seed in 0..10_000 {
            let corrupted = corruption.apply(&[0; 10], 2, Key::from_seed(seed)).unwrap();
            for (count, wrong) in counts.iter_mut().zip(corrupted.wrong) {
                *count += usize::from(wrong);
            }
        }
        assert!(counts.iter().all(|&x| near(x, 3000)), "{counts:?}");
    }

    /// Golden values: a change here changes the wrong labels of every run.
    #[test]
    fn golden_values() {
        let corruption = Corruption {
            kind: CorruptionKind::Other,
            rate: 0.5,
        };
        let corrupted = corruption.apply(&[0; 12], 10, Key::from_seed(42)).unwrap();
        assert_eq!(corrupted.labels, [0, 3, 1, 0, 9, 0, 0, 4, 6, 0, 3, 0]);
    }

    #[test]
    fn rates_and_classes_are_checked() {
        let apply = |kind, rate, labels: &[u32], classes| {
            Corruption { kind, rate }
                .apply(labels, classes, Key::from_seed(0))
                .map_err(|error| error.to_string())
        };
        for (rate, shown) in [(-0.1, "-0.1"), (1.5, "1.5"), (f64::NAN, "NaN")] {
            assert_eq!(
                apply(CorruptionKind::Other, rate, &[0], 2).unwrap_err(),
                format!("corruption rate: expected a number from 0 to 1, found {shown}")
            );
        }
        for kind in [CorruptionKind::Other, CorruptionKind::Pairwise] {
            assert_eq!(
                apply(kind, 0.5, &[0], 1).unwrap_err(),
                format!("corruption {kind}: expected at least 2 classes, found 1")
            );
        }
        let same = apply(CorruptionKind::Uniform, 1.0, &[0, 0], 1).unwrap();
        assert_eq!(same.wrong, [false, false]);
        assert_eq!(
            apply(CorruptionKind::Other, 0.5, &[0, 2], 2).unwrap_err(),
            "row 1: expected a class index below 2, found 2"
        );
    }

    #[test]
    fn names_are_read_and_shown() {
        for kind in CorruptionKind::ALL {
            assert_eq!(kind.to_string().parse::<CorruptionKind>().unwrap(), kind);
        }
        assert_eq!(
            "Other".parse::<CorruptionKind>().unwrap_err().to_string(),
            "corruption: expected other, uniform or pairwise, found \"Other\""
        );
    }
}
