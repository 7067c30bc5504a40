//! All detectors.

use super::agreement::Agreement;
use super::confident_learning::ConfidentLearning;
use super::glc::Glc;
use super::judging::Detector;
use super::loss::Loss;
use super::noise_matrix::NoiseMatrix;
use super::self_training::SelfTraining;

/// All of them, in the order of the table.
pub(in crate::cleaning) const DETECTORS: [&dyn Detector; 6] = [
    &Agreement,
    &Loss,
    &ConfidentLearning,
    &SelfTraining,
    &NoiseMatrix,
    &Glc,
];

/// Whether the detector of this name needs trusted rows.
pub(in crate::cleaning) fn needs_trusted(name: &str) -> bool {
    let mut detectors = DETECTORS.iter();
    detectors.any(|detector| detector.name() == name && detector.needs_trusted())
}

/// Their names.
pub(in crate::cleaning) fn names() -> impl Iterator<Item = &'static str> {
    DETECTORS.iter().map(|detector| detector.name())
}
