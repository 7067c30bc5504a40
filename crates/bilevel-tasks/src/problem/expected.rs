//! Checks of the points of a test problem.

use crate::Error;

/// Fails unless `found` has the length `expected`.
pub(super) fn expect_length(
    problem: &'static str,
    what: &'static str,
    expected: usize,
    found: &[f64],
) -> Result<(), Error> {
    if found.len() == expected {
        Ok(())
    } else {
        Err(Error::ProblemLength {
            problem,
            what,
            expected,
            found: found.len(),
        })
    }
}
