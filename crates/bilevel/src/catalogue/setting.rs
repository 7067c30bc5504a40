//! The settings that only some methods have.

use crate::text::Kind;

/// A setting that belongs to some methods.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Setting {
    /// Weight of the outer gradient at each inner step.
    Schedule,
    /// What the inner steps follow.
    Field,
    /// How training is differentiated.
    Adjoint,
    /// Step size of the inner gradient.
    StepSize,
    /// Step size of the outer gradient in the aggregate field.
    AggregateStepSize,
    /// Inner steps.
    Steps,
    /// How y moves in a step.
    Dynamics,
    /// How often the exact part of a debiased estimate is computed.
    Probability,
    /// Added to the diagonal of the inner Hessian.
    Damping,
    /// Relative residual of a linear system.
    LinearTolerance,
    /// Products for a linear system.
    LinearProducts,
    /// Step size of y apart from the inner problem's own solution.
    YStepSize,
    /// Penalty at each outer step.
    Penalty,
}

/// What is known of a setting.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// Its name in a configuration or as a keyword: `step_size`.
    pub name: &'static str,
    /// The placeholder for its value, in capitals.
    pub value: &'static str,
    /// What it is, in one line without a full stop.
    pub doc: &'static str,
    /// Its default value, in words; None where the method's page or `doc` says it.
    pub default: Option<&'static str>,
    /// Which values are allowed.
    pub range: &'static str,
    /// All values with their meanings, where there are only a few.
    pub values: &'static [(&'static str, &'static str)],
}

impl Setting {
    /// All settings, in the order in which they are listed.
    pub const ALL: [Self; 13] = [
        Self::Schedule,
        Self::Field,
        Self::Adjoint,
        Self::StepSize,
        Self::AggregateStepSize,
        Self::Steps,
        Self::Dynamics,
        Self::Probability,
        Self::Damping,
        Self::LinearTolerance,
        Self::LinearProducts,
        Self::YStepSize,
        Self::Penalty,
    ];

    /// As a configuration and a keyword spell it: `step_size`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.about().name
    }

    /// Whether its value is a number.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self {
            Self::AggregateStepSize
            | Self::Steps
            | Self::Damping
            | Self::LinearTolerance
            | Self::LinearProducts
            | Self::YStepSize => Kind::Number,
            Self::Probability | Self::StepSize => Kind::Any,
            Self::Schedule | Self::Field | Self::Adjoint | Self::Dynamics | Self::Penalty => {
                Kind::Text
            }
        }
    }

    /// What is known of it.
    #[must_use]
    pub fn about(self) -> About {
        const POSITIVE: &str = "a positive number";
        const COUNT: &str = "a whole number of at least 1";
        let about = |name, value, range, default, doc| About {
            name,
            value,
            doc,
            default,
            range,
            values: &[],
        };
        match self {
            Self::Schedule => about(
                "schedule",
                "SCHEDULE",
                "weights from 0 to 1",
                None,
                "Weight of the outer gradient at inner step k: constant:A, harmonic:C, geometric:A,R, bigsam:GAMMA,BETA,CAP, per-outer:MU0,P or every:N,SCHEDULE",
            ),
            Self::Field => About {
                values: &[
                    ("inner", "The inner gradient only"),
                    (
                        "aggregate",
                        "A weighted sum of the inner and the outer gradient",
                    ),
                ],
                ..about(
                    "field",
                    "FIELD",
                    "one of its words",
                    None,
                    "Direction of the inner steps",
                )
            },
            Self::Adjoint => about(
                "adjoint",
                "ADJOINT",
                "counts of at least 1",
                None,
                "How training is differentiated: reverse (keeps every state), reverse:tape (also keeps the intermediate results of each step: faster, more memory), checkpointed:C (keeps C states and recomputes the others, with the same bits as reverse), truncated:J (only the last J steps), forward (for few outer variables) or first-order (no second derivatives)",
            ),
            Self::StepSize => about(
                "step_size",
                "S",
                "auto, or a positive number",
                Some("auto; 0.1 in bench; solve uses the problem's own"),
                "Step size of the inner gradient: a number, or auto, half of 1 / the largest curvature that training on the rows meets",
            ),
            Self::AggregateStepSize => about(
                "aggregate_step_size",
                "S",
                POSITIVE,
                None,
                "Step size of the outer gradient in the aggregate; the step size of the inner gradient unless given",
            ),
            Self::Steps => about(
                "steps",
                "K",
                COUNT,
                Some("100; solve and some methods set their own"),
                "Number of inner steps, K",
            ),
            Self::Dynamics => about(
                "dynamics",
                "RULE",
                "BETA from 0 to below 1",
                Some("gradient-descent"),
                "Update rule of y: gradient-descent, momentum:BETA or adam",
            ),
            Self::Probability => about(
                "probability",
                "Q",
                "above 0 and at most 1",
                Some("0.1"),
                "How often ufo computes the exact hypergradient: a probability above 0, or adaptive",
            ),
            Self::Damping => about(
                "damping",
                "D",
                "a number of at least 0",
                Some("0.01; 0 in solve"),
                "Added to the diagonal of the inner Hessian in the linear systems of implicit methods",
            ),
            Self::LinearTolerance => about(
                "linear_tolerance",
                "E",
                POSITIVE,
                None,
                "Relative residual at which implicit methods stop solving their linear system",
            ),
            Self::LinearProducts => about(
                "linear_products",
                "N",
                COUNT,
                None,
                "Largest number of products that implicit methods make for their linear system",
            ),
            Self::YStepSize => about(
                "y_step_size",
                "S",
                POSITIVE,
                None,
                "Step size of y in methods that move y separately from the inner solution; unless given, the step size of the inner gradient (bvfsm: an eleventh of it)",
            ),
            Self::Penalty => about(
                "penalty",
                "SEQUENCE",
                "positive numbers",
                None,
                "Penalty at each outer step: constant:C, linear:START,END,STEPS, power:START,POWER or geometric:START,RATIO",
            ),
        }
    }
}
