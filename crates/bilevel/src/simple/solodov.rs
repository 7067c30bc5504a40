//! Solodov's explicit descent: one projected step on φ + σ_k ω at a time.

use super::pair::{Pair, expect_finite};
use super::{SimpleBilevel, SimpleSolver, Solution, SolutionStatus};
use crate::error::require;
use crate::vector::{axpy, dot, norm};
use crate::{Result, Scalar, Sequence};

/// y ← P(y − a ∇ψ_k(y)) with ψ_k = φ + σ_k ω, for k = 1 … steps, where a is the first of
/// `step_size`, `step_size`/2, `step_size`/4, … with
///
/// ```text
/// ψ_k(y⁺) ≤ ψ_k(y) + θ ⟨∇ψ_k(y), y⁺ − y⟩          (Armijo)
/// ```
///
/// Needs no constants of the problem, and ω need not be strongly convex: if σ_k → 0 and
/// Σ σ_k = ∞, every limit point is a solution. With σ_k = c/k the error in φ is of order
/// c/k; where only ω distinguishes points, y converges like k^(−c·a), which is very slow for a
/// small c. [`BigSam`](super::BigSam) is faster if its constants are known,
/// [`Tikhonov`](super::Tikhonov) if not.
///
/// | setting | default | range | purpose |
/// |---|---|---|---|
/// | `weights` | `power:10,-1` | a power from −1 to below 0 | σ_k, k − 1 the step of the sequence |
/// | `step_size` | 1 | positive | the longest step |
/// | `decrease` | 0.1 | (0, 1) | θ |
/// | `steps` | 10 000 | | K |
///
/// Cost of a step: a gradient of each objective, and a value of each for every a tried;
/// memory: six vectors like y. Where two values differ by no more than rounding, Armijo's
/// inequality is replaced by ⟨∇ψ_k(y⁺), y⁺ − y⟩ ≤ θ ⟨∇ψ_k(y), y⁺ − y⟩, from which it follows
/// for a convex function.
///
/// Reference: Solodov, An explicit descent method for bilevel convex optimization, J. Convex
/// Analysis 14 (2), 227 (2007).
///
/// ```
/// use bilevel::simple::{SimpleBilevel, SimpleSolver, Solodov};
/// use bilevel::{Bounds, Closures, Set};
/// // φ is least wherever y ≤ 1; of these, ω wants the one next to 3.
/// let phi = Closures::<f64>::new(0, 1, |_, y, _| (y[0] - 1.0).max(0.0).powi(2), |_, y, _, out| out[0] += 2.0 * (y[0] - 1.0).max(0.0));
/// let omega = Closures::<f64>::new(0, 1, |_, y, _| (y[0] - 3.0).powi(2) / 2.0, |_, y, _, out| out[0] += y[0] - 3.0);
/// let set = Set::Box(Bounds::uniform(-5.0, 5.0)?);
/// let solution = Solodov::default().solve(&SimpleBilevel::new(&phi, &omega, &[], set)?, &[-4.0])?;
/// assert!((solution.y[0] - 1.0).abs() < 1e-3);
/// # Ok::<(), bilevel::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Solodov {
    /// σ_k.
    pub weights: Sequence,
    /// The longest a.
    pub step_size: f64,
    /// θ.
    pub decrease: f64,
    /// K.
    pub steps: usize,
}

impl Default for Solodov {
    fn default() -> Self {
        Self {
            weights: Sequence::Power {
                start: 10.0,
                power: -1.0,
            },
            step_size: 1.0,
            decrease: 0.1,
            steps: 10_000,
        }
    }
}

/// After this many halvings, a step counts as having no descent.
const HALVINGS: usize = 30;
/// Rounding of a value, in units of the precision of its terms.
const ROUNDING: f64 = 8.0;

impl<T: Scalar> SimpleSolver<T> for Solodov {
    fn validate(&self) -> Result<()> {
        self.weights.validate("weights of solodov")?;
        require(
            matches!(self.weights, Sequence::Power { power, .. } if (-1.0..0.0).contains(&power)),
            "weights of solodov",
            "power:START,POWER with a POWER from -1 to below 0, so that they vanish and their sum does not end",
            self.weights,
        )?;
        require(
            self.step_size > 0.0 && self.step_size.is_finite(),
            "step_size of solodov",
            "a positive number",
            self.step_size,
        )?;
        require(
            self.decrease > 0.0 && self.decrease < 1.0,
            "decrease of solodov",
            "above 0 and below 1",
            self.decrease,
        )
    }

    fn solve(&self, problem: &SimpleBilevel<'_, T>, start: &[T]) -> Result<Solution<T>> {
        SimpleSolver::<T>::validate(self)?;
        let (mut pair, mut y) = Pair::new(problem, start)?;
        let mut gradient = vec![T::zero(); y.len()];
        let (mut next, mut change) = (y.clone(), y.clone());
        let mut weight = self.weights.at(0);
        for k in 1..=self.steps {
            weight = self.weights.at(k - 1);
            pair.gradient(weight, &y, &mut gradient)?;
            let (value, size) = pair.value(weight, &y)?;
            let mut step_size = self.step_size;
            let mut descends = false;
            for _ in 0..HALVINGS {
                next.copy_from_slice(&y);
                axpy(T::from_f64(-step_size), &gradient, &mut next);
                pair.set.project(&mut next);
                expect_finite(&next, k)?;
                change.copy_from_slice(&next);
                axpy(-T::one(), &y, &mut change);
                if step_size < self.step_size && norm(&change) == 0.0 {
                    break;
                }
                let wanted = self.decrease * dot(&gradient, &change);
                let found = pair.value(weight, &next)?.0 - value;
                descends = found <= wanted;
                if !descends && found.abs() <= ROUNDING * T::epsilon().to_double() * size {
                    let mut there = vec![T::zero(); y.len()];
                    pair.gradient(weight, &next, &mut there)?;
                    descends = dot(&there, &change) <= wanted;
                }
                if descends {
                    break;
                }
                step_size /= 2.0;
            }
            if descends {
                std::mem::swap(&mut y, &mut next);
                continue;
            }
            // Where y is stationary up to rounding it waits for the next weight.
            let negligible = T::epsilon().to_double().sqrt() * norm(&y).max(1.0);
            if pair.residual(&y, &gradient) > negligible {
                let status = SolutionStatus::NoDescent { step: k };
                return pair.solution(y, k - 1, weight, status);
            }
        }
        pair.solution(y, self.steps, weight, SolutionStatus::Good)
    }
}
