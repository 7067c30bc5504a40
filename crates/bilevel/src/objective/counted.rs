//! Counting the calls of an objective.

use super::{AtX, SecondOrder, Taped};
use crate::{Draw, Error, Oracle, PerOracle, Result, Role, Scalar};

/// How often each oracle of an objective was called; the literature compares methods in
/// these units. A call that uses a tape counts as one without, see [`Oracle::untaped`].
pub type Calls = PerOracle<u64>;

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
        self.count(Oracle::Value);
        self.at
            .value(y, draw)
            .map_err(|error| error.in_role(self.role))
    }

    /// `out = ∇_y h`, see [`AtX::grad_y`].
    ///
    /// # Errors
    /// If the objective fails.
    pub fn grad_y(&mut self, y: &[T], draw: Draw, out: &mut [T]) -> Result<()> {
        self.count(Oracle::GradY);
        self.at
            .grad_y(y, draw, out)
            .map_err(|error| error.in_role(self.role))
    }

    /// Collects `scale · ∇_x h`, see [`AtX::grad_x`].
    ///
    /// # Errors
    /// If the objective fails.
    pub fn grad_x(&mut self, y: &[T], draw: Draw, scale: T) -> Result<()> {
        self.count(Oracle::GradX);
        self.at
            .grad_x(y, draw, scale)
            .map_err(|error| error.in_role(self.role))
    }

    /// `y_bar += ∇²_yy h v` and collects `∇²_xy h v`, see [`SecondOrder::pull`].
    ///
    /// # Errors
    /// [`Error::NoSecondOrder`], or if the objective fails.
    pub fn pull(&mut self, y: &[T], draw: Draw, v: &[T], y_bar: &mut [T]) -> Result<()> {
        self.count(Oracle::Pull);
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
        self.count(Oracle::Push);
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
        self.count(Oracle::Push);
        let role = self.role;
        let found = self
            .second_order("the push-forward")?
            .push_with_gradient(y, draw, along, gradient, out)
            .map_err(|error| error.in_role(role))?;
        if found {
            self.count(Oracle::GradY);
        }
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
        self.count(Oracle::Linearize);
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
        self.count(Oracle::PullTape);
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

    fn count(&mut self, oracle: Oracle) {
        self.calls[oracle.untaped()] += 1;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Objective;
    use crate::objective::Closures;

    #[test]
    fn calls_of_every_oracle_are_counted() {
        let h = Closures::<f64>::new(1, 1, |_, _, _| 0.0, |_, _, _, _| ())
            .with_grad_x(|_, _, _, _| ())
            .with_second_order(|_, _, _, _, _, _| (), |_, _, _, _, _, _| ())
            .with_tape(|_| 1, |_, _, _, _, _| (), |_, _, _, _, _, _, _| ());
        let (mut out, mut tape, y) = ([0.0], [0.0], [0.0]);
        for oracle in Oracle::ALL {
            let mut counted = Counted::new(h.at(&[0.0]).unwrap(), Role::Inner);
            match oracle {
                Oracle::Value => counted.value(&y, Draw::All).map(|_| ()),
                Oracle::GradY => counted.grad_y(&y, Draw::All, &mut out),
                Oracle::GradX => counted.grad_x(&y, Draw::All, 1.0),
                Oracle::Pull => counted.pull(&y, Draw::All, &y, &mut out),
                Oracle::Push => counted.push(&y, Draw::All, &y, &y, &mut out),
                Oracle::Linearize => counted.linearize(&y, Draw::All, &mut out, &mut tape),
                Oracle::PullTape => counted.pull_tape(&y, Draw::All, &tape, &y, &mut out),
            }
            .unwrap();
            let once = Calls::of([(oracle.untaped(), 1)]);
            assert_eq!(counted.calls(), once, "{oracle:?}");
        }
    }
}
