//! Where a variable is kept.

use crate::bounds::Bounds;
use crate::error::require;
use crate::vector::norm;
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
    /// Projects z onto the set. A NaN stays one, to be found.
    pub fn project(&self, z: &mut [T]) {
        match self {
            Self::All => {}
            Self::Box(bounds) => bounds.project(z),
            Self::Ball { radius } => {
                let size = norm(z);
                if size > *radius {
                    let scale = T::from_f64(radius / size);
                    z.iter_mut().for_each(|z| *z *= scale);
                }
            }
            Self::Simplex { total } => project_simplex(*total, z),
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
        let positive = |field, value: f64| {
            require(
                value > 0.0 && value.is_finite(),
                field,
                "a positive number",
                value,
            )
        };
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

/// Subtracts the threshold at which the positive parts sum to `total` (Held, Wolfe and Crowder,
/// 1974; doi 10.1007/BF01580223).
fn project_simplex<T: Scalar>(total: f64, z: &mut [T]) {
    let mut sorted: Vec<f64> = z.iter().map(|z| z.to_double()).collect();
    if sorted.iter().any(|z| !z.is_finite()) {
        z.fill(T::nan());
        return;
    }
    sorted.sort_by(|a, b| b.total_cmp(a));
    let (mut sum, mut threshold) = (0.0, 0.0);
    for (index, &value) in sorted.iter().enumerate() {
        sum += value;
        let candidate = (sum - total) / (index as f64 + 1.0);
        if value > candidate {
            threshold = candidate;
        }
    }
    for z in z {
        *z = T::from_f64((z.to_double() - threshold).max(0.0));
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

    #[test]
    fn members() {
        let mut z = [3.0_f64, 4.0];
        Set::Ball { radius: 1.0 }.project(&mut z);
        assert!((z[0] - 0.6).abs() < 1e-15 && (z[1] - 0.8).abs() < 1e-15);
        let mut z = [0.9_f64, 0.9, -5.0];
        Set::Simplex { total: 1.0 }.project(&mut z);
        assert!((z[0] - 0.5).abs() < 1e-15 && z[2] == 0.0);
        assert!(Set::<f64>::Ball { radius: 0.0 }.validate(2).is_err());
    }
}
