//! The derivative that fits into a given memory.

use anyhow::anyhow;

use super::{Derivative, Form, Method};
use crate::failure::Failure;
use crate::parse::{AdjointChoice, Size};

/// What was chosen within a budget, and why.
#[derive(Clone, Debug)]
pub(crate) struct Chosen {
    pub(crate) why: String,
}

/// Predicts the bytes of one hypergradient at the peak.
type Peak<'a> = dyn Fn(&Method) -> Result<usize, Failure> + 'a;

/// The fastest derivative of `method` whose hypergradient fits into `budget`: tapes, states, as many
/// checkpoints as fit. One that was typed, and a method that has no choice, is only measured.
pub(crate) fn choose(
    method: Method,
    typed: bool,
    has_tape: bool,
    budget: &Size,
    peak: &Peak<'_>,
) -> Result<(Method, Chosen), Failure> {
    let with = |adjoint| Method {
        adjoint: Some(adjoint),
        ..method.clone()
    };
    let taken = |method: &Method, bytes: usize| {
        format!("{} takes {}", method.short_name(), megabytes(bytes))
    };
    if typed || !has_choice(&method) {
        let bytes = peak(&method)?;
        if bytes > budget.bytes {
            return Err(Failure::usage(anyhow!(
                "--memory-budget {budget}: a hypergradient of {}, more than that",
                taken(&method, bytes)
            )));
        }
        let why = format!("memory budget {budget}: {}", taken(&method, bytes));
        return Ok((method, Chosen { why }));
    }
    let mut too_large = Vec::new();
    let tape = has_tape.then_some(AdjointChoice::ReverseTape);
    for adjoint in tape.into_iter().chain([AdjointChoice::Reverse]) {
        let candidate = with(adjoint);
        let bytes = peak(&candidate)?;
        if bytes <= budget.bytes {
            return Ok(chosen(candidate, bytes, budget, &too_large));
        }
        too_large.push(taken(&candidate, bytes));
    }
    let slots = |slots| with(AdjointChoice::Checkpointed { slots });
    let least = peak(&slots(1))?;
    if least > budget.bytes {
        return Err(Failure::usage(anyhow!(
            "--memory-budget {budget}: expected at least {}, which {} takes, the least of all; {}",
            megabytes(least),
            slots(1).short_name(),
            too_large.join(", ")
        )));
    }
    // The most that fit: more slots take more memory.
    let (mut fits, mut exceeds) = (1, method.steps.max(2));
    while exceeds - fits > 1 {
        let middle = fits + (exceeds - fits) / 2;
        if peak(&slots(middle))? <= budget.bytes {
            fits = middle;
        } else {
            exceeds = middle;
        }
    }
    let candidate = slots(fits);
    let bytes = peak(&candidate)?;
    Ok(chosen(candidate, bytes, budget, &too_large))
}

/// Whether there are several exact derivatives with the same result.
fn has_choice(method: &Method) -> bool {
    match &method.entry().form {
        Form::Unrolled(steps) => match steps.derivative {
            Derivative::Exact => method.adjoint.is_some_and(AdjointChoice::is_exact),
            Derivative::Forward | Derivative::Truncated | Derivative::FirstOrder => false,
        },
        Form::Other(_) => method.adjoint.is_some(),
    }
}

fn chosen(method: Method, bytes: usize, budget: &Size, too_large: &[String]) -> (Method, Chosen) {
    let others = if too_large.is_empty() {
        String::new()
    } else {
        format!(", while {}", too_large.join(" and "))
    };
    let most = match method.adjoint {
        Some(AdjointChoice::Checkpointed { slots }) if slots + 1 < method.steps => {
            ", the most checkpoints that fit"
        }
        _ => ", the fastest that fits",
    };
    let why = format!(
        "memory budget {budget}: {} with a predicted peak of {}{most}{others}",
        method.short_name(),
        megabytes(bytes)
    );
    (method, Chosen { why })
}

fn megabytes(bytes: usize) -> String {
    format!("{:.2} MB", bytes as f64 / 1e6)
}
