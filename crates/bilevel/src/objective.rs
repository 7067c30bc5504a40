//! Objectives: the functions g and f, and what a method may ask of them.

mod closure;
mod counted;
mod finite_difference;

pub use closure::Closures;
pub use counted::{Calls, Counted};
pub use finite_difference::FiniteDifference;

use crate::{Draw, Layout, Result, Scalar};

/// h(x, y; draw): one of the two objectives of a problem.
///
/// x is the outer variable (length n), y the inner one (length m); `draw` says which
/// mini-batch is meant. [`Objective::at`] fixes x, so that work on x alone is done once.
pub trait Objective<T: Scalar>: Send + Sync {
    /// The parts of x, n numbers in all.
    fn x_layout(&self) -> &Layout;

    /// The parts of y, m numbers in all.
    fn y_layout(&self) -> &Layout;

    /// Whether the value depends on x at all. From this it is found, before a run,
    /// whether a hypergradient would be identically zero.
    fn depends_on_x(&self) -> bool;

    /// Whether [`AtX::second_order`] will be there.
    fn has_second_order(&self) -> bool;

    /// y ↦ h(x, y; ·) at this x. The handle owns its work space.
    ///
    /// # Errors
    /// If x has another length than the layout says, or the objective fails.
    fn at<'a>(&'a self, x: &'a [T]) -> Result<Box<dyn AtX<T> + 'a>>;
}

impl<T: Scalar, O: Objective<T> + ?Sized> Objective<T> for &O {
    fn x_layout(&self) -> &Layout {
        (**self).x_layout()
    }

    fn y_layout(&self) -> &Layout {
        (**self).y_layout()
    }

    fn depends_on_x(&self) -> bool {
        (**self).depends_on_x()
    }

    fn has_second_order(&self) -> bool {
        (**self).has_second_order()
    }

    fn at<'a>(&'a self, x: &'a [T]) -> Result<Box<dyn AtX<T> + 'a>> {
        (**self).at(x)
    }
}

/// y ↦ h(x, y; draw) at a fixed x.
///
/// Derivatives in x are *collected* in the handle and pulled back to x once, by
/// [`AtX::finish`]: what has the size of x is then done once, not once for each step.
pub trait AtX<T: Scalar>: Send {
    /// h(x, y; draw).
    ///
    /// # Errors
    /// If the objective fails.
    fn value(&mut self, y: &[T], draw: Draw) -> Result<T>;

    /// `out = ∇_y h(x, y; draw)`, m numbers.
    ///
    /// # Errors
    /// If the objective fails.
    fn grad_y(&mut self, y: &[T], draw: Draw, out: &mut [T]) -> Result<()>;

    /// Collects `scale · ∇_x h(x, y; draw)`.
    ///
    /// # Errors
    /// If the objective fails.
    fn grad_x(&mut self, y: &[T], draw: Draw, scale: T) -> Result<()>;

    /// Second derivatives, where the objective has them.
    fn second_order(&mut self) -> Option<&mut dyn SecondOrder<T>>;

    /// `x_bar +=` everything that was collected, and forgets it.
    ///
    /// # Errors
    /// If the objective fails.
    fn finish(&mut self, x_bar: &mut [T]) -> Result<()>;
}

/// The second-order products of an objective at a fixed x. No product hides a sign.
pub trait SecondOrder<T: Scalar> {
    /// `y_bar += ∇²_yy h · v`, and collects `∇²_xy h · v` (n numbers, see [`AtX::finish`]).
    ///
    /// # Errors
    /// If the objective fails.
    fn pull(&mut self, y: &[T], draw: Draw, v: &[T], y_bar: &mut [T]) -> Result<()>;

    /// `out += ∇²_yy h · dy + ∇²_yx h · dx`, m numbers.
    ///
    /// # Errors
    /// If the objective fails.
    fn push(&mut self, y: &[T], draw: Draw, dx: &[T], dy: &[T], out: &mut [T]) -> Result<()>;
}
