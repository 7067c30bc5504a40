//! How much of the outer gradient each inner step takes.

use std::fmt;
use std::str::FromStr;

use super::hyper::sigmoid;
use crate::error::{positive, require};
use crate::{Error, Result, Scalar};

/// The weights of the outer and the inner gradient at inner step k = 1 … K.
///
/// α_k weighs the *outer* gradient; the inner one gets 1 − α_k unless the form gives both.
/// The theory of the papers needs α_k → 0 and Σ α_k = ∞ ([`Schedule::Harmonic`],
/// [`Schedule::BigSam`]): training then ends at the best inner solution for the outer
/// objective. A constant weight does not vanish: it is biased if the two objectives
/// disagree, and often works best in few steps.
///
/// Written as on the command line: `constant:0.5`, `harmonic:0.9`, `geometric:0.5,0.9`,
/// `bigsam:1,0.5,1`, `per-outer:0.9,10`, `every:5,harmonic:0.9`, `learned:8,20`.
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
    /// in the BDA code: the two do not sum to one.
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
    /// α_k = σ(x\[`first` + min(k, `count`) − 1\]), σ(z) = 1/(1 + e^(−z)): the weights are
    /// learned as part of x, one for each of the first `count` steps; the last one also holds for
    /// all later steps. With `count` 1, one number holds for all steps.
    ///
    /// The hypergradient gets ⟨`outer_scale` · ∇_y f − ∇_y g, d̄_k⟩ · α_k (1 − α_k) there: both
    /// gradients once more on the way back, or m more numbers per step on the tape.
    Learned {
        /// The first number of x that is a weight before σ.
        first: usize,
        /// How many numbers of x are weights, at least 1.
        count: usize,
    },
    /// `schedule` at every `period`-th step (k divisible by it), only the inner gradient
    /// at the others.
    Every {
        /// The period, at least 1.
        period: usize,
        /// The schedule at those steps.
        schedule: Box<Schedule>,
    },
}

const FORMS: &str = "constant:A, harmonic:C, geometric:A,R, bigsam:GAMMA,BETA,CAP, per-outer:MU0,P, learned:FIRST,COUNT or every:N,SCHEDULE";

const NAMES: [&str; 7] = [
    "constant",
    "harmonic",
    "geometric",
    "bigsam",
    "per-outer",
    "learned",
    "every",
];

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
    /// The weights at inner step `k` = 1 … K of outer step `outer_step` = 0, 1, … at this x,
    /// which [`Schedule::validate`] found long enough.
    #[must_use]
    pub fn weights<T: Scalar>(&self, k: usize, outer_step: usize, x: &[T]) -> Weights {
        match self.learned_at(k) {
            // Neither objective is ever left out: the derivative needs both.
            Some(index) => Weights::convex(
                sigmoid(x[index].to_double()).clamp(f64::EPSILON, 1.0 - f64::EPSILON),
            ),
            None => self.fixed(k, outer_step),
        }
    }

    /// Which number of x the weight at inner step `k` is made of, where it is learned, and
    /// dα_k/dx there.
    #[must_use]
    pub fn derivative<T: Scalar>(&self, k: usize, x: &[T]) -> Option<(usize, f64)> {
        let index = self.learned_at(k)?;
        let weight = sigmoid(x[index].to_double());
        Some((index, weight * (1.0 - weight)))
    }

    /// Whether weights are part of x.
    #[must_use]
    pub fn depends_on_x(&self) -> bool {
        match self {
            Self::Learned { .. } => true,
            Self::Every { schedule, .. } => schedule.depends_on_x(),
            _ => false,
        }
    }

    fn learned_at(&self, k: usize) -> Option<usize> {
        match self {
            Self::Learned { first, count } => Some(first + k.clamp(1, *count) - 1),
            Self::Every { period, schedule } if k.is_multiple_of(*period) => schedule.learned_at(k),
            _ => None,
        }
    }

    /// The weights where they are no part of x.
    #[must_use]
    pub fn fixed_weights(&self, k: usize, outer_step: usize) -> Option<Weights> {
        match self.learned_at(k) {
            Some(_) => None,
            None => Some(self.fixed(k, outer_step)),
        }
    }

    fn fixed(&self, k: usize, outer_step: usize) -> Weights {
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
            Self::Every { period, schedule } if k.is_multiple_of(*period) => {
                schedule.fixed(k, outer_step)
            }
            Self::Every { .. } | Self::Learned { .. } => Weights::convex(0.0),
        }
    }

    /// Checks the settings, and that the learned weights lie inside an x of `x_len` numbers.
    ///
    /// # Errors
    /// [`Error::Setting`] for a number out of its range.
    pub fn validate(&self, x_len: usize) -> Result<()> {
        self.validate_numbers()?;
        match self {
            Self::Learned { first, count } => require(
                first.checked_add(*count).is_some_and(|end| end <= x_len),
                "the numbers of x of the schedule learned",
                "inside x",
                format!("{count} from number {first} on where x has {x_len}"),
            ),
            Self::Every { schedule, .. } => schedule.validate(x_len),
            _ => Ok(()),
        }
    }

    fn validate_numbers(&self) -> Result<()> {
        let unit = |field, value: f64| {
            require(
                (0.0..=1.0).contains(&value),
                field,
                "between 0 and 1",
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
                schedule.validate_numbers()
            }
            Self::Learned { count, .. } => require(
                *count >= 1,
                "the count of the schedule learned",
                "at least 1",
                count,
            ),
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
            Self::Learned { first, count } => write!(formatter, "learned:{first},{count}"),
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
            known: &NAMES,
        };
        let (name, rest) = text.split_once(':').ok_or_else(unknown)?;
        let schedule = if let "every" | "learned" = name {
            let (first, second) = rest.split_once(',').ok_or_else(unknown)?;
            let first = first.parse().map_err(|_| unknown())?;
            if name == "every" {
                Self::Every {
                    period: first,
                    schedule: Box::new(second.parse()?),
                }
            } else {
                let count = second.parse().map_err(|_| unknown())?;
                Self::Learned { first, count }
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
        schedule.validate_numbers()?;
        Ok(schedule)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(text: &str, k: usize, outer_step: usize) -> (f64, f64) {
        let Weights { outer, inner } =
            text.parse::<Schedule>()
                .unwrap()
                .weights(k, outer_step, &[9.0, 0.0, 3.0_f64.ln()]);
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
        assert_eq!(weights("learned:1,2", 1, 0), (0.5, 0.5));
        for k in [2, 3, 100] {
            assert!((weights("learned:1,2", k, 0).0 - 0.75).abs() < 1e-15);
        }
        assert_eq!(weights("every:2,learned:1,2", 1, 0), (0.0, 1.0));
        assert!((weights("every:2,learned:1,2", 2, 0).0 - 0.75).abs() < 1e-15);
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
            "learned:8,20",
            "every:5,learned:0,1",
        ] {
            assert_eq!(text.parse::<Schedule>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn learned_weights_lie_inside_x() {
        for (text, fits) in [
            ("learned:1,2", true),
            ("learned:2,2", false),
            ("every:3,learned:3,1", false),
        ] {
            let schedule: Schedule = text.parse().unwrap();
            assert_eq!(schedule.validate(3).is_ok(), fits, "{text}");
            assert!(schedule.depends_on_x());
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
            "learned",
            "learned:8",
            "learned:8,0",
            "learned:8,-1",
            "learned:8,1.5",
            "learned:8,1,2",
            "every:2,learned:8,0",
            "cosine:1",
        ] {
            assert!(text.parse::<Schedule>().is_err(), "{text}");
        }
    }
}
