//! All detectors.

use super::agreement::Agreement;
use super::confident_learning::ConfidentLearning;
use super::glc::Glc;
use super::hypergradient::Hypergradient;
use super::judging::{Detector, DetectorPage};
use super::loss::Loss;
use super::neighbours::Neighbours;
use super::noise_matrix::NoiseMatrix;
use super::self_training::SelfTraining;

/// All of them, in the order of the table.
pub(in crate::cleaning) const DETECTORS: [&dyn Detector; 8] = [
    &Agreement,
    &Loss,
    &ConfidentLearning,
    &Neighbours,
    &SelfTraining,
    &NoiseMatrix,
    &Glc,
    &Hypergradient,
];

/// Whether the detector of this name needs trusted rows.
pub(in crate::cleaning) fn needs_trusted(name: &str) -> bool {
    let mut detectors = DETECTORS.iter();
    detectors.any(|detector| detector.name() == name && detector.page().needs_trusted)
}

/// The most classes that the detector of this name takes.
pub(in crate::cleaning) fn most_classes(name: &str) -> usize {
    let mut detectors = DETECTORS.iter();
    let detector = detectors.find(|detector| detector.name() == name);
    detector.map_or(usize::MAX, |detector| detector.most_classes())
}

/// Their pages.
pub fn detector_pages() -> impl Iterator<Item = DetectorPage> {
    DETECTORS.iter().map(|detector| detector.page())
}

/// Their names.
pub(in crate::cleaning) fn names() -> impl Iterator<Item = &'static str> {
    DETECTORS.iter().map(|detector| detector.name())
}
