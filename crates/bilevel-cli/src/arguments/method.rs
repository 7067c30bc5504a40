//! Which method, and its settings.

use bilevel::{Schedule, Sequence};
use clap::{Args, ValueEnum};

use crate::method::{MethodChoice, Opt};
use crate::parse::{self, AdjointChoice, DynamicsChoice, ProbabilityChoice};

/// What the inner steps follow.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum FieldName {
    /// The inner gradient alone
    Inner,
    /// A weighted sum of inner and outer gradient
    Aggregate,
}

#[derive(Args, Debug)]
pub(crate) struct MethodArguments {
    /// Which method, see bilevel methods; improved unless given, or named by --field and --adjoint
    #[arg(long, value_name = "NAME")]
    pub(crate) method: Option<MethodChoice>,
    #[command(flatten)]
    pub(crate) options: MethodOptions,
}

/// The settings of methods; which of them one has, bilevel explain says.
#[derive(Args, Debug, Default)]
pub(crate) struct MethodOptions {
    /// Weight of the outer gradient at inner step k: constant:A, harmonic:C, geometric:A,R,
    /// bigsam:GAMMA,BETA,CAP, per-outer:MU0,P or every:N,SCHEDULE
    #[arg(long, value_name = "SCHEDULE", value_parser = parse::schedule)]
    pub(crate) schedule: Option<Schedule>,
    /// What the inner steps follow
    #[arg(long, value_name = "FIELD", value_enum)]
    pub(crate) field: Option<FieldName>,
    /// How training is differentiated: reverse (keeps every state), reverse:tape (also keeps what
    /// each step worked out: faster, more memory), checkpointed:C (keeps C states and recomputes
    /// the others, to the same bits as reverse), truncated:J (the last J steps alone), forward (for few
    /// numbers of x) or first-order (no second derivatives)
    #[arg(long, value_name = "ADJOINT")]
    pub(crate) adjoint: Option<AdjointChoice>,
    /// Step size of the inner gradient [default: 0.5; of bench 0.1; of solve
    /// the problem's own]
    #[arg(long, value_name = "S", allow_negative_numbers = true, value_parser = parse::positive)]
    pub(crate) step_size: Option<f64>,
    /// Step size of the outer gradient in the aggregate; that of the inner gradient unless given
    #[arg(long, value_name = "S", allow_negative_numbers = true, value_parser = parse::positive)]
    pub(crate) aggregate_step_size: Option<f64>,
    /// Inner steps, K [default: 100; of solve the problem's own; of
    /// a method that needs few its own]
    #[arg(long, value_name = "K", allow_negative_numbers = true, value_parser = parse::positive_count)]
    pub(crate) steps: Option<usize>,
    /// How y moves in a step: gradient-descent, momentum:BETA or adam [default: gradient-descent]
    #[arg(long, value_name = "RULE")]
    pub(crate) dynamics: Option<DynamicsChoice>,
    /// How often ufo works out the exact hypergradient: a probability above 0, or adaptive [default:
    /// 0.1]
    #[arg(long, value_name = "Q", allow_negative_numbers = true)]
    pub(crate) probability: Option<ProbabilityChoice>,
    /// Added to the inner Hessian, where implicit methods solve with it [default: 0.01, of solve 0]
    #[arg(long, value_name = "D", allow_negative_numbers = true, value_parser = parse::non_negative)]
    pub(crate) damping: Option<f64>,
    /// Relative residual to which implicit methods solve their linear system
    #[arg(long, value_name = "E", allow_negative_numbers = true, value_parser = parse::positive)]
    pub(crate) linear_tolerance: Option<f64>,
    /// Products that implicit methods may make for that
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = parse::positive_count)]
    pub(crate) linear_products: Option<usize>,
    /// Step size of y in the methods that move it beside the inner problem's own solution; that of the
    /// inner gradient unless given, of bvfsm an eleventh of it
    #[arg(long, value_name = "S", allow_negative_numbers = true, value_parser = parse::positive)]
    pub(crate) y_step_size: Option<f64>,
    /// Penalty at each outer step: constant:C, linear:START,END,STEPS or power:START,POWER
    #[arg(long, value_name = "SEQUENCE", allow_hyphen_values = true, value_parser = parse::sequence)]
    pub(crate) penalty: Option<Sequence>,
}

impl MethodOptions {
    /// Those that only some methods have and that were typed.
    pub(crate) fn given(&self) -> impl Iterator<Item = Opt> {
        [
            (Opt::Steps, self.steps.is_some()),
            (Opt::StepSize, self.step_size.is_some()),
            (Opt::Field, self.field.is_some()),
            (Opt::Schedule, self.schedule.is_some()),
            (Opt::AggregateStepSize, self.aggregate_step_size.is_some()),
            (Opt::Adjoint, self.adjoint.is_some()),
            (Opt::Dynamics, self.dynamics.is_some()),
            (Opt::Probability, self.probability.is_some()),
            (Opt::Damping, self.damping.is_some()),
            (Opt::LinearTolerance, self.linear_tolerance.is_some()),
            (Opt::LinearProducts, self.linear_products.is_some()),
            (Opt::YStepSize, self.y_step_size.is_some()),
            (Opt::Penalty, self.penalty.is_some()),
        ]
        .into_iter()
        .filter_map(|(option, given)| given.then_some(option))
    }
}

/// What the training of models is made of besides.
#[derive(Args, Debug)]
pub(crate) struct TrainingArguments {
    /// Training rows of an inner step; all unless given
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = parse::positive_count)]
    pub(crate) batch: Option<usize>,
    /// Trusted rows of an evaluation of the outer objective; all unless given
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = parse::positive_count)]
    pub(crate) trusted_batch: Option<usize>,
    /// D of D‖y‖²/2, added to the inner loss
    #[arg(long, value_name = "D", default_value = "0", allow_negative_numbers = true, value_parser = parse::non_negative)]
    pub(crate) weight_decay: f64,
}
