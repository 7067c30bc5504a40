//! What a job does after the outer steps.

/// The stages after the outer steps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// A model is trained on the kept rows.
    Retraining,
    /// The baselines are trained.
    Baselines,
    /// The detector of this name.
    Detector(&'static str),
    /// The detectors are tried on trusted rows.
    Choosing,
    /// The hypergradient is checked.
    Checking,
}
