//! Adam as inner dynamics.

use super::{Field, Hyper, Made, UpdateRule};
use crate::error::require;
use crate::{Result, Scalar, Set};

/// Adam (arXiv 1412.6980), with d = d_t(x, y) and k = t + 1:
///
/// m ← β₁ m + (1 − β₁) d;  v ← β₂ v + (1 − β₂) d²;
/// y ← P(y − s · m̂ / (√v̂ + ε)),  m̂ = m / (1 − β₁ᵏ),  v̂ = v / (1 − β₂ᵏ),
///
/// element by element, from m = v = 0: the same numbers as `torch.optim.Adam` without weight decay.
/// The optimizer of the outer variable is [`bilevel::Adam`](crate::Adam).
///
/// Where v is zero, and so all earlier d, the derivative of √v is taken as 0, so that nothing is
/// infinite or NaN: u = m̂/ε is then differentiated only through m. There the step of an element
/// that never had a gradient has the slope (1 − β₁)/(1 − β₁ᵏ) · s/ε, 10⁷ for the defaults at
/// k = 1. This is the true slope of a step that jumps to s as soon as |d| ≫ ε. Where such a slope at the first step
/// reaches the hypergradient, its status is [`Status::StepJumps`](crate::Status::StepJumps).
///
/// For inner problems that plain steps do not train, such as deep models. Not if x enters only
/// as a scale of g: Adam does not see scales, and the hypergradient is near zero.
///
/// | setting | default | range | purpose |
/// |---|---|---|---|
/// | `step_size` | 0.001 | positive | s; fixed, or part of x |
/// | `beta1` | 0.9 | at least 0, below 1 | β₁; fixed, or part of x |
/// | `beta2` | 0.999 | at least 0, below 1 | β₂; fixed, or part of x |
/// | `epsilon` | 1e-8 | positive | ε |
/// | `field` | `Inner` | | the direction d |
/// | `set` | `All` | | the set that y is kept in; m and v ignore it |
///
/// State: y, m and v. Cost of a step: one gradient of the field. Pull-back: one product and one
/// gradient, for the derivative of d²; with a tape, m numbers per step (the direction) replace the gradient.
///
/// ```
/// use bilevel::{HyperGradient, Hyper, InnerAdam, Key, Unrolled, toys};
/// // g = (y − x)²/2,   f = y²/2
/// let problem = toys::following(toys::towards(0.0))?;
/// let dynamics = InnerAdam { step_size: Hyper::Fixed(0.05), ..InnerAdam::default() };
/// let method = Unrolled { dynamics: Box::new(dynamics), steps: 1000, ..Unrolled::default() };
/// let (gradient, _) = method.gradient(&problem, &[3.0], Key::from_seed(0))?;
/// assert!((gradient[0] - 3.0).abs() < 1e-3);
/// # Ok::<(), bilevel::Error>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Adam<T> {
    /// s.
    pub step_size: Hyper,
    /// β₁.
    pub beta1: Hyper,
    /// β₂.
    pub beta2: Hyper,
    /// ε.
    pub epsilon: f64,
    /// d.
    pub field: Field,
    /// The set of P.
    pub set: Set<T>,
}

impl<T> Default for Adam<T> {
    fn default() -> Self {
        Self {
            step_size: Hyper::Fixed(0.001),
            beta1: Hyper::Fixed(0.9),
            beta2: Hyper::Fixed(0.999),
            epsilon: 1e-8,
            field: Field::Inner,
            set: Set::All,
        }
    }
}

/// β and what is made of it, worked out in double precision: 1 − β^k loses half the digits of an
/// f32 at the first steps.
struct Decay<T> {
    beta: T,
    /// 1 − β.
    rest: T,
    /// (1 − β^k)^(−power): 1 for m̂, 1/2 for √v̂.
    correction: T,
    /// The derivative of the correction in β.
    slope: f64,
}

impl<T: Scalar> Decay<T> {
    fn new(beta: f64, step: usize, power: f64) -> Self {
        let k = step as f64 + 1.0;
        let sum = 1.0 - beta.powf(k);
        let correction = sum.powf(-power);
        Self {
            beta: T::from_f64(beta),
            rest: T::from_f64(1.0 - beta),
            correction: T::from_f64(correction),
            slope: power * correction / sum * k * beta.powf(k - 1.0),
        }
    }
}

/// One number: its direction, its buffers before and after, and what the update is made of.
struct One<T> {
    d: T,
    before: (T, T),
    after: (T, T),
    /// √v, and u's denominator √v̂ + ε.
    root: T,
    below: T,
    u: T,
}

impl<T: Scalar> Adam<T> {
    fn decays(&self, x: &[T], step: usize) -> (Decay<T>, Decay<T>) {
        (
            Decay::new(self.beta1.value_f64(x), step, 1.0),
            Decay::new(self.beta2.value_f64(x), step, 0.5),
        )
    }

    /// Every number of a step that was made.
    fn ones<'a>(
        &self,
        made: &Made<'a, T>,
        first: &Decay<T>,
        second: &Decay<T>,
    ) -> impl Iterator<Item = One<T>> + use<'a, T> {
        let epsilon = T::from_f64(self.epsilon);
        let (correction, root_correction) = (first.correction, second.correction);
        let half = made.after.len() / 2;
        let (m, v) = made.after.split_at(half);
        let (m_before, v_before) = made.before.split_at(half);
        let before = m_before.iter().copied().zip(v_before.iter().copied());
        let after = m.iter().copied().zip(v.iter().copied());
        // Without a direction, where none is needed, only u is asked for.
        let directions = made.direction.iter().copied();
        let directions = directions.chain(std::iter::repeat(T::zero()));
        before
            .zip(after)
            .zip(directions)
            .map(move |((before, after), d)| {
                let root = after.1.sqrt();
                let below = root * root_correction + epsilon;
                One {
                    d,
                    before,
                    after,
                    root,
                    below,
                    u: after.0 * correction / below,
                }
            })
    }
}

impl<T: Scalar> One<T> {
    /// ∂u/∂v, 0 at v = 0.
    fn slope(&self, root_correction: T) -> T {
        if self.root > T::zero() {
            -self.u / self.below * (root_correction / (self.root + self.root))
        } else {
            T::zero()
        }
    }
}

impl<T: Scalar> UpdateRule<T> for Adam<T> {
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
        2
    }

    fn learned(&self) -> bool {
        self.beta1.depends_on_x() || self.beta2.depends_on_x()
    }

    fn needs_direction(&self) -> bool {
        true
    }

    fn update(&self, x: &[T], step: usize, direction: &mut [T], buffers: &mut [T]) {
        let (first, second) = self.decays(x, step);
        let epsilon = T::from_f64(self.epsilon);
        let (m, v) = buffers.split_at_mut(direction.len());
        for ((d, m), v) in direction.iter_mut().zip(m).zip(v) {
            *m = first.beta * *m + first.rest * *d;
            *v = second.beta * *v + second.rest * (*d * *d);
            *d = *m * first.correction / (v.sqrt() * second.correction + epsilon);
        }
    }

    fn update_again(&self, made: &Made<'_, T>, out: &mut [T]) {
        let (first, second) = self.decays(made.x, made.step);
        for (out, one) in out.iter_mut().zip(self.ones(made, &first, &second)) {
            *out = one.u;
        }
    }

    fn pull_update(
        &self,
        made: &Made<'_, T>,
        bar: &mut [T],
        buffers_bar: &mut [T],
        x_bar: &mut [T],
    ) {
        let (first, second) = self.decays(made.x, made.step);
        let (m_bar, v_bar) = buffers_bar.split_at_mut(bar.len());
        let (mut beta1_bar, mut beta2_bar) = (0.0, 0.0);
        let ones = self.ones(made, &first, &second);
        for (((bar, m_bar), v_bar), one) in bar.iter_mut().zip(m_bar).zip(v_bar).zip(ones) {
            *m_bar += *bar * first.correction / one.below;
            *v_bar += *bar * one.slope(second.correction);
            let over = (*bar / one.below).to_double();
            beta1_bar += (*m_bar * (one.before.0 - one.d)).to_double()
                + over * one.after.0.to_double() * first.slope;
            beta2_bar += (*v_bar * (one.before.1 - one.d * one.d)).to_double()
                - over * (one.u * one.root).to_double() * second.slope;
            *bar = first.rest * *m_bar + (second.rest + second.rest) * one.d * *v_bar;
            *m_bar *= first.beta;
            *v_bar *= second.beta;
        }
        self.beta1.collect(made.x, beta1_bar, x_bar);
        self.beta2.collect(made.x, beta2_bar, x_bar);
    }

    fn push_update(
        &self,
        made: &Made<'_, T>,
        dx: &[T],
        tangent: &mut [T],
        buffers_tangent: &mut [T],
    ) {
        let (first, second) = self.decays(made.x, made.step);
        let beta1 = self.beta1.tangent(made.x, dx);
        let beta2 = self.beta2.tangent(made.x, dx);
        let correction = beta1 * T::from_f64(first.slope);
        let root_correction = beta2 * T::from_f64(second.slope);
        let (m_tangent, v_tangent) = buffers_tangent.split_at_mut(tangent.len());
        let ones = self.ones(made, &first, &second);
        for (((tangent, m), v), one) in tangent.iter_mut().zip(m_tangent).zip(v_tangent).zip(ones) {
            *m = first.beta * *m + first.rest * *tangent + beta1 * (one.before.0 - one.d);
            *v = second.beta * *v
                + (second.rest + second.rest) * one.d * *tangent
                + beta2 * (one.before.1 - one.d * one.d);
            *tangent = (*m * first.correction + one.after.0 * correction
                - one.u * one.root * root_correction)
                / one.below
                + *v * one.slope(second.correction);
        }
    }

    fn jumps(&self, buffers: &[T], number: usize) -> bool {
        let (_, v) = buffers.split_at(buffers.len() / 2);
        v[number] == T::zero()
    }

    fn check(&self, x_len: usize) -> Result<()> {
        for (field, beta) in [("beta1", self.beta1), ("beta2", self.beta2)] {
            let range = "at least 0 and below 1";
            beta.validate_in(field, |value| (0.0..1.0).contains(&value), range, x_len)?;
        }
        require(
            self.epsilon > 0.0 && self.epsilon.is_finite(),
            "epsilon",
            "a positive number",
            self.epsilon,
        )
    }
}
