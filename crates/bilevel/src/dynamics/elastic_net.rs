//! The elastic net as a proximal map.

use super::Hyper;
use crate::{Result, Scalar};

/// λ₁‖y‖₁ + λ₂‖y‖₂²/2, the elastic net (doi 10.1111/j.1467-9868.2005.00503.x), as a proximal map
///
/// prox(z) = sign(z) · max(|z| − s λ₁, 0) / (1 + s λ₂)   with the step size s.
///
/// Its derivative is 1/(1 + s λ₂) where the result is not zero. Where the result is zero, the
/// derivative is taken as 0, also on the kink |z| = s λ₁.
///
/// | setting | default | range | purpose |
/// |---|---|---|---|
/// | `l1` | 0.1 | at least 0 | λ₁; fixed, or part of x |
/// | `l2` | 0 | at least 0 | λ₂; fixed, or part of x |
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ElasticNet {
    /// λ₁: how strongly elements are drawn to exactly zero.
    pub l1: Hyper,
    /// λ₂: how strongly elements shrink in proportion to their size.
    pub l2: Hyper,
}

impl Default for ElasticNet {
    fn default() -> Self {
        Self {
            l1: Hyper::Fixed(0.1),
            l2: Hyper::Fixed(0.0),
        }
    }
}

/// λ₁, λ₂ and 1/(1 + s λ₂) at x.
struct Values<T> {
    l1: T,
    l2: T,
    shrink: T,
}

impl ElasticNet {
    fn at<T: Scalar>(self, x: &[T], step_size: T) -> Values<T> {
        let (l1, l2) = (self.l1.value(x), self.l2.value(x));
        let shrink = T::one() / (T::one() + step_size * l2);
        Values { l1, l2, shrink }
    }

    /// `z = prox(z)`. A NaN stays one.
    pub(super) fn shrink<T: Scalar>(self, x: &[T], step_size: T, z: &mut [T]) {
        let Values { l1, shrink, .. } = self.at(x, step_size);
        let threshold = step_size * l1;
        for z in z {
            let beyond = z.abs() - threshold;
            *z = if beyond <= T::zero() {
                T::zero()
            } else {
                z.signum() * beyond * shrink
            };
        }
    }

    /// Turns the cotangent of the result `p` into the cotangent of z, collects the cotangents of λ₁
    /// and λ₂, and returns the cotangent of s.
    ///
    /// A projection may stand between the map and `p`, if `bar` came back through its derivative,
    /// which leaves nothing where the two differ: on the bounds of a box, along p on a ball, and
    /// along the constants on the simplex.
    pub(super) fn pull<T: Scalar>(
        self,
        x: &[T],
        step_size: T,
        p: &[T],
        bar: &mut [T],
        x_bar: &mut [T],
    ) -> f64 {
        let Values { l1, l2, shrink } = self.at(x, step_size);
        let (mut signs, mut sizes) = (0.0, 0.0);
        for (bar, &p) in bar.iter_mut().zip(p) {
            *bar *= self.slope(l1, shrink, p);
            if p != T::zero() {
                signs += (p.signum() * *bar).to_double();
                sizes += (p * *bar).to_double();
            }
        }
        self.l1.collect(x, -step_size.to_double() * signs, x_bar);
        self.l2.collect(x, -step_size.to_double() * sizes, x_bar);
        -(l1.to_double() * signs + l2.to_double() * sizes)
    }

    /// Turns the tangents of z, x and s into the tangent of the result `p`, without the derivative
    /// of a projection, see [`ElasticNet::pull`].
    pub(super) fn push<T: Scalar>(
        self,
        (x, dx): (&[T], &[T]),
        (step_size, step_tangent): (T, T),
        p: &[T],
        tangent: &mut [T],
    ) {
        let Values { l1, l2, shrink } = self.at(x, step_size);
        let sign = step_size * self.l1.tangent(x, dx) + step_tangent * l1;
        let size = step_size * self.l2.tangent(x, dx) + step_tangent * l2;
        for (tangent, &p) in tangent.iter_mut().zip(p) {
            if p != T::zero() {
                *tangent -= sign * p.signum() + size * p;
            }
            *tangent *= self.slope(l1, shrink, p);
        }
    }

    /// ∂p/∂z. Without λ₁ a zero is no kink.
    fn slope<T: Scalar>(self, l1: T, shrink: T, p: T) -> T {
        if p == T::zero() && l1 != T::zero() {
            T::zero()
        } else {
            shrink
        }
    }

    pub(super) fn learned(self) -> bool {
        self.l1.depends_on_x() || self.l2.depends_on_x()
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for a strength out of range.
    pub fn validate(self, x_len: usize) -> Result<()> {
        for (field, strength) in [
            ("l1 of the elastic net", self.l1),
            ("l2 of the elastic net", self.l2),
        ] {
            strength.validate_in(field, |value| value >= 0.0, "at least 0", x_len)?;
        }
        Ok(())
    }
}
