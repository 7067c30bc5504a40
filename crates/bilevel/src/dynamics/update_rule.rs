//! From a direction to an update.

use super::{ElasticNet, Field, Hyper};
use crate::{Result, Scalar, Set};

/// From a direction to an update, with buffers: the part in which gradient descent, momentum and
/// Adam differ. Every [`UpdateRule`] is [`Dynamics`](crate::Dynamics):
///
/// (u, buffers) ← update(d_t(x, y), buffers);  y ← P(prox(y − s · u))
///
/// with the step size s, the field d, the projection P onto a set and, if there is a penalty,
/// its proximal map. The state is y, then the buffers, m numbers each, then what the set stores
/// about its projection ([`Set::note_len`]). If s, weights of the field or numbers of the rule
/// itself are part of x, they get their derivatives.
///
/// The defaults are gradient descent, u = d. Dynamics of another form implement
/// [`Dynamics`](crate::Dynamics) directly.
///
/// ```
/// use bilevel::{At, Field, Hyper, Result, Set, check, dynamics::{Made, UpdateRule}};
/// # use bilevel::{Closures, FixedStart, Key, Problem};
/// /// Gradients are clipped smoothly: u = tanh d.
/// struct Clipped;
/// impl UpdateRule<f64> for Clipped {
///     fn step_size(&self) -> Hyper { Hyper::Fixed(0.1) }
///     fn field(&self) -> &Field { &Field::Inner }
///     fn set(&self) -> &Set<f64> { &Set::All }
///     fn needs_direction(&self) -> bool { true }
///     fn update(&self, _: &[f64], _: usize, d: &mut [f64], _: &mut [f64]) { d.iter_mut().for_each(|d| *d = d.tanh()); }
///     fn pull_update(&self, made: &Made<f64>, bar: &mut [f64], _: &mut [f64], _: &mut [f64]) {
///         bar.iter_mut().zip(made.direction).for_each(|(bar, d)| *bar /= d.cosh().powi(2));
///     }
///     fn push_update(&self, made: &Made<f64>, _: &[f64], tangent: &mut [f64], _: &mut [f64]) {
///         self.pull_update(made, tangent, &mut [], &mut []);
///     }
///     fn check(&self, _: usize) -> Result<()> { Ok(()) }
/// }
/// # let g = Closures::<f64>::new(1, 1, |x, y, _| (y[0] - x[0]).powi(2) / 2.0, |x, y, _, out| out[0] += y[0] - x[0])
/// #     .with_grad_x(|x, y, _, out| out[0] += x[0] - y[0])
/// #     .with_second_order(|_, _, _, v, y_bar, x_bar| { y_bar[0] += v[0]; x_bar[0] -= v[0]; }, |_, _, _, dx, dy, out| out[0] += dy[0] - dx[0]);
/// # let f = Closures::<f64>::new(1, 1, |_, y, _| y[0].powi(2) / 2.0, |_, y, _, out| out[0] += y[0]);
/// # let problem = Problem::new(g, f, FixedStart(vec![0.0]))?;
/// assert!(check::adjoint_dot_test(&Clipped, &At::new(&problem, &[0.4], Key::from_seed(0)), 1e-12)?.passed());
/// # Ok::<(), bilevel::Error>(())
/// ```
pub trait UpdateRule<T: Scalar>: Send + Sync {
    /// s.
    fn step_size(&self) -> Hyper;

    /// d.
    fn field(&self) -> &Field;

    /// The set that y is kept in.
    fn set(&self) -> &Set<T>;

    /// The penalty, handled by its proximal map.
    fn penalty(&self) -> Option<&ElasticNet> {
        None
    }

    /// How many buffers of m numbers there are, all zero at first.
    fn buffers(&self) -> usize {
        0
    }

    /// Whether numbers of the rule itself are part of x, not counting s, the field and the
    /// penalty.
    fn learned(&self) -> bool {
        false
    }

    /// Whether derivatives need the direction: it is then computed again on the way back, or
    /// stays on the tape. Default: if s is learned, because its derivative needs u = d.
    fn needs_direction(&self) -> bool {
        self.step_size().depends_on_x()
    }

    /// At step t = `step`, from 0: turns `direction` into u, and updates the buffers.
    fn update(&self, x: &[T], step: usize, direction: &mut [T], buffers: &mut [T]) {
        let _ = (x, step, direction, buffers);
    }

    /// `out` = u of a step that was made.
    fn update_again(&self, made: &Made<'_, T>, out: &mut [T]) {
        out.copy_from_slice(made.direction);
    }

    /// Turns the cotangent of u in `bar` into the cotangent of d, and the cotangents of the buffers
    /// after the step into those before it; adds to `x_bar` the derivative in the rule's own numbers.
    fn pull_update(
        &self,
        made: &Made<'_, T>,
        bar: &mut [T],
        buffers_bar: &mut [T],
        x_bar: &mut [T],
    ) {
        let _ = (made, bar, buffers_bar, x_bar);
    }

    /// Turns the tangent of d into the tangent of u, and the tangents of the buffers before the step
    /// into those after it.
    fn push_update(
        &self,
        made: &Made<'_, T>,
        dx: &[T],
        tangent: &mut [T],
        buffers_tangent: &mut [T],
    ) {
        let _ = (made, dx, tangent, buffers_tangent);
    }

    /// Whether u jumps at this number of y, of `buffers` after the first step: the derivative that
    /// [`UpdateRule::pull_update`] takes there says nothing about x near this one. Default: nowhere.
    fn jumps(&self, buffers: &[T], number: usize) -> bool {
        let _ = (buffers, number);
        false
    }

    /// Checks the rule's own settings: all but the step size, the field and the set.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for a setting out of range.
    fn check(&self, x_len: usize) -> Result<()>;
}

/// A step that was made, at which a derivative of an [`UpdateRule`] is taken.
#[derive(Clone, Copy, Debug)]
pub struct Made<'a, T> {
    /// The outer variable.
    pub x: &'a [T],
    /// t, from 0.
    pub step: usize,
    /// d; without numbers unless [`UpdateRule::needs_direction`].
    pub direction: &'a [T],
    /// The buffers before the step.
    pub before: &'a [T],
    /// The buffers after it.
    pub after: &'a [T],
}
