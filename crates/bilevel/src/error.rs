//! Errors, with fields that say what was wrong and where.

use std::fmt;

use crate::Hint;

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

/// What can become infinite or NaN. A program that shows errors should match every kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Quantity {
    /// y.
    InnerVariable,
    /// ȳ, carried back through training.
    InnerCotangent,
    /// ẏ, carried forward through training.
    InnerTangent,
    /// y_0, where a method learns it.
    Start,
    /// g.
    InnerObjective,
    /// f.
    OuterObjective,
    /// ∇_y f.
    OuterGradient,
    /// The estimate of dF/dx.
    HyperGradient,
    /// x.
    OuterVariable,
    /// v of a single-loop method.
    Multiplier,
    /// The solution of a linear system.
    LinearSolution,
    /// A product of a linear solver.
    LinearProduct,
    /// y of a simple bilevel problem.
    SimpleVariable,
    /// A figure that an observer computes, by its name.
    Figure(&'static str),
}

impl fmt::Display for Quantity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::InnerVariable => "the inner variable",
            Self::InnerCotangent => "the cotangent of the inner variable",
            Self::InnerTangent => "the tangent of the inner variable",
            Self::Start => "the start of training",
            Self::InnerObjective => "the inner objective",
            Self::OuterObjective => "the outer objective",
            Self::OuterGradient => "the gradient of the outer objective",
            Self::HyperGradient => "the hypergradient",
            Self::OuterVariable => "the outer variable",
            Self::Multiplier => "the multiplier v",
            Self::LinearSolution => "the solution of the linear system",
            Self::LinearProduct => "a product of the linear solver",
            Self::SimpleVariable => "y of the simple bilevel problem",
            Self::Figure(name) => name,
        })
    }
}

/// Why a method does not apply to what it is combined with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Inapplicable {
    /// Forward mode, and dynamics that have only a derivative in reverse.
    NoPushForward,
    /// A solver for symmetric systems, and a matrix that may not be symmetric.
    NotSymmetric,
    /// A solver with the inner Hessian, and training that does not end where ∇_y g is 0.
    NotStationary,
    /// A mean over tasks, and a method that keeps what it says it does not.
    RemembersUnsaid,
}

impl fmt::Display for Inapplicable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NoPushForward => "the dynamics have no `push_forward`",
            Self::NotSymmetric => "the matrix is not known to be symmetric",
            Self::NotStationary => {
                "it solves with the inner Hessian, which is valid only if training ends at a stationary point of the inner objective, and an aggregate field, a set or a proximal step leads elsewhere"
            }
            Self::RemembersUnsaid => {
                "the method stores something in its memory, but its `remembers` says that it stores nothing"
            }
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
        what: Quantity,
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
    #[error("{needed_by} needs a tape of the {role} objective, which keeps none")]
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
    /// Training ended above its start: it diverges.
    #[error(
        "training rose: what it should lower went from {start:.4} to {end:.4}{}", place(None, Some(*outer_step))
    )]
    NotDescended {
        /// What the inner steps follow, at their start.
        start: f64,
        /// The same at their end.
        end: f64,
        /// The outer step at which it was seen.
        outer_step: usize,
    },
    /// Training in fixed-point numbers left their range: it diverges, or fewer `fraction_bits` are needed.
    #[error(
        "the inner variable or its velocity left the range ±{limit:.3e} of numbers with {fraction_bits} binary places{}", place(Some(*inner_step), Some(*outer_step))
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
    /// The cheap part of a debiased estimate would be zero for every x, and so of no use. Take
    /// [`Truncated`](crate::Truncated) where x enters through the inner steps, [`FirstOrder`](crate::FirstOrder) where
    /// it enters through the start of training or the outer objective.
    #[error("{source}; it is useless as the cheap part of a debiased estimate")]
    ZeroCheap {
        /// What is wrong with it.
        source: Box<Error>,
    },
    /// A method that costs far more than another one with the same result.
    #[error(
        "{method} over the {x_len} numbers of x costs {gradients:.0} gradients, which is allowed for at most {most} numbers; {instead} costs {of_instead:.0} for any x"
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
        /// The adjoint that costs less.
        instead: &'static str,
        /// What an estimate costs with that.
        of_instead: f64,
    },
    /// A method does not apply to what it is combined with.
    #[error("{method} does not apply here: {reason}")]
    NotApplicable {
        /// The method.
        method: &'static str,
        /// Why not.
        reason: Inapplicable,
    },
    /// A mean over tasks needs each place of an outer step once.
    #[error("the task at place {place} of {count} is missing or appears twice")]
    TaskPlace {
        /// The place, from 0.
        place: usize,
        /// How many places there are.
        count: usize,
    },
    /// A linear system that must be positive definite is not. The inner Hessian is singular for a softmax and
    /// indefinite for an MLP: damping or weight decay makes the system positive definite.
    #[error(
        "the system of {solver} is not positive definite: its curvature along the direction of product {product} is {curvature:.2e}"
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
    /// What the user can do about it, if anything is known that helps.
    #[must_use]
    pub fn hint(&self) -> Option<Hint> {
        let adjoint = |names: &[&str]| {
            let use_it = |name: &&str| ("adjoint", (*name).to_owned());
            Some(Hint::OneOf(names.iter().map(use_it).collect()))
        };
        match self {
            Self::NoTape { .. } => adjoint(&["reverse"]),
            Self::TooCostly { .. } => adjoint(&["reverse", "checkpointed"]),
            Self::OutOfRange { .. } => Some(Hint::Smaller("step_size")),
            Self::NotPositiveDefinite { .. } => Some(Hint::Damp),
            Self::NotApplicable { reason, .. } => {
                match reason {
                    Inapplicable::NoPushForward => adjoint(&["reverse", "checkpointed"]),
                    Inapplicable::NotSymmetric | Inapplicable::NotStationary => Some(Hint::Use(
                        vec![("method", "implicit:fixed-point".to_owned())],
                    )),
                    Inapplicable::RemembersUnsaid => None,
                }
            }
            Self::Length { .. }
            | Self::Setting { .. }
            | Self::Unknown { .. }
            | Self::Expected { .. }
            | Self::NonFinite { .. }
            | Self::NotDescended { .. }
            | Self::NoSecondOrder { .. }
            | Self::NoPush { .. }
            | Self::StructurallyZero { .. }
            | Self::NotRecovered { .. }
            | Self::ZeroCheap { .. }
            | Self::TaskPlace { .. }
            | Self::Objective { .. }
            | Self::Observer(_) => None,
        }
    }

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
