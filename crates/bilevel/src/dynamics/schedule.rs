//! How much of the outer gradient each inner step takes.

use std::fmt;
use std::str::FromStr;

use crate::error::require;
use crate::{Error, Result};

/// The weights of the outer and the inner gradient at inner step k = 1 … K.
///
/// α_k weighs the *outer* gradient; the inner one gets 1 − α_k unless the form gives both.
/// The papers' theory wants α_k → 0 and Σ α_k = ∞ ([`Schedule::Harmonic`],
/// [`Schedule::BigSam`]): then training ends at the inner solution that the outer
/// objective likes best. A constant weight meets neither condition: it is biased where
/// the two objectives disagree, and often works best in few steps.
///
/// Written as on the command line: `constant:0.5`, `harmonic:0.9`, `geometric:0.5,0.9`,
/// `bigsam:1,0.5,1`, `per-outer:0.9,10`, `every:5,harmonic:0.9`.
///
/// References: BiG-SAM (Sabach and Shtern, 2017, doi 10.1137/16M105592X), BDA (arXiv
/// 2006.04045), Improved Bilevel Model (arXiv 2009.00690), sl-BAMM (arXiv 2302.03407).
#[derive(Clone, PartialEq, Debug)]
pub enum Schedule {
    /// α_k = `weight`, in [0, 1].
    Constant {
        /// The weight.
        weight: f64,
    },
    /// α_k = min(`scale`/k, 1).
    Harmonic {
        /// The weight at the first step, before the cap; positive.
        scale: f64,
    },
    /// `weight` · `ratio`^(k−1) on the outer and 1 − `weight` on the inner gradient, as
    /// the BDA code does: the two do not sum to one.
    Geometric {
        /// The first weight, in [0, 1].
        weight: f64,
        /// The ratio of successive weights, in (0, 1].
        ratio: f64,
    },
    /// α_k = min(2γ / (k(1−β)), cap).
    BigSam {
        /// γ in (0, 1].
        gamma: f64,
        /// β in [0, 1): the contraction factor of a step on the outer objective.
        beta: f64,
        /// The largest weight, in (0, 1].
        cap: f64,
    },
    /// α = `start` · (t+1)^(−1/`power`) at outer step t, the same for all inner steps.
    PerOuter {
        /// The weight at outer step 0, in [0, 1].
        start: f64,
        /// The power, positive.
        power: f64,
    },
    /// `schedule` at every `period`-th step (k divisible by it), the inner gradient
    /// alone at the others.
    Every {
        /// The period, at least 1.
        period: usize,
        /// What happens at those steps.
        schedule: Box<Schedule>,
    },
}

const FORMS: &str = "constant:A, harmonic:C, geometric:A,R, bigsam:GAMMA,BETA,CAP, per-outer:MU0,P or every:N,SCHEDULE";

/// The weights of one inner step.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Weights {
    /// Of the outer gradient.
    pub outer: f64,
    /// Of the inner gradient.
    pub inner: f64,
}

impl Weights {
    fn convex(outer: f64) -> Self {
        Self {
            outer,
            inner: 1.0 - outer,
        }
    }
}

impl Schedule {
    /// The weights at inner step `k` = 1 … K of outer step `outer_step` = 0, 1, …
    #[must_use]
    pub fn weights(&self, k: usize, outer_step: usize) -> Weights {
        let step = k as f64;
        match self {
            Self::Constant { weight } => Weights::convex(*weight),
            Self::Harmonic { scale } => Weights::convex((scale / step).min(1.0)),
            Self::Geometric { weight, ratio } => Weights {
                outer: weight * ratio.powf(step - 1.0),
                inner: 1.0 - weight,
            },
            Self::BigSam { gamma, beta, cap } => {
                Weights::convex((2.0 * gamma / (step * (1.0 - beta))).min(*cap))
            }
            Self::PerOuter { start, power } => {
                Weights::convex(start * (outer_step as f64 + 1.0).powf(-1.0 / power))
            }
            Self::Every { period, schedule } => {
                if k.is_multiple_of(*period) {
                    schedule.weights(k, outer_step)
                } else {
                    Weights::convex(0.0)
                }
            }
        }
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// [`Error::Setting`] for a number out of its range.
    pub fn validate(&self) -> Result<()> {
        let unit = |field, value: f64| {
            require(
                (0.0..=1.0).contains(&value),
                field,
                "between 0 and 1",
                value,
            )
        };
        let positive = |field, value: f64| {
            require(
                value > 0.0 && value.is_finite(),
                field,
                "a positive number",
                value,
            )
        };
        let positive_unit = |field, value: f64| {
            require(
                value > 0.0 && value <= 1.0,
                field,
                "above 0 and at most 1",
                value,
            )
        };
        match self {
            Self::Constant { weight } => unit("the weight of the schedule constant", *weight),
            Self::Harmonic { scale } => positive("the scale of the schedule harmonic", *scale),
            Self::Geometric { weight, ratio } => {
                unit("the weight of the schedule geometric", *weight)?;
                positive_unit("the ratio of the schedule geometric", *ratio)
            }
            Self::BigSam { gamma, beta, cap } => {
                positive_unit("gamma of the schedule bigsam", *gamma)?;
                require(
                    (0.0..1.0).contains(beta),
                    "beta of the schedule bigsam",
                    "at least 0 and below 1",
                    beta,
                )?;
                positive_unit("the cap of the schedule bigsam", *cap)
            }
            Self::PerOuter { start, power } => {
                unit("the start of the schedule per-outer", *start)?;
                positive("the power of the schedule per-outer", *power)
            }
            Self::Every { period, schedule } => {
                require(
                    *period >= 1,
                    "the period of the schedule every",
                    "at least 1",
                    period,
                )?;
                schedule.validate()
            }
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant { weight } => write!(formatter, "constant:{weight}"),
            Self::Harmonic { scale } => write!(formatter, "harmonic:{scale}"),
            Self::Geometric { weight, ratio } => write!(formatter, "geometric:{weight},{ratio}"),
            Self::BigSam { gamma, beta, cap } => write!(formatter, "bigsam:{gamma},{beta},{cap}"),
            Self::PerOuter { start, power } => write!(formatter, "per-outer:{start},{power}"),
            Self::Every { period, schedule } => write!(formatter, "every:{period},{schedule}"),
        }
    }
}

impl FromStr for Schedule {
    type Err = Error;

    /// Reads the form of the command line and checks its numbers.
    fn from_str(text: &str) -> Result<Self> {
        let unknown = || Error::Unknown {
            what: "schedule",
            text: text.to_owned(),
            expected: FORMS,
        };
        let (name, rest) = text.split_once(':').ok_or_else(unknown)?;
        let schedule = if name == "every" {
            let (period, schedule) = rest.split_once(',').ok_or_else(unknown)?;
            Self::Every {
                period: period.parse().map_err(|_| unknown())?,
                schedule: Box::new(schedule.parse()?),
            }
        } else {
            let numbers = rest
                .split(',')
                .map(|number| number.parse().map_err(|_| unknown()))
                .collect::<Result<Vec<f64>>>()?;
            match (name, numbers.as_slice()) {
                ("constant", &[weight]) => Self::Constant { weight },
                ("harmonic", &[scale]) => Self::Harmonic { scale },
                ("geometric", &[weight, ratio]) => Self::Geometric { weight, ratio },
                ("bigsam", &[gamma, beta, cap]) => Self::BigSam { gamma, beta, cap },
                ("per-outer", &[start, power]) => Self::PerOuter { start, power },
                _ => return Err(unknown()),
            }
        };
        schedule.validate()?;
        Ok(schedule)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(text: &str, k: usize, outer_step: usize) -> (f64, f64) {
        let Weights { outer, inner } = text.parse::<Schedule>().unwrap().weights(k, outer_step);
        (outer, inner)
    }

    #[test]
    fn the_formulas() {
        assert_eq!(weights("constant:0.25", 7, 3), (0.25, 0.75));
        assert_eq!(weights("harmonic:3", 2, 0), (1.0, 0.0));
        assert_eq!(weights("harmonic:3", 4, 0), (0.75, 0.25));
        assert_eq!(weights("geometric:0.5,0.5", 3, 0), (0.125, 0.5));
        assert_eq!(weights("bigsam:1,0.5,0.9", 1, 0), (0.9, 1.0 - 0.9));
        assert_eq!(weights("bigsam:1,0.5,1", 8, 0), (0.5, 0.5));
        assert_eq!(weights("per-outer:0.8,2", 5, 3), (0.4, 0.6));
        assert_eq!(weights("every:5,constant:0.5", 4, 0), (0.0, 1.0));
        assert_eq!(weights("every:5,constant:0.5", 5, 0), (0.5, 0.5));
    }

    #[test]
    fn what_is_printed_is_what_is_read() {
        for text in [
            "constant:0.5",
            "harmonic:0.9",
            "geometric:0.5,0.9",
            "bigsam:1,0.5,1",
            "per-outer:0.9,10",
            "every:5,harmonic:0.5",
        ] {
            assert_eq!(text.parse::<Schedule>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn wrong_forms_and_numbers_are_refused() {
        for text in [
            "constant",
            "constant:x",
            "constant:2",
            "constant:nan",
            "harmonic:0",
            "geometric:0.5",
            "bigsam:1,1,1",
            "every:0,constant:0.5",
            "every:5",
            "cosine:1",
        ] {
            assert!(text.parse::<Schedule>().is_err(), "{text}");
        }
    }
}
