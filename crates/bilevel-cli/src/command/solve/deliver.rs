//! Delivery of the result.

use anyhow::anyhow;
use bilevel_tasks::problem::TestProblem;

use super::result::SolveResult;
use super::text;
use super::trajectory::Trajectory;
use crate::arguments::SolveArguments;
use crate::failure::Failure;
use crate::folder::Folder;
use crate::progress::line;

/// Delivers the result, with the trajectory if requested.
pub(super) fn deliver(
    arguments: &SolveArguments,
    problem: &TestProblem,
    result: &SolveResult,
    trajectory: &Trajectory,
) -> Result<(), Failure> {
    if let Some(path) = &arguments.trajectory {
        std::fs::write(path, trajectory.csv()).map_err(|error| {
            Failure::usage(anyhow!(error).context(format!(
                "--trajectory {}: cannot be written",
                path.display()
            )))
        })?;
    }
    let common = &arguments.common;
    let document = crate::output::json(result)?;
    if common.out.is_some() {
        Folder::create(common.out.as_deref(), "solve", |folder| {
            folder.write("trajectory.csv", trajectory.csv())?;
            folder.write("result.json", &document)
        })?;
    }
    if result.complaints > 0 && !common.quiet {
        line(&format!(
            "warning: {} of {} estimates fell short of what the method promises; status of the last one: {}",
            result.complaints,
            result.outer_steps + 1,
            result.status
        ));
    }
    if common.json {
        crate::output::print(&document)
    } else if common.quiet {
        Ok(())
    } else {
        crate::output::print(&text::text(problem, result))
    }
}
