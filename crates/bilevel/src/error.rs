//! Errors, with fields that say what was wrong and where.

use std::fmt;

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// One of the two objectives of a problem.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// The inner objective g, which training minimises.
    Inner,
    /// The outer objective f.
    Outer,
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Inner => "inner",
            Self::Outer => "outer",
        })
    }
}

/// What went wrong: a shape, a setting, a combination that makes no sense, a number that is no
/// longer finite. Failure to converge is not an error; the report has a status for it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A slice or a layout has the wrong length for the problem.
    #[error("{what} has {found} numbers, expected {expected}")]
    Length {
        /// What was measured.
        what: &'static str,
        /// The length that was needed.
        expected: usize,
        /// The length that was given.
        found: usize,
    },
    /// A setting is outside its range.
    #[error("{field} must be {range}, found {value}")]
    Setting {
        /// The name of the setting.
        field: &'static str,
        /// What is allowed.
        range: &'static str,
        /// What was given.
        value: String,
    },
    /// The text is not one of the known choices.
    #[error("unknown {what} {text:?}: expected {expected}")]
    Unknown {
        /// The kind of thing.
        what: &'static str,
        /// What was given.
        text: String,
        /// The known forms.
        expected: &'static str,
        /// Their names, to suggest the nearest one.
        known: &'static [&'static str],
    },
    /// The text is not a valid value.
    #[error("expected {expected}, found {found:?}")]
    Expected {
        /// What is valid.
        expected: String,
        /// What was given.
        found: String,
        /// Known names, to suggest the nearest one.
        known: Vec<&'static str>,
    },
    /// A number became infinite or NaN.
    #[error("{what} became non-finite{}", place(*inner_step, *outer_step))]
    NonFinite {
        /// What became non-finite.
        what: &'static str,
        /// The inner step at which it was seen, counted from 1, if there is one.
        inner_step: Option<usize>,
        /// The outer step at which it was seen, if there is one.
        outer_step: Option<usize>,
    },
    /// A method needs second derivatives of an objective that has none.
    #[error("{needed_by} needs second derivatives of the {role} objective, which has none")]
    NoSecondOrder {
        /// The objective.
        role: Role,
        /// The method.
        needed_by: &'static str,
    },
    /// A method needs forward-mode products of an objective that has only reverse-mode products.
    #[error(
        "{needed_by} needs the second-order product `push` of the {role} objective, which has only `pull`"
    )]
    NoPush {
        /// The objective.
        role: Role,
        /// The method.
        needed_by: &'static str,
    },
    /// A method needs the tape of an objective that keeps none.
    #[error(
        "{needed_by} needs a tape of the {role} objective, which keeps none: use the adjoint `reverse`, which needs no tape"
    )]
    NoTape {
        /// The objective.
        role: Role,
        /// The method.
        needed_by: &'static str,
    },
    /// The hypergradient would be zero for every x.
    #[error(
        "the {derivative} hypergradient is identically zero for this problem: it sees x only through {sees}, and here x enters only through {enters}"
    )]
    StructurallyZero {
        /// The requested derivative.
        derivative: &'static str,
        /// The paths that this derivative follows.
        sees: String,
        /// The paths through which x does enter.
        enters: String,
    },
    /// Training in fixed-point numbers left their range.
    #[error(
        "the inner variable or its velocity left the range ±{limit:.3e} of numbers with {fraction_bits} binary places{}: use fewer `fraction_bits`, or a smaller step size if training diverges", place(Some(*inner_step), Some(*outer_step))
    )]
    OutOfRange {
        /// The range.
        limit: f64,
        /// Binary places.
        fraction_bits: u32,
        /// The inner step at which it was seen, counted from 1.
        inner_step: usize,
        /// The outer step at which it was seen.
        outer_step: usize,
    },
    /// Training that was run backwards did not return to its start.
    #[error(
        "training that was run backwards did not return to y_0{}: an objective gives different bits when the same gradient is evaluated twice", place(None, Some(*outer_step))
    )]
    NotRecovered {
        /// The outer step at which it was seen.
        outer_step: usize,
    },
    /// The cheap part of a debiased estimate would be zero for every x, and so of no use.
    #[error(
        "{source}; as the cheap part of a debiased estimate it is useless: use `truncated:1` if x enters through the inner steps, `first-order` if it enters through the start of training or the outer objective"
    )]
    ZeroCheap {
        /// What is wrong with it.
        source: Box<Error>,
    },
    /// A method that costs far more than another one with the same result.
    #[error(
        "{method} over the {x_len} numbers of x costs {gradients:.0} gradients, which is allowed for at most {most} numbers: use {instead}, which costs {of_instead:.0} for any x, or allow more"
    )]
    TooCostly {
        /// The method.
        method: &'static str,
        /// n.
        x_len: usize,
        /// What an estimate would cost, see [`Oracles::gradients`](crate::Oracles::gradients).
        gradients: f64,
        /// The largest n for which it is allowed.
        most: usize,
        /// What to use.
        instead: &'static str,
        /// What an estimate costs with that.
        of_instead: f64,
    },
    /// A method does not apply to what it is combined with.
    #[error("{method} does not apply here: {reason}")]
    NotApplicable {
        /// The method.
        method: &'static str,
        /// Why not, and what to use.
        reason: &'static str,
    },
    /// A mean over tasks needs each place of an outer step once.
    #[error("the task at place {place} of {count} is missing or appears twice")]
    TaskPlace {
        /// The place, from 0.
        place: usize,
        /// How many places there are.
        count: usize,
    },
    /// A linear system that must be positive definite is not.
    #[error(
        "the system of {solver} is not positive definite: its curvature along the direction of product {product} is {curvature:.2e}; add damping or weight decay until it is positive (the inner Hessian is singular for a softmax and indefinite for an MLP)"
    )]
    NotPositiveDefinite {
        /// The linear solver.
        solver: &'static str,
        /// ⟨p, A p⟩ / ⟨p, p⟩, damping included.
        curvature: f64,
        /// The product at which it was seen, counted from 1.
        product: usize,
    },
    /// The user's own objective failed.
    #[error("{} failed: {source}", role.map_or_else(|| "an objective".to_owned(), |role| format!("the {role} objective")))]
    Objective {
        /// Which one, once it is known.
        role: Option<Role>,
        /// What it said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An observer failed: a history or a checkpoint could not be written.
    #[error(transparent)]
    Observer(Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// For implementations of [`Observer`](crate::Observer): wraps what went wrong inside.
    pub fn observer(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Observer(source.into())
    }

    /// For implementations of [`Objective`](crate::objective::Objective): wraps what went
    /// wrong inside.
    pub fn objective(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Objective {
            role: None,
            source: source.into(),
        }
    }

    /// Names the objective, where an error came from inside one.
    pub(crate) fn in_role(self, found: Role) -> Self {
        match self {
            Self::Objective { role: None, source } => Self::Objective {
                role: Some(found),
                source,
            },
            other => other,
        }
    }
}

fn place(inner_step: Option<usize>, outer_step: Option<usize>) -> String {
    let inner = inner_step.map(|step| format!("inner step {step}"));
    let outer = outer_step.map(|step| format!("outer step {step}"));
    match (inner, outer) {
        (Some(inner), Some(outer)) => format!(" at {inner} of {outer}"),
        (Some(one), None) | (None, Some(one)) => format!(" at {one}"),
        (None, None) => String::new(),
    }
}

/// Fails unless `found` is `expected`.
pub(crate) fn expect_length(what: &'static str, expected: usize, found: usize) -> Result<()> {
    if expected == found {
        Ok(())
    } else {
        Err(Error::Length {
            what,
            expected,
            found,
        })
    }
}

/// Fails unless `holds`; `value` is printed in the error.
pub(crate) fn require(
    holds: bool,
    field: &'static str,
    range: &'static str,
    value: impl fmt::Display,
) -> Result<()> {
    if holds {
        Ok(())
    } else {
        Err(Error::Setting {
            field,
            range,
            value: value.to_string(),
        })
    }
}

/// Fails unless `value` is a positive number.
pub(crate) fn positive(field: &'static str, value: f64) -> Result<()> {
    let holds = value > 0.0 && value.is_finite();
    require(holds, field, "a positive number", value)
}
