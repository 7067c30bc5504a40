//! Boxes: lower and upper bounds of every number of a variable.

use crate::error::{expect_length, require};
use crate::{Result, Scalar};

/// lower ≤ z ≤ upper, element by element. A single bound holds for every element.
#[derive(Clone, PartialEq, Debug)]
pub struct Bounds<T> {
    lower: Vec<T>,
    upper: Vec<T>,
}

impl<T: Scalar> Bounds<T> {
    /// The same bounds for every number; either may be infinite.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) unless `lower` ≤ `upper`.
    pub fn uniform(lower: T, upper: T) -> Result<Self> {
        Self::new(vec![lower], vec![upper])
    }

    /// Bounds for each number.
    ///
    /// # Errors
    /// If the lengths differ or a lower bound is above its upper bound.
    pub fn new(lower: Vec<T>, upper: Vec<T>) -> Result<Self> {
        expect_length("the upper bounds", lower.len(), upper.len())?;
        for (&low, &high) in lower.iter().zip(&upper) {
            require(
                low <= high,
                "a lower bound",
                "at most its upper bound",
                format!("{low} above {high}"),
            )?;
        }
        Ok(Self { lower, upper })
    }

    /// The same box in another precision.
    #[must_use]
    pub fn cast<U: Scalar>(&self) -> Bounds<U> {
        let cast = |bounds: &[T]| bounds.iter().map(|z| U::from_f64(z.to_double())).collect();
        Bounds {
            lower: cast(&self.lower),
            upper: cast(&self.upper),
        }
    }

    fn at(&self, index: usize) -> (T, T) {
        let index = if self.lower.len() == 1 { 0 } else { index };
        (self.lower[index], self.upper[index])
    }

    /// Projects z onto the box. A NaN stays NaN, so that it is found later.
    pub fn project(&self, z: &mut [T]) {
        for (index, value) in z.iter_mut().enumerate() {
            let (lower, upper) = self.at(index);
            // The maximum of a NaN and a bound would be the bound.
            if *value < lower {
                *value = lower;
            } else if *value > upper {
                *value = upper;
            }
        }
    }

    /// Sets an element to zero where `projected` lies on a bound: the transposed derivative of
    /// the projection, with 0 chosen on the bound itself.
    pub fn mask(&self, projected: &[T], bar: &mut [T]) {
        for (index, (bar, &value)) in bar.iter_mut().zip(projected).enumerate() {
            let (lower, upper) = self.at(index);
            if value <= lower || value >= upper {
                *bar = T::zero();
            }
        }
    }

    /// Checks the number of bounds.
    ///
    /// # Errors
    /// [`Error::Length`](crate::Error::Length) unless there are 1 or `len` of each.
    pub fn validate(&self, len: usize) -> Result<()> {
        if self.lower.len() == 1 {
            Ok(())
        } else {
            expect_length("the bounds", len, self.lower.len())
        }
    }
}
