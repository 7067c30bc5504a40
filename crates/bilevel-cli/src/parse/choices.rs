//! Choices with settings behind a colon.

use std::fmt;
use std::str::FromStr;

use bilevel::{
    Adam, Adaptive, AdaptiveStep, Adjoint, Checkpointed, FirstOrder, Forward, Optimizer,
    Probability, Reverse, ReverseTape, Scalar, Sgd, Truncated,
};

use super::{non_negative, number, positive, positive_count, suggestion};

/// How training is differentiated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AdjointChoice {
    Reverse,
    ReverseTape,
    Checkpointed { slots: usize },
    Truncated { last: usize },
    Forward,
    FirstOrder,
}

impl AdjointChoice {
    /// Whether it gives the gradient of what the steps give, without error.
    pub(crate) fn is_exact(self) -> bool {
        match self {
            Self::Reverse | Self::ReverseTape | Self::Checkpointed { .. } | Self::Forward => true,
            Self::Truncated { .. } | Self::FirstOrder => false,
        }
    }

    pub(crate) fn build<T: Scalar>(self) -> Box<dyn Adjoint<T>> {
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
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
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
            _ => Err(format!(
                "expected reverse, reverse:tape, checkpointed:C, truncated:J, forward or first-order, found {text:?}{}",
                suggestion(
                    text,
                    &[
                        "reverse",
                        "reverse:tape",
                        "checkpointed",
                        "truncated",
                        "forward",
                        "first-order"
                    ]
                )
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
pub(crate) enum DynamicsChoice {
    #[default]
    GradientDescent,
    Momentum(f64),
    Adam,
}

impl FromStr for DynamicsChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "gradient-descent" => Ok(Self::GradientDescent),
            None if text == "adam" => Ok(Self::Adam),
            Some(("momentum", beta)) => {
                let what = "a number of at least 0 and below 1";
                number(beta, what, |beta| (0.0..1.0).contains(&beta)).map(Self::Momentum)
            }
            _ => Err(format!(
                "expected gradient-descent, momentum:BETA or adam, found {text:?}{}",
                suggestion(text, &["gradient-descent", "momentum", "adam"])
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

/// How often the exact part of a debiased estimate is worked out.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct ProbabilityChoice(pub(crate) Probability);

impl Default for ProbabilityChoice {
    fn default() -> Self {
        Self(Probability::Fixed(0.1))
    }
}

impl FromStr for ProbabilityChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
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
pub(crate) enum OptimizerChoice {
    Sgd {
        rate: f64,
        decay: f64,
    },
    Adam(f64),
    /// How far each number moves at first.
    Adaptive(f64),
}

impl OptimizerChoice {
    pub(crate) fn build<T: Scalar>(self) -> Box<dyn Optimizer<T>> {
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
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
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
            _ => Err(format!(
                "expected sgd:RATE, sgd:RATE,DECAY, adam:RATE or adaptive:FIRST, found {text:?}{}",
                suggestion(text, &["sgd", "adam", "adaptive"])
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
