//! Values of settings that are written as text, with numbers after a colon.

use std::fmt;
use std::str::FromStr;

use crate::text::{expected_one_of, non_negative, number, positive, positive_count};
use crate::{
    Adam, Adaptive, AdaptiveStep, Adjoint, Checkpointed, Error, FirstOrder, Forward, Optimizer,
    Probability, Result, Reverse, ReverseTape, Scalar, Sgd, Truncated,
};

/// What the inner steps follow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FieldChoice {
    /// Only the inner gradient.
    Inner,
    /// A weighted sum of the inner and the outer gradient.
    Aggregate,
}

impl FromStr for FieldChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "inner" => Ok(Self::Inner),
            "aggregate" => Ok(Self::Aggregate),
            _ => Err(expected_one_of(
                "inner or aggregate",
                text,
                &["inner", "aggregate"],
            )),
        }
    }
}

impl fmt::Display for FieldChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Inner => "inner",
            Self::Aggregate => "aggregate",
        })
    }
}

/// How training is differentiated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AdjointChoice {
    /// [`Reverse`].
    Reverse,
    /// [`ReverseTape`].
    ReverseTape,
    /// [`Checkpointed`].
    Checkpointed {
        /// States that are kept.
        slots: usize,
    },
    /// [`Truncated`].
    Truncated {
        /// Steps that are pulled back.
        last: usize,
    },
    /// [`Forward`].
    Forward,
    /// [`FirstOrder`].
    FirstOrder,
}

impl AdjointChoice {
    /// Whether it differentiates the steps without error.
    #[must_use]
    pub fn is_exact(self) -> bool {
        match self {
            Self::Reverse | Self::ReverseTape | Self::Checkpointed { .. } | Self::Forward => true,
            Self::Truncated { .. } | Self::FirstOrder => false,
        }
    }

    /// The adjoint itself.
    #[must_use]
    pub fn build<T: Scalar>(self) -> Box<dyn Adjoint<T>> {
        match self {
            Self::Reverse => Box::new(Reverse),
            Self::ReverseTape => Box::new(ReverseTape::default()),
            Self::Checkpointed { slots } => Box::new(Checkpointed { slots }),
            Self::Truncated { last } => Box::new(Truncated { last }),
            Self::Forward => Box::new(Forward::default()),
            Self::FirstOrder => Box::new(FirstOrder),
        }
    }
}

impl FromStr for AdjointChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.split_once(':') {
            None if text == "reverse" => Ok(Self::Reverse),
            Some(("reverse", "tape")) => Ok(Self::ReverseTape),
            None if text == "first-order" => Ok(Self::FirstOrder),
            None if text == "forward" => Ok(Self::Forward),
            Some(("truncated", last)) => Ok(Self::Truncated {
                last: positive_count(last)?,
            }),
            Some(("checkpointed", slots)) => Ok(Self::Checkpointed {
                slots: positive_count(slots)?,
            }),
            _ => Err(expected_one_of(
                "reverse, reverse:tape, checkpointed:C, truncated:J, forward or first-order",
                text,
                &[
                    "reverse",
                    "reverse:tape",
                    "checkpointed",
                    "truncated",
                    "forward",
                    "first-order",
                ],
            )),
        }
    }
}

impl fmt::Display for AdjointChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reverse => f.write_str("reverse"),
            Self::ReverseTape => f.write_str("reverse:tape"),
            Self::Checkpointed { slots } => write!(f, "checkpointed:{slots}"),
            Self::Truncated { last } => write!(f, "truncated:{last}"),
            Self::Forward => f.write_str("forward"),
            Self::FirstOrder => f.write_str("first-order"),
        }
    }
}

/// How y moves in a step.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub enum DynamicsChoice {
    /// [`GradientDescent`](crate::GradientDescent).
    #[default]
    GradientDescent,
    /// [`Momentum`](crate::Momentum) with this factor.
    Momentum(f64),
    /// [`InnerAdam`](crate::InnerAdam).
    Adam,
}

impl FromStr for DynamicsChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.split_once(':') {
            None if text == "gradient-descent" => Ok(Self::GradientDescent),
            None if text == "adam" => Ok(Self::Adam),
            Some(("momentum", beta)) => {
                let what = "a number of at least 0 and below 1";
                number(beta, what, |beta| (0.0..1.0).contains(&beta)).map(Self::Momentum)
            }
            _ => Err(expected_one_of(
                "gradient-descent, momentum:BETA or adam",
                text,
                &["gradient-descent", "momentum", "adam"],
            )),
        }
    }
}

impl fmt::Display for DynamicsChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GradientDescent => f.write_str("gradient-descent"),
            Self::Momentum(beta) => write!(f, "momentum:{beta}"),
            Self::Adam => f.write_str("adam"),
        }
    }
}

/// The step size of the inner gradient.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum StepSizeChoice {
    /// From the curvature that training meets, where a job measures it.
    Auto,
    /// This number.
    Fixed(f64),
}

impl StepSizeChoice {
    /// The number, if it is one.
    #[must_use]
    pub fn fixed(self) -> Option<f64> {
        match self {
            Self::Auto => None,
            Self::Fixed(number) => Some(number),
        }
    }
}

impl FromStr for StepSizeChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        number(text, "auto, or a positive number", |size| size > 0.0).map(Self::Fixed)
    }
}

impl fmt::Display for StepSizeChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Fixed(number) => write!(f, "{number}"),
        }
    }
}

/// How often the exact part of a debiased estimate is computed.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ProbabilityChoice(
    /// The probability, or how it adapts.
    pub Probability,
);

impl Default for ProbabilityChoice {
    fn default() -> Self {
        Self(Probability::Fixed(0.1))
    }
}

impl FromStr for ProbabilityChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == "adaptive" {
            return Ok(Self(Probability::Adaptive(Adaptive::default())));
        }
        let what = "adaptive, or a number above 0 and at most 1";
        number(text, what, |q| q > 0.0 && q <= 1.0).map(|q| Self(Probability::Fixed(q)))
    }
}

impl fmt::Display for ProbabilityChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Probability::Fixed(q) => write!(f, "{q}"),
            Probability::Adaptive(_) => f.write_str("adaptive"),
        }
    }
}

/// How x moves.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum OptimizerChoice {
    /// [`Sgd`].
    Sgd {
        /// The first rate.
        rate: f64,
        /// How fast the rate shrinks.
        decay: f64,
    },
    /// [`Adam`] with this rate.
    Adam(f64),
    /// [`AdaptiveStep`], given by how far each number moves at first.
    Adaptive(f64),
}

impl OptimizerChoice {
    /// The optimizer itself.
    #[must_use]
    pub fn build<T: Scalar>(self) -> Box<dyn Optimizer<T>> {
        match self {
            Self::Sgd { rate, decay } => Box::new(Sgd { rate, decay }),
            Self::Adam(rate) => Box::new(Adam::new(rate)),
            Self::Adaptive(first_move) => Box::new(AdaptiveStep {
                first_move,
                ..AdaptiveStep::default()
            }),
        }
    }
}

impl FromStr for OptimizerChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.split_once(':') {
            Some(("sgd", numbers)) => {
                let (rate, decay) = numbers.split_once(',').unwrap_or((numbers, "0"));
                Ok(Self::Sgd {
                    rate: positive(rate)?,
                    decay: non_negative(decay)?,
                })
            }
            Some(("adam", rate)) => Ok(Self::Adam(positive(rate)?)),
            Some(("adaptive", first)) => Ok(Self::Adaptive(positive(first)?)),
            _ => Err(expected_one_of(
                "sgd:RATE, sgd:RATE,DECAY, adam:RATE or adaptive:FIRST",
                text,
                &["sgd", "adam", "adaptive"],
            )),
        }
    }
}

impl fmt::Display for OptimizerChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sgd { rate, decay: 0.0 } => write!(f, "sgd:{rate}"),
            Self::Sgd { rate, decay } => write!(f, "sgd:{rate},{decay}"),
            Self::Adam(rate) => write!(f, "adam:{rate}"),
            Self::Adaptive(first) => write!(f, "adaptive:{first}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_what_is_read() {
        for text in [
            "reverse",
            "reverse:tape",
            "checkpointed:7",
            "truncated:3",
            "forward",
            "first-order",
        ] {
            assert_eq!(text.parse::<AdjointChoice>().unwrap().to_string(), text);
        }
        for text in ["sgd:0.5", "sgd:10,1", "adam:0.05", "adaptive:0.1"] {
            assert_eq!(text.parse::<OptimizerChoice>().unwrap().to_string(), text);
        }
        for text in ["gradient-descent", "momentum:0.9", "adam"] {
            assert_eq!(text.parse::<DynamicsChoice>().unwrap().to_string(), text);
        }
        for text in ["0.25", "adaptive"] {
            assert_eq!(text.parse::<ProbabilityChoice>().unwrap().to_string(), text);
        }
        for text in ["auto", "0.25"] {
            assert_eq!(text.parse::<StepSizeChoice>().unwrap().to_string(), text);
        }
        for text in ["inner", "aggregate"] {
            assert_eq!(text.parse::<FieldChoice>().unwrap().to_string(), text);
        }
    }
}
