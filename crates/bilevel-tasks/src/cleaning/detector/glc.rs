//! Gold loss correction (arXiv 1802.05300).

use super::confusion::Confusion;
use super::detected::Detected;
use super::judging::{Detector, DetectorPage};
use super::noise_matrix::rounds;
use super::trials::{Stage, Trials};
use crate::Error;

/// Which class is confused with which is what a model of the given labels predicts, on average, for the trusted rows of
/// each class; then a model of the true classes is trained for this fixed matrix, in rounds in which the posterior
/// classes of the rows are soft labels: each round increases the corrected likelihood.
pub(super) struct Glc;

/// The matrix stays the same: fewer rounds than where it is estimated too.
const ROUNDS: usize = 4;

impl Detector for Glc {
    fn page(&self) -> DetectorPage {
        DetectorPage {
            name: "glc",
            summary: "estimates this once, on the trusted rows",
            how: "Which class is confused with which is estimated from the trusted rows; a model of the true classes is trained for this\nmatrix. A row is kept if its label is then the most probable class.",
            reference: "arXiv 1802.05300",
            needs_trusted: true,
        }
    }

    fn detect(&self, trials: &Trials<'_>) -> Result<Detected, Error> {
        let shares = of_trusted(trials)?;
        let confusion = Confusion::of_all(shares, trials.classes());
        corrected(trials, confusion, Stage::Glc)
    }
}

/// What a model of the given labels predicts for the trusted rows of each class, summed: true × given.
pub(super) fn of_trusted(trials: &Trials<'_>) -> Result<Vec<f64>, Error> {
    let classes = trials.classes();
    let probabilities = trials.cross_validated()?;
    let mut sums = vec![0.01; classes * classes];
    for (row, label) in trials.trusted() {
        let at = (trials.rows() + row) * classes;
        for (given, &p) in probabilities[at..at + classes].iter().enumerate() {
            sums[label as usize * classes + given] += f64::from(p);
        }
    }
    Ok(sums)
}

/// A model of the true classes for this confusion, trained at this stage.
pub(super) fn corrected(
    trials: &Trials<'_>,
    confusion: Confusion,
    stage: Stage,
) -> Result<Detected, Error> {
    // A model of the true classes to begin with.
    let mut detected = trials.detected(trials.trusted_only()?);
    detected.noise = Some(confusion);
    rounds(trials, &mut detected, (stage, ROUNDS), |_| {})?;
    Ok(detected)
}
