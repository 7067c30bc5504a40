//! The result as text.

use bilevel_tasks::problem::TestProblem;

use super::result::SolveResult;

pub(super) fn text(problem: &TestProblem, result: &SolveResult) -> String {
    let mut text = format!(
        "{}: {}\n({})\n\nMethod {}, {}{} outer steps, {:.2} s:\n  x = {}\n",
        result.problem,
        problem.summary,
        problem.reference,
        result.method,
        result
            .steps
            .map_or(String::new(), |steps| format!("{steps} inner and ")),
        result.outer_steps,
        result.seconds,
        shown(&result.x),
    );
    if !result.y.is_empty() {
        text += &format!("  y = {}\n", shown(&result.y));
    }
    text += &format!(
        "  f = {:.6}, norm of the true gradient {:.2e}\n",
        result.f, result.outer_gradient_norm
    );
    if let Some(optimum) = &result.known_optimum {
        text += &format!(
            "Known optimum: x = {}, f = {:.6}; distance {:.2e}\n",
            shown(&optimum.x),
            optimum.f,
            result.distance.unwrap_or(f64::NAN)
        );
    }
    text
}

/// The first numbers of a list.
fn shown(values: &[f64]) -> String {
    const SHOWN: usize = 6;
    let first: Vec<String> = values
        .iter()
        .take(SHOWN)
        .map(|value| format!("{value:.6}"))
        .collect();
    let more = if values.len() > SHOWN {
        format!(", … ({} in all)", values.len())
    } else {
        String::new()
    };
    format!("({}{more})", first.join(", "))
}
