//! A number for each outer step: penalties, and steps that shrink.

use std::fmt;
use std::str::FromStr;

use crate::error::require;
use crate::{Error, Result};

/// A positive number for each outer step t = 0, 1, …: a growing penalty, a shrinking step size
/// or regularisation.
///
/// Written `constant:10`, `linear:0.01,0.2,30000`, `power:10,0.25` or `geometric:0.001,0.9`.
///
/// ```
/// use bilevel::Sequence;
/// let penalty: Sequence = "power:10,0.5".parse()?;
/// assert_eq!(penalty.at(3), 20.0);
/// # Ok::<(), bilevel::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Sequence {
    /// The same at every step.
    Constant {
        /// Positive.
        value: f64,
    },
    /// From `start` to `end` in equal parts over `steps` outer steps, then `end`.
    Linear {
        /// At step 0; at least 0.
        start: f64,
        /// From `steps` on; positive.
        end: f64,
        /// At least 1.
        steps: usize,
    },
    /// `start` · (t + 1)^`power`: grows if the power is positive, shrinks if it is negative.
    Power {
        /// At step 0; positive.
        start: f64,
        /// Any number.
        power: f64,
    },
    /// `start` · `ratio`^t.
    Geometric {
        /// At step 0; positive.
        start: f64,
        /// Positive.
        ratio: f64,
    },
}

const FORMS: &str =
    "constant:C, linear:START,END,STEPS, power:START,POWER or geometric:START,RATIO";

impl Sequence {
    /// The number at outer step t.
    #[must_use]
    pub fn at(&self, outer_step: usize) -> f64 {
        match *self {
            Self::Constant { value } => value,
            Self::Linear { start, end, steps } => {
                let share = (outer_step as f64 / steps as f64).min(1.0);
                start + share * (end - start)
            }
            Self::Power { start, power } => start * (outer_step as f64 + 1.0).powf(power),
            Self::Geometric { start, ratio } => start * ratio.powf(outer_step as f64),
        }
    }

    /// Checks the numbers; the error names the setting `field`.
    ///
    /// # Errors
    /// [`Error::Setting`] for a number out of its range.
    pub fn validate(&self, field: &'static str) -> Result<()> {
        const RANGE: &str = "a sequence of positive numbers";
        let numbers_are_right = match *self {
            Self::Constant { value } => value > 0.0 && value.is_finite(),
            Self::Linear { start, end, steps } => {
                start >= 0.0 && start.is_finite() && end > 0.0 && end.is_finite() && steps >= 1
            }
            Self::Power { start, power } => start > 0.0 && start.is_finite() && power.is_finite(),
            Self::Geometric { start, ratio } => {
                start > 0.0 && start.is_finite() && ratio > 0.0 && ratio.is_finite()
            }
        };
        require(numbers_are_right, field, RANGE, self)
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant { value } => write!(formatter, "constant:{value}"),
            Self::Linear { start, end, steps } => {
                write!(formatter, "linear:{start},{end},{steps}")
            }
            Self::Power { start, power } => write!(formatter, "power:{start},{power}"),
            Self::Geometric { start, ratio } => write!(formatter, "geometric:{start},{ratio}"),
        }
    }
}

impl FromStr for Sequence {
    type Err = Error;

    /// Reads the form of the command line and checks its numbers.
    fn from_str(text: &str) -> Result<Self> {
        let unknown = || Error::Unknown {
            what: "sequence",
            text: text.to_owned(),
            expected: FORMS,
            known: &["constant", "linear", "power", "geometric"],
        };
        let number = |text: &str| text.parse::<f64>().map_err(|_| unknown());
        let (name, rest) = text.split_once(':').ok_or_else(unknown)?;
        let parts: Vec<_> = rest.split(',').collect();
        let sequence = match (name, parts.as_slice()) {
            ("constant", &[value]) => Self::Constant {
                value: number(value)?,
            },
            ("linear", &[start, end, steps]) => Self::Linear {
                start: number(start)?,
                end: number(end)?,
                steps: steps.parse().map_err(|_| unknown())?,
            },
            ("power", &[start, power]) => Self::Power {
                start: number(start)?,
                power: number(power)?,
            },
            ("geometric", &[start, ratio]) => Self::Geometric {
                start: number(start)?,
                ratio: number(ratio)?,
            },
            _ => return Err(unknown()),
        };
        sequence.validate("the sequence")?;
        Ok(sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_formulas() {
        let at = |text: &str, t| text.parse::<Sequence>().unwrap().at(t);
        assert_eq!(at("constant:3", 7), 3.0);
        assert_eq!(at("linear:0,8,4", 0), 0.0);
        assert_eq!(at("linear:0,8,4", 1), 2.0);
        assert_eq!(at("linear:0,8,4", 9), 8.0);
        assert_eq!(at("power:3,0.5", 3), 6.0);
        assert_eq!(at("power:3,-1", 5), 0.5);
        assert_eq!(at("geometric:3,0.5", 2), 0.75);
    }

    #[test]
    fn what_is_printed_is_what_is_read_and_wrong_forms_are_refused() {
        for text in [
            "constant:10",
            "linear:0,0.2,30000",
            "power:10,-0.25",
            "geometric:0.001,0.9",
        ] {
            assert_eq!(text.parse::<Sequence>().unwrap().to_string(), text);
        }
        for text in [
            "10",
            "constant:0",
            "constant:nan",
            "linear:0,1,0",
            "linear:1,0,5",
            "linear:-1,1,5",
            "power:1",
            "power:0,1",
            "power:1,inf",
            "geometric:1,0",
            "cosine:1",
        ] {
            assert!(text.parse::<Sequence>().is_err(), "{text}");
        }
    }
}
