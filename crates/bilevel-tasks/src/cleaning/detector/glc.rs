//! Gold loss correction (arXiv 1802.05300).

use super::confusion::Confusion;
use super::detected::Detected;
use super::judging::Detector;
use super::noise_matrix::rounds;
use super::trials::Trials;
use crate::Error;

/// Which class is confused with which is what a model of the given labels predicts, on average, for the trusted rows of
/// each class; then a model of the true classes is trained for this fixed matrix, in rounds in which the posterior
/// classes of the rows are soft labels: each round increases the corrected likelihood.
pub(super) struct Glc;

/// The matrix stays the same: fewer rounds than where it is estimated too.
const ROUNDS: usize = 4;

impl Detector for Glc {
    fn name(&self) -> &'static str {
        "glc"
    }

    fn needs_trusted(&self) -> bool {
        true
    }

    fn detect(&self, trials: &Trials<'_>) -> Result<Detected, Error> {
        let classes = trials.classes();
        let mut detected = trials.detected(trials.cross_validated()?);
        let mut sums = vec![0.01; classes * classes];
        for (row, label) in trials.trusted() {
            let at = (trials.rows() + row) * classes;
            for (given, &p) in detected.probabilities[at..at + classes].iter().enumerate() {
                sums[label as usize * classes + given] += f64::from(p);
            }
        }
        detected.noise = Some(Confusion::of_all(sums, classes));
        // A model of the true classes to begin with.
        detected.probabilities = trials.trusted_only()?;
        rounds(trials, &mut detected, ROUNDS, |_| {})?;
        Ok(detected)
    }
}
