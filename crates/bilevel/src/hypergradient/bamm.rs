//! sl-BAMM: a single loop on the average of both objectives.

use super::inner_loop::{InnerLoop, expect_x_enters};
use super::{HyperGradient, Report};
use crate::dynamics::{Field, Weights};
use crate::error::{expect_length, positive, require};
use crate::vector::{axpy, norm, scale_into};
use crate::{
    At, Cost, Memory, Oracle, Oracles, Problem, Quantity, Remembers, Result, Scalar, Sequence, Set,
};

/// The single-loop averaged method of multipliers, sl-BAMM (Liu et al., 2023, arXiv 2302.03407):
/// one step each for y, the multiplier v and x, with φ = (1 − μ) g + μ f in place of g.
///
/// At outer step k = 0, 1, …, everything at the remembered (y, v), v = 0 at first:
///
/// ```text
/// h = r_k (∇_x f − ∇²_xy φ v)
/// y ← P(y − s_k ∇_y φ),    v ← v − t_k (∇²_yy φ v − ∇_y f)
/// s_k = step_size · c_k,  t_k = v_step_size · c_k,  c_k = (k+1)^(−τ/2) μ_k^p,  r_k = (k+1)^(−3τ/2) μ_k^q
/// ```
///
/// φ is strongly convex if f is, even if g is only convex: inner solutions need not be unique.
/// The paper's three strategies are (p, q) = (2, 7), (1, 5) and (0, 3), from few assumptions to
/// more. r_k is part of the direction, so use [`Sgd`](crate::Sgd) as outer optimizer, in the
/// paper with `step_size` as rate; an optimizer that rescales gradients undoes r_k.
///
/// | setting | default | range | purpose |
/// |---|---|---|---|
/// | `weight` | `power:0.9,-0.1` | in (0, 1], not growing beyond | μ at each outer step |
/// | `step_size` | 0.1 | positive | of y; stable below 2/L for L-smooth φ |
/// | `v_step_size` | 0.1 | positive | of v; likewise |
/// | `decay` | 1/40 | at least 0 | τ |
/// | `inner_power`, `outer_power` | 0, 3 | at least 0 | p, q |
/// | `set` | all | | P, where y is kept; v ignores it |
///
/// Not for few steps if f and g disagree: μ shrinks slowly, and y follows the solution of φ, an
/// O(μ) away. Cost: one gradient and one product of each objective, and ∇_y f and ∇_x f.
/// Memory: y and v. One mini-batch of each objective for φ, another of f for ∇f. Figures: `weight`
/// μ, `scale` r, `residual` ‖∇²_yy φ v − ∇_y f‖.
///
/// # Errors
/// Refused where x enters neither objective, or either has no second derivatives.
///
/// ```
/// use bilevel::{At, Key, Memory, Problem, FixedStart, Closures, HyperGradient, Bamm, Sequence};
/// // f = (y − x)²/2, g = (y + x)²/2
/// let objective = |s: f64| Closures::<f64>::new(1, 1, move |x, y, _| (y[0] + s * x[0]).powi(2) / 2.0, move |x, y, _, out| out[0] += y[0] + s * x[0])
///     .with_grad_x(move |x, y, _, out| out[0] += s * (y[0] + s * x[0]))
///     .with_second_order(move |_, _, _, v, y_bar, x_bar| { y_bar[0] += v[0]; x_bar[0] += s * v[0] }, move |_, _, _, dx, dy, out| out[0] += dy[0] + s * dx[0]);
/// let problem = Problem::new(objective(1.0), objective(-1.0), FixedStart(vec![1.0]))?;
/// let (method, mut memory, mut h) = (Bamm { weight: Sequence::Constant { value: 0.5 }, ..Bamm::default() }, Memory::default(), [0.0]);
/// method.estimate(&At::new(&problem, &[2.0], Key::from_seed(0)), &mut memory, &mut h)?;
/// assert_eq!(h, [0.5_f64.powi(3) * (2.0 - 1.0)]);
/// assert_eq!((memory.vector("y"), memory.vector("v")), (Some(&[0.9][..]), Some(&[-0.1][..])));
/// # Ok::<(), bilevel::Error>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Bamm<T> {
    /// μ.
    pub weight: Sequence,
    /// The step size of y before its schedule.
    pub step_size: f64,
    /// The step size of v before its schedule.
    pub v_step_size: f64,
    /// τ.
    pub decay: f64,
    /// p.
    pub inner_power: f64,
    /// q.
    pub outer_power: f64,
    /// P.
    pub set: Set<T>,
}

impl<T> Default for Bamm<T> {
    fn default() -> Self {
        Self {
            weight: Sequence::Power {
                start: 0.9,
                power: -0.1,
            },
            step_size: 0.1,
            v_step_size: 0.1,
            decay: 1.0 / 40.0,
            inner_power: 0.0,
            outer_power: 3.0,
            set: Set::All,
        }
    }
}

impl<T: Scalar> HyperGradient<T> for Bamm<T> {
    fn validate(&self, problem: &Problem<T>) -> Result<()> {
        self.weight.validate("weight")?;
        let bounds = [self.weight.at(0), self.weight.at(usize::MAX)];
        let weight_is_right = bounds.iter().all(|&weight| weight <= 1.0);
        require(weight_is_right, "weight", "at most 1", self.weight)?;
        positive("step_size", self.step_size)?;
        positive("v_step_size", self.v_step_size)?;
        let powers = [
            ("decay", self.decay),
            ("inner_power", self.inner_power),
            ("outer_power", self.outer_power),
        ];
        for (field, value) in powers {
            let holds = value >= 0.0 && value.is_finite();
            require(holds, field, "a number of at least 0", value)?;
        }
        self.set.validate(problem.y_len())?;
        problem.expect_second_order(true, "bamm")?;
        expect_x_enters(problem, &Field::Inner, "bamm")
    }

    fn estimate(&self, at: &At<'_, T>, memory: &mut Memory<T>, out: &mut [T]) -> Result<Report<T>> {
        let &At { outer_step, .. } = at;
        let mut inner = InnerLoop::new(at, &self.set)?;
        let mut y = inner.recall(memory, "y")?;
        let mut v = vec![T::zero(); y.len()];
        if let Some(kept) = memory.vector("v") {
            expect_length("v", v.len(), kept.len())?;
            v.copy_from_slice(kept);
        }
        let mu = self.weight.at(outer_step);
        let weights = Weights {
            outer: mu,
            inner: 1.0 - mu,
        };
        let k = outer_step as f64 + 1.0;
        let shrink = k.powf(-self.decay / 2.0) * mu.powf(self.inner_power);
        let scale = k.powf(-1.5 * self.decay) * mu.powf(self.outer_power);

        // −residual = ∇_y f − ∇²_yy φ v, and −∇²_xy φ v is collected.
        let (mut minus_residual, mut minus_v) = (y.clone(), y.clone());
        inner.outer_grad_y(&y, &mut minus_residual)?;
        scale_into(-T::one(), &v, &mut minus_v);
        inner.pull(weights, &y, &minus_v, &mut minus_residual)?;
        inner.collect_outer(&y, 1.0)?;
        inner.finish(out)?;
        let scale_t = T::from_f64(scale);
        out.iter_mut().for_each(|h| *h *= scale_t);

        inner.descend(weights, self.step_size * shrink, 0, &mut y)?;
        let rate = T::from_f64(self.v_step_size * shrink);
        axpy(rate, &minus_residual, &mut v);
        inner.cx.expect_finite(Quantity::Multiplier, None, &v)?;
        memory.set_vector("y", &y);
        memory.set_vector("v", &v);
        let figures = vec![
            ("weight", mu),
            ("scale", scale),
            ("residual", norm(&minus_residual)),
        ];
        let value = inner.value(&y)?;
        Ok(inner.report(value, y, figures))
    }

    fn cost(&self, problem: &Problem<T>) -> Cost {
        let of_average = Oracles::of([(Oracle::GradY, 1.0), (Oracle::Pull, 1.0)]);
        Cost {
            inner: of_average,
            outer: of_average + Oracles::of_seed(problem),
            work_numbers: InnerLoop::work_numbers(problem) + 6 * problem.y_len(),
            ..Cost::default()
        }
    }

    fn remembers(&self) -> Remembers {
        Remembers::Variables
    }
}
