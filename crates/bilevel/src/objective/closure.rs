//! An objective from closures.

use super::{AtX, Objective, SecondOrder, Taped};
use crate::error::expect_length;
use crate::vector::axpy;
use crate::{Draw, Error, Layout, Result, Scalar};

type Value<T> = dyn Fn(&[T], &[T], Draw) -> T + Send + Sync;
type Gradient<T> = dyn Fn(&[T], &[T], Draw, &mut [T]) + Send + Sync;
type Pull<T> = dyn Fn(&[T], &[T], Draw, &[T], &mut [T], &mut [T]) + Send + Sync;
type Push<T> = dyn Fn(&[T], &[T], Draw, &[T], &[T], &mut [T]) + Send + Sync;
type TapeLen = dyn Fn(Draw) -> usize + Send + Sync;
type Linearize<T> = dyn Fn(&[T], &[T], Draw, &mut [T], &mut [T]) + Send + Sync;
type PullTape<T> = dyn Fn(&[T], &[T], Draw, &[T], &[T], &mut [T], &mut [T]) + Send + Sync;

/// The closures of a [`Taped`].
struct Tape<T> {
    len: Box<TapeLen>,
    linearize: Box<Linearize<T>>,
    pull: Box<PullTape<T>>,
}

/// An objective whose value and derivatives are closures over (x, y, draw).
///
/// Value and ∇_y are always needed, ∇_x if x enters, and the second-order products (one for reverse
/// mode, one for forward mode) if a method needs them; instead, you can wrap the objective in
/// [`FiniteDifference`](super::FiniteDifference). The closures *add* derivatives to the
/// slices that they get.
///
/// ```
/// use bilevel::{Draw, objective::{AtX, Closures, Objective}};
/// // h(x, y) = (y − x)² / 2
/// let h = Closures::<f64>::new(1, 1, |x, y, _| (y[0] - x[0]).powi(2) / 2.0, |x, y, _, out| out[0] += y[0] - x[0])
///     .with_grad_x(|x, y, _, out| out[0] += x[0] - y[0])
///     .with_second_order(
///         |_, _, _, v, y_bar, x_bar| { y_bar[0] += v[0]; x_bar[0] -= v[0]; },
///         |_, _, _, dx, dy, out| out[0] += dy[0] - dx[0],
///     );
/// assert_eq!(h.at(&[1.0])?.value(&[3.0], Draw::All)?, 2.0);
/// # Ok::<(), bilevel::Error>(())
/// ```
pub struct Closures<T> {
    x_layout: Layout,
    y_layout: Layout,
    value: Box<Value<T>>,
    grad_y: Box<Gradient<T>>,
    grad_x: Option<Box<Gradient<T>>>,
    pull: Option<Box<Pull<T>>>,
    push: Option<Box<Push<T>>>,
    tape: Option<Tape<T>>,
}

impl<T: Scalar> Closures<T> {
    /// An objective of n = `x_len` and m = `y_len` numbers that does not depend on x unless
    /// [`Closures::with_grad_x`] is called.
    ///
    /// `grad_y(x, y, draw, out)` does `out += ∇_y h`.
    #[must_use]
    pub fn new(
        x_len: usize,
        y_len: usize,
        value: impl Fn(&[T], &[T], Draw) -> T + Send + Sync + 'static,
        grad_y: impl Fn(&[T], &[T], Draw, &mut [T]) + Send + Sync + 'static,
    ) -> Self {
        Self {
            x_layout: Layout::vector("x", x_len),
            y_layout: Layout::vector("y", y_len),
            value: Box::new(value),
            grad_y: Box::new(grad_y),
            grad_x: None,
            pull: None,
            push: None,
            tape: None,
        }
    }

    /// x enters: `grad_x(x, y, draw, out)` does `out += ∇_x h`.
    #[must_use]
    pub fn with_grad_x(
        mut self,
        grad_x: impl Fn(&[T], &[T], Draw, &mut [T]) + Send + Sync + 'static,
    ) -> Self {
        self.grad_x = Some(Box::new(grad_x));
        self
    }

    /// Second derivatives for reverse mode: `pull(x, y, draw, v, y_bar, x_bar)` does
    /// `y_bar += ∇²_yy h v` and `x_bar += ∇²_xy h v`. Forward mode and conjugate gradient also need
    /// a push, see [`Closures::with_second_order`].
    #[must_use]
    pub fn with_pull(
        mut self,
        pull: impl Fn(&[T], &[T], Draw, &[T], &mut [T], &mut [T]) + Send + Sync + 'static,
    ) -> Self {
        self.pull = Some(Box::new(pull));
        self
    }

    /// Second derivatives for every method: `pull` is as in [`Closures::with_pull`];
    /// `push(x, y, draw, dx, dy, out)` does `out += ∇²_yy h dy + ∇²_yx h dx`.
    #[must_use]
    pub fn with_second_order(
        self,
        pull: impl Fn(&[T], &[T], Draw, &[T], &mut [T], &mut [T]) + Send + Sync + 'static,
        push: impl Fn(&[T], &[T], Draw, &[T], &[T], &mut [T]) + Send + Sync + 'static,
    ) -> Self {
        Self {
            push: Some(Box::new(push)),
            ..self.with_pull(pull)
        }
    }

    /// Second derivatives from a tape of `len(draw)` numbers: `linearize(x, y, draw, out,
    /// tape)` does `out += ∇_y h` and writes all of `tape`; `pull(x, y, draw, tape, v,
    /// y_bar, x_bar)` does what the `pull` of [`Closures::with_second_order`] does.
    #[must_use]
    pub fn with_tape(
        mut self,
        len: impl Fn(Draw) -> usize + Send + Sync + 'static,
        linearize: impl Fn(&[T], &[T], Draw, &mut [T], &mut [T]) + Send + Sync + 'static,
        pull: impl Fn(&[T], &[T], Draw, &[T], &[T], &mut [T], &mut [T]) + Send + Sync + 'static,
    ) -> Self {
        self.tape = Some(Tape {
            len: Box::new(len),
            linearize: Box::new(linearize),
            pull: Box::new(pull),
        });
        self
    }
}

impl<T: Scalar> Objective<T> for Closures<T> {
    fn x_layout(&self) -> &Layout {
        &self.x_layout
    }

    fn y_layout(&self) -> &Layout {
        &self.y_layout
    }

    fn depends_on_x(&self) -> bool {
        self.grad_x.is_some()
    }

    fn has_second_order(&self) -> bool {
        self.pull.is_some()
    }

    fn has_push(&self) -> bool {
        self.push.is_some()
    }

    fn has_tape(&self) -> bool {
        self.tape.is_some()
    }

    fn at<'a>(&'a self, x: &'a [T]) -> Result<Box<dyn AtX<T> + 'a>> {
        expect_length("x", self.x_layout.len(), x.len())?;
        Ok(Box::new(ClosuresAtX {
            closures: self,
            x,
            x_bar: vec![T::zero(); x.len()],
            work: vec![T::zero(); x.len()],
        }))
    }
}

struct ClosuresAtX<'a, T> {
    closures: &'a Closures<T>,
    x: &'a [T],
    /// What was collected.
    x_bar: Vec<T>,
    work: Vec<T>,
}

impl<T: Scalar> AtX<T> for ClosuresAtX<'_, T> {
    fn value(&mut self, y: &[T], draw: Draw) -> Result<T> {
        Ok((self.closures.value)(self.x, y, draw))
    }

    fn grad_y(&mut self, y: &[T], draw: Draw, out: &mut [T]) -> Result<()> {
        out.fill(T::zero());
        (self.closures.grad_y)(self.x, y, draw, out);
        Ok(())
    }

    fn grad_x(&mut self, y: &[T], draw: Draw, scale: T) -> Result<()> {
        if let Some(grad_x) = &self.closures.grad_x {
            self.work.fill(T::zero());
            grad_x(self.x, y, draw, &mut self.work);
            axpy(scale, &self.work, &mut self.x_bar);
        }
        Ok(())
    }

    fn second_order(&mut self) -> Option<&mut dyn SecondOrder<T>> {
        if self.closures.pull.is_some() {
            Some(self)
        } else {
            None
        }
    }

    fn tape(&mut self) -> Option<&mut dyn Taped<T>> {
        if self.closures.tape.is_some() {
            Some(self)
        } else {
            None
        }
    }

    fn finish(&mut self, x_bar: &mut [T]) -> Result<()> {
        axpy(T::one(), &self.x_bar, x_bar);
        self.x_bar.fill(T::zero());
        Ok(())
    }
}

impl<T: Scalar> SecondOrder<T> for ClosuresAtX<'_, T> {
    fn pull(&mut self, y: &[T], draw: Draw, v: &[T], y_bar: &mut [T]) -> Result<()> {
        if let Some(pull) = &self.closures.pull {
            pull(self.x, y, draw, v, y_bar, &mut self.x_bar);
        }
        Ok(())
    }

    fn push(&mut self, y: &[T], draw: Draw, dx: &[T], dy: &[T], out: &mut [T]) -> Result<()> {
        let Some(push) = &self.closures.push else {
            return Err(Error::objective("its closures have a pull, but no push"));
        };
        push(self.x, y, draw, dx, dy, out);
        Ok(())
    }
}

impl<T: Scalar> Taped<T> for ClosuresAtX<'_, T> {
    fn tape_len(&self, draw: Draw) -> usize {
        self.closures
            .tape
            .as_ref()
            .map_or(0, |tape| (tape.len)(draw))
    }

    fn linearize(&mut self, y: &[T], draw: Draw, out: &mut [T], tape: &mut [T]) -> Result<()> {
        out.fill(T::zero());
        if let Some(closures) = &self.closures.tape {
            (closures.linearize)(self.x, y, draw, out, tape);
        }
        Ok(())
    }

    fn pull_tape(
        &mut self,
        y: &[T],
        draw: Draw,
        tape: &[T],
        v: &[T],
        y_bar: &mut [T],
    ) -> Result<()> {
        if let Some(closures) = &self.closures.tape {
            (closures.pull)(self.x, y, draw, tape, v, y_bar, &mut self.x_bar);
        }
        Ok(())
    }
}
