//! Objectives: the functions g and f, and what a method can compute from them.

mod closure;
mod counted;
mod finite_difference;

pub use closure::Closures;
pub use counted::{Calls, Counted};
pub use finite_difference::FiniteDifference;

use crate::{Draw, Layout, Result, Scalar};

/// h(x, y; draw): one of the two objectives of a problem.
///
/// x is the outer variable (length n), y the inner one (length m); `draw` selects the
/// mini-batch. [`Objective::at`] fixes x, so that work that depends only on x is done once.
pub trait Objective<T: Scalar>: Send + Sync {
    /// The parts of x, n numbers in all.
    fn x_layout(&self) -> &Layout;

    /// The parts of y, m numbers in all.
    fn y_layout(&self) -> &Layout;

    /// Whether the value depends on x at all. This shows before a run whether a
    /// hypergradient would be identically zero.
    fn depends_on_x(&self) -> bool;

    /// Whether [`AtX::second_order`] is available.
    fn has_second_order(&self) -> bool;

    /// Whether [`SecondOrder::push`] is also available, which forward mode and conjugate gradient
    /// need. Default: if there are second derivatives.
    fn has_push(&self) -> bool {
        self.has_second_order()
    }

    /// Whether [`AtX::tape`] is available.
    fn has_tape(&self) -> bool {
        false
    }

    /// y ↦ h(x, y; ·) at this x. The handle owns its work space.
    ///
    /// # Errors
    /// If x has the wrong length, or the objective fails.
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

    fn has_push(&self) -> bool {
        (**self).has_push()
    }

    fn has_tape(&self) -> bool {
        (**self).has_tape()
    }

    fn at<'a>(&'a self, x: &'a [T]) -> Result<Box<dyn AtX<T> + 'a>> {
        (**self).at(x)
    }
}

/// y ↦ h(x, y; draw) at a fixed x.
///
/// Derivatives in x are *collected* in the handle and pulled back to x once, by
/// [`AtX::finish`], so that work of the size of x is done once instead of once per step.
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

    /// Second derivatives, if the objective has them.
    fn second_order(&mut self) -> Option<&mut dyn SecondOrder<T>>;

    /// Second derivatives from the intermediate results of the gradient, if the objective keeps them.
    fn tape(&mut self) -> Option<&mut dyn Taped<T>> {
        None
    }

    /// `x_bar +=` everything collected so far, and clears it.
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

    /// [`SecondOrder::push`], and also `gradient = ∇_y h` (up to rounding) if the objective gets it for
    /// less than another pass. Returns whether it did; otherwise `gradient` is unchanged.
    ///
    /// # Errors
    /// If the objective fails.
    fn push_with_gradient(
        &mut self,
        y: &[T],
        draw: Draw,
        (dx, dy): (&[T], &[T]),
        gradient: &mut [T],
        out: &mut [T],
    ) -> Result<bool> {
        let _ = gradient;
        self.push(y, draw, dx, dy, out)?;
        Ok(false)
    }
}

/// Second derivatives at a fixed x from a tape: the intermediate results of a gradient,
/// stored so that a later product need not recompute them.
///
/// The tape is a flat slice that belongs to the caller, who may keep one for each of many
/// points. The objective determines its contents; two tapes of the same length need have
/// nothing else in common. Worth it if the forward work costs more than reading its
/// results back from memory.
pub trait Taped<T: Scalar> {
    /// How many numbers [`Taped::linearize`] stores for this draw: always the same for the
    /// same draw, whatever y is.
    fn tape_len(&self, draw: Draw) -> usize;

    /// `out = ∇_y h(x, y; draw)`, m numbers, and fills `tape`, whatever it held before.
    ///
    /// # Errors
    /// If the objective fails.
    fn linearize(&mut self, y: &[T], draw: Draw, out: &mut [T], tape: &mut [T]) -> Result<()>;

    /// The products of [`SecondOrder::pull`], up to rounding: `y_bar += ∇²_yy h · v`, and
    /// collects `∇²_xy h · v`; `tape` is what [`Taped::linearize`] wrote for the same y and
    /// draw at this x.
    ///
    /// # Errors
    /// If the objective fails.
    fn pull_tape(
        &mut self,
        y: &[T],
        draw: Draw,
        tape: &[T],
        v: &[T],
        y_bar: &mut [T],
    ) -> Result<()>;
}
