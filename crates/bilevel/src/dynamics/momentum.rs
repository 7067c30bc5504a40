//! Gradient descent with momentum.

use super::{Field, Hyper, Made, UpdateRule};
use crate::vector::{axpy, dot};
use crate::{Result, Scalar, Set};

/// v ← β v + d_t(x, y);  y ← P(y − s · v), from v = 0: the heavy ball of Polyak
/// (doi 10.1016/0041-5553(64)90137-5).
///
/// With `nesterov`, y moves by d + β v instead: Nesterov's method with the gradient at the
/// look-ahead point, in new variables (Sutskever et al., ICML 2013; the form of PyTorch). For
/// ill-conditioned inner problems, where plain gradient descent needs too many steps. Not if y is
/// on the border of a set most of the time: v builds up against the border, and y leaves it
/// late.
///
/// | setting | default | range | purpose |
/// |---|---|---|---|
/// | `step_size` | 0.1 | positive | s; fixed, or part of x |
/// | `momentum` | 0.9 | at least 0, below 1 | β; fixed, or part of x |
/// | `nesterov` | false | | whether y looks ahead |
/// | `field` | `Inner` | | the direction d |
/// | `set` | `All` | | the set that y is kept in; v ignores it |
///
/// State: y and v. Cost: as [`GradientDescent`](super::GradientDescent), but the derivatives in s
/// and β need no additional gradient, because v is stored; only s with `nesterov` does.
///
/// ```
/// use bilevel::{HyperGradient, Key, Momentum, Unrolled, toys};
/// // g = (y − x)²/2,   f = y²/2
/// let problem = toys::following(toys::towards(0.0))?;
/// let method = Unrolled { dynamics: Box::new(Momentum::default()), steps: 500, ..Unrolled::default() };
/// let (gradient, _) = method.gradient(&problem, &[3.0], Key::from_seed(0))?;
/// assert!((gradient[0] - 3.0).abs() < 1e-6);
/// # Ok::<(), bilevel::Error>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Momentum<T> {
    /// s.
    pub step_size: Hyper,
    /// β.
    pub momentum: Hyper,
    /// Whether y moves by d + β v.
    pub nesterov: bool,
    /// d.
    pub field: Field,
    /// The set of P.
    pub set: Set<T>,
}

impl<T> Default for Momentum<T> {
    fn default() -> Self {
        Self {
            step_size: Hyper::Fixed(0.1),
            momentum: Hyper::Fixed(0.9),
            nesterov: false,
            field: Field::Inner,
            set: Set::All,
        }
    }
}

impl<T: Scalar> UpdateRule<T> for Momentum<T> {
    fn step_size(&self) -> Hyper {
        self.step_size
    }

    fn field(&self) -> &Field {
        &self.field
    }

    fn set(&self) -> &Set<T> {
        &self.set
    }

    fn buffers(&self) -> usize {
        1
    }

    fn learned(&self) -> bool {
        self.momentum.depends_on_x()
    }

    fn needs_direction(&self) -> bool {
        self.nesterov && self.step_size.depends_on_x()
    }

    fn update(&self, x: &[T], _: usize, direction: &mut [T], velocity: &mut [T]) {
        let momentum = self.momentum.value(x);
        for (u, v) in direction.iter_mut().zip(velocity) {
            *v = momentum * *v + *u;
            *u = if self.nesterov {
                *u + momentum * *v
            } else {
                *v
            };
        }
    }

    fn update_again(&self, made: &Made<'_, T>, out: &mut [T]) {
        out.copy_from_slice(made.after);
        if self.nesterov {
            let momentum = self.momentum.value(made.x);
            for (u, &d) in out.iter_mut().zip(made.direction) {
                *u = d + momentum * *u;
            }
        }
    }

    fn pull_update(
        &self,
        made: &Made<'_, T>,
        bar: &mut [T],
        velocity_bar: &mut [T],
        x_bar: &mut [T],
    ) {
        let momentum = self.momentum.value(made.x);
        let mut momentum_bar = 0.0;
        if self.nesterov {
            momentum_bar += dot(made.after, bar);
            axpy(momentum, bar, velocity_bar);
        } else {
            axpy(T::one(), bar, velocity_bar);
        }
        momentum_bar += dot(made.before, velocity_bar);
        for (bar, v_bar) in bar.iter_mut().zip(velocity_bar) {
            *bar = if self.nesterov { *bar + *v_bar } else { *v_bar };
            *v_bar *= momentum;
        }
        self.momentum.collect(made.x, momentum_bar, x_bar);
    }

    fn push_update(
        &self,
        made: &Made<'_, T>,
        dx: &[T],
        tangent: &mut [T],
        velocity_tangent: &mut [T],
    ) {
        let momentum = self.momentum.value(made.x);
        let change = self.momentum.tangent(made.x, dx);
        for (v_tangent, &before) in velocity_tangent.iter_mut().zip(made.before) {
            *v_tangent = momentum * *v_tangent + change * before;
        }
        axpy(T::one(), tangent, velocity_tangent);
        if self.nesterov {
            axpy(momentum, velocity_tangent, tangent);
            axpy(change, made.after, tangent);
        } else {
            tangent.copy_from_slice(velocity_tangent);
        }
    }

    fn check(&self, x_len: usize) -> Result<()> {
        let range = "at least 0 and below 1";
        self.momentum.validate_in(
            "momentum",
            |value| (0.0..1.0).contains(&value),
            range,
            x_len,
        )
    }
}
