//! The sets that a variable can be kept in.

use crate::bounds::Bounds;
use crate::error::{positive, require};
use crate::vector::{axpy, dot, norm};
use crate::{Result, Scalar};

/// A closed convex set that is easy to project onto.
#[derive(Clone, PartialEq, Debug, Default)]
pub enum Set<T> {
    /// No constraint.
    #[default]
    All,
    /// Lower and upper bounds.
    Box(Bounds<T>),
    /// ‖z‖₂ ≤ radius.
    Ball {
        /// Positive.
        radius: f64,
    },
    /// z ≥ 0 and Σ z = total.
    Simplex {
        /// Positive.
        total: f64,
    },
}

impl<T: Scalar> Set<T> {
    /// Projects z onto the set. A NaN stays NaN, so that it is found later.
    pub fn project(&self, z: &mut [T]) {
        let mut note = T::one();
        self.project_noting(z, std::slice::from_mut(&mut note));
    }

    /// How many numbers [`Set::project_noting`] stores: one for a ball, none for the others.
    #[must_use]
    pub fn note_len(&self) -> usize {
        usize::from(matches!(self, Self::Ball { .. }))
    }

    /// [`Set::project`], and stores what [`Set::derivative`] needs in addition to the result: for a
    /// ball, the factor min(radius / ‖z‖, 1).
    pub fn project_noting(&self, z: &mut [T], note: &mut [T]) {
        match self {
            Self::All => {}
            Self::Box(bounds) => bounds.project(z),
            Self::Ball { radius } => {
                let size = norm(z);
                let mut factor = T::one();
                if size > *radius {
                    factor = T::from_f64(radius / size);
                    z.iter_mut().for_each(|z| *z *= factor);
                }
                note.fill(factor);
            }
            Self::Simplex { total } => project_simplex(*total, z),
        }
    }

    /// `v = J v` with the derivative J of the projection, from its result and the numbers that
    /// [`Set::project_noting`] stored. J is symmetric, so this is also the transposed derivative.
    ///
    /// | set | J v |
    /// |---|---|
    /// | all | v |
    /// | box | v where the number lies between its bounds, 0 on a bound |
    /// | ball | v inside; r/‖z‖ · (v − p ⟨p, v⟩ / ‖p‖²) where z was outside |
    /// | simplex | v − mean of v over the positive numbers there, 0 at the others |
    ///
    /// At a kink of the projection, this is one of its generalised derivatives: an element
    /// that reaches its bound, or the zero of the simplex, counts as held there; a z on the
    /// sphere counts as inside.
    pub fn derivative(&self, projected: &[T], note: &[T], v: &mut [T]) {
        match self {
            Self::All => {}
            Self::Box(bounds) => bounds.mask(projected, v),
            Self::Ball { .. } => {
                let Some(&factor) = note.first() else { return };
                if factor < T::one() {
                    let along = dot(projected, v) / dot(projected, projected);
                    axpy(T::from_f64(-along), projected, v);
                    v.iter_mut().for_each(|v| *v *= factor);
                }
            }
            Self::Simplex { .. } => {
                let (mut sum, mut count) = (0.0, 0.0);
                for (&p, v) in projected.iter().zip(&*v) {
                    if p > T::zero() {
                        sum += v.to_double();
                        count += 1.0;
                    }
                }
                let mean = T::from_f64(sum / count);
                for (&p, v) in projected.iter().zip(v) {
                    *v = if p > T::zero() { *v - mean } else { T::zero() };
                }
            }
        }
    }

    /// The same set in another precision.
    #[must_use]
    pub fn cast<U: Scalar>(&self) -> Set<U> {
        match self {
            Self::All => Set::All,
            Self::Box(bounds) => Set::Box(bounds.cast()),
            Self::Ball { radius } => Set::Ball { radius: *radius },
            Self::Simplex { total } => Set::Simplex { total: *total },
        }
    }

    /// Whether every z is in the set.
    #[must_use]
    pub fn is_all(&self) -> bool {
        matches!(self, Self::All)
    }

    /// Checks the settings for a variable of `len` numbers.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) or [`Error::Length`](crate::Error::Length).
    pub fn validate(&self, len: usize) -> Result<()> {
        match self {
            Self::All => Ok(()),
            Self::Box(bounds) => bounds.validate(len),
            Self::Ball { radius } => positive("the radius of the ball", *radius),
            Self::Simplex { total } => {
                positive("the total of the simplex", *total)?;
                require(
                    len >= 1,
                    "a variable on the simplex",
                    "at least one number",
                    len,
                )
            }
        }
    }
}

/// Subtracts the threshold at which the positive parts sum to `total`. Each round takes the
/// numbers above the threshold so far to be the positive ones, of which there are fewer in
/// every round, until none drops out (Michelot 1986, doi 10.1007/BF00938486); no allocation.
fn project_simplex<T: Scalar>(total: f64, z: &mut [T]) {
    let top = z.iter().fold(T::neg_infinity(), |top, &z| top.max(z));
    if !z.iter().all(|z| z.is_finite()) {
        z.fill(T::nan());
        return;
    }
    // From the largest number on, so that it always lies above the threshold.
    let below = |z: T| z.to_double() - top.to_double();
    let (mut threshold, mut count) = (f64::NEG_INFINITY, usize::MAX);
    loop {
        let (mut sum, mut above) = (0.0, 0);
        for z in z.iter().map(|&z| below(z)).filter(|&z| z > threshold) {
            sum += z;
            above += 1;
        }
        if above >= count {
            break;
        }
        count = above;
        threshold = (sum - total) / count as f64;
    }
    for z in z {
        *z = T::from_f64((below(*z) - threshold).max(0.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sets() -> Vec<Set<f64>> {
        vec![
            Set::All,
            Set::Box(Bounds::uniform(-0.5, 0.3).unwrap()),
            Set::Ball { radius: 0.7 },
            Set::Simplex { total: 1.5 },
        ]
    }

    proptest! {
        /// p is the projection of z onto a convex set C if and only if p is in C and
        /// ⟨z − p, c − p⟩ ≤ 0 for every c of C.
        #[test]
        fn the_variational_inequality(z in prop::collection::vec(-2.0..2.0_f64, 1..8), seed in prop::collection::vec(-2.0..2.0_f64, 8)) {
            for set in sets() {
                let mut p = z.clone();
                set.project(&mut p);
                let mut again = p.clone();
                set.project(&mut again);
                for (p, again) in p.iter().zip(&again) {
                    prop_assert!((p - again).abs() < 1e-12);
                }
                let mut c = seed[..z.len()].to_vec();
                set.project(&mut c);
                let product: f64 = z.iter().zip(&p).zip(&c).map(|((z, p), c)| (z - p) * (c - p)).sum();
                prop_assert!(product <= 1e-12, "{set:?}: {product}");
            }
        }
    }

    proptest! {
        /// The derivative against central differences, where no kink is near.
        #[test]
        fn the_derivative_of_the_projection(z in prop::collection::vec(-2.0..2.0_f64, 1..8), v in prop::collection::vec(-2.0..2.0_f64, 8)) {
            for set in sets() {
                let at = |h: f64| {
                    let mut z: Vec<f64> = z.iter().zip(&v).map(|(z, v)| z + h * v).collect();
                    let mut note = vec![0.0; set.note_len()];
                    set.project_noting(&mut z, &mut note);
                    (z, note)
                };
                let h = 1e-6;
                let ((before, _), (projected, note), (after, _)) = (at(-h), at(0.0), at(h));
                let mut derivative = v[..z.len()].to_vec();
                set.derivative(&projected, &note, &mut derivative);
                let held = |p: &[f64]| {
                    let norm = norm(p);
                    p.iter().map(|p| *p == 0.0 || *p == -0.5 || *p == 0.3).chain([norm > 0.7 - 1e-12]).collect::<Vec<_>>()
                };
                if held(&before) != held(&after) {
                    continue;
                }
                for ((before, after), derivative) in before.iter().zip(&after).zip(&derivative) {
                    let difference = (after - before) / (2.0 * h);
                    prop_assert!((difference - derivative).abs() < 1e-5, "{set:?}: {difference} {derivative}");
                }
            }
        }
    }

    #[test]
    fn members() {
        let mut z = [3.0_f64, 4.0];
        Set::Ball { radius: 1.0 }.project(&mut z);
        assert!((z[0] - 0.6).abs() < 1e-15 && (z[1] - 0.8).abs() < 1e-15);
        let mut z = [0.9_f64, 0.9, -5.0];
        Set::Simplex { total: 1.0 }.project(&mut z);
        assert!((z[0] - 0.5).abs() < 1e-15 && z[2] == 0.0);
        let mut z = [1e300_f64, 0.0, 1e300];
        Set::Simplex { total: 1.0 }.project(&mut z);
        assert_eq!(z, [0.5, 0.0, 0.5]);
        let mut z = [1.0, f64::NAN];
        Set::Simplex { total: 1.0 }.project(&mut z);
        assert!(z[0].is_nan() && z[1].is_nan());
        assert!(Set::<f64>::Ball { radius: 0.0 }.validate(2).is_err());
    }
}
