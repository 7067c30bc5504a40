//! The few operations on slices that the methods use.

use crate::Scalar;

/// ⟨a, b⟩, summed in order in double precision.
#[must_use]
pub fn dot<T: Scalar>(a: &[T], b: &[T]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(&a, &b)| a.to_double() * b.to_double())
        .sum()
}

/// ‖a‖₂, in double precision.
#[must_use]
pub fn norm<T: Scalar>(a: &[T]) -> f64 {
    dot(a, a).sqrt()
}

/// `y += scale · x`.
pub fn axpy<T: Scalar>(scale: T, x: &[T], y: &mut [T]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y += scale * x;
    }
}

/// `y = scale · x`.
pub fn scale_into<T: Scalar>(scale: T, x: &[T], y: &mut [T]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = scale * x;
    }
}

/// Whether every number is finite.
#[must_use]
pub fn all_finite<T: Scalar>(a: &[T]) -> bool {
    a.iter().all(|value| value.is_finite())
}

/// ‖a − b‖₂ / ‖b‖₂, in double precision; ‖a‖₂ where b is zero.
#[must_use]
pub fn relative_difference<T: Scalar>(a: &[T], b: &[T]) -> f64 {
    let difference = a
        .iter()
        .zip(b)
        .map(|(&a, &b)| (a.to_double() - b.to_double()).powi(2))
        .sum::<f64>()
        .sqrt();
    let size = norm(b);
    if size > 0.0 {
        difference / size
    } else {
        difference
    }
}
