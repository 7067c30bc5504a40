//! What a hypergradient of traced objectives costs, known before the first.

use bilevel::Checkpointed;
use bilevel_autodiff::{Call, Result, Traced};

use crate::model::Real;

/// What the sweep back through training is left with; see [`bilevel::adjoint`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kept {
    /// Every state: [`bilevel::Reverse`].
    States,
    /// Every state and the linearisation of every step: [`bilevel::ReverseTape`].
    Tapes,
    /// So many states: [`bilevel::Checkpointed`].
    Checkpoints(usize),
}

/// Training whose hypergradient is to be predicted: K = `steps` steps of gradient descent.
pub struct Unrolling<'o, T> {
    /// g.
    pub inner: &'o Traced<T>,
    /// f.
    pub outer: &'o Traced<T>,
    /// Whether each step follows the gradient of both objectives, as in
    /// [`Field::Aggregate`](bilevel::Field::Aggregate).
    pub aggregate: bool,
    /// K.
    pub steps: usize,
    /// What is kept.
    pub kept: Kept,
    /// Threads that it runs on.
    pub threads: usize,
}

/// What one hypergradient costs.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct UnrolledCost {
    /// Floating-point operations in matrix products, a multiplication and an addition counted as two.
    pub product_flops: f64,
    /// Bytes of the data of both objectives.
    pub data_bytes: usize,
    /// Bytes of states and tapes: what grows with K.
    pub kept_bytes: usize,
    /// Bytes of everything else: x and its gradient, the state and its cotangent, and what the programs run
    /// in. Without what the `gemm` crate allocates for a wide product while it runs.
    pub work_bytes: usize,
}

impl UnrolledCost {
    /// Bytes at the peak.
    #[must_use]
    pub fn peak_bytes(&self) -> usize {
        self.data_bytes + self.kept_bytes + self.work_bytes
    }
}

impl<T: Real> Unrolling<'_, T> {
    /// The cost of one hypergradient. Data that both objectives share are counted twice.
    ///
    /// # Errors
    /// If a program cannot be compiled.
    pub fn cost(&self) -> Result<UnrolledCost> {
        use bilevel::Objective;
        let (n, m) = (self.inner.x_layout().len(), self.inner.y_layout().len());
        let steps = self.steps;
        let (forward, back) = match self.kept {
            Kept::Tapes => (Call::Linearize, Call::PullTape),
            Kept::States | Kept::Checkpoints(_) => (Call::GradY, Call::Pull),
        };
        let (states, spare, forward_steps) = match self.kept {
            Kept::States | Kept::Tapes => (steps, 0, steps as f64),
            // The state of a segment under way, and the one after it.
            Kept::Checkpoints(slots) => {
                let forward_steps = Checkpointed { slots }.forward_steps(steps);
                (slots.min(steps), 2, forward_steps as f64)
            }
        };
        let stepped = if self.aggregate {
            vec![self.inner, self.outer]
        } else {
            vec![self.inner]
        };
        let mut product_flops = 0.0;
        let mut tape = 0;
        for objective in stepped {
            let flops =
                |call| -> Result<f64> { Ok(objective.cost(call, self.threads)?.product_flops) };
            product_flops += flops(forward)? * forward_steps + flops(back)? * steps as f64;
            if self.kept == Kept::Tapes {
                tape += objective.tape_numbers()?;
            }
        }
        let mut outer_calls = vec![Call::Value, Call::GradY];
        if self.outer.depends_on_x() {
            outer_calls.push(Call::GradX);
        }
        for &call in &outer_calls {
            product_flops += self.outer.cost(call, self.threads)?.product_flops;
        }
        if self.aggregate {
            outer_calls.extend([forward, back]);
        }
        let handles = self.inner.handle_bytes(&[forward, back], self.threads)?
            + self.outer.handle_bytes(&outer_calls, self.threads)?;
        // State and cotangent, two of the dynamics, and where training starts; x, its gradient and a cotangent.
        let numbers = (5 + spare) * m + 3 * n;
        Ok(UnrolledCost {
            product_flops,
            data_bytes: self.inner.data_bytes() + self.outer.data_bytes(),
            kept_bytes: (states * m + tape * steps) * size_of::<T>(),
            work_bytes: numbers * size_of::<T>() + handles,
        })
    }
}
