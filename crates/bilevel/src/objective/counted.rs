//! Counting the calls of an objective.

use std::ops::{Add, AddAssign};

use super::{AtX, SecondOrder, Taped};
use crate::{Draw, Error, Result, Role, Scalar};

/// How often each oracle of an objective was called; the literature compares methods in
/// these units.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Calls {
    /// Values h.
    pub values: u64,
    /// Gradients ∇_y h, including those of [`Taped::linearize`].
    pub grad_y: u64,
    /// Gradients ∇_x h.
    pub grad_x: u64,
    /// Products of [`SecondOrder::pull`] or [`Taped::pull_tape`]: ∇²_yy h v and ∇²_xy h v
    /// together.
    pub pulls: u64,
    /// Products of [`SecondOrder::push`].
    pub pushes: u64,
}

impl Calls {
    /// All calls together.
    #[must_use]
    pub fn total(self) -> u64 {
        self.values + self.grad_y + self.grad_x + self.pulls + self.pushes
    }
}

impl Add for Calls {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            values: self.values + other.values,
            grad_y: self.grad_y + other.grad_y,
            grad_x: self.grad_x + other.grad_x,
            pulls: self.pulls + other.pulls,
            pushes: self.pushes + other.pushes,
        }
    }
}

impl AddAssign for Calls {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

/// An objective at a fixed x that counts its calls and knows its [`Role`], so that an
/// error can name it.
pub struct Counted<'a, T> {
    at: Box<dyn AtX<T> + 'a>,
    role: Role,
    calls: Calls,
}

impl<'a, T: Scalar> Counted<'a, T> {
    /// Starts counting from zero.
    #[must_use]
    pub fn new(at: Box<dyn AtX<T> + 'a>, role: Role) -> Self {
        Self {
            at,
            role,
            calls: Calls::default(),
        }
    }

    /// The calls so far.
    #[must_use]
    pub fn calls(&self) -> Calls {
        self.calls
    }

    /// h(x, y; draw), see [`AtX::value`].
    ///
    /// # Errors
    /// If the objective fails.
    pub fn value(&mut self, y: &[T], draw: Draw) -> Result<T> {
        self.calls.values += 1;
        self.at
            .value(y, draw)
            .map_err(|error| error.in_role(self.role))
    }

    /// `out = ∇_y h`, see [`AtX::grad_y`].
    ///
    /// # Errors
    /// If the objective fails.
    pub fn grad_y(&mut self, y: &[T], draw: Draw, out: &mut [T]) -> Result<()> {
        self.calls.grad_y += 1;
        self.at
            .grad_y(y, draw, out)
            .map_err(|error| error.in_role(self.role))
    }

    /// Collects `scale · ∇_x h`, see [`AtX::grad_x`].
    ///
    /// # Errors
    /// If the objective fails.
    pub fn grad_x(&mut self, y: &[T], draw: Draw, scale: T) -> Result<()> {
        self.calls.grad_x += 1;
        self.at
            .grad_x(y, draw, scale)
            .map_err(|error| error.in_role(self.role))
    }

    /// `y_bar += ∇²_yy h v` and collects `∇²_xy h v`, see [`SecondOrder::pull`].
    ///
    /// # Errors
    /// [`Error::NoSecondOrder`], or if the objective fails.
    pub fn pull(&mut self, y: &[T], draw: Draw, v: &[T], y_bar: &mut [T]) -> Result<()> {
        self.calls.pulls += 1;
        let role = self.role;
        self.second_order("the pull-back")?
            .pull(y, draw, v, y_bar)
            .map_err(|error| error.in_role(role))
    }

    /// `out += ∇²_yy h dy + ∇²_yx h dx`, see [`SecondOrder::push`].
    ///
    /// # Errors
    /// [`Error::NoSecondOrder`], or if the objective fails.
    pub fn push(&mut self, y: &[T], draw: Draw, dx: &[T], dy: &[T], out: &mut [T]) -> Result<()> {
        self.calls.pushes += 1;
        let role = self.role;
        self.second_order("the push-forward")?
            .push(y, draw, dx, dy, out)
            .map_err(|error| error.in_role(role))
    }

    /// The same, with the gradient if the objective gives it, see [`SecondOrder::push_with_gradient`];
    /// the gradient is then counted too.
    ///
    /// # Errors
    /// [`Error::NoSecondOrder`], or if the objective fails.
    pub fn push_with_gradient(
        &mut self,
        y: &[T],
        draw: Draw,
        along: (&[T], &[T]),
        gradient: &mut [T],
        out: &mut [T],
    ) -> Result<bool> {
        self.calls.pushes += 1;
        let role = self.role;
        let found = self
            .second_order("the push-forward")?
            .push_with_gradient(y, draw, along, gradient, out)
            .map_err(|error| error.in_role(role))?;
        self.calls.grad_y += u64::from(found);
        Ok(found)
    }

    /// How many numbers [`Counted::linearize`] keeps, see [`Taped::tape_len`]; no call.
    ///
    /// # Errors
    /// [`Error::NoTape`].
    pub fn tape_len(&mut self, draw: Draw) -> Result<usize> {
        Ok(self.tape("the taped step")?.tape_len(draw))
    }

    /// `out = ∇_y h`, and fills `tape`, see [`Taped::linearize`]; counts as a gradient in y.
    ///
    /// # Errors
    /// [`Error::NoTape`], or if the objective fails.
    pub fn linearize(&mut self, y: &[T], draw: Draw, out: &mut [T], tape: &mut [T]) -> Result<()> {
        self.calls.grad_y += 1;
        let role = self.role;
        self.tape("the taped step")?
            .linearize(y, draw, out, tape)
            .map_err(|error| error.in_role(role))
    }

    /// `y_bar += ∇²_yy h v` and collects `∇²_xy h v`, see [`Taped::pull_tape`]; counts as a
    /// pull.
    ///
    /// # Errors
    /// [`Error::NoTape`], or if the objective fails.
    pub fn pull_tape(
        &mut self,
        y: &[T],
        draw: Draw,
        tape: &[T],
        v: &[T],
        y_bar: &mut [T],
    ) -> Result<()> {
        self.calls.pulls += 1;
        let role = self.role;
        self.tape("the taped pull-back")?
            .pull_tape(y, draw, tape, v, y_bar)
            .map_err(|error| error.in_role(role))
    }

    /// `x_bar +=` what was collected, see [`AtX::finish`].
    ///
    /// # Errors
    /// If the objective fails.
    pub fn finish(&mut self, x_bar: &mut [T]) -> Result<()> {
        self.at
            .finish(x_bar)
            .map_err(|error| error.in_role(self.role))
    }

    fn second_order(&mut self, needed_by: &'static str) -> Result<&mut dyn SecondOrder<T>> {
        let role = self.role;
        self.at
            .second_order()
            .ok_or(Error::NoSecondOrder { role, needed_by })
    }

    fn tape(&mut self, needed_by: &'static str) -> Result<&mut dyn Taped<T>> {
        let role = self.role;
        self.at.tape().ok_or(Error::NoTape { role, needed_by })
    }
}
