//! Whether an estimate is what its method promises.

use std::fmt;

/// How an estimate ended. A status other than [`Status::Good`] is not an error: the estimate exists, but with
/// less than the promised accuracy, and its printed form says what to do.
#[derive(Clone, Copy, PartialEq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Status {
    /// The estimate is what the method promises.
    Good,
    /// The linear system of an implicit method was not solved to its tolerance.
    LinearNotSolved {
        /// ‖residual‖ relative to ‖right-hand side‖.
        residual: f64,
        /// What was asked for.
        tolerance: f64,
        /// Products that were made.
        iterations: usize,
    },
    /// The fixed-point map does not contract.
    NotContraction {
        /// The factor by which the residuals of the linear system grew with each product.
        ratio: f64,
    },
    /// Training did not come close to a stationary point of the inner objective, which the
    /// formula of an implicit method requires.
    InnerNotSolved {
        /// ‖∇_y g‖ at the end of training.
        gradient_norm: f64,
        /// What was asked for.
        tolerance: f64,
    },
    /// Training did not come close to a fixed point of the inner step, which the formula of an
    /// implicit method requires.
    StepNotFixed {
        /// How far one more step moves the state.
        step_length: f64,
        /// What was asked for.
        tolerance: f64,
    },
    /// The first step of Adam jumps at this x: the gradient of some numbers of y is 0 there, but not next to it. Their
    /// steps then have the slope s/ε, which the hypergradient contains.
    StepJumps,
}

impl Status {
    /// Whether the estimate is what the method promises.
    #[must_use]
    pub fn is_good(self) -> bool {
        self == Self::Good
    }
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Good => formatter.write_str("good"),
            Self::LinearNotSolved {
                residual,
                tolerance,
                iterations,
            } => write!(
                formatter,
                "the linear system was solved to a relative residual of {residual:.1e} in {iterations} products, not to {tolerance:.1e}: allow more products, or add damping or weight decay"
            ),
            Self::NotContraction { ratio } => write!(
                formatter,
                "the iteration for the linear system does not contract: its residual grew by a factor of {ratio:.3} with each product; try a smaller step size, or more weight decay"
            ),
            Self::InnerNotSolved {
                gradient_norm,
                tolerance,
            } => write!(
                formatter,
                "training ended at ‖∇_y g‖ = {gradient_norm:.1e}, not {tolerance:.1e}, and the implicit formula holds only at a stationary point: use more inner steps or a larger step size"
            ),
            Self::StepJumps => formatter.write_str(
                "the first step of Adam jumps at this x, because the gradient of some inner variables is exactly 0 there, but not next to it; the hypergradient has slopes as large as step size/epsilon: start from another point, for example with small random numbers in place of zeros, or train with momentum",
            ),
            Self::StepNotFixed {
                step_length,
                tolerance,
            } => write!(
                formatter,
                "one more inner step moves the state by {step_length:.1e}, not {tolerance:.1e}, and the implicit formula holds only at a fixed point: use more inner steps"
            ),
        }
    }
}
