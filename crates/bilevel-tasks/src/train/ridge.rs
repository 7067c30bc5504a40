//! How small the weights of a model are kept, and how rows that it does not see choose that.

use std::ops::Range;

use bilevel::Layout;

use crate::Error;
use crate::data::{Dataset, FeatureValues};
use crate::model::Real;

/// What is tried, in units of [`unit`].
pub(crate) const FACTORS: [f64; 4] = [0.0, 0.002, 0.02, 0.2];

/// The place of what is tried first.
pub(crate) const MIDDLE: usize = 2;

/// With more rows for each column, weights need not be kept small.
const MANY: usize = 100;

/// What ridges are measured in for these features and so many rows to train on: the mean square of a feature. `None`
/// where rows are so many that none is needed.
pub(crate) fn unit(features: &Dataset, rows: usize) -> Option<f64> {
    if rows >= MANY * features.columns() {
        return None;
    }
    let stored: &[f32] = match features.values() {
        FeatureValues::Dense(values) => values,
        FeatureValues::Sparse(sparse) => &sparse.values,
    };
    let squares: f64 = stored.iter().map(|&value| f64::from(value).powi(2)).sum();
    let unit = squares / (features.rows() * features.columns()).max(1) as f64;
    Some(unit).filter(|unit| unit.is_finite() && *unit > 0.0)
}

/// On which side of the best factor so far another one is.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Side {
    /// It is larger.
    Stronger,
    /// It is smaller.
    Weaker,
}

/// The place of the best factor of [`FACTORS`], and what `of` has found with it: from one place on, as long as the next
/// factor is better than the one before; if the next larger one is not, as long as the next smaller one is.
pub(crate) fn climb<F>(
    from: usize,
    mut of: impl FnMut(f64) -> Result<F, Error>,
    better: impl Fn(&F, &F, Side) -> bool,
) -> Result<(usize, F), Error> {
    let mut best = (from, of(FACTORS[from])?);
    let mut along = |places: &mut dyn Iterator<Item = usize>, side, best: &mut (usize, F)| {
        for place in places {
            let found = of(FACTORS[place])?;
            if !better(&found, &best.1, side) {
                break;
            }
            *best = (place, found);
        }
        Ok::<_, Error>(())
    };
    along(&mut (from + 1..FACTORS.len()), Side::Stronger, &mut best)?;
    if best.0 == from {
        along(&mut (0..from).rev(), Side::Weaker, &mut best)?;
    }
    Ok(best)
}

/// R‖w‖²/2, where w are the parameters without biases.
pub(super) struct Ridge {
    factor: f64,
    weights: Vec<Range<usize>>,
}

impl Ridge {
    pub(super) fn new(factor: f64, layout: &Layout) -> Self {
        let parts = layout.parts().iter();
        let weights = parts.filter(|part| !part.name.ends_with("bias"));
        Self {
            factor,
            weights: match factor > 0.0 {
                true => weights
                    .map(|part| part.start..part.start + part.len())
                    .collect(),
                false => Vec::new(),
            },
        }
    }

    pub(super) fn value<T: Real>(&self, y: &[T]) -> T {
        let weights = self.weights.iter().flat_map(|range| &y[range.clone()]);
        let squares: f64 = weights.map(|&w| w.to_double().powi(2)).sum();
        T::from_f64(squares * self.factor / 2.0)
    }

    pub(super) fn add_gradient<T: Real>(&self, y: &[T], gradient: &mut [T]) {
        let factor = T::from_f64(self.factor);
        for range in &self.weights {
            let weights = gradient[range.clone()].iter_mut().zip(&y[range.clone()]);
            weights.for_each(|(gradient, &w)| *gradient += factor * w);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The factor that is found for these losses, and which factors were tried.
    fn climbed(
        losses: [f64; 4],
        better: impl Fn(&(f64, f64), &(f64, f64), Side) -> bool,
    ) -> (f64, Vec<f64>) {
        let mut tried = Vec::new();
        let of = |factor| {
            tried.push(factor);
            let place = FACTORS.iter().position(|other| *other == factor).unwrap();
            Ok((losses[place], factor))
        };
        let (place, (_, found)) = climb(MIDDLE, of, better).unwrap();
        assert_eq!(FACTORS[place], found);
        (found, tried)
    }

    #[test]
    fn the_best_factor_is_found_without_trying_all() {
        let lower = |losses| climbed(losses, |found, best, _| found.0 < best.0);
        assert_eq!(lower([4.0, 3.0, 2.0, 1.0]), (0.2, vec![0.02, 0.2]));
        let middle = (0.02, vec![0.02, 0.2, 0.002]);
        assert_eq!(lower([3.0, 2.0, 1.0, 2.0]), middle);
        // Between equal ones, the first that was tried.
        assert_eq!(lower([1.0; 4]), middle);
        assert_eq!(lower([f64::NAN, f64::NAN, 1.0, f64::NAN]), middle);
        let all = vec![0.02, 0.2, 0.002, 0.0];
        assert_eq!(lower([1.0, 2.0, 3.0, 4.0]), (0.0, all.clone()));
        assert_eq!(lower([2.0, 1.0, 3.0, 4.0]), (0.002, all));
        let broken = climb(0, |_| Err::<(), _>(Error::NoRows), |(), (), _| true);
        assert!(broken.is_err());
    }

    /// Smaller factors may have to be better by more than larger ones.
    #[test]
    fn sides_are_told_apart() {
        let by_two = |losses| {
            climbed(losses, |found, best, side| match side {
                Side::Stronger => found.0 < best.0,
                Side::Weaker => found.0 < best.0 - 2.0,
            })
        };
        assert_eq!(by_two([2.0, 3.0, 4.0, 5.0]).0, 0.02);
        assert_eq!(by_two([2.0, 1.0, 4.0, 5.0]).0, 0.002);
        assert_eq!(by_two([2.0, 3.0, 4.0, 3.5]), (0.2, vec![0.02, 0.2]));
    }

    #[test]
    fn biases_are_left_alone() {
        let layout = Layout::new([
            ("hidden weight", vec![2]),
            ("hidden bias", vec![1]),
            ("weight", vec![1]),
            ("bias", vec![1]),
        ]);
        let ridge = Ridge::new(0.5, &layout);
        let y = [1.0, 2.0, 10.0, 3.0, 20.0];
        assert_eq!(ridge.value(&y), 0.25 * (1.0 + 4.0 + 9.0));
        let mut gradient = [1.0; 5];
        ridge.add_gradient(&y, &mut gradient);
        assert_eq!(gradient, [1.5, 2.0, 1.0, 2.5, 1.0]);
        let none = Ridge::new(0.0, &layout);
        none.add_gradient(&[f64::INFINITY; 5], &mut gradient);
        assert_eq!(gradient, [1.5, 2.0, 1.0, 2.5, 1.0]);
    }

    #[test]
    fn the_unit_is_that_of_the_features() {
        let features = |scale: f32| {
            let features = (0..12).map(|number| scale * number as f32).collect();
            let names = vec!["a".to_owned(), "b".to_owned()];
            Dataset::new(features, 3, vec![0, 1, 0, 1], names).unwrap()
        };
        let squares: f64 = (0..12).map(|number| f64::from(number).powi(2)).sum();
        assert_eq!(unit(&features(1.0), 4), Some(squares / 12.0));
        assert_eq!(unit(&features(2.0), 4), Some(4.0 * squares / 12.0));
        assert_eq!(unit(&features(0.0), 4), None);
        assert_eq!(unit(&features(1.0), 300), None);
        assert!(unit(&features(1.0), 299).is_some());
    }
}
