//! Proximal gradient descent: sparse inner variables.

use super::{ElasticNet, Field, Hyper, UpdateRule};
use crate::error::require;
use crate::{Result, Scalar, Set};

/// y ← P(prox(y − s · d_t(x, y))) with the proximal map of s · (λ₁‖y‖₁ + λ₂‖y‖₂²/2): the elastic
/// net added to the inner objective, whose absolute values gradient steps cannot handle.
///
/// ISTA (doi 10.1137/080716542), with the derivative through the steps of Bertrand et al.
/// (arXiv 2002.08943). For sparse regression and similar problems; λ₁ and λ₂ can be tuned as part
/// of x. Elements of y become exactly zero, and the hypergradient follows those that do not:
/// it is exact between the kinks, see [`ElasticNet`].
///
/// | setting | default | range | purpose |
/// |---|---|---|---|
/// | `step_size` | 0.1 | positive | s; fixed, or part of x |
/// | `penalty` | λ₁ = 0.1, λ₂ = 0 | at least 0 | the elastic net; fixed, or part of x |
/// | `field` | `Inner` | | the direction d |
/// | `set` | `All` | | the set that y is kept in |
///
/// For all, a box and a ball, P ∘ prox is the proximal map of the penalty and the set together
/// (Yu, NIPS 2013, "On decomposing the proximal map"). On the simplex λ₁‖y‖₁ is constant, so
/// that pair is refused; λ₂ without λ₁ is exact there too.
///
/// [`Momentum`](super::Momentum) and [`Adam`](super::Adam) have no such setting: their update is
/// not the direction itself, so y would rest where update and penalty balance instead of gradient
/// and penalty, and λ₁ would mean something else.
///
/// Cost: as [`GradientDescent`](super::GradientDescent).
///
/// ```
/// use bilevel::{Closures, FixedStart, HyperGradient, Hyper, Key, Problem, ProximalGradient, ElasticNet, Unrolled, dynamics::Transform};
/// // g = (y − 3)²/2 with λ₁ = x: training ends at y = 3 − x.   f = y²/2
/// let g = Closures::<f64>::new(1, 1, |_, y, _| (y[0] - 3.0).powi(2) / 2.0, |_, y, _, out| out[0] += y[0] - 3.0)
///     .with_second_order(|_, _, _, v, y_bar, _| y_bar[0] += v[0], |_, _, _, _, dy, out| out[0] += dy[0]);
/// let f = Closures::<f64>::new(1, 1, |_, y, _| y[0].powi(2) / 2.0, |_, y, _, out| out[0] += y[0]);
/// let problem = Problem::new(g, f, FixedStart(vec![0.0]))?;
/// let l1 = Hyper::FromX { index: 0, transform: Transform::Identity };
/// let dynamics = ProximalGradient { penalty: ElasticNet { l1, ..ElasticNet::default() }, ..ProximalGradient::default() };
/// let method = Unrolled { dynamics: Box::new(dynamics), steps: 300, ..Unrolled::default() };
/// let (gradient, _) = method.gradient(&problem, &[1.0], Key::from_seed(0))?;
/// assert!((gradient[0] + 2.0).abs() < 1e-9);
/// # Ok::<(), bilevel::Error>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct ProximalGradient<T> {
    /// s.
    pub step_size: Hyper,
    /// λ₁ and λ₂.
    pub penalty: ElasticNet,
    /// d.
    pub field: Field,
    /// The set of P.
    pub set: Set<T>,
}

impl<T> Default for ProximalGradient<T> {
    fn default() -> Self {
        Self {
            step_size: Hyper::Fixed(0.1),
            penalty: ElasticNet::default(),
            field: Field::Inner,
            set: Set::All,
        }
    }
}

/// The update is the direction itself.
impl<T: Scalar> UpdateRule<T> for ProximalGradient<T> {
    fn step_size(&self) -> Hyper {
        self.step_size
    }

    fn field(&self) -> &Field {
        &self.field
    }

    fn set(&self) -> &Set<T> {
        &self.set
    }

    fn penalty(&self) -> Option<&ElasticNet> {
        Some(&self.penalty)
    }

    fn check(&self, x_len: usize) -> Result<()> {
        self.penalty.validate(x_len)?;
        require(
            !matches!(self.set, Set::Simplex { .. }) || self.penalty.l1 == Hyper::Fixed(0.0),
            "l1 of the elastic net on the simplex",
            "0, because ‖y‖₁ is constant there",
            match self.penalty.l1 {
                Hyper::Fixed(l1) => l1.to_string(),
                Hyper::FromX { .. } => "a number of x".to_owned(),
            },
        )
    }
}
