//! What models are trained on, one after the other.

/// What a detector trains on.
#[derive(Clone, Copy, Debug)]
pub(in crate::cleaning::detector) enum Stage {
    /// The given labels, beside a model of the trusted rows.
    Start,
    /// The rows that agree, in each round of self-training.
    FirstRound,
    SecondRound,
    ThirdRound,
    /// The posterior classes, of which the matrix is estimated too.
    NoiseMatrix,
    /// The same for a matrix from the trusted rows.
    Glc,
    /// The same for a matrix that the hypergradient has moved.
    Hypergradient,
}

/// How many stages there are.
pub(super) const STAGES: usize = Stage::Hypergradient as usize + 1;
