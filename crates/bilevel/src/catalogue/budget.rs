//! Choosing the derivative that fits into a memory budget.

use super::choice::AdjointChoice;
use super::entry::{Derivative, Form};
use super::method::Method;
use super::size::Size;

/// The choice within a budget, and the reason.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// In words.
    pub why: String,
}

/// No derivative fits into the budget.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TooLarge {
    /// The requested derivative does not fit.
    #[error("the memory budget {budget} is too small: a hypergradient of {takes}")]
    Asked {
        /// The budget.
        budget: Size,
        /// What takes how much.
        takes: String,
    },
    /// No derivative fits.
    #[error(
        "the memory budget {budget} is too small: expected at least {least}, which {which} takes; {others}"
    )]
    All {
        /// The budget.
        budget: Size,
        /// The least.
        least: String,
        /// What takes it.
        which: String,
        /// What the others take.
        others: String,
    },
}

/// The fastest derivative of `method` whose hypergradient fits into `budget`: tapes, then states, then as many
/// checkpoints as fit. A derivative that was given, or the only one of a method, is only measured. `peak` predicts
/// the bytes of one hypergradient.
///
/// # Errors
/// [`TooLarge`], or what `peak` says.
pub fn choose<E: From<TooLarge>>(
    method: Method,
    given: bool,
    has_tape: bool,
    budget: &Size,
    peak: &dyn Fn(&Method) -> Result<usize, E>,
) -> Result<(Method, Chosen), E> {
    let with = |adjoint| {
        let mut method = method.clone();
        method.settings.adjoint = Some(adjoint);
        method
    };
    let taken =
        |method: &Method, bytes: usize| format!("{} takes {}", method.short_name(), size(bytes));
    if given || !has_choice(&method) {
        let bytes = peak(&method)?;
        if bytes > budget.bytes {
            let takes = taken(&method, bytes);
            let budget = budget.clone();
            return Err(TooLarge::Asked { budget, takes }.into());
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
        return Err(TooLarge::All {
            budget: budget.clone(),
            least: size(least),
            which: slots(1).short_name(),
            others: too_large.join(", "),
        }
        .into());
    }
    // The most that fit: more slots take more memory.
    let (mut fits, mut exceeds) = (1, method.settings.steps.max(2));
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

/// Whether several exact derivatives give the same result.
fn has_choice(method: &Method) -> bool {
    match &method.entry().form {
        Form::Unrolled(steps) => match steps.derivative {
            Derivative::Exact => method.settings.adjoint.is_some_and(AdjointChoice::is_exact),
            Derivative::Forward | Derivative::Truncated | Derivative::FirstOrder => false,
        },
        Form::Other(_) => method.settings.adjoint.is_some(),
    }
}

fn chosen(method: Method, bytes: usize, budget: &Size, too_large: &[String]) -> (Method, Chosen) {
    let others = if too_large.is_empty() {
        String::new()
    } else {
        format!(", while {}", too_large.join(" and "))
    };
    let most = match method.settings.adjoint {
        Some(AdjointChoice::Checkpointed { slots }) if slots + 1 < method.settings.steps => {
            ", the most checkpoints that fit"
        }
        _ => ", the fastest that fits",
    };
    let why = format!(
        "memory budget {budget}: {} with a predicted peak of {}{most}{others}",
        method.short_name(),
        size(bytes)
    );
    (method, Chosen { why })
}

fn size(bytes: usize) -> String {
    // Rounded up, so that what a message asks for is enough.
    if bytes < 10_000_000 {
        format!("{} kB", bytes.div_ceil(1000))
    } else {
        format!("{:.2} MB", (bytes as f64 / 1e4).ceil() / 1e2)
    }
}
