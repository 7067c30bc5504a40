//! Second-order products from gradients, by central differences.

use super::{AtX, Objective, SecondOrder};
use crate::vector::{axpy, norm};
use crate::{Draw, Layout, Result, Scalar};

/// Adds second-order products to an objective that has only gradients, by central
/// differences of the gradients.
///
/// Each product costs two gradients in y (a pull two in x as well), and is exact to
/// about the 2/3 power of the machine precision: 1e-10 in f64, 1e-5 in f32, for
/// functions of order one. Good for experiments, for checking hand-written products, and
/// for DARTS-like methods; write or trace the products otherwise. Has no tape: the
/// intermediate results of a gradient at y are of no use at the moved points.
pub struct FiniteDifference<O> {
    objective: O,
}

impl<O> FiniteDifference<O> {
    /// Wraps an objective.
    pub fn new(objective: O) -> Self {
        Self { objective }
    }
}

impl<T: Scalar, O: Objective<T>> Objective<T> for FiniteDifference<O> {
    fn x_layout(&self) -> &Layout {
        self.objective.x_layout()
    }

    fn y_layout(&self) -> &Layout {
        self.objective.y_layout()
    }

    fn depends_on_x(&self) -> bool {
        self.objective.depends_on_x()
    }

    fn has_second_order(&self) -> bool {
        true
    }

    fn at<'a>(&'a self, x: &'a [T]) -> Result<Box<dyn AtX<T> + 'a>> {
        Ok(Box::new(FiniteDifferenceAtX {
            objective: &self.objective as &dyn Objective<T>,
            at: self.objective.at(x)?,
            x,
            moved: vec![T::zero(); self.y_layout().len()],
            gradient: vec![T::zero(); self.y_layout().len()],
        }))
    }
}

struct FiniteDifferenceAtX<'a, T: Scalar> {
    objective: &'a dyn Objective<T>,
    at: Box<dyn AtX<T> + 'a>,
    x: &'a [T],
    moved: Vec<T>,
    gradient: Vec<T>,
}

/// The step ε along a direction of norm `size` at a point of norm `scale`: the point
/// moves by about the cube root of the machine precision, relative to its size.
fn step<T: Scalar>(scale: f64, size: f64) -> T {
    T::from_f64(T::epsilon().to_double().cbrt() * scale.max(1.0) / size)
}

impl<T: Scalar> AtX<T> for FiniteDifferenceAtX<'_, T> {
    fn value(&mut self, y: &[T], draw: Draw) -> Result<T> {
        self.at.value(y, draw)
    }

    fn grad_y(&mut self, y: &[T], draw: Draw, out: &mut [T]) -> Result<()> {
        self.at.grad_y(y, draw, out)
    }

    fn grad_x(&mut self, y: &[T], draw: Draw, scale: T) -> Result<()> {
        self.at.grad_x(y, draw, scale)
    }

    fn second_order(&mut self) -> Option<&mut dyn SecondOrder<T>> {
        Some(self)
    }

    fn finish(&mut self, x_bar: &mut [T]) -> Result<()> {
        self.at.finish(x_bar)
    }
}

impl<T: Scalar> SecondOrder<T> for FiniteDifferenceAtX<'_, T> {
    fn pull(&mut self, y: &[T], draw: Draw, v: &[T], y_bar: &mut [T]) -> Result<()> {
        let size = norm(v);
        if size == 0.0 {
            return Ok(());
        }
        let epsilon: T = step(norm(y), size);
        let half = T::from_f64(0.5) / epsilon;
        for (sign, scale) in [(epsilon, half), (-epsilon, -half)] {
            self.moved.copy_from_slice(y);
            axpy(sign, v, &mut self.moved);
            self.at.grad_y(&self.moved, draw, &mut self.gradient)?;
            axpy(scale, &self.gradient, y_bar);
            self.at.grad_x(&self.moved, draw, scale)?;
        }
        Ok(())
    }

    fn push(&mut self, y: &[T], draw: Draw, dx: &[T], dy: &[T], out: &mut [T]) -> Result<()> {
        let size = norm(dx).hypot(norm(dy));
        if size == 0.0 {
            return Ok(());
        }
        let epsilon: T = step(norm(y).hypot(norm(self.x)), size);
        let half = T::from_f64(0.5) / epsilon;
        for (sign, scale) in [(epsilon, half), (-epsilon, -half)] {
            let mut x = self.x.to_vec();
            axpy(sign, dx, &mut x);
            self.moved.copy_from_slice(y);
            axpy(sign, dy, &mut self.moved);
            self.objective
                .at(&x)?
                .grad_y(&self.moved, draw, &mut self.gradient)?;
            axpy(scale, &self.gradient, out);
        }
        Ok(())
    }
}
