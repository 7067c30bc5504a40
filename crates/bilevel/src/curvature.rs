//! The curvature that training meets, and the step size that follows from it.

use std::time::Instant;

use crate::error::require;
use crate::vector::{all_finite, axpy, norm};
use crate::{Draw, Error, Key, Objective, Quantity, Result, Scalar};

/// The largest absolute eigenvalue of ∇²_yy h(x, y; draw), by power iteration from a vector that `key` draws: a lower
/// bound, within a few per cent after a dozen products. Costs one second-order product each; 0 where h is linear.
///
/// ```
/// use bilevel::{Closures, Draw, Key, curvature};
/// // h = (3 y₀² + y₁²)/2
/// let h = Closures::<f64>::new(1, 2, |_, y, _| (3.0 * y[0] * y[0] + y[1] * y[1]) / 2.0,
///     |_, y, _, out| { out[0] += 3.0 * y[0]; out[1] += y[1]; })
///     .with_second_order(|_, _, _, v, y_bar, _| { y_bar[0] += 3.0 * v[0]; y_bar[1] += v[1]; },
///         |_, _, _, _, dy, out| { out[0] += 3.0 * dy[0]; out[1] += dy[1]; });
/// let found = curvature::at_point(&h, &[0.0], &[1.0, 1.0], Draw::All, Key::from_seed(0), 20)?;
/// assert!((found - 3.0).abs() < 1e-6);
/// # Ok::<(), bilevel::Error>(())
/// ```
///
/// # Errors
/// [`Error::NoPush`] or [`Error::NoSecondOrder`] if h has no second-order product `push`;
/// [`Error::NonFinite`] if a product is not finite.
pub fn at_point<T: Scalar>(
    objective: &dyn Objective<T>,
    x: &[T],
    y: &[T],
    draw: Draw,
    key: Key,
    products: usize,
) -> Result<f64> {
    until(objective, x, (y, draw), key, products, None)
}

/// The same, of fewer products if the time ends before.
fn until<T: Scalar>(
    objective: &dyn Objective<T>,
    x: &[T],
    (y, draw): (&[T], Draw),
    key: Key,
    products: usize,
    end: Option<Instant>,
) -> Result<f64> {
    const NEEDED_BY: &str = "the curvature";
    let role = crate::Role::Inner;
    if !objective.has_second_order() {
        return Err(Error::NoSecondOrder {
            role,
            needed_by: NEEDED_BY,
        });
    }
    if !objective.has_push() {
        return Err(Error::NoPush {
            role,
            needed_by: NEEDED_BY,
        });
    }
    let mut handle = objective.at(x)?;
    let no_x = vec![T::zero(); x.len()];
    let mut v: Vec<T> = key.normals().take(y.len()).map(T::from_f64).collect();
    let mut product = vec![T::zero(); y.len()];
    let mut largest = 0.0;
    for _ in 0..products {
        let length = norm(&v);
        if length == 0.0 {
            break;
        }
        let scale = T::from_f64(1.0 / length);
        v.iter_mut().for_each(|v| *v *= scale);
        product.fill(T::zero());
        if let Some(second) = handle.second_order() {
            second.push(y, draw, &no_x, &v, &mut product)?;
        }
        largest = norm(&product);
        if !largest.is_finite() {
            return Err(Error::NonFinite {
                what: Quantity::Figure("a second-order product"),
                inner_step: None,
                outer_step: None,
            });
        }
        if passed(end) {
            break;
        }
        std::mem::swap(&mut v, &mut product);
    }
    Ok(largest)
}

fn passed(end: Option<Instant>) -> bool {
    end.is_some_and(|end| Instant::now() >= end)
}

/// Training that is followed to find the largest curvature on its way.
///
/// | setting | default | range | purpose |
/// |---|---|---|---|
/// | `steps` | 100 | at least 1 | steps of gradient descent |
/// | `products` | 12 | at least 1 | products of each power iteration |
/// | `batches` | 0 | | mini-batches whose curvatures count beside that of all rows |
/// | `until` | never | | the search ends then, with twice what it has found: a guess |
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Followed {
    /// Steps of gradient descent.
    pub steps: usize,
    /// Products of each power iteration.
    pub products: usize,
    /// Mini-batches at each point, for objectives that have them.
    pub batches: u64,
    /// The search ends then, with twice what it has found: a guess.
    pub until: Option<Instant>,
}

impl Default for Followed {
    fn default() -> Self {
        Self {
            steps: 100,
            products: 12,
            batches: 0,
            until: None,
        }
    }
}

impl Followed {
    /// The largest curvature of the objectives on the way of gradient descent on the first of them, from `start`, with
    /// steps of one over the largest curvature so far; it is looked at after 0, 1, 2, 5, 10, 20, 50, … steps. If the
    /// objective ends above its start, or stops being finite, training begins again with twice the curvature.
    /// The same arguments give the same bits, unless the time ends before. None where no finite curvature above zero was found.
    ///
    /// # Errors
    /// As [`at_point`], a setting out of range, or an objective that fails.
    pub fn largest<T: Scalar>(
        &self,
        objectives: &[&dyn Objective<T>],
        x: &[T],
        start: &[T],
        key: Key,
    ) -> Result<Option<f64>> {
        /// How often training begins again.
        const TRIES: usize = 40;
        require(self.steps >= 1, "steps", "at least 1", self.steps)?;
        require(self.products >= 1, "products", "at least 1", self.products)?;
        let Some(first) = objectives.first() else {
            return Ok(None);
        };
        let look = |y: &[T], step: usize| self.look(objectives, x, y, key.fold_in(step as u64));
        let mut largest = look(start, 0)?;
        if largest == 0.0 {
            return Ok(None);
        }
        let guess = |largest: f64| Ok(Some(2.0 * largest).filter(|guess| guess.is_finite()));
        if passed(self.until) {
            return guess(largest);
        }
        let mut handle = first.at(x)?;
        let before = handle.value(start, Draw::All)?;
        let mut gradient = vec![T::zero(); start.len()];
        for _ in 0..TRIES {
            let mut y = start.to_vec();
            let mut finite = true;
            for step in 1..=self.steps {
                handle.grad_y(&y, Draw::All, &mut gradient)?;
                axpy(T::from_f64(-1.0 / largest), &gradient, &mut y);
                finite = all_finite(&y);
                if !finite {
                    break;
                }
                if is_looked_at(step) || step == self.steps {
                    largest = largest.max(look(&y, step)?);
                }
                if passed(self.until) {
                    return guess(largest);
                }
            }
            if finite && handle.value(&y, Draw::All)? <= before {
                return Ok(Some(largest).filter(|largest| largest.is_finite()));
            }
            largest *= 2.0;
        }
        Ok(None)
    }

    /// The largest curvature of any of them at a point.
    fn look<T: Scalar>(
        &self,
        objectives: &[&dyn Objective<T>],
        x: &[T],
        y: &[T],
        key: Key,
    ) -> Result<f64> {
        let batches = (0..self.batches).map(|step| Draw::Step { key, step });
        let mut largest = 0.0_f64;
        for draw in std::iter::once(Draw::All).chain(batches) {
            for objective in objectives {
                let at = (y, draw);
                let found = until(*objective, x, at, key, self.products, self.until)?;
                largest = largest.max(found);
                if passed(self.until) {
                    return Ok(largest);
                }
            }
        }
        Ok(largest)
    }
}

/// 1, 2, 5, 10, 20, 50, 100, …
fn is_looked_at(step: usize) -> bool {
    let mut decade = 1;
    while decade * 10 <= step {
        decade *= 10;
    }
    [1, 2, 5].contains(&(step / decade)) && step.is_multiple_of(decade)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Closures;

    #[test]
    fn steps_that_are_looked_at() {
        let looked: Vec<usize> = (1..=120).filter(|&step| is_looked_at(step)).collect();
        assert_eq!(looked, [1, 2, 5, 10, 20, 50, 100]);
    }

    /// h = cosh(y) is steeper the farther out: the largest curvature on the way down from 3 is that of the start.
    #[test]
    fn the_steepest_point_counts() {
        let h = Closures::<f64>::new(
            0,
            1,
            |_, y, _| y[0].cosh(),
            |_, y, _, out| out[0] += y[0].sinh(),
        )
        .with_second_order(
            |_, y, _, v, y_bar, _| y_bar[0] += y[0].cosh() * v[0],
            |_, y, _, _, dy, out| out[0] += y[0].cosh() * dy[0],
        );
        let followed = Followed::default();
        let key = Key::from_seed(1);
        let found = followed.largest(&[&h], &[], &[3.0], key).unwrap().unwrap();
        assert!((found - 3.0_f64.cosh()).abs() < 1e-9, "{found}");
        // y⁴ is flat where training starts, and steeper where it arrives.
        let climbing = Closures::<f64>::new(
            0,
            1,
            |_, y, _| (y[0] - 2.0).powi(2) * (1.0 + y[0] * y[0]),
            |_, y, _, out| {
                out[0] +=
                    2.0 * (y[0] - 2.0) * (1.0 + y[0] * y[0]) + 2.0 * y[0] * (y[0] - 2.0).powi(2);
            },
        )
        .with_second_order(
            |_, y, _, v, y_bar, _| {
                y_bar[0] += (12.0 * y[0] * y[0] - 24.0 * y[0] + 10.0) * v[0];
            },
            |_, y, _, _, dy, out| out[0] += (12.0 * y[0] * y[0] - 24.0 * y[0] + 10.0) * dy[0],
        );
        let found = followed
            .largest(&[&climbing], &[], &[0.5], key)
            .unwrap()
            .unwrap();
        // At 2, where it ends, the second derivative is 10; at the start it is 1.
        assert!((9.9..30.0).contains(&found), "{found}");
    }

    /// Without time there is one product, and a guess.
    #[test]
    fn the_search_ends_with_its_time() {
        let h = Closures::<f64>::new(
            0,
            1,
            |_, y, _| 1.5 * y[0] * y[0],
            |_, y, _, out| out[0] += 3.0 * y[0],
        )
        .with_second_order(
            |_, _, _, v, y_bar, _| y_bar[0] += 3.0 * v[0],
            |_, _, _, _, dy, out| out[0] += 3.0 * dy[0],
        );
        let followed = Followed {
            until: Some(Instant::now()),
            ..Followed::default()
        };
        let key = Key::from_seed(1);
        let guess = followed.largest(&[&h], &[], &[1.0], key).unwrap().unwrap();
        assert!((guess - 6.0).abs() < 1e-12, "{guess}");
    }

    #[test]
    fn a_line_has_no_curvature() {
        let h =
            crate::toys::linear().with_second_order(|_, _, _, _, _, _| (), |_, _, _, _, _, _| ());
        let found = Followed::default().largest(&[&h], &[0.0], &[0.0], Key::from_seed(0));
        assert_eq!(found.unwrap(), None);
    }
}
