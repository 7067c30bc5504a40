//! How often a debiased estimate is corrected.

use crate::error::{positive, require};
use crate::{Memory, Result, Scalar};

/// q: the probability with which the exact part of a [`Debiased`](crate::Debiased) estimate is computed.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Probability {
    /// Always the same (UFO-BLO, arXiv 2006.03631), above 0 and at most 1. With q = 1 the estimate is
    /// the exact one, and the cheap part is not computed.
    Fixed(f64),
    /// The best for the differences seen so far (UFOM, arXiv 2106.02487).
    Adaptive(Adaptive),
}

/// The probability with the best ratio of cost to gain, from running averages of
/// D² = ‖G − G_cheap‖² and V² = ‖G‖².
///
/// Stochastic gradient descent takes a number of steps that grows with the second moment of its
/// gradients, V² + (1/q − 1) D². With the [costs](crate::HyperGradient::cost) C_cheap and C_exact
/// of the two parts, q in (0, 1] minimises
///
/// (C_cheap + q C_exact) · (V² + (1/q − 1) D²)^p,
///
/// the least positive root of C_exact (V² − D²) q² + (1 − p) C_exact D² q − p D² C_cheap = 0, or 1 if
/// that root costs more or does not exist. (For D² ≤ V² it is 1 if and only if
/// p D² (C_cheap + C_exact) ≥ C_exact V²; for D² > V² and p < 1 that test is not sufficient.)
///
/// The averages use the raw difference and the raw exact gradient, whenever the coin shows them. One
/// that is seen with probability q counts 1/q times, for the steps that it represents, so that a q that
/// changes with x does not distort the averages towards places where it was large. While q is constant,
/// they are the usual bias-corrected exponential averages. Before the first exact draw, q is `least`.
///
/// The published code measures D² on the debiased estimate, which makes it (1/q − 1)² times too
/// large, and divides it by 10; the raw difference needs no such factor, and the default is none.
///
/// | setting | default | range | purpose |
/// |---|---|---|---|
/// | `least` | 0.05 | above 0, at most 1 | the smallest q, so that D² is seen at all |
/// | `averaging` | 0.99 | at least 0, below 1 | how much of the old average stays at each exact draw |
/// | `power` | 2 | positive | p; the two versions of the paper use 1/2 and 2 |
/// | `difference_factor` | 1 | positive | the factor of D² |
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Adaptive {
    /// The smallest q.
    pub least: f64,
    /// How much of the old average stays at each exact draw.
    pub averaging: f64,
    /// p.
    pub power: f64,
    /// The factor of D².
    pub difference_factor: f64,
}

impl Default for Adaptive {
    fn default() -> Self {
        Self {
            least: 0.05,
            averaging: 0.99,
            power: 2.0,
            difference_factor: 1.0,
        }
    }
}

/// D² and V².
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Moments {
    /// D² = ‖G − G_cheap‖².
    pub difference: f64,
    /// V² = ‖G‖².
    pub exact: f64,
}

const DIFFERENCE: &str = "squared difference";
const EXACT: &str = "squared exact gradient";
const WEIGHT: &str = "weight of the averages";

impl Moments {
    /// Of an estimate and its exact counterpart.
    pub(super) fn of<T: Scalar>(cheap: &[T], exact: &[T]) -> Self {
        let pairs = cheap.iter().zip(exact);
        Self {
            difference: pairs
                .map(|(cheap, exact)| (cheap.to_double() - exact.to_double()).powi(2))
                .sum(),
            exact: crate::vector::dot(exact, exact),
        }
    }

    /// The running averages, after the first exact draw.
    pub(super) fn remembered<T: Scalar>(memory: &Memory<T>) -> Option<Self> {
        let weight = memory.number(WEIGHT)?;
        Some(Self {
            difference: memory.number(DIFFERENCE)? / weight,
            exact: memory.number(EXACT)? / weight,
        })
    }
}

impl Adaptive {
    /// The best q, at least `least`; `cheap_cost` and `exact_cost` are C_cheap and C_exact in any unit.
    #[must_use]
    pub fn best(&self, moments: Moments, cheap_cost: f64, exact_cost: f64) -> f64 {
        let (power, square) = (self.power, moments.exact);
        let difference = self.difference_factor * moments.difference;
        if difference == 0.0 {
            return self.least;
        }
        let price = |q: f64| {
            let moment = square + (1.0 / q - 1.0) * difference;
            (cheap_cost + q * exact_cost) * moment.powf(power)
        };
        // a q² + b q = c, in the form that keeps its digits for any sign of a and b; no root is NaN.
        let a = exact_cost * (square - difference);
        let b = (1.0 - power) * exact_cost * difference;
        let c = power * difference * cheap_cost;
        let root = 2.0 * c / (b + (b * b + 4.0 * a * c).sqrt());
        let inside = root.max(self.least);
        // Where D² > V² and p < 1, both ends of a hump are low.
        if root > 0.0 && inside < 1.0 && price(inside) < price(1.0) {
            inside
        } else {
            1.0
        }
    }

    /// Takes what an exact draw showed, which was made with `probability`, into the averages.
    pub(super) fn observe<T: Scalar>(
        &self,
        moments: Moments,
        probability: f64,
        memory: &mut Memory<T>,
    ) {
        for (name, value) in [
            (DIFFERENCE, moments.difference),
            (EXACT, moments.exact),
            (WEIGHT, 1.0),
        ] {
            let old = memory.number(name).unwrap_or(0.0);
            let share = (1.0 - self.averaging) / probability;
            memory.set_number(name, self.averaging * old + share * value);
        }
    }
}

impl Probability {
    /// q, given the remembered moments; `costs` returns the costs of the cheap and the exact part.
    pub(super) fn now<T: Scalar>(
        &self,
        memory: &Memory<T>,
        costs: impl FnOnce() -> (f64, f64),
    ) -> f64 {
        match (self, Moments::remembered(memory)) {
            (Self::Adaptive(adaptive), Some(moments)) => {
                let (cheap, exact) = costs();
                adaptive.best(moments, cheap, exact)
            }
            _ => self.first(),
        }
    }

    /// q before anything was seen.
    pub(super) fn first(&self) -> f64 {
        match self {
            Self::Fixed(probability) => *probability,
            Self::Adaptive(adaptive) => adaptive.least,
        }
    }

    pub(super) fn validate(&self) -> Result<()> {
        let positive_unit = |field, value: f64| {
            require(
                value > 0.0 && value <= 1.0,
                field,
                "above 0 and at most 1",
                value,
            )
        };
        match self {
            Self::Fixed(probability) => positive_unit("probability", *probability),
            Self::Adaptive(adaptive) => {
                positive_unit("least", adaptive.least)?;
                require(
                    (0.0..1.0).contains(&adaptive.averaging),
                    "averaging",
                    "at least 0 and below 1",
                    adaptive.averaging,
                )?;
                positive("power", adaptive.power)?;
                positive("difference_factor", adaptive.difference_factor)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best(power: f64, (difference, exact): (f64, f64), (cheap, dear): (f64, f64)) -> f64 {
        let adaptive = Adaptive {
            power,
            least: 1e-9,
            ..Adaptive::default()
        };
        adaptive.best(Moments { difference, exact }, cheap, dear)
    }

    /// The second toy of the UFOM code at α = 0.01, under both versions' power and costs.
    #[test]
    fn the_published_optima() {
        let moments = (53.212, 2229.316);
        assert!((best(0.5, moments, (11.0, 10.0)) - 0.1100).abs() < 5e-5);
        assert!((best(2.0, moments, (11.0, 55.0)) - 0.1119).abs() < 5e-5);
    }

    #[test]
    fn no_other_probability_is_better() {
        let grid: Vec<f64> = (1..=10_000).map(|i| f64::from(i) / 10_000.0).collect();
        let mut inside = 0;
        for power in [0.25, 0.5, 1.0, 2.0, 3.0] {
            for difference in [1e-3, 0.1, 0.7, 0.99, 1.0, 1.5, 5.0] {
                for (cheap, dear) in [(11.0, 55.0), (11.0, 10.0), (1.0, 100.0), (5.0, 1.0)] {
                    let price = |q: f64| {
                        (cheap + q * dear) * (1.0 + (1.0 / q - 1.0) * difference).powf(power)
                    };
                    let q = best(power, (difference, 1.0), (cheap, dear));
                    let least = grid.iter().map(|&q| price(q)).fold(f64::INFINITY, f64::min);
                    assert!(
                        price(q) <= least * (1.0 + 1e-9),
                        "p = {power}, D² = {difference}, {cheap}, {dear}: {q}"
                    );
                    inside += usize::from(q < 1.0);
                }
            }
        }
        assert!(inside > 40, "{inside}");
    }

    #[test]
    fn extremes() {
        let adaptive = Adaptive::default();
        let at = |difference, exact| adaptive.best(Moments { difference, exact }, 10.0, 50.0);
        assert_eq!(at(0.0, 0.0), 0.05);
        assert_eq!(at(0.0, 3.0), 0.05);
        assert_eq!(at(1e-9, 3.0), 0.05);
        assert_eq!(at(3.0, 0.0), 1.0);
    }

    /// x moves between a place of many exact draws and one of few: each draw counts for the steps
    /// that it stands for, so the averages are those over the steps.
    #[test]
    fn what_is_rarely_seen_counts_more() {
        let adaptive = Adaptive {
            averaging: 0.999,
            ..Adaptive::default()
        };
        let mut memory = Memory::<f64>::default();
        for step in 0..100_000 {
            let (probability, size) = if step % 2 == 0 {
                (1.0, 4.0)
            } else {
                (0.1, 1.0)
            };
            let seen = probability == 1.0 || step % 20 == 1;
            if seen {
                let moments = Moments {
                    difference: size,
                    exact: 10.0 * size,
                };
                adaptive.observe(moments, probability, &mut memory);
            }
        }
        let found = Moments::remembered(&memory).unwrap();
        assert!((found.difference - 2.5).abs() < 0.02, "{found:?}");
        assert!((found.exact - 25.0).abs() < 0.2, "{found:?}");
    }
}
