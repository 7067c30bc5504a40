//! What few-shot learning minimises, and how.

use std::fmt;
use std::str::FromStr;

use bilevel::catalogue::{AdjointChoice, Method, OptimizerChoice, Precision, Settings};
use bilevel::optimizer::Annealing;
use bilevel::{HyperGradient, Problem, Reptile};

use super::problem::FewshotProblem;
use super::trained::Trained;
use crate::Error;

/// An algorithm of few-shot learning.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Algorithm {
    /// A start of all parameters, from which a few steps lead to good ones (arXiv 1703.03400).
    Maml,
    /// The same without second derivatives (FOMAML).
    FirstOrder,
    /// The same without second derivatives, corrected with a small probability so that it is unbiased (arXiv 2006.03631).
    Ufo,
    /// Features that all tasks share; a task trains a linear head on them (arXiv 1806.04910).
    #[default]
    HyperRepresentation,
    /// A start of all parameters that moves to where training leads (arXiv 1803.02999).
    Reptile,
}

impl Algorithm {
    /// All, in the order of their explanation.
    pub const ALL: [Self; 5] = [
        Self::HyperRepresentation,
        Self::Maml,
        Self::FirstOrder,
        Self::Ufo,
        Self::Reptile,
    ];

    /// The name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Maml => "maml",
            Self::FirstOrder => "first-order",
            Self::Ufo => "ufo",
            Self::HyperRepresentation => "hyper-representation",
            Self::Reptile => "reptile",
        }
    }

    /// What a task trains.
    #[must_use]
    pub fn trained(self) -> Trained {
        match self {
            Self::HyperRepresentation => Trained::Head,
            Self::Maml | Self::FirstOrder | Self::Ufo | Self::Reptile => Trained::All,
        }
    }

    /// The method that it is, if it is one.
    fn method(self) -> Option<&'static str> {
        match self {
            Self::FirstOrder => Some("first-order"),
            Self::Ufo => Some("ufo"),
            Self::Maml | Self::HyperRepresentation | Self::Reptile => None,
        }
    }

    /// The settings with the method that it is.
    ///
    /// # Errors
    /// Another method is given, or a setting that the algorithm does not use.
    pub fn settings(self, given: &Settings) -> Result<Settings, Error> {
        let mut settings = given.clone();
        let named = given.method.as_ref().map(ToString::to_string);
        let other = |method: String| FewshotProblem::Method {
            algorithm: self.to_string(),
            method,
        };
        if self == Self::Reptile {
            if let Some(method) = named {
                return Err(other(method).into());
            }
            if given.adjoint.is_some() {
                return Err(FewshotProblem::Setting {
                    algorithm: self.to_string(),
                    setting: "adjoint",
                }
                .into());
            }
        }
        if let Some(own) = self.method() {
            if let Some(method) = named.filter(|named| named != own) {
                return Err(other(method).into());
            }
            settings.method = Some(own.parse()?);
        }
        Ok(settings)
    }

    /// The estimate that x follows.
    #[must_use]
    pub fn build<T: Precision>(
        self,
        method: &Method,
        problem: &Problem<T>,
    ) -> Box<dyn HyperGradient<T>> {
        match self {
            Self::Reptile => {
                let unrolled = method.settings.unrolled(AdjointChoice::FirstOrder);
                Box::new(Reptile {
                    dynamics: unrolled.dynamics,
                    steps: unrolled.steps,
                })
            }
            Self::Maml | Self::FirstOrder | Self::Ufo | Self::HyperRepresentation => {
                method.build(problem)
            }
        }
    }

    /// Whether its estimate is the gradient of f after training.
    #[must_use]
    pub fn is_exact(self, method: &Method) -> bool {
        self != Self::Reptile && method.is_exact()
    }

    /// The usual update rule of x: Reptile's direction is itself a step.
    #[must_use]
    pub fn optimizer(self) -> (OptimizerChoice, Annealing) {
        match self {
            Self::Reptile => {
                let rule = OptimizerChoice::Sgd {
                    rate: 1.0,
                    decay: 0.0,
                };
                (rule, Annealing::Linear)
            }
            Self::HyperRepresentation => (OptimizerChoice::Adam(0.002), Annealing::Cosine),
            Self::Maml | Self::FirstOrder | Self::Ufo => {
                (OptimizerChoice::Adam(0.001), Annealing::Cosine)
            }
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Algorithm {
    type Err = bilevel::Error;

    fn from_str(text: &str) -> bilevel::Result<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|algorithm| algorithm.name() == text)
            .ok_or_else(|| {
                bilevel::text::expected_one_of(
                    "maml, first-order, ufo, hyper-representation or reptile",
                    text,
                    &Self::ALL.map(Self::name),
                )
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_algorithm_is_its_method() {
        for algorithm in Algorithm::ALL {
            assert_eq!(algorithm.name().parse::<Algorithm>().unwrap(), algorithm);
        }
        let named = |method: &str| Settings {
            method: Some(method.parse().unwrap()),
            ..Settings::default()
        };
        let ufo = Algorithm::Ufo.settings(&Settings::default()).unwrap();
        assert_eq!(ufo.method.unwrap().to_string(), "ufo");
        Algorithm::Maml.settings(&named("improved")).unwrap();
        Algorithm::Ufo.settings(&named("ufo")).unwrap();
        for (algorithm, method) in [(Algorithm::Ufo, "basic"), (Algorithm::Reptile, "basic")] {
            algorithm.settings(&named(method)).unwrap_err();
        }
    }
}
