//! From options to a method: what goes with what.

pub(crate) mod budget;
mod catalogue;
mod choice;
mod debiased;
mod entry;
mod implicit;
mod one_step;
mod pairs;
mod resolve;
mod tests;
mod unrolled;
mod value;

use anyhow::anyhow;
use bilevel::{
    Dynamics, Field, GradientDescent, Hyper, HyperGradient, InnerAdam, Momentum, Problem, Schedule,
    Sequence, Set, Unrolled,
};

use crate::arguments::MethodOptions;
use crate::failure::Failure;
use crate::parse::{AdjointChoice, DynamicsChoice, OptimizerChoice, ProbabilityChoice};
pub(crate) use catalogue::METHODS;
pub(crate) use choice::MethodChoice;
use entry::Derivative;
pub(crate) use entry::{Entry, Form, Gives, Opt, Precision};
use resolve::{expect_own_options, expect_parts, field, other_field, refuse, unnamed};

/// A method with all its settings.
#[derive(Clone, Debug)]
pub(crate) struct Method {
    pub(crate) choice: MethodChoice,
    pub(crate) field: Field,
    /// How steps are differentiated, where they are.
    pub(crate) adjoint: Option<AdjointChoice>,
    pub(crate) step_size: f64,
    pub(crate) steps: usize,
    pub(crate) dynamics: DynamicsChoice,
    pub(crate) probability: ProbabilityChoice,
    pub(crate) damping: f64,
    pub(crate) linear_tolerance: Option<f64>,
    pub(crate) linear_products: Option<usize>,
    /// Of a single loop: only some forms have a meaning there.
    pub(crate) single_loop_schedule: Option<Schedule>,
    pub(crate) y_step_size: Option<f64>,
    pub(crate) penalty: Option<Sequence>,
    /// Where y is kept.
    pub(crate) set: Set<f64>,
}

/// What is not typed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Defaults {
    /// The method, unless it is named or follows from its parts.
    pub(crate) method: &'static str,
    pub(crate) steps: usize,
    pub(crate) step_size: f64,
    pub(crate) damping: f64,
}

impl Defaults {
    /// Of the training of models.
    pub(crate) const TRAINING: Self = Self {
        method: "improved",
        steps: 100,
        step_size: 0.5,
        // The inner Hessian of a softmax is singular, that of a network indefinite.
        damping: 0.01,
    };
}

impl Method {
    /// Resolves the options; a pair that makes no sense is refused.
    pub(crate) fn new(
        named: Option<&MethodChoice>,
        options: &MethodOptions,
        defaults: Defaults,
    ) -> Result<Self, Failure> {
        let choice = named
            .cloned()
            .map_or_else(|| unnamed(options, defaults.method), Ok)?;
        let entry = choice.entry;
        if let Form::Unrolled(steps) = &entry.form {
            expect_parts(steps, &choice, named.is_some(), options)?;
        }
        expect_own_options(entry, named, options)?;
        let step_size = options.step_size.unwrap_or(defaults.step_size);
        let (field, adjoint) = match &entry.form {
            Form::Unrolled(steps) => (
                field(entry.name, steps, options, step_size)?,
                Some(
                    options
                        .adjoint
                        .unwrap_or(steps.derivative.adjoint(choice.parameter)),
                ),
            ),
            Form::Other(_) => (
                other_field(entry, options, step_size)?,
                options.adjoint.or(entry.adjoint),
            ),
        };
        Ok(Self {
            field,
            adjoint,
            step_size,
            steps: options.steps.or(entry.steps).unwrap_or(defaults.steps),
            dynamics: options.dynamics.unwrap_or_default(),
            probability: options.probability.unwrap_or_default(),
            damping: options.damping.unwrap_or(defaults.damping),
            linear_tolerance: options.linear_tolerance,
            linear_products: options.linear_products,
            single_loop_schedule: options.schedule.clone(),
            y_step_size: options.y_step_size,
            penalty: options.penalty,
            set: Set::All,
            choice,
        })
    }

    pub(crate) fn entry(&self) -> &'static Entry {
        self.choice.entry
    }

    /// The same with y kept in a set, where it can do that.
    pub(crate) fn kept_in(mut self, set: &Set<f64>) -> Result<Self, Failure> {
        if !set.is_all() && !self.entry().keeps_set {
            return refuse(format!(
                "--method {} keeps y in no set, and this problem has one: its formula holds where ∇_y g = 0; expected an unrolled method, implicit:fixed-point or one of gradients alone",
                self.choice
            ));
        }
        self.set = set.clone();
        Ok(self)
    }

    /// The name, with its parameter.
    pub(crate) fn name(&self) -> String {
        self.choice.to_string()
    }

    /// K, where it makes steps of training that are counted.
    pub(crate) fn counted_steps(&self) -> Option<usize> {
        self.entry().takes(Opt::Steps).then_some(self.steps)
    }

    /// What tells it from the others in one word or two: the derivative of unrolled training, with the name
    /// where that says more.
    pub(crate) fn short_name(&self) -> String {
        match self.adjoint {
            Some(adjoint) if self.entry().name == "basic" => adjoint.to_string(),
            Some(adjoint) if adjoint.to_string() != self.name() => {
                format!("{} {adjoint}", self.name())
            }
            _ => self.name(),
        }
    }

    /// The method, ready for use.
    pub(crate) fn build<T: Precision>(&self, problem: &Problem<T>) -> Box<dyn HyperGradient<T>> {
        match &self.entry().form {
            Form::Unrolled(_) => {
                Box::new(self.unrolled(self.adjoint.unwrap_or(AdjointChoice::Reverse)))
            }
            Form::Other(build) => T::build(build, self, problem),
        }
    }

    /// Its steps with this adjoint.
    pub(crate) fn unrolled<T: Precision>(&self, adjoint: AdjointChoice) -> Unrolled<T> {
        Unrolled {
            dynamics: self.dynamics(),
            steps: self.steps,
            adjoint: adjoint.build(),
        }
    }

    /// How y moves.
    pub(crate) fn dynamics<T: Precision>(&self) -> Box<dyn Dynamics<T>> {
        let (step_size, field) = (Hyper::Fixed(self.step_size), self.field.clone());
        let set = self.set.cast();
        match self.dynamics {
            DynamicsChoice::GradientDescent => Box::new(GradientDescent {
                step_size,
                field,
                set,
            }),
            DynamicsChoice::Momentum(beta) => Box::new(Momentum {
                step_size,
                momentum: Hyper::Fixed(beta),
                field,
                set,
                ..Momentum::default()
            }),
            DynamicsChoice::Adam => Box::new(InnerAdam {
                step_size,
                field,
                set,
                ..InnerAdam::default()
            }),
        }
    }

    /// How x moves: as typed, or as belongs to the method, or as usual.
    pub(crate) fn optimizer(
        &self,
        typed: Option<OptimizerChoice>,
        usual: OptimizerChoice,
    ) -> OptimizerChoice {
        let own = self.entry().optimizer.map(|own| own(self));
        typed.or(own).unwrap_or(usual)
    }

    /// Whether it is made of a field and a derivative alone.
    pub(crate) fn is_unrolled(&self) -> bool {
        matches!(self.entry().form, Form::Unrolled(_))
    }

    /// Whether central differences of f after training agree with it.
    pub(crate) fn is_exact(&self) -> bool {
        self.entry().gives == Gives::Exact && self.adjoint.is_none_or(AdjointChoice::is_exact)
    }

    /// The schedule of the aggregate field.
    pub(crate) fn schedule(&self) -> Option<String> {
        match &self.field {
            Field::Inner => None,
            Field::Aggregate { schedule, .. } => Some(schedule.to_string()),
        }
    }

    /// The step size of the outer gradient in the aggregate field.
    pub(crate) fn aggregate_step_size(&self) -> Option<f64> {
        match &self.field {
            Field::Inner => None,
            Field::Aggregate { outer_scale, .. } => Some(outer_scale * self.step_size),
        }
    }

    /// The same for a problem where x enters the inner objective alone: where a schedule gives the inner
    /// gradient no weight at any inner step, x does not enter training, and its gradient is zero. `outer_steps`
    /// is how far the schedule will be followed.
    pub(crate) fn expect_inner_weight(self, outer_steps: usize) -> Result<Self, Failure> {
        let schedule = match (&self.field, &self.single_loop_schedule) {
            (Field::Aggregate { schedule, .. }, _) => schedule,
            // That of a single loop, which has a weight for each outer step.
            (Field::Inner, Some(schedule)) => schedule,
            (Field::Inner, None) => return Ok(self),
        };
        // No weight rises but between the steps of every: the first and the last step tell. No form
        // but per-outer depends on the outer step, and its weight falls.
        let enters = |t| {
            [1, self.steps].iter().any(|&k| {
                schedule
                    .fixed_weights(k, t)
                    .is_none_or(|weights| weights.inner != 0.0)
            })
        };
        if enters(0) || enters(outer_steps) {
            return Ok(self);
        }
        Err(Failure::usage(anyhow!(
            "the hypergradient is identically zero: --schedule {schedule} gives the inner gradient, the only place where x enters, no weight at any of {} inner steps; expected a schedule that falls below 1 within them",
            self.steps
        )))
    }
}
